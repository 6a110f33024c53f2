"""Finding again what was lost, and deleting what is old."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import pytest

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
    WhatsAppReceipt,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.models.notifications import LEASE
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import bulks, cleanup, outbox, receipts, recovery

pytestmark = pytest.mark.django_db

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
    assert (notification.error_class, notification.error_code, notification.error_message) == ("expired", "", "")


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


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_share_what_is_due():
    codes = {post().pk for _ in range(40)}
    WhatsAppNotification.objects.update(rung_at=None)
    rung = [bell.code for bell in chain(*at_once(*[partial(recovery.to_ring, NOW)] * 4))]
    assert len(rung) == 40
    assert set(rung) == codes


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
    draft = outbox.Draft(message_content=TEXT, source_app="agent_mali")
    lost = bulks.create(draft, [make_user()], NOW)
    finished = bulks.create(draft, [make_user()], NOW)
    bulks.expand(finished.pk, ring=list, now=lambda: NOW)
    assert recovery.lost_bulks(NOW + recovery.PATIENCE) == []
    assert recovery.lost_bulks(NOW + recovery.PATIENCE + SECOND) == [lost.pk]
    assert WhatsAppBulk.objects.count() == 2


KEPT = [Status.PENDING, Status.SENDING, Status.RETRY_SCHEDULED, Status.UNCONFIRMED]


def clean(at: datetime) -> dict[str, int]:
    return cleanup.delete_old(at, keep=90 * DAY, keep_payloads=7 * DAY)


@pytest.mark.parametrize("status", Status)
def test_only_what_is_finished_is_deleted_when_it_is_old(status: Status):
    notification = post_in(status)
    assert clean(NOW + 90 * DAY) == {"notifications": 0, "receipts": 0, "payloads": 0}
    deleted = clean(NOW + 90 * DAY + SECOND)["notifications"]
    assert deleted == (status not in KEPT)
    assert WhatsAppNotification.objects.filter(pk=notification.pk).exists() == (status in KEPT)


def test_attempts_and_receipts_go_with_their_notification_in_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cleanup, "BATCH", 2)
    for n in range(5):
        notification = attempt(post(), Provider(accepted(f"wamid.{n}")))
        receive("delivered", f"wamid.{n}")
    young = attempt(post(at=NOW + DAY), Provider(accepted("wamid.young")), NOW + DAY)
    receive("read", "wamid.young", NOW + DAY)
    receive("read", "wamid.stranger")
    receive("read", "wamid.young stranger", NOW + DAY)
    WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{}", received_at=NOW)
    WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{}", received_at=NOW + 84 * DAY)
    assert notification.attempts.count() == 1

    assert clean(NOW + 90 * DAY + SECOND) == {"notifications": 5, "receipts": 1, "payloads": 1}
    assert [row.pk for row in WhatsAppNotification.objects.all()] == [young.pk]
    assert [row.notification_id for row in WhatsAppAttempt.objects.all()] == [young.pk]
    assert {row.provider_message_id for row in WhatsAppReceipt.objects.all()} == {
        "wamid.young",
        "wamid.young stranger",
    }
    assert clean(NOW + 90 * DAY + SECOND) == {"notifications": 0, "receipts": 0, "payloads": 0}
