"""How long one bulk message takes to become one notification per person, and how much memory.

    .venv/bin/python -m benchmarks.bulk_expansion --people 100000

It works on a database of its own on the embedded PostgreSQL (or the one of DATABASE_URL), which it makes and drops;
no worker is rung. One person in a hundred refuses messages, and one in a thousand has a number that cannot exist. It
prints the seconds of the expansion, the queries of each chunk and the largest memory while it ran (Linux only). The
figures depend on the machine: no test looks at them.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks import scratch

DATABASE = "benchmark_bulk_expansion"
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    people_count = parser.parse_args().people
    scratch.set_up()
    with scratch.database(DATABASE):
        _measure(people_count)


def _measure(people_count: int) -> None:
    from django.db import connection

    from whatsapp_monitoring_app.models import WhatsAppNotification
    from whatsapp_monitoring_app.services import bulks

    bulk = _bulk_for(people_count)
    queries = Queries()
    before = scratch.reset_peak_memory()
    started = time.perf_counter()
    with connection.execute_wrapper(queries):
        new_count = bulks.expand(bulk.pk, ring=list)
    seconds = time.perf_counter() - started
    bulk.refresh_from_db()
    by_status = Counter(WhatsAppNotification.objects.order_by().values_list("status", flat=True).iterator())
    print(f"{people_count:,} people: {new_count:,} notifications {dict(by_status)}, {len(bulk.refusals):,} refusals")
    print(f"{seconds:.1f} s, {new_count / seconds:,.0f} notifications per second")
    print(
        f"{bulks.CHUNK} people per chunk; queries per chunk, and how many chunks took so many: {queries.per_chunk()}"
    )
    print(f"memory: {before} MiB before, {scratch.peak_memory()} MiB at most")


def _bulk_for(people_count: int) -> Any:
    from django.utils import timezone

    from accounts.models import User
    from whatsapp_monitoring_app.models import WhatsAppOptOut
    from whatsapp_monitoring_app.services import bulks
    from whatsapp_monitoring_app.services.drafts import Draft

    at = timezone.now()
    for start in range(0, people_count, BATCH):
        numbers = range(start, min(start + BATCH, people_count))
        User.objects.bulk_create(User(telephone=_telephone(number), password="!") for number in numbers)
        refusing = [_telephone(number) for number in numbers if number % 100 == 1]
        WhatsAppOptOut.objects.bulk_create(
            WhatsAppOptOut(phone_number=number, reason="STOP", created_at=at) for number in refusing
        )
    draft = Draft(message_content="Fermeture exceptionnelle samedi", source_app="agent_mali", priority=5)
    return bulks.create(draft, User.objects.only("pk").iterator(), at)


def _telephone(number: int) -> str:
    return f"+999{number}" if number % 1_000 == 2 else f"+223{70_000_000 + number}"


class Queries:
    """Counts the statements of each chunk, which begins with the extension of the lease."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "whatsapp_monitoring_app_whatsappbulk" SET "claimed_until"'):
            self.counts.append(0)
        if self.counts:
            self.counts[-1] += 1
        return execute(sql, params, many, context)

    def per_chunk(self) -> dict[int, int]:
        chunks = self.counts[1:-1]  # between the claim and the end
        return dict(sorted(Counter(chunks).items()))


if __name__ == "__main__":
    main()
