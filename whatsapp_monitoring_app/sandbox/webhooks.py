"""Posting to the project's webhook, signed and escaped as Meta does.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
"""

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable
from datetime import datetime

import anyio
import anyio.to_thread
import requests

from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.errors import CloudError
from whatsapp_monitoring_app.sandbox.phones import Message, Reply

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
REST_SECONDS = 0.005

ERROR_CODES_PAGE = "/documentation/business-messaging/whatsapp/support/error-codes"
UTILITY_PRICE = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
SERVICE_PRICE = {
    "billable": False,
    "pricing_model": "PMP",
    "type": "free_customer_service",
    "category": "service",
}


def encode(payload: dict[str, object]) -> bytes:
    """JSON in Meta's bytes: non-ASCII, "/" and "@" are escaped, so a re-encoded body has another signature."""
    text = json.dumps(payload, separators=(",", ":"))
    return text.replace("/", "\\/").replace("@", "\\u0040").encode("ascii")


def signature(app_secret: str, body: bytes) -> str:
    """The value of the header X-Hub-Signature-256."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def status_update(
    config: SandboxConfig, message: Message, at: datetime, error: CloudError | None
) -> dict[str, object]:
    """The receipt of a message in its present state."""
    status: dict[str, object] = {
        "id": message.wamid,
        "status": message.status,
        "timestamp": str(int(at.timestamp())),
        "recipient_id": message.wa_id,
    }
    if message.tracking is not None:
        status["biz_opaque_callback_data"] = message.tracking
    if message.status == "delivered":
        status["pricing"] = UTILITY_PRICE if message.type == "template" else SERVICE_PRICE
    if error is not None:
        status["errors"] = [_webhook_error(error)]
    return _envelope(config, message.phone_number_id, {"statuses": [status]})


def inbound_text(config: SandboxConfig, reply: Reply) -> dict[str, object]:
    """A text that a customer wrote."""
    message: dict[str, object] = {
        "from": reply.phone,
        "id": reply.wamid,
        "timestamp": str(int(reply.received_at.timestamp())),
        "type": "text",
        "text": {"body": reply.text},
    }
    if reply.context is not None:
        message["context"] = {"from": config.display_phone_number, "id": reply.context}
    contact = {"profile": {"name": f"Customer {reply.phone[-4:]}"}, "wa_id": reply.phone}
    return _envelope(config, reply.phone_number_id, {"contacts": [contact], "messages": [message]})


class Postman:
    """Carries payloads to the receiver, and knows whether one is on its way."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self._under_way = 0

    async def post(self, payload: dict[str, object], is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Post until the receiver answers 2xx, a few times at most, and only while it is wanted."""
        if self.config.webhook_url is None:
            return
        body = encode(payload)
        outcome = None
        for delay in (*self.config.webhook_retry_delays, None):
            if not is_wanted():
                return
            outcome = await self._post_once(body)
            if outcome is None:
                return
            if delay is not None:
                await anyio.sleep(delay)
        logger.warning("Webhook given up after %s tries: %s", len(self.config.webhook_retry_delays) + 1, outcome)

    async def rest(self) -> None:
        """Return once nothing is on its way any more."""
        while self._under_way:
            await anyio.sleep(REST_SECONDS)

    async def _post_once(self, body: bytes) -> str | None:
        self._under_way += 1
        try:
            return await anyio.to_thread.run_sync(_post_once, self.config, body, abandon_on_cancel=True)
        finally:
            self._under_way -= 1


async def verify(config: SandboxConfig) -> str:
    """Ask the receiver to prove that it knows the verify token, as Meta does on subscription. Says what happened."""
    return await anyio.to_thread.run_sync(_verify_once, config, abandon_on_cancel=True)


def _webhook_error(error: CloudError) -> dict[str, object]:
    return {
        "code": error.code,
        "title": error.title,
        "message": error.title,
        "error_data": {"details": error.details},
        "href": ERROR_CODES_PAGE,
    }


def _envelope(config: SandboxConfig, phone_number_id: str, content: dict[str, object]) -> dict[str, object]:
    metadata = {"display_phone_number": config.display_phone_number, "phone_number_id": phone_number_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **content}
    change = {"value": value, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": config.waba_id, "changes": [change]}]}


def _post_once(config: SandboxConfig, body: bytes) -> str | None:
    """Nothing when the receiver answered 2xx, otherwise what it did instead."""
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": signature(config.app_secret, body),
        "User-Agent": "facebookexternalua",
    }
    try:
        with _local_session() as session:
            response = session.post(
                str(config.webhook_url), data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
    except requests.RequestException as error:
        return type(error).__name__
    return None if response.status_code // 100 == 2 else f"HTTP {response.status_code}"


def _verify_once(config: SandboxConfig) -> str:
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.verify_token": config.verify_token, "hub.challenge": challenge}
    try:
        with _local_session() as session:
            response = session.get(
                str(config.webhook_url), params=query, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
    except requests.RequestException as error:
        return f"not verified: {type(error).__name__}"
    if response.status_code != 200:
        return f"not verified: HTTP {response.status_code}"
    return "verified" if response.text == challenge else "not verified: the challenge did not come back"


def _local_session() -> requests.Session:
    session = requests.Session()
    # The receiver is on this machine: a proxy of the environment must not get in between.
    session.trust_env = False
    return session
