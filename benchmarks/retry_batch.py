"""How long it takes to plan and to write down a retry of many failed messages, and to feed the first of them.

    .venv/bin/python -m benchmarks.retry_batch --messages 50000

It works on a database of its own on the embedded PostgreSQL (or the one of DATABASE_URL), which it makes and drops;
nobody is rung for. One message in ten has something against it. The figures depend on the machine: no test looks at
them.
"""

import argparse
import uuid
from datetime import timedelta
from typing import Any

from benchmarks import scratch

DATABASE = "benchmark_retry_batch"
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    count = parser.parse_args().messages
    scratch.set_up()
    with scratch.database(DATABASE):
        _measure(count)


def _measure(count: int) -> None:
    from django.db import connection
    from django.utils import timezone

    from accounts.models import User
    from whatsapp_monitoring_app import scopes
    from whatsapp_monitoring_app.services import retry_batches, retry_plans, retry_progress, retry_runs
    from whatsapp_monitoring_app.services.search import Filters

    at = timezone.now()
    with scratch.timed(f"{count:,} failed messages written"):
        _fill(count, at)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does
    person = User.objects.create_user("+22370000099")
    order = retry_batches.Order(scopes.get("admin_mali"), person, Filters(status="to_handle"), uuid.uuid4())
    for turn in ("first", "second"):
        with scratch.timed(f"plan, the {turn} time"):
            plan = retry_plans.plan(order.notifications(at), at)
    print(f"  {plan.count:,} would be sent, {plan.excluded_count:,} left out for {len(plan.excluded)} reasons")
    with scratch.timed("batch written down"):
        batch, _is_new = retry_batches.create(order, at)
    with scratch.timed("progress counted"):
        retry_progress.of(batch.items.all(), at)
    retry_batches.let_run(batch, retry_batches.By(order.scope, person), at)
    with scratch.timed("one run of the feeding"):
        retry_runs.run(batch.pk, ring=list)
    print(f"  {batch.items.exclude(queued_at=None).count():,} queued")


def _fill(count: int, at: Any) -> None:
    from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppOptOut, WhatsAppSubject

    for start in range(0, count, BATCH):
        rows = [_row(number, at) for number in range(start, min(start + BATCH, count))]
        WhatsAppNotification.objects.bulk_create(rows)
        WhatsAppSubject.objects.bulk_create(
            WhatsAppSubject(notification=row, name=row.subject, fact_rank=row.fact_rank) for row in rows
        )
        refusing = [row.phone_number for row in rows[::50]]
        WhatsAppOptOut.objects.bulk_create(
            (WhatsAppOptOut(phone_number=number, reason="STOP", created_at=at) for number in refusing),
            ignore_conflicts=True,
        )


def _row(number: int, at: Any) -> Any:
    from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification

    causes = [ErrorClass.EXPIRED] * 7 + [
        ErrorClass.TRANSIENT,
        ErrorClass.WINDOW_CLOSED,
        ErrorClass.RECIPIENT_PERMANENT,
    ]
    return WhatsAppNotification(
        source_app=("agent_mali", "agent_chine")[number % 2],
        phone_number=f"+223{70_000_000 + number % 20_000}",
        message_type="expedition",
        category="colis_status",
        message_content="Votre colis est parti de Chine.",
        subject=f"colis:TS{number:08}",
        fact_rank=20,
        status=Status.FAILED,
        attempt_count=3,
        error_class=causes[number % len(causes)],
        failed_at=at,
        created_at=at - timedelta(hours=number % 26),
    )


if __name__ == "__main__":
    main()
