"""The promise itself, with every real part running: one message in, one message out, followed until it is read."""

from collections.abc import Callable

from django.db import transaction

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.tasks import send_whatsapp_async


def send(user: User, **more):
    return send_whatsapp_async(user, "Votre colis est expédié!", "agent_chine", **more)


def test_a_message_is_sent_once_and_followed_until_it_is_read(stack: Stack, make_user: Callable[..., User]):
    user = make_user()
    task = send(user)

    read = eventually(lambda: WhatsAppNotification.objects.filter(pk=task.id, status=Status.READ).first(), "read")

    assert stack.notices_to(user.telephone) == ["Votre colis est expédié!"]
    assert read.attempt_count == 1
    assert str(read.provider_message_id).startswith("wamid.")
    assert read.sent_at
    assert read.delivered_at
    assert {receipt.status for receipt in read.receipts.all()} == {"sent", "delivered", "read"}


def test_a_caller_that_rolls_back_sends_nothing(stack: Stack, make_user: Callable[..., User]):
    user, other = make_user(), make_user()
    with transaction.atomic():
        send(user)
        transaction.set_rollback(True)
    send(other)

    eventually(lambda: stack.messages_to(other.telephone), "the other message arrived")
    assert stack.messages_to(user.telephone) == []
    assert not WhatsAppNotification.objects.filter(user=user).exists()
