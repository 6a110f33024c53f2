"""The messages of a retry batch are fed to the queue, at the pace at which their senders can send them.

A run works on a batch under a lease and gives each message its attempt in chunks, a transaction each; a run after a
dead one goes on where it stopped. Feeding never runs far ahead of the senders, so that a pause is one.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, ProgrammingError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from whatsapp_monitoring_app.models import (
    Trigger,
    WhatsAppNotification,
    WhatsAppRetryBatch,
    WhatsAppRetryItem,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import retries, retry_progress
from whatsapp_monitoring_app.services.retry_reasons import STALE_AFTER, Reason

logger = logging.getLogger(__name__)

CHUNK = 100  # messages per transaction
CHUNKS_AT_A_TIME = 20
# How long a run may hold a batch between two chunks: far longer than a chunk takes.
LEASE = timedelta(minutes=1)
# Between two runs; the longer one when there was nothing to feed.
PAUSE, LONG_PAUSE = timedelta(seconds=3), timedelta(seconds=12)
# After so long without a run, the one that was rung for is lost.
PATIENCE = timedelta(seconds=30)
# So much of a batch waits unsent at most: this time's worth of the sender's rate.
AHEAD = timedelta(seconds=20)
LEAST_AHEAD = 100

State = WhatsAppRetryBatch.State
FEEDING = (State.CANARY, State.RUNNING)
Clock = Callable[[], datetime]
Ring = Callable[[list[WhatsAppNotification]], object]

# What goes wrong with these is wrong for everybody: the run stops, and recovery lets another one go on.
WRONG_FOR_EVERYBODY = (OperationalError, InterfaceError, ProgrammingError)


class Taken(Exception):
    """The batch is not this run's any more: it was paused or stopped, or another run holds it."""


def unheld(at: datetime) -> QuerySet[WhatsAppRetryBatch]:
    """The batches with something to feed that no living run works on or is rung for."""
    open_canary = WhatsAppRetryItem.objects.open().filter(batch=OuterRef("pk"), is_canary=True)
    fed = Q(state=State.RUNNING) | Q(Exists(open_canary), state=State.CANARY)
    return WhatsAppRetryBatch.objects.filter(fed, Q(claimed_until=None) | Q(claimed_until__lt=at - PATIENCE))


def run(code: uuid.UUID, *, ring: Ring, now: Clock = timezone.now, chunks: int = CHUNKS_AT_A_TIME) -> timedelta | None:
    """Give the next messages their attempts, as many as the senders can soon send; the pause before the next run.

    None when no other run is wanted: all is fed, somebody has paused or stopped it, or another run is at it. `ring` is
    given what may leave at once, after each commit.
    """
    batch = _claim(code, now())
    if batch is None:
        return None
    fed_count = 0
    try:
        for _chunk in range(chunks):
            items = _next_items(batch, now())
            if not items:
                break
            ring(_feed(batch, items, now()))
            fed_count += len(items)
    except Taken:
        logger.info("The retry batch %s was paused, stopped or taken over", code)
    return _release(batch, now(), PAUSE if fed_count else LONG_PAUSE)


def _claim(code: uuid.UUID, at: datetime) -> WhatsAppRetryBatch | None:
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    claimed_until = at + LEASE
    if not WhatsAppRetryBatch.objects.filter(free, pk=code, state__in=FEEDING).update(claimed_until=claimed_until):
        return None
    return WhatsAppRetryBatch.objects.filter(pk=code, claimed_until=claimed_until).first()


def _release(batch: WhatsAppRetryBatch, at: datetime, pause: timedelta) -> timedelta | None:
    mine = WhatsAppRetryBatch.objects.filter(pk=batch.pk, claimed_until=batch.claimed_until)
    if _open_items(batch).exists():
        # Held for the run that is rung for: a second one that comes too early does nothing, and is not repeated.
        return pause if mine.filter(state__in=FEEDING).update(claimed_until=at + pause) else None
    mine.filter(state=State.RUNNING).update(state=State.FINISHED, finished_at=at)
    mine.update(claimed_until=None)
    return None


