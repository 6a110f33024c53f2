"""A person asks for another attempt."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.test import Client as Browser
from django.utils import translation

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post,
    post_in,
    refused,
    snapshot,
)
from whatsapp_monitoring_app.bells import ring_after_commit
from whatsapp_monitoring_app.models import Status, Trigger, WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.services import retries
from whatsapp_monitoring_app.services.message_types import ESSENTIAL_TYPES
from whatsapp_monitoring_app.services.retries import NotRetryable
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.tasks import send_whatsapp_async

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

HOUR = timedelta(hours=1)
LATER = NOW + HOUR
NOT_ON_WHATSAPP = "+22370000001"
RETRYABLE = [Status.FAILED, Status.UNCONFIRMED]


def failed() -> WhatsAppNotification:
    return attempt(post(), Provider(refused(135000)))


def test_a_retry_is_a_new_attempt_in_the_persons_name(make_user: Callable[..., User]):
    notification, agent, provider = failed(), make_user(), Provider(accepted())
    retries.retry(notification, agent, LATER)
    assert (notification.status, notification.next_attempt_at, notification.rung_at) == (Status.PENDING, LATER, LATER)
    assert notification.attempts.count() == 1

    attempt(notification, provider, LATER)
    assert (notification.status, notification.attempt_count, len(provider.requests)) == (Status.SENT, 2, 1)
    first, second = notification.attempts.all()
    assert (first.trigger, first.actor, first.outcome) == ("auto", None, "refused")
    assert (second.trigger, second.actor, second.outcome) == ("manual", agent, "accepted")


def test_what_is_unconfirmed_can_be_retried(make_user: Callable[..., User]):
    notification, agent = post_in(Status.UNCONFIRMED, attempt_count=1), make_user()
    retries.retry(notification, agent, LATER)
    assert (notification.status, notification.confirm_by) == (Status.RETRY_SCHEDULED, None)
    attempt(notification, Provider(accepted()), LATER)
    assert notification.status == Status.SENT
    assert [(record.trigger, record.actor) for record in notification.attempts.all()] == [("manual", agent)]


@pytest.mark.parametrize("status", sorted(set(Status) - set(RETRYABLE)))
def test_nothing_else_can_be_retried(status: Status, make_user: Callable[..., User]):
    notification, agent = post_in(status), make_user()
    before = snapshot(WhatsAppNotification)
    with pytest.raises(NotRetryable) as refusal:
        retries.retry(notification, agent, LATER)
    assert str(refusal.value)
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("origin", RETRYABLE)
@pytest.mark.parametrize("meanwhile", sorted(set(Status) - set(RETRYABLE)))
def test_a_page_that_is_out_of_date_retries_nothing(origin: Status, meanwhile: Status):
    notification = post_in(origin)
    stale = WhatsAppNotification.objects.get(pk=notification.pk)
    moved_on = post_in(meanwhile)
    fields = ("status", "claim_id", "claimed_until", "confirm_by", "next_attempt_at")
    change(notification, **{name: getattr(moved_on, name) for name in fields})
    before = snapshot(WhatsAppNotification)

    with pytest.raises(NotRetryable):
        retries.retry(stale, None, LATER)
    assert snapshot(WhatsAppNotification) == before


def test_a_second_press_is_refused():
    notification = failed()
    again = WhatsAppNotification.objects.get(pk=notification.pk)
    retries.retry(notification, None, LATER)
    before = snapshot(WhatsAppNotification)
    with pytest.raises(NotRetryable):
        retries.retry(again, None, LATER)
    assert snapshot(WhatsAppNotification) == before


def press(code: UUID) -> bool:
    try:
        retries.retry(WhatsAppNotification.objects.get(pk=code), None, LATER)
    except NotRetryable:
        return False
    return True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", RETRYABLE)
def test_eight_presses_at_once_are_one(status: Status):
    notification = post_in(status, attempt_count=10)
    assert sum(at_once(*[partial(press, notification.pk)] * 8)) == 1
    notification.refresh_from_db()
    assert notification.max_attempts == 11


@pytest.mark.parametrize(("attempts_made", "most"), [(1, 10), (9, 10), (10, 11)])
def test_a_retry_adds_one_attempt_only_where_none_is_left(attempts_made: int, most: int):
    notification = post_in(Status.FAILED, attempt_count=attempts_made)
    retries.retry(notification, None, LATER)
    assert notification.max_attempts == most


def test_a_retry_that_fails_again_does_not_start_the_chain_anew():
    notification = post_in(Status.FAILED, attempt_count=10)
    retries.retry(notification, None, LATER)
    attempt(notification, Provider(refused(131016)), LATER)
    assert (notification.status, notification.attempt_count, notification.max_attempts) == (Status.FAILED, 11, 11)


def test_the_automatic_retry_after_a_persons_is_not_in_their_name(make_user: Callable[..., User]):
    notification, agent = failed(), make_user()
    retries.retry(notification, agent, LATER)
    attempt(notification, Provider(refused(131016)), LATER)
    attempt(notification, Provider(accepted()), notification.next_attempt_at or LATER)
    records = [(record.trigger, record.actor) for record in notification.attempts.all()]
    assert records == [("auto", None), ("manual", agent), ("retry", None)]


def test_a_retry_that_is_given_back_stays_in_the_persons_name(make_user: Callable[..., User]):
    notification, agent = failed(), make_user()
    retries.retry(notification, agent, LATER)
    attempt(notification, Provider(refused(130429)), LATER)
    attempt(notification, Provider(accepted()), notification.next_attempt_at or LATER)
    records = [(record.trigger, record.actor) for record in notification.attempts.all()]
    assert records == [("auto", None), ("manual", agent), ("manual", agent)]


def test_a_retry_of_what_is_too_old_makes_it_useful_again():
    old = post_in(Status.FAILED, expires_at=NOW)
    retries.retry(old, None, LATER)
    assert old.expires_at == LATER + timedelta(days=3)
    fresh = post_in(Status.FAILED, expires_at=LATER + timedelta(hours=1))
    retries.retry(fresh, None, LATER)
    assert fresh.expires_at == LATER + timedelta(hours=1)


@pytest.mark.parametrize("status", [*RETRYABLE, Status.RETRY_SCHEDULED])
def test_a_person_who_has_refused_such_messages_is_not_written_to_again(status: Status):
    notification = post_in(status, **({"next_attempt_at": LATER + HOUR} if status == Status.RETRY_SCHEDULED else {}))
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    before = snapshot(WhatsAppNotification)
    with translation.override("en"), pytest.raises(NotRetryable, match="does not want such messages"):
        retries.retry(notification, None, LATER)
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("kind", ESSENTIAL_TYPES)
def test_what_is_essential_is_retried_all_the_same(kind: str):
    notification = post_in(Status.FAILED, message_type=kind)
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    retries.retry(notification, None, LATER)
    assert notification.status == Status.PENDING


def test_somebody_elses_refusal_stops_nobody():
    notification = post_in(Status.FAILED)
    WhatsAppOptOut.objects.create(phone_number="+22376123457", reason="STOP", created_at=NOW)
    retries.retry(notification, None, LATER)
    assert notification.status == Status.PENDING


def test_retrying_all_passes_over_who_has_refused():
    refused_one, essential = post_in(Status.FAILED), post_in(Status.FAILED, message_type="payment")
    other = post_in(Status.FAILED, phone_number="+22376123457")
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    before = WhatsAppNotification.objects.filter(pk=refused_one.pk).values().get()
    queued = retries.retry_each(WhatsAppNotification.objects.all(), None, LATER).queued
    assert {notification.pk for notification in queued} == {essential.pk, other.pk}
    assert WhatsAppNotification.objects.filter(pk=refused_one.pk).values().get() == before


def test_the_page_says_why_it_was_not_retried(log_in: Callable[..., Browser]):
    notification = post_in(Status.FAILED)
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    agent = log_in("agent_mali", language="en")
    answer = agent.post(f"/agent-mali/whatsapp/monitoring/{notification.pk}/retry/", follow=True)
    assert "This person does not want such messages any more." in answer.content.decode()
    notification.refresh_from_db()
    assert notification.status == Status.FAILED


def test_all_that_failed_is_retried_and_nothing_else(make_user: Callable[..., User]):
    agent, rows = make_user(), {status: post_in(status) for status in Status}
    queued = retries.retry_each(WhatsAppNotification.objects.all(), agent, LATER).queued
    assert [notification.pk for notification in queued] == [rows[Status.FAILED].pk]
    for status, notification in rows.items():
        notification.refresh_from_db()
        assert notification.status == (Status.PENDING if status == Status.FAILED else status)
    failed_one = rows[Status.FAILED]
    assert (failed_one.next_trigger, failed_one.next_actor) == (Trigger.BULK, agent)


@pytest.mark.django_db(transaction=True)
def test_the_provider_is_really_called_again(stack: Stack, make_user: Callable[..., User]):
    agent = make_user()
    code = send_whatsapp_async(None, "Bonjour", "agent_mali", phone_number=NOT_ON_WHATSAPP).id
    rows = WhatsAppNotification.objects.filter(pk=code)
    notification = eventually(lambda: rows.filter(status=Status.FAILED).first(), "failed")
    assert len(stack.requests()) == 1

    retries.retry(notification, agent, notification.failed_at or NOW, confirmed={Reason.NO_WHATSAPP})
    ring_after_commit(notification)

    eventually(lambda: len(stack.requests()) == 2, "a second request")
    notification = eventually(lambda: rows.filter(status=Status.FAILED, attempt_count=2).first(), "failed again")
    assert [record.trigger for record in notification.attempts.all()] == ["auto", "manual"]
    assert [request["error_code"] for request in stack.requests()] == [131026, 131026]
