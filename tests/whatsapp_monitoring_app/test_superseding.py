"""A newer fact about the same thing replaces the older ones that still wait."""

from datetime import timedelta
from typing import Any

import pytest

from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    Provider,
    accepted,
    attempt,
    change,
    post,
    post_in,
    refused,
    snapshot,
)
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppNotification, WhatsAppSubject
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.providers.base import HttpAnswer
from whatsapp_monitoring_app.services import cancellation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

MINUTE = timedelta(minutes=1)
LEFT, ARRIVED, COLLECTED = 1, 2, 3


def fact(rank: int, subject: str = "colis:A", **fields: Any) -> WhatsAppNotification:
    return post(subject=subject, fact_rank=rank, **fields)


def status_of(notification: WhatsAppNotification) -> tuple[str, str]:
    notification.refresh_from_db()
    return notification.status, notification.cancel_reason


CANCELLED = (Status.CANCELLED, CancelReason.SUPERSEDED)
KEPT = (Status.PENDING, "")


def test_a_newer_fact_cancels_every_older_one_that_waits():
    left, arrived = fact(LEFT), fact(ARRIVED)
    collected = fact(COLLECTED, at=NOW + MINUTE)
    assert status_of(left) == status_of(arrived) == CANCELLED
    assert (left.cancelled_at, arrived.cancelled_at) == (NOW, NOW + MINUTE)
    assert status_of(collected) == KEPT


@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_what_no_longer_waits_is_not_superseded(status: Status):
    older = post_in(status, subject="colis:A", fact_rank=LEFT)
    before = WhatsAppNotification.objects.filter(pk=older.pk).values().get()
    fact(ARRIVED)
    assert WhatsAppNotification.objects.filter(pk=older.pk).values().get() == before


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "colis:B"},
        {"phone_number": "+22376123457"},
        {"rank": ARRIVED},
        {"rank": COLLECTED},
        {"rank": 0},
        {"rank": 0, "subject": ""},
    ],
    ids=["another parcel", "another person", "the same fact", "a newer fact", "no fact", "about nothing"],
)
def test_nothing_else_is_superseded(other: dict[str, Any]):
    kept = fact(**{"rank": LEFT, **other})
    fact(ARRIVED)
    assert status_of(kept) == KEPT


def test_messages_about_nothing_do_not_supersede_each_other():
    first = post(fact_rank=LEFT)
    post(fact_rank=ARRIVED)
    cancellation.cancel_all_superseded(NOW)
    assert status_of(first) == KEPT


def test_the_same_message_posted_twice_supersedes_nothing_the_second_time():
    fact(ARRIVED, idempotency_key="arrived A")
    later = post(at=NOW + MINUTE)
    WhatsAppSubject.objects.create(notification=later, name="colis:A", fact_rank=LEFT)
    change(later, fact_rank=LEFT)
    before = snapshot(WhatsAppNotification)
    fact(ARRIVED, idempotency_key="arrived A")
    assert snapshot(WhatsAppNotification) == before


def in_flight(answer: HttpAnswer) -> tuple[WhatsAppNotification, WhatsAppNotification]:
    """An older fact that was at the provider when the newer one was posted, and came back to the queue."""
    newer: list[WhatsAppNotification] = []

    def send(_request: object) -> HttpAnswer:
        newer.append(fact(ARRIVED))
        return answer

    older = attempt(fact(LEFT), send)
    return older, newer[0]


def test_an_older_fact_that_comes_back_to_the_queue_is_not_sent_after_the_newer_one():
    older, newer = in_flight(refused(131016))
    assert older.status == Status.RETRY_SCHEDULED
    provider = Provider(accepted())
    attempt(newer, provider)
    attempt(older, provider, NOW + 2 * MINUTE)
    assert [body["biz_opaque_callback_data"] for body in provider.bodies] == [str(newer.pk)]
    assert cancellation.cancel_all_superseded(NOW + 2 * MINUTE) == 1
    assert status_of(older) == CANCELLED
    assert (older.cancelled_at, older.next_attempt_at) == (NOW + 2 * MINUTE, None)
    assert cancellation.cancel_all_superseded(NOW + 2 * MINUTE) == 0


def test_an_older_fact_that_is_posted_late_is_not_sent():
    attempt(fact(ARRIVED), Provider(accepted()))
    late, provider = fact(LEFT), Provider(accepted("wamid.late"))
    attempt(late, provider)
    assert provider.requests == []
    cancellation.cancel_all_superseded(NOW)
    assert status_of(late) == CANCELLED


@pytest.mark.parametrize("fate", [Status.FAILED, Status.CANCELLED])
def test_a_newer_fact_that_nobody_was_told_supersedes_nothing(fate: Status):
    older, newer = in_flight(refused(131016))
    change(newer, status=fate, next_attempt_at=None, failed_at=NOW)
    assert cancellation.cancel_all_superseded(NOW) == 0
    attempt(older, Provider(accepted()), NOW + 2 * MINUTE)
    assert status_of(older) == (Status.SENT, "")


def test_only_the_newest_of_many_reaches_the_client():
    messages = [fact(rank) for rank in (LEFT, ARRIVED, COLLECTED)]
    provider = Provider(accepted())
    for message in messages:
        attempt(message, provider)
    assert [body["biz_opaque_callback_data"] for body in provider.bodies] == [str(messages[-1].pk)]
    assert provider.bodies[0]["to"] == NUMBER
