"""Finding again what was lost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    TEXT,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post,
    post_in,
    snapshot,
)
from whatsapp_monitoring_app.models import (
    Status,
    Trigger,
    WhatsAppAttempt,
    WhatsAppBulk,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
    WhatsAppWebhookLog,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.notification_queries import LEASE
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import bulks, drafts, receipts, recovery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def claimed(**fields: Any) -> WhatsAppNotification:
    """A notification in the hands of a worker that never comes back."""
    notification = post(**fields)
    assert WhatsAppNotification.objects.claim(notification.pk, NOW)
    return notification


def unconfirmed(**fields: Any) -> WhatsAppNotification:
    return attempt(post(**fields), Provider(NoAnswer("ReadTimeout")))


def receive(word: str, message_id: str, at: datetime = NOW, **more: Any) -> None:
    receipts.take("cloud_api", ReceiptEvent(message_id, Kind(word), word, occurred_at=at, **more), at)


def test_what_a_dead_worker_held_is_unconfirmed_and_on_record():
    notification, at = claimed(), NOW + LEASE + SECOND
    assert recovery.release_abandoned(at) == 1
    notification.refresh_from_db()
    assert (notification.status, notification.attempt_count) == (Status.UNCONFIRMED, 1)
    assert (notification.claimed_until, notification.confirm_by) == (None, at + 5 * MINUTE)
    (record,) = notification.attempts.all()
    assert (record.outcome, record.trigger, record.http_status) == ("uncertain", "auto", None)
    assert (record.started_at, record.finished_at) == (NOW, at)
    assert recovery.release_abandoned(at) == 0


def test_what_a_living_worker_holds_is_left_to_it():
    claimed()
    before = snapshot(WhatsAppNotification)
    assert recovery.release_abandoned(NOW + LEASE) == 0
    assert snapshot(WhatsAppNotification) == before
    assert not WhatsAppAttempt.objects.exists()


def test_a_receipt_that_came_while_a_dead_worker_held_it_settles_it():
    notification = claimed()
    receive("delivered", "wamid.one", tracking=str(notification.pk))
    recovery.release_abandoned(NOW + LEASE + SECOND)
    notification.refresh_from_db()
    assert (notification.status, notification.provider_message_id) == (Status.DELIVERED, "wamid.one")


def test_an_unconfirmed_notice_is_sent_again_after_its_deadline():
    notification = unconfirmed()
    assert recovery.settle_unconfirmed(NOW + 5 * MINUTE - SECOND) == 0
    assert recovery.settle_unconfirmed(NOW + 5 * MINUTE) == 1
    notification.refresh_from_db()
    assert (notification.status, notification.attempt_count) == (Status.RETRY_SCHEDULED, 1)
    assert (notification.next_trigger, notification.confirm_by) == (Trigger.RECOVERY, None)
    assert notification.attempts.count() == 1  # no call was made

    attempt(notification, Provider(accepted()), notification.next_attempt_at or NOW)
    assert notification.status == Status.SENT
    assert [record.trigger for record in notification.attempts.all()] == ["auto", "recovery"]


@pytest.mark.parametrize("message_type", ["credentials", "account_creation", "otp", "payment"])
def test_an_unconfirmed_secret_or_payment_waits_for_a_person(message_type: str):
    unconfirmed(message_type=message_type)
    before = snapshot(WhatsAppNotification)
    assert recovery.settle_unconfirmed(NOW + DAY) == 0
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("fields", [{"max_attempts": 1}, {"expires_at": NOW + 5 * MINUTE}])
def test_an_unconfirmed_notice_that_may_not_be_tried_again_fails(fields: dict[str, Any]):
    notification = unconfirmed()
    change(notification, **fields)
    assert recovery.settle_unconfirmed(NOW + 5 * MINUTE) == 1
    notification.refresh_from_db()
    assert (notification.status, notification.error_class) == (Status.FAILED, "unconfirmed")


@pytest.mark.parametrize("status", [Status.PENDING, Status.RETRY_SCHEDULED])
def test_what_waited_too_long_is_given_up(status: Status):
    notification = post_in(status, expires_at=NOW + DAY, error_code="131016", error_message="down")
    assert recovery.expire(NOW + DAY - SECOND) == 0
    assert recovery.expire(NOW + DAY) == 1
    notification.refresh_from_db()
    assert (notification.status, notification.failed_at) == (Status.FAILED, NOW + DAY)
    # The words say what it waited for.
    assert (notification.error_class, notification.error_code, notification.error_message) == (
        "expired",
        "131016",
        "down",
    )


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PENDING, Status.RETRY_SCHEDULED}))
def test_what_no_longer_waits_does_not_expire(status: Status):
    post_in(status, expires_at=NOW)
    before = snapshot(WhatsAppNotification)
    assert recovery.expire(NOW + DAY) == 0
    assert snapshot(WhatsAppNotification) == before


def test_what_is_due_is_rung_once_and_again_after_some_patience():
    notification = post()
    change(notification, rung_at=None)
    assert recovery.to_ring(NOW) == [(notification.pk, 3, True)]
    notification.refresh_from_db()
    assert notification.rung_at == NOW
    assert recovery.to_ring(NOW + SECOND) == []
    assert recovery.to_ring(NOW + recovery.PATIENCE) == []
    assert recovery.to_ring(NOW + recovery.PATIENCE + SECOND) == [(notification.pk, 3, True)]


def test_the_most_urgent_is_rung_first_and_what_is_not_due_is_not_rung():
    late, urgent = post(priority=4), post(priority=1)
    post(not_before=NOW + 3 * MINUTE)
    post(expires_at=NOW + MINUTE)
    post_in(Status.SENT)
    assert recovery.to_ring(NOW + recovery.PATIENCE + SECOND) == [(urgent.pk, 1, True), (late.pk, 4, True)]


def codes(bells: list[recovery.Bell]) -> list[Any]:
    return [bell.code for bell in bells]


def unrung(count: int, **fields: Any) -> list[WhatsAppNotification]:
    """Messages that wait and of which no worker was told, the newest first."""
    rows = [post(NOW - n * SECOND, **fields) for n in range(count)]
    for row in rows:
        change(row, rung_at=None)
    return rows


def test_a_sweep_with_a_limit_rings_the_most_urgent_and_leaves_the_rest_to_the_next():
    notices, urgent = unrung(3), unrung(2, priority=1)
    first, second = recovery.to_ring(NOW, limit=3), recovery.to_ring(NOW, limit=3)
    assert codes([*first, *second]) == [row.pk for row in (*urgent, *notices)]
    assert len(first) == 3
    assert recovery.to_ring(NOW, limit=3) == []


@pytest.mark.parametrize(("rate", "accounts", "rung"), [(0.01, 1, 3), (0.05, 1, 4), (0.05, 2, 8), (1, 3, 20)], ids=str)
def test_a_sweep_rings_what_the_accounts_can_send_until_the_next_and_a_little_more(
    rate: float, accounts: int, rung: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "SMALLEST_SWEEP", 3)
    WhatsAppSender.objects.update(rate_per_second=rate)
    for code in ["chine", "systeme"][: accounts - 1]:
        own = WhatsAppSender.objects.get(code=code)
        own.account_id, own.token = f"account of {code}", "token"
        own.save()
    unrung(20)
    assert len(recovery.to_ring(NOW)) == rung


def test_a_sweep_rings_two_thousand_however_slow_the_senders_are():
    WhatsAppSender.objects.update(rate_per_second=0.01)
    (row,) = unrung(1)
    values = {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name != "code"
    }
    WhatsAppNotification.objects.bulk_create(WhatsAppNotification(**values) for _ in range(2000))
    assert (len(recovery.to_ring(NOW)), len(recovery.to_ring(NOW))) == (2000, 1)


def test_the_next_retry_that_waits_for_a_place_is_rung_and_no_other():
    retries, urgent = unrung(2), unrung(1, priority=2)
    WhatsAppNotification.objects.update(attempt_count=1)
    unrung(1, priority=1)  # never tried: not a retry
    change(*unrung(1, priority=1), attempt_count=1, rung_at=NOW - DAY)  # told already
    change(*unrung(1, priority=1), attempt_count=1, next_attempt_at=NOW + SECOND)  # not due
    expected = [(urgent[0].pk, 2, False), *((row.pk, 3, False) for row in retries)]
    assert [bell for _ in range(4) for bell in recovery.next_retries_to_ring(NOW)] == expected
    assert not WhatsAppNotification.objects.filter(pk=retries[0].pk).exclude(rung_at=NOW).exists()


def test_a_retry_of_a_sender_that_cannot_send_is_not_the_next():
    (idle,) = unrung(1, priority=1)
    (other,) = unrung(1, source_app="agent_chine")
    WhatsAppNotification.objects.update(attempt_count=1)
    WhatsAppSender.objects.filter(code="mali").update(is_active=False)
    assert codes(recovery.next_retries_to_ring(NOW)) == [other.pk]
    assert recovery.next_retries_to_ring(NOW) == []
    WhatsAppSender.objects.update(is_active=True)
    assert codes(recovery.next_retries_to_ring(NOW)) == [idle.pk]


@pytest.mark.django_db(transaction=True)
def test_four_free_places_at_once_are_given_to_four_retries():
    rows = unrung(4)
    WhatsAppNotification.objects.update(attempt_count=1)
    rung: list[Any] = []
    while len(rung) < 4:  # each skips what another is about to take
        bells = at_once(*[partial(recovery.next_retries_to_ring, NOW)] * 4)
        assert any(bells)
        rung += codes(list(chain(*bells)))
    assert sorted(rung) == sorted(row.pk for row in rows)


def test_what_could_not_be_rung_is_rung_by_the_next_sweep():
    rows = unrung(3)
    bells = recovery.to_ring(NOW)
    recovery.mark_rung(bells[1:], None)
    assert codes(recovery.to_ring(NOW + SECOND)) == [row.pk for row in rows[1:]]


def test_a_run_takes_every_step_and_counts(make_user: Callable[..., User]):
    post(expires_at=NOW)
    claimed()
    unconfirmed()
    older = post(subject="colis:A", fact_rank=2)
    post(subject="colis:A", fact_rank=2)
    older.subjects.update(fact_rank=1)  # it came back to the queue after the newer one was told
    post(phone_number="+22370000007")
    WhatsAppOptOut.objects.create(phone_number="+22370000007", created_at=NOW)
    post(phone_number="+22370000008")
    WhatsAppWrongNumber.objects.create(phone_number="+22370000008", created_at=NOW)
    receive("delivered", "wamid.early", at=NOW + MINUTE)
    post_in(Status.SENT, provider_message_id="wamid.early")
    assert recovery.run(NOW + 5 * MINUTE) == dict.fromkeys(recovery.STEPS, 1)
    assert recovery.run(NOW + 5 * MINUTE) == dict.fromkeys(recovery.STEPS, 0)


@pytest.mark.django_db(transaction=True)
def test_a_step_that_fails_does_not_keep_the_others_from_being_taken():
    post(expires_at=NOW)
    claimed()
    table = WhatsAppOptOut._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            counts = recovery.run(NOW + LEASE + SECOND)
        finally:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert (counts["expired"], counts["refused"], counts["abandoned"]) == (1, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_share_what_is_due():
    rows = unrung(40)
    rung = codes(list(chain(*at_once(*[partial(recovery.to_ring, NOW)] * 4))))
    assert sorted(rung) == sorted(row.pk for row in rows)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("step", "make", "at"),
    [
        (recovery.release_abandoned, claimed, NOW + LEASE + SECOND),
        (recovery.settle_unconfirmed, unconfirmed, NOW + 5 * MINUTE),
        (recovery.expire, partial(post, expires_at=NOW), NOW),
    ],
    ids=["abandoned", "unconfirmed", "expired"],
)
def test_two_recoveries_at_once_share_the_rows(
    step: Callable[[datetime], int], make: Callable[[], WhatsAppNotification], at: datetime
):
    for _ in range(12):
        make()
    # Each skips what the other has locked or is about to lock: a third run takes what both left.
    assert sum(at_once(partial(step, at), partial(step, at))) + step(at) == 12
    assert not WhatsAppNotification.objects.filter(attempt_count__gt=1).exists()
    numbers = set(WhatsAppAttempt.objects.values_list("number", flat=True))
    assert numbers <= {1}


def test_a_payload_whose_task_was_lost_is_found():
    def log(age: timedelta, **fields: Any) -> int:
        return WhatsAppWebhookLog.objects.create(
            provider="cloud_api", payload="{}", received_at=NOW - age, **fields
        ).pk

    older, lost = log(10 * MINUTE), log(3 * MINUTE)
    log(3 * MINUTE, processed_at=NOW)
    log(MINUTE)
    assert recovery.lost_webhooks(NOW) == [older, lost]


def test_a_bulk_whose_task_was_lost_is_found(make_user: Callable[..., User]):
    draft = drafts.Draft(message_content=TEXT, source_app="agent_mali")
    lost = bulks.create(draft, [make_user()], NOW)
    finished = bulks.create(draft, [make_user()], NOW)
    bulks.expand(finished.pk, ring=list, now=lambda: NOW)
    assert recovery.lost_bulks(NOW + recovery.PATIENCE) == []
    assert recovery.lost_bulks(NOW + recovery.PATIENCE + SECOND) == [lost.pk]
    assert WhatsAppBulk.objects.count() == 2
