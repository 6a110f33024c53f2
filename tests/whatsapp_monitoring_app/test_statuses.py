"""The one door of the status: what may move where, who wins, and what PostgreSQL refuses."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from tests.whatsapp_monitoring_app.scripts import NEEDS, NOW, at_once, post, post_in, snapshot
from whatsapp_monitoring_app.models import Outcome, Status, Trigger, WhatsAppAttempt, WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import FINAL, MOVES, REACHED, WAITING, origins

INTENDED = {
    "pending": {"sending", "cancelled", "failed", "delivered", "read"},
    "sending": {"sent", "retry_scheduled", "unconfirmed", "failed", "pending"},
    "unconfirmed": {"sent", "delivered", "read", "failed", "retry_scheduled"},
    "retry_scheduled": {"sending", "cancelled", "failed", "delivered", "read", "sent"},
    "sent": {"delivered", "read", "failed", "retry_scheduled"},
    "delivered": {"read"},
    "read": set(),
    "failed": {"pending", "delivered", "read"},
    "cancelled": set(),
}
PAIRS = [(origin, target) for origin in Status for target in Status]


def test_the_moves_are_exactly_the_intended_ones():
    assert {origin.value: {target.value for target in targets} for origin, targets in MOVES.items()} == INTENDED


def test_the_origins_of_a_status_are_the_moves_read_backwards():
    assert origins(Status.SENDING) == {Status.PENDING, Status.RETRY_SCHEDULED}
    assert origins(Status.CANCELLED) == {Status.PENDING, Status.RETRY_SCHEDULED}
    assert origins(Status.PENDING) == {Status.SENDING, Status.FAILED}
    for origin, target in PAIRS:
        assert (origin in origins(target)) == (target in INTENDED[origin])


def test_what_waits_is_neither_finished_nor_with_the_client():
    assert {"pending", "retry_scheduled"} == WAITING
    assert {"read", "failed", "cancelled"} == FINAL
    assert {"delivered", "read"} == REACHED


@pytest.mark.django_db
@pytest.mark.parametrize(("origin", "target"), PAIRS)
def test_only_a_legal_move_happens_in_the_database(origin: Status, target: Status):
    notification = post_in(origin)
    before = snapshot(WhatsAppNotification)

    moved = notification.move(target, **NEEDS.get(target, {}))

    assert moved == (target in INTENDED[origin])
    if moved:
        assert notification.status == target
    else:
        assert snapshot(WhatsAppNotification) == before


@pytest.mark.django_db
def test_a_move_clears_what_belonged_to_the_state_that_was_left():
    held = post_in(Status.SENDING)
    claim_id = held.claim_id
    assert held.move(Status.SENT)
    assert held.claimed_until is None
    assert held.claim_id == claim_id  # an answer that comes late is recognised by it

    unconfirmed = post_in(Status.UNCONFIRMED)
    assert unconfirmed.move(Status.DELIVERED)
    assert unconfirmed.confirm_by is None

    waiting = post()
    assert waiting.move(Status.CANCELLED)
    assert waiting.next_attempt_at is None


BROKEN_PROMISES: dict[str, dict[str, Any]] = {
    "status_is_known": {"status": "lost", "next_attempt_at": None},
    "priority_from_1_to_5": {"priority": 6},
    "error_class_is_known": {"error_class": "mysterious"},
    "media_has_a_link": {"media": "image"},
    "waiting_has_a_next_attempt": {"next_attempt_at": None},
    "sending_has_a_claim": {"status": Status.SENDING, "next_attempt_at": None},
    "unconfirmed_has_a_deadline": {"status": Status.UNCONFIRMED, "next_attempt_at": None},
    "failed_has_a_moment": {"status": Status.FAILED, "next_attempt_at": None},
    "informed_has_a_way": {"informed_at": NOW},
    "attempts_within_the_maximum": {"attempt_count": 6, "max_attempts": 5},
}


def refusal_of(change: Callable[[], Any]) -> str:
    """PostgreSQL's refusal of this change."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        change()
    return str(refusal.value)


