"""Finding again what was lost: run every minute, and safe to run twice at the same moment.

Rows are taken with FOR UPDATE SKIP LOCKED, so that two runs share the work instead of doubling it.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Cast

from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    Trigger,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.models.notification_queries import LEASE, NotificationQuerySet
from whatsapp_monitoring_app.providers.base import ProviderError, Uncertain
from whatsapp_monitoring_app.services import (
    bulks,
    cancellation,
    message_types,
    pacing,
    receipts,
    recording,
    routing,
    verdicts,
)
from whatsapp_monitoring_app.services.verdicts import Context

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=models.Model)

BATCH = 500
# How often beat asks for the sweep (settings.CELERY_BEAT_SCHEDULE).
SWEEP_INTERVAL = timedelta(minutes=1)
SMALLEST_SWEEP = 2000
NORMAL = 3  # the priority; a greater number is less urgent
# How long a rung row may wait for a worker before it is rung again: the task may be lost, or only late.
PATIENCE = timedelta(seconds=settings.WHATSAPP_PATIENCE_SECONDS)
# Receipts whose message nobody knows are tried again for this long; Meta repeats its webhooks for a week.
ORPHANS_FOR = timedelta(days=1)


class Bell(NamedTuple):
    """A notification that a worker is to be told of."""

    code: uuid.UUID
    priority: int
    is_first: bool


def expire(at: datetime) -> int:
    """Give up what waited too long to be useful; how many."""
    return WhatsAppNotification.objects.expired(at).move(
        # With the words of what it waited for: they say why it came too late.
        Status.FAILED,
        failed_at=at,
        error_class=ErrorClass.EXPIRED,
    )


@transaction.atomic
def release_abandoned(at: datetime) -> int:
    """Leave unconfirmed what a dead worker held: nobody knows whether it was sent. How many."""
    abandoned = WhatsAppNotification.objects.abandoned(at).select_for_update(skip_locked=True)[:BATCH]
    return _each(abandoned, partial(_release, at=at))


def _release(notification: WhatsAppNotification, at: datetime) -> None:
    sender = routing.own_sender_without_token(notification)
    started_at = (notification.claimed_until or at) - LEASE
    silence = Uncertain("the worker stopped during the call")
    call = recording.Call(silence, started_at, at)  # what it said, or through whom, died with the worker
    recording.write_attempt(notification, sender, call, next_attempt_at=None)
    verdicts.leave_unconfirmed(notification, silence.reason, Context(at=at, sender=sender))
    receipts.apply_waiting(notification, at)


def _each(rows: Iterable[Row], handle: Callable[[Row], object]) -> int:
    """Handle each row in a savepoint of its own; how many went well. One bad row must not stop the sweep."""
    handled = 0
    for row in rows:
        try:
            with transaction.atomic():
                handle(row)
        except Exception:
            logger.exception("Recovery could not handle %r", row.pk)
        else:
            handled += 1
    return handled


@transaction.atomic
def settle_unconfirmed(at: datetime) -> int:
    """Send again what no receipt confirmed in time, if its type allows a double; the rest waits for a person."""
    # A payload that nobody has read yet may hold the receipt: the broker was away, or the queue is long.
    code = Cast(OuterRef("pk"), models.TextField())
    unread = WhatsAppWebhookLog.objects.filter(processed_at=None, payload__contains=code)
    overdue = (
        WhatsAppNotification.objects.overdue_for_confirmation(at)
        .exclude(Exists(unread))
        .exclude(message_type__in=message_types.TYPES_THAT_ASK)
    )
    return _each(overdue.select_for_update(skip_locked=True)[:BATCH], partial(_settle, at=at))


def _settle(notification: WhatsAppNotification, at: datetime) -> None:
    error = ProviderError(ErrorClass.UNCONFIRMED, message=notification.error_message)
    verdicts.refuse(notification, error, Context(at=at))
    if notification.status == Status.RETRY_SCHEDULED:
        WhatsAppNotification.objects.filter(pk=notification.pk).update(next_trigger=Trigger.RECOVERY)


def apply_early_receipts(at: datetime) -> int:
    """Apply the receipts that came before their message's id was stored; how many."""
    waiting = receipts.ready(WhatsAppReceipt.objects.waiting_for_their_notification(since=at - ORPHANS_FOR))
    applied: list[bool] = []
    _each(waiting[:BATCH], lambda receipt: applied.append(receipts.apply(receipt, at)))
    return sum(applied)


