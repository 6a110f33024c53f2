"""What others' users complained of, made impossible: a retry is a new call to the provider, or it says why not.

That a refusal which comes as a receipt is never lost, whenever and however often it comes, is in test_receipts.py.
"""

from collections.abc import Callable

import pytest
from django.db.models import Count
from django.test import Client as Browser
from django.urls import reverse

from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.tasks import send_whatsapp_async

NOT_ON_WHATSAPP, ANSWERS_LATE = "+22370000001", "+22370000005"
TOKEN_EXPIRED = "+22370000007"


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def address(notification: WhatsAppNotification, name: str = "whatsapp_retry") -> str:
    return reverse(f"agent_mali:{name}", args=[notification.pk])


def failed_before(phone_number: str) -> WhatsAppNotification:
    """A message that an earlier call has failed, with the provider's old id still in its row."""
    return rows.notification(
        "agent_mali",
        phone_number=phone_number,
        error_class="transient",
        provider_message_id=f"wamid.of-the-first-call-to-{phone_number}",
        message_type="payment",
        message_content="Reçu: 5 000 F",
    )


@pytest.mark.django_db(transaction=True)
def test_a_retry_is_a_new_call_and_a_new_attempt_though_an_old_id_is_stored(stack: Stack, agent: Browser):
    notification = failed_before("+22376000009")
    agent.post(address(notification))

    eventually(lambda: len(stack.requests()) == 1, "the provider was called")
    found = WhatsAppNotification.objects.filter(pk=notification.pk)
    sent = eventually(lambda: found.filter(status=Status.READ).first(), "read")
    assert [(each.trigger, each.outcome) for each in sent.attempts.all()] == [("manual", "accepted")]
    assert "of-the-first-call" not in str(sent.provider_message_id)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_green_before_the_provider_has_answered(stack: Stack, agent: Browser):
    notification = failed_before(ANSWERS_LATE)
    page = agent.post(address(notification), follow=True).content.decode()
    assert "A new attempt is queued." in page

    seen = []
    found = WhatsAppNotification.objects.filter(pk=notification.pk)

    def is_read() -> bool:
        seen.append(found.annotate(answers=Count("attempts")).values_list("status", "answers").get())
        return seen[-1][0] == Status.READ

    eventually(is_read, "read")
    assert {status for status, answers in seen if not answers} <= {Status.PENDING, Status.SENDING}
    assert len(stack.requests()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_number_without_whatsapp_fails_again_and_says_so(stack: Stack, agent: Browser):
    code = send_whatsapp_async(None, "Bonjour", "agent_mali", phone_number=NOT_ON_WHATSAPP).id
    found = WhatsAppNotification.objects.filter(pk=code)
    notification = eventually(lambda: found.filter(status=Status.FAILED).first(), "failed")
    agent.post(address(notification))
    assert len(stack.requests()) == 1

    agent.post(address(notification), {"confirmed": "no_whatsapp"})
    eventually(lambda: found.filter(status=Status.FAILED, attempt_count=2).exists(), "failed again")
    assert [request["error_code"] for request in stack.requests()] == [131026, 131026]
    assert "Number without WhatsApp" in agent.get(address(notification, "whatsapp_attempt_details")).content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_expired_token_is_no_success_and_the_next_retry_calls_nobody(stack: Stack, agent: Browser):
    refused = failed_before(TOKEN_EXPIRED)
    agent.post(address(refused))
    eventually(lambda: WhatsAppSender.objects.filter(stop_class=ErrorClass.ACCOUNT_STOP).exists(), "the circuit opens")
    eventually(lambda: not WhatsAppNotification.objects.filter(status=Status.SENDING).exists(), "recorded")
    refused.refresh_from_db()
    assert (refused.status, refused.sent_at) == (Status.RETRY_SCHEDULED, None)

    other = failed_before("+22376000010")
    agent.post(address(other))
    eventually(lambda: WhatsAppNotification.objects.get(pk=other.pk).error_class == "account_stop", "it waits")
    other.refresh_from_db()
    assert (other.is_waiting, other.attempts.count()) == (True, 0)
    assert len(stack.requests()) == 1
    page = agent.get(reverse("agent_mali:whatsapp_monitoring")).content.decode()
    assert "blocked or its token expired" in page
