"""django-post_office: who queues the mails, and who sends them as `manage.py send_queued_mail --processes 2` does."""

import os
from pathlib import Path

from post_office import mail

from benchmarks import rows
from benchmarks.rivals.calls import TEXT

PROCESSES = 2
SLICE = 5_000


def write(first: int, count: int) -> int:
    """Queue one mail to each of these numbers."""
    for start in range(first, first + count, SLICE):
        numbers = range(start, min(start + SLICE, first + count))
        mail.send_many([_mail(number) for number in numbers])
    return count


def _mail(number: int) -> dict[str, object]:
    return {
        "recipients": [f"{rows.FIRST_NUMBER + number}@benchmark.invalid"],
        "sender": "benchmark@benchmark.invalid",
        "subject": "WhatsApp",
        "message": TEXT,
    }


def send() -> str:
    """Send until nothing is queued any more."""
    mail.send_queued_mail_until_done(str(Path(os.environ["BENCHMARK_FOLDER"]) / "post_office"), PROCESSES)
    return "done"
