"""What happens to a message after it was accepted, told to the project by webhook."""

from functools import partial

import anyio

from whatsapp_monitoring_app.sandbox import webhooks
from whatsapp_monitoring_app.sandbox.behaviours import Behaviour
from whatsapp_monitoring_app.sandbox.phones import Message, now
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox


async def play(sandbox: Sandbox, message: Message, behaviour: Behaviour) -> None:
    """Move the message from receipt to receipt, as long as the sandbox remembers it."""
    config, random = sandbox.config, sandbox.random
    is_remembered = partial(sandbox.phones.remembers, message)
    delays = {
        "sent": config.sent_delay,
        "failed": config.sent_delay,
        "delivered": config.delivered_delay,
        "read": config.read_delay,
    }
    statuses = list(behaviour.receipts)
    if config.hostility.shuffles_receipts:
        random.shuffle(statuses)
    await anyio.sleep(config.hostility.receipt_delay)
    for status in statuses:
        await anyio.sleep(random.uniform(*delays[status]))
        if not is_remembered():
            return
        message.status = status
        error = behaviour.failure if status == "failed" else None
        message.failure_code = error.code if error else None
        receipt = webhooks.status_update(config, message, now(), error)
        for _copy in range(config.hostility.receipt_copies):
            await sandbox.postman.post(receipt, is_remembered)