@transaction.atomic
def to_ring(at: datetime, limit: int | None = None) -> list[Bell]:
    """The due notifications that no worker has been told of lately, and mark them as told.

    The most urgent first, then the newest: after an outage they are the most useful ones. At most `limit`, or about
    what the senders can send before the next sweep: more would only come back.
    """
    forgotten = Q(rung_at=None) | Q(rung_at__lt=at - PATIENCE)
    due = WhatsAppNotification.objects.due(at).filter(forgotten).exclude(routing.cannot_leave(at))
    return _ring(due.order_by("priority", "-created_at")[: limit or _sweep_size()], at)


@transaction.atomic
def next_retries_to_ring(at: datetime, count: int = 1) -> list[Bell]:
    """The next retries that wait for a place, for a worker that has one free; none when none waits."""
    return _ring(_unrung(at).filter(attempt_count__gt=0).order_by("priority", "-created_at")[:count], at)


@transaction.atomic
def next_bulk_to_ring(at: datetime, count: int = 1) -> list[Bell]:
    """The same among what is not urgent and was never tried: of these there may be many, and any of them will do."""
    return _ring(_unrung(at).filter(attempt_count=0, priority__gt=NORMAL).order_by("next_attempt_at")[:count], at)


def _unrung(at: datetime) -> NotificationQuerySet:
    return WhatsAppNotification.objects.due(at).filter(rung_at=None).exclude(routing.cannot_leave(at))


def _ring(due: NotificationQuerySet, at: datetime) -> list[Bell]:
    rows = due.select_for_update(skip_locked=True).values_list("code", "priority", "attempt_count")
    bells = [Bell(code, priority, is_first=attempt_count == 0) for code, priority, attempt_count in rows]
    mark_rung(bells, at)
    return bells


def mark_rung(bells: Sequence[Bell], at: datetime | None) -> None:
    """A worker is told of them now; or, without a moment, was not told after all."""
    WhatsAppNotification.objects.filter(code__in=[bell.code for bell in bells]).update(rung_at=at)


def _sweep_size() -> int:
    return max(SMALLEST_SWEEP, pacing.most_within(SWEEP_INTERVAL * 1.2))


def lost_bulks(at: datetime) -> list[uuid.UUID]:
    """Bulk messages that are not, or not completely, turned into notifications, and that nobody works on."""
    lost = bulks.unheld(at).filter(created_at__lt=at - PATIENCE)
    return list(lost.values_list("pk", flat=True)[:BATCH])


def lost_webhooks(at: datetime) -> list[int]:
    """Payloads that were stored but whose task never came."""
    lost = WhatsAppWebhookLog.objects.filter(processed_at=None, received_at__lt=at - PATIENCE)
    return list(lost.order_by("received_at").values_list("pk", flat=True)[:BATCH])


# In this order: what is too old or overtaken is not sent again.
STEPS: dict[str, Callable[[datetime], int]] = {
    "expired": expire,
    "superseded": cancellation.cancel_all_superseded,
    "refused": cancellation.cancel_all_refused,
    "strangers": cancellation.cancel_all_to_strangers,
    "abandoned": release_abandoned,
    "settled": settle_unconfirmed,
    "receipts": apply_early_receipts,
}


def run(at: datetime) -> dict[str, int]:
    """Take every step; how many rows each one found. A step that fails does not keep the others from being taken."""
    return {name: _count(step, at) for name, step in STEPS.items()}


def _count(step: Callable[[datetime], int], at: datetime) -> int:
    try:
        return step(at)
    except Exception:
        logger.exception("The recovery step %s failed", step.__name__)
        return 0
