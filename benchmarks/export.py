"""How long the files of an export take, and how much memory.

    .venv/bin/python -m benchmarks.export --messages 100000

It works on a database of its own on the embedded PostgreSQL (or the one of DATABASE_URL), which it makes and drops,
and on a folder of its own. It prints for each format the seconds, those of this process's processor, the size of the
file and the largest memory while it was written (Linux only); then how long the question of the open pages takes, and
by which indexes. The figures depend on the machine: no test looks at them.
"""

import argparse
import time
import uuid
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from benchmarks import scratch

DATABASE = "benchmark_export"
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    message_count = parser.parse_args().messages
    scratch.set_up()
    with scratch.database(DATABASE), TemporaryDirectory() as folder:
        settings.MEDIA_ROOT = folder
        _fill(message_count)
        for kind in ("csv", "xlsx"):
            _measure(kind)
        _measure_changes()


def _fill(message_count: int) -> None:
    from django.db import connection
    from django.utils import timezone

    from accounts.models import User
    from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSubject

    at = timezone.now()
    people = User.objects.bulk_create(
        User(telephone=f"+223{70_000_000 + number}", password="!", first_name="Awa", last_name=f"Traoré {number}")
        for number in range(1_000)
    )
    for start in range(0, message_count, BATCH):
        batch = [
            WhatsAppNotification(
                source_app="agent_mali",
                user=people[number % 1_000],
                phone_number=people[number % 1_000].telephone,
                message_type="expedition",
                category="colis_status",
                title="Votre colis est arrivé à Bamako",
                message_content="Bonjour, votre colis est arrivé à Bamako. Vous pouvez venir le chercher.",
                created_at=at - timedelta(days=80) * (number / message_count),
                sent_at=at,
                delivered_at=at,
                **({"status": Status.FAILED, "failed_at": at} if number % 20 == 0 else {"status": Status.READ}),
            )
            for number in range(start, min(start + BATCH, message_count))
        ]
        WhatsAppNotification.objects.bulk_create(batch)
        WhatsAppSubject.objects.bulk_create(
            WhatsAppSubject(notification=owed, name=f"colis:TS{start + number:08}")
            for number, owed in enumerate(batch)
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _measure(kind: str) -> None:
    from django.utils import timezone

    from accounts.models import User
    from whatsapp_monitoring_app import scopes
    from whatsapp_monitoring_app.services import exports
    from whatsapp_monitoring_app.services.search import Filters

    telephone = {"csv": "+22370999998", "xlsx": "+22370999999"}[kind]
    person = User.objects.create_user(telephone, role="agent_mali")
    scope = scopes.get("agent_mali")
    export = exports.create(exports.Wish(Filters(), kind), uuid.uuid4(), person, scope, timezone.now())
    before = scratch.reset_peak_memory()
    started, worked = time.perf_counter(), time.process_time()
    exports.run(export.pk)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    export.refresh_from_db()
    size = (Path(settings.MEDIA_ROOT) / export.file).stat().st_size
    print(
        f"{kind}: {export.done:,} messages, {seconds:.1f} s ({work:.1f} s of this process), {size / 1e6:.1f} MB; "
        f"memory: {before} MiB before, {scratch.peak_memory()} MiB at most"
    )


def _measure_changes() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from whatsapp_monitoring_app import scopes
    from whatsapp_monitoring_app.services import changes
    from whatsapp_monitoring_app.services.search import Filters

    for office in ("agent_mali", "admin_mali"):
        with CaptureQueriesContext(connection) as asked:
            page = changes.token(Filters(), scopes.get(office), timezone.now())
            started = time.perf_counter()
            for _ in range(20):
                changes.since(page, Filters(), scopes.get(office), timezone.now())
            seconds = (time.perf_counter() - started) / 20
        print(f"the question of an open page of {office}: {seconds * 1000:.1f} ms")
        print(_plan(asked[0]["sql"]))


def _plan(sql: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {sql}")
        return "\n".join(f"    {row[0]}" for row in cursor.fetchall())


if __name__ == "__main__":
    main()
