"""The naive way: who writes the rows and publishes one task for each."""

from benchmarks import rows
from benchmarks.rivals.calls import TEXT
from benchmarks.rivals.celery import app
from benchmarks.rivals.models import Message
from benchmarks.rivals.tasks import send

app.set_default()
LOOK_SECONDS = 0.5


def is_up() -> bool:
    """Whether the worker answers."""
    return bool(app.control.ping(timeout=LOOK_SECONDS, limit=1))


def write(first: int, count: int) -> int:
    """One waiting message for each of these numbers."""
    numbers = range(rows.FIRST_NUMBER + first, rows.FIRST_NUMBER + first + count)
    Message.objects.bulk_create(Message(phone_number=f"+223{number}", text=TEXT) for number in numbers)
    return count


def publish() -> int:
    """One task for each message that waits."""
    waiting = list(Message.objects.filter(status=Message.PENDING).values_list("pk", flat=True))
    for pk in waiting:
        send.delay(pk)
    return len(waiting)
