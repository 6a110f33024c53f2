"""A type of message that somebody does without is not sent to them, whichever way it comes; the essential is."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, TEXT, Provider, accepted, attempt, post
from whatsapp_monitoring_app.models import CancelReason, Standing, Status, WhatsAppMute, WhatsAppNotification
from whatsapp_monitoring_app.services import announcements, bulks, drafts, mutes, recovery, retries
from whatsapp_monitoring_app.services.message_types import ESSENTIAL_TYPES
from whatsapp_monitoring_app.tasks import announce, send_whatsapp_async

pytestmark = pytest.mark.django_db

MUTED, OTHER = "reminder", "delivery"


@pytest.fixture
def awa(make_user: Callable[..., User]) -> User:
    return make_user(NUMBER)


def mute(user: User, kind: str = MUTED) -> None:
    mutes.choose(user, {kind: False}, NOW)


def only() -> WhatsAppNotification:
    return WhatsAppNotification.objects.get()


def is_refused(notification: WhatsAppNotification) -> bool:
    notification.refresh_from_db()
    return (notification.status, notification.cancel_reason) == (Status.CANCELLED, CancelReason.OPT_OUT)


@pytest.mark.parametrize(("kind", "refused"), [(MUTED, True), (OTHER, False)])
def test_a_single_message_of_a_muted_type_is_not_sent(kind: str, refused: bool, awa: User):
    mute(awa)
    send_whatsapp_async(awa, TEXT, "agent_mali", message_type=kind)
    assert is_refused(only()) == refused


@pytest.mark.parametrize("kind", sorted(ESSENTIAL_TYPES))
def test_what_is_essential_is_sent_whatever_is_muted(kind: str, awa: User):
    waiting = post(user=awa, message_type=kind)
    mute(awa, kind)
    later = post(user=awa, message_type=kind)

    for notification in (waiting, later):
        provider = Provider(accepted(f"wamid.{uuid.uuid4()}"))
        attempt(notification, provider)
        assert notification.status == Status.SENT


def test_what_somebody_else_does_without_is_sent_to_me(awa: User, make_user: Callable[..., User]):
    mute(make_user())
    send_whatsapp_async(awa, TEXT, "agent_mali", message_type=MUTED)
    assert not is_refused(only())


def test_a_bulk_message_leaves_out_who_does_without_its_type(awa: User, make_user: Callable[..., User]):
    other = make_user()
    mute(awa)
    draft = drafts.Draft(message_content=TEXT, source_app="agent_mali", message_type=MUTED)
    bulk = bulks.create(draft, [awa, other], NOW)
    rung: list[WhatsAppNotification] = []
    bulks.expand(bulk.pk, ring=rung.extend, now=lambda: NOW)

    assert [notification.user for notification in rung] == [other]
    assert is_refused(WhatsAppNotification.objects.get(user=awa))


def reminding(*users: User) -> tuple[announcements.Event, list[announcements.Telling]]:
    rows.template("rappel")
    event = announcements.Event(
        source_app="agent_mali", idempotency_key="event", message_type=MUTED, category="pickup", title="Rappel"
    )
    params = {"nom": "Awa", "jours": "3"}
    return event, [announcements.Telling(user=user, template="rappel", params=params, about={}) for user in users]


def test_an_announcement_says_who_does_without_it(awa: User, make_user: Callable[..., User]):
    mute(awa)
    event, tellings = reminding(awa, make_user())
    planned = announcements.plan(event, tellings)
    assert [telling.user for telling, _reason in planned.untold] == [awa]

    announced = announce(event, tellings)
    assert announcements.reconcile(announced.announcement).counts == {Standing.REFUSED: 1, Standing.WAITING: 1}
    assert is_refused(WhatsAppNotification.objects.get(user=awa))
    announcements.complete(announced.announcement, NOW)
    assert WhatsAppNotification.objects.filter(user=awa).count() == 1


def test_a_failed_message_of_a_type_that_was_muted_since_is_not_retried(awa: User):
    failed = rows.notification("agent_mali", user=awa, phone_number=NUMBER, message_type=MUTED)
    mute(awa)

    with pytest.raises(retries.NotRetryable, match="does not want such messages|ne veut plus"):
        retries.retry(failed, None, NOW)
    assert retries.retry_each(WhatsAppNotification.objects.all(), None, NOW).queued == []
    failed.refresh_from_db()
    assert failed.status == Status.FAILED


def test_what_waits_when_its_type_is_muted_never_leaves(awa: User):
    waiting, other, provider = (
        post(user=awa, message_type=MUTED),
        post(user=awa, message_type=OTHER),
        Provider(accepted()),
    )
    mute(awa)
    assert is_refused(waiting)

    attempt(waiting, provider)
    assert provider.requests == []
    attempt(other, provider)
    assert other.status == Status.SENT


def test_what_comes_back_to_the_queue_after_its_type_was_muted_does_not_leave_and_is_cancelled(awa: User):
    """A worker had it in its hands while the person chose."""
    waiting, provider = post(user=awa, message_type=MUTED), Provider(accepted())
    WhatsAppMute.objects.create(user=awa, message_type=MUTED)

    attempt(waiting, provider)
    assert provider.requests == []
    recovery.run(NOW)
    assert is_refused(waiting)


def test_muting_touches_nobody_else_s_messages(awa: User, make_user: Callable[..., User]):
    other = make_user()
    foreign = post(user=other, message_type=MUTED)
    WhatsAppMute.objects.create(user=other, message_type=MUTED)
    mute(awa)
    foreign.refresh_from_db()
    assert foreign.status == Status.PENDING


def test_what_is_wanted_again_is_sent_again(awa: User):
    mute(awa)
    mutes.choose(awa, {MUTED: True}, NOW)
    assert mutes.of(awa) == set()
    notification = post(user=awa, message_type=MUTED, at=NOW + timedelta(minutes=1))
    attempt(notification, Provider(accepted()), NOW + timedelta(minutes=2))
    assert notification.status == Status.SENT


def test_a_muted_message_never_reaches_the_telephone(stack: Stack, make_user: Callable[..., Any]):
    awa = make_user(NUMBER)
    mute(awa)
    send_whatsapp_async(awa, "Unwanted", "agent_mali", message_type=MUTED)
    send_whatsapp_async(awa, "Wanted", "agent_mali", message_type=OTHER)

    eventually(lambda: stack.messages_to(NUMBER), "what is wanted arrives")
    assert stack.notices_to(NUMBER) == ["Wanted"]
