"""Keeping the ledger of counts: its triggers write changes, which are added up here, or counted anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min

from whatsapp_monitoring_app.models import WhatsAppNotification

# Changes that one statement adds up: a fraction of a second.
BATCH = 10_000
# Messages are counted anew by the days in which they were created.
DAY = timedelta(days=1)


def fold() -> int:
    """Add up the changes that there are into the tallies; how many.

    Safe at any moment: whoever reads sees each change once, in one place or in the other, and no sender waits. While
    somebody else folds, or counts anew, it does nothing.
    """
    folded = 0
    while batch := _ask("SELECT whatsapp_fold(%s)", BATCH):
        folded += batch
        if batch < BATCH:
            break
    return folded


def rebuild(report: Callable[[datetime, int], None]) -> int:
    """Forget the counts of all messages that exist, and count them; how many. What was deleted stays counted.

    Nobody is locked out. All of it sees the database as it was at one moment (REPEATABLE READ): it forgets the changes
    that were visible then, and counts the messages as they were then. What others commit meanwhile is neither, and
    stays a change to be added. Readers see the former counts until the end. `report` is told of each day, and how many
    messages it has.
    """
    with _alone(), transaction.atomic():
        _ask("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _ask("SELECT whatsapp_forget_tallies()")
        return sum(_count(day, report) for day in _days())


def _days() -> Iterator[datetime]:
    """When each day begins on which a message may have been created."""
    span = WhatsAppNotification.objects.aggregate(first=Min("created_at"), last=Max("created_at"))
    day = span["first"]
    while day is not None and day <= span["last"]:
        yield day
        day += DAY


def _count(day: datetime, report: Callable[[datetime, int], None]) -> int:
    counted = _ask("SELECT whatsapp_count(%s, %s)", day, day + DAY) or 0
    report(day, counted)
    return counted


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody folds meanwhile. A lock of the session: one of the transaction would begin after its view of the rows."""
    _ask("SELECT pg_advisory_lock(hashtext('whatsapp_tallies'))")
    try:
        yield
    finally:
        _ask("SELECT pg_advisory_unlock(hashtext('whatsapp_tallies'))")


def _ask(statement: str, *values: int | datetime) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None