def _open_items(batch: WhatsAppRetryBatch) -> QuerySet[WhatsAppRetryItem]:
    """What this run may feed: the few of the canary, while that is what the batch is at."""
    items = WhatsAppRetryItem.objects.open().filter(batch=batch)
    return items.filter(is_canary=True) if batch.state == State.CANARY else items


def _next_items(batch: WhatsAppRetryBatch, at: datetime) -> list[WhatsAppRetryItem]:
    """The next chunk: of each sender as many as it has not enough to do."""
    waiting = retry_progress.waiting_by_sender(batch, at)
    open_items = _open_items(batch)
    chunk: list[WhatsAppRetryItem] = []
    for sender in _senders_of(open_items):
        room = _most_ahead(sender) - waiting.get(sender.pk if sender else None, 0)
        room = min(room, CHUNK - len(chunk))
        if room > 0:
            chunk += open_items.filter(sender=sender).order_by("pk")[:room]
    return chunk


def _senders_of(items: QuerySet[WhatsAppRetryItem]) -> Iterable[WhatsAppSender | None]:
    keys = set(items.order_by().values_list("sender", flat=True).distinct())
    known = WhatsAppSender.objects.defer("token").in_bulk([key for key in keys if key])
    return [known.get(key) for key in sorted(keys, key=lambda key: key or 0)]


def _most_ahead(sender: WhatsAppSender | None) -> int:
    return max(LEAST_AHEAD, int(sender.rate_per_second * AHEAD.total_seconds())) if sender else LEAST_AHEAD


def _feed(batch: WhatsAppRetryBatch, items: list[WhatsAppRetryItem], at: datetime) -> list[WhatsAppNotification]:
    """Give each of these its attempt; those that may leave now. Raises Taken, and then has fed nothing."""
    claimed_until = at + LEASE
    with transaction.atomic():
        # First, because the row's lock lets nobody pause, stop or take over before this chunk is written.
        mine = WhatsAppRetryBatch.objects.filter(pk=batch.pk, claimed_until=batch.claimed_until, state=batch.state)
        if not mine.update(claimed_until=claimed_until):
            raise Taken
        judged = retries.lock_and_judge([item.notification_id for item in items], at, _confirmed(batch, at))
        # A message that was deleted meanwhile has taken its item along.
        there = [item for item in items if item.notification_id in judged]
        queued = [_attempt(batch, item, *judged[item.notification_id], at) for item in there]
        WhatsAppRetryItem.objects.bulk_update(there, ["queued_at", "leaves_at", "refusal"])
    batch.claimed_until = claimed_until
    return [notification for notification in queued if notification and notification.is_due(at)]


def _confirmed(batch: WhatsAppRetryBatch, at: datetime) -> frozenset[Reason]:
    """What was fresh when somebody decided does not grow stale while the senders are at it."""
    said = frozenset(Reason(value) for value in batch.confirmed)
    return said | retries.OLD_NEWS if at - batch.created_at < STALE_AFTER else said


def _attempt(
    batch: WhatsAppRetryBatch,
    item: WhatsAppRetryItem,
    notification: WhatsAppNotification,
    reason: Reason | None,
    at: datetime,
) -> WhatsAppNotification | None:
    """Queue this one, and note in its item that it is, or why not."""
    if reason:
        item.refusal = reason
        return None
    try:
        with transaction.atomic():
            retries.queue(notification, batch.created_by, at, Trigger.BULK)
    except WRONG_FOR_EVERYBODY:
        raise
    except Exception:
        logger.exception("The retry batch %s could not queue %s", batch.pk, item.notification_id)
        item.refusal = Reason.BROKEN
        return None
    item.queued_at = at
    item.leaves_at = None if notification.is_due(at) else notification.next_attempt_at
    return notification