@pytest.mark.django_db
@pytest.mark.parametrize("promise", BROKEN_PROMISES)
def test_the_database_refuses_a_row_that_breaks_a_promise(promise: str):
    notification = post()
    before = snapshot(WhatsAppNotification)
    rows = WhatsAppNotification.objects.filter(pk=notification.pk)

    assert f'"{promise}"' in refusal_of(lambda: rows.update(**BROKEN_PROMISES[promise]))
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.django_db
def test_every_check_of_the_model_is_tried_here():
    names = {str(c.name) for c in WhatsAppNotification._meta.constraints if not hasattr(c, "fields")}
    assert names == set(BROKEN_PROMISES)


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_what_does_not_wait_has_no_next_attempt(status: Status):
    notification = post_in(status)
    rows = WhatsAppNotification.objects.filter(pk=notification.pk)
    assert '"waiting_has_a_next_attempt"' in refusal_of(lambda: rows.update(next_attempt_at=NOW))


@pytest.mark.django_db
@pytest.mark.parametrize("priority", [0, 6])
def test_the_priority_goes_from_1_to_5(priority: int):
    rows = WhatsAppNotification.objects.filter(pk=post().pk)
    assert '"priority_from_1_to_5"' in refusal_of(lambda: rows.update(priority=priority))
    assert rows.update(priority=1) == rows.update(priority=5) == 1


@pytest.mark.django_db
def test_two_notifications_never_share_a_provider_message():
    post_in(Status.SENT, provider_message_id="wamid.one")
    other = WhatsAppNotification.objects.filter(pk=post().pk)
    assert '"one_per_provider_message"' in refusal_of(lambda: other.update(provider_message_id="wamid.one"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("promise", "broken"),
    [
        ("one_attempt_per_number", {}),
        ("trigger_is_known", {"number": 2, "trigger": "whim"}),
        ("outcome_is_known", {"number": 2, "outcome": "maybe"}),
        ("route_is_known", {"number": 2, "route": "detour"}),
        ("form_is_known", {"number": 2, "form": "poem"}),
    ],
)
def test_the_database_refuses_an_attempt_that_breaks_a_promise(promise: str, broken: dict[str, Any]):
    fields = {
        "notification": post(),
        "number": 1,
        "trigger": Trigger.AUTO,
        "outcome": Outcome.ACCEPTED,
        "started_at": NOW,
        "finished_at": NOW,
        "duration": timedelta(),
    }
    WhatsAppAttempt.objects.create(**fields)
    assert f'"{promise}"' in refusal_of(lambda: WhatsAppAttempt.objects.create(**(fields | broken)))
    assert WhatsAppAttempt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_by_eight_threads_at_once_has_one_winner():
    notification = post()
    claim = partial(WhatsAppNotification.objects.claim, notification.pk, NOW)

    claims = at_once(*[claim] * 8)

    (winner,) = [claimed for claimed in claims if claimed]
    notification.refresh_from_db()
    assert notification.status == Status.SENDING
    assert notification.claim_id == winner.claim_id


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_only_what_waits_can_be_claimed(status: Status):
    notification = post_in(status)
    before = snapshot(WhatsAppNotification)
    assert WhatsAppNotification.objects.claim(notification.pk, NOW) is None
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.django_db
def test_a_claim_needs_the_right_moment():
    notification = post(not_before=NOW + timedelta(hours=1), expires_at=NOW + timedelta(hours=2))
    claim = partial(WhatsAppNotification.objects.claim, notification.pk)

    assert claim(NOW + timedelta(minutes=59)) is None
    assert claim(NOW + timedelta(hours=2)) is None
    notification.refresh_from_db()
    assert notification.status == Status.PENDING

    claimed = claim(NOW + timedelta(hours=1))
    assert claimed
    assert claimed.first_attempt_at == NOW + timedelta(hours=1)
    assert claimed.claimed_until
    assert claimed.claimed_until > NOW + timedelta(hours=1)


@pytest.mark.django_db
def test_a_claim_looks_for_its_rows_by_their_keys_whatever_the_planner_believes():
    claim = WhatsAppNotification.objects.all()._claim
    values = claim.with_values(keys=[post().pk], at=NOW, soon=NOW, until=NOW, claim_id=uuid4())
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {claim.sql}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    # Not through all that waits, though these tables are so new that nothing is known of them.
    assert "notification_due" not in plan
    assert "_pkey" in plan
