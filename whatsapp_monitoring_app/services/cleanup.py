"""Deleting what is old, a little at a time, so that no sender notices."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models

from whatsapp_monitoring_app.models import (
    WhatsAppAlert,
    WhatsAppAnnouncement,
    WhatsAppBulk,
    WhatsAppCall,
    WhatsAppExport,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppRetryBatch,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.services import deletion, exports

logger = logging.getLogger(__name__)

# Seconds of one run: less than CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT, so that a worker that is told to stop waits.
RUN = 20
# Seconds that a batch is to take at most: for so long, a processor or a row is perhaps not there for a sender.
BATCH_SECONDS = 0.02
# In a smaller one the statements themselves are most of the work: a busy machine makes any batch slow.
SMALLEST_BATCH, LARGEST_BATCH = 100, 2_000
# Times what a batch has taken: so the deletion has a fifth of a processor at most, and PostgreSQL finds the time to
# write down what was done.
REST = 4.0
LOCK = "hashtextextended('whatsapp cleanup', 0)"


@dataclass
class Pace:
    """How long a run lasts, how much it deletes at a time, and how long it rests in between."""

    now: Callable[[], float] = time.monotonic
    # A worker's thread sleeps: rings for a task per batch would be more work than what they are to make room for.
    sleep: Callable[[float], object] = time.sleep
    seconds: float = RUN
    largest_batch: int = LARGEST_BATCH
    worked: float = field(init=False, default=0)
    started_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self.now()

    @property
    def passed(self) -> float:
        return self.now() - self.started_at

    @property
    def is_over(self) -> bool:
        """Whether the time of the run has passed: there may be more to delete."""
        return self.passed >= self.seconds

    def rest(self, took: float) -> None:
        """Rest after a batch that took so many seconds."""
        self.worked += took
        self.sleep(took * REST)

    def next_size(self, size: int, took: float, smallest: int) -> int:
        """How many rows to delete at a time after so many took so many seconds."""
        if took > BATCH_SECONDS:
            return min(max(size // 2, smallest), self.largest_batch)
        return min(size * 3 // 2 + 1, self.largest_batch) if took < BATCH_SECONDS / 2 else size


@dataclass(frozen=True)
class Old:
    """Rows to delete, and by which moment the oldest is found."""

    name: str
    rows: models.QuerySet[Any]
    moment: str
    smallest_batch: int = SMALLEST_BATCH


def delete_old(at: datetime, keep: timedelta, keep_payloads: timedelta, pace: Pace | None = None) -> dict[str, int]:
    """Delete what is finished and older than `keep`, and payloads older than `keep_payloads`, while `pace` lasts.

    Finished are notifications, with their attempts and receipts, clients' messages, calls, bulk messages,
    retry batches, announcements, resolved alerts and exports, whose files go when their own days are over.

    How many of each. What still waits to be sent is never deleted, however old it is; what somebody holds at this
    moment is left to the next run. A run that finds another one at work does nothing, and one that is killed loses
    at most its last batches. When `pace` is over afterwards, there may be more.
    """
    pace = pace or Pace()
    everything = everything_old(at - keep, at - keep_payloads)
    deleted = dict.fromkeys([old.name for old in everything] + ["files"], 0)
    with _only_run() as is_mine:
        if is_mine:
            for old in everything:
                deleted[old.name] = _delete(old, pace)
            deleted["files"] = exports.forget_files(at)
            _log(deleted, pace)
    return deleted


def everything_old(before: datetime, payloads_before: datetime) -> list[Old]:
    """What there is to delete, in the order in which it goes."""
    receipts = WhatsAppReceipt.objects.filter(notification=None, received_at__lt=before)
    payloads = WhatsAppWebhookLog.objects.filter(received_at__lt=payloads_before)
    return [
        # First: without its notifications an announcement would look as if nobody had been told.
        # One may have thousands of addressees.
        Old("announcements", WhatsAppAnnouncement.objects.filter(created_at__lt=before), "created_at", 1),
        Old("notifications", WhatsAppNotification.objects.finished_before(before), "created_at"),
        Old("receipts", receipts, "received_at"),
        Old("inbound", WhatsAppInbound.objects.filter(received_at__lt=before), "received_at"),
        Old("calls", WhatsAppCall.objects.filter(at__lt=before), "at"),
        # After the notifications, with which nearly all of its items have gone: there may be fifty thousand.
        Old("retry_batches", WhatsAppRetryBatch.objects.filter(finished_at__lt=before), "finished_at", 1),
        Old("bulks", WhatsAppBulk.objects.filter(finished_at__lt=before), "finished_at"),
        Old("exports", WhatsAppExport.objects.filter(finished_at__lt=before), "finished_at"),
        Old("alerts", WhatsAppAlert.objects.filter(resolved_at__lt=before), "resolved_at"),
        Old("payloads", payloads, "received_at"),
    ]


def _delete(old: Old, pace: Pace) -> int:
    count, size, last = 0, min(old.smallest_batch, pace.largest_batch), None
    while not pace.is_over:
        started = pace.now()
        batch = deletion.delete_oldest(old.rows, old.moment, after=last, size=size)
        took = pace.now() - started
        pace.rest(took)
        count += batch.deleted
        if batch.last is None:
            break
        last, size = batch.last, pace.next_size(size, took, old.smallest_batch)
    return count


@contextmanager
def _only_run() -> Iterator[bool]:
    """Whether no other run is at work; none begins until the block ends. The lock of a dead one ends with it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({LOCK})")
        (is_mine,) = cursor.fetchone()
        try:
            yield is_mine
        finally:
            if is_mine:
                cursor.execute(f"SELECT pg_advisory_unlock({LOCK})")


def _log(deleted: dict[str, int], pace: Pace) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in deleted.items() if count) or "nothing"
    more = "; more may be left" if pace.is_over else ""
    logger.info("Cleanup deleted %s in %.1f s, %.1f s of it at work%s", counts, pace.passed, pace.worked, more)
