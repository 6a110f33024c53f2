"""Whether senders notice that a million old messages are deleted.

    .venv/bin/python -m benchmarks.cleanup --messages 1000000

It works on a database of its own on the embedded PostgreSQL (or the one of DATABASE_URL), which it makes and drops.
Each old message has an attempt, two receipts and a subject. Another process does what a sender does to one message,
every 20 ms: claims it, and records an accepted answer (with its attempt and in one transaction). It prints how long
that took before and while the messages were deleted, the rows per second, and the processor's seconds of the deletion
(this process and its PostgreSQL backend, Linux only). The figures depend on the machine: no test looks at them.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import django
from django.conf import settings

DATABASE = "benchmark_cleanup"
EVERY = 0.02  # seconds between two messages of the sender
QUIET = 20  # seconds before and after the deletion
KEEP = timedelta(days=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=60, help="of the deletion at most: what is left then stays")
    wanted = parser.parse_args()
    _begin()
    from django.db import connection

    former = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        _fill(wanted.messages)
        _measure(wanted.minutes)
    finally:
        connection.creation.destroy_test_db(former, verbosity=0)


def _measure(minutes: float) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "seconds"
        with _sending(path):
            time.sleep(QUIET)
            started, ended = _delete(minutes)
            time.sleep(QUIET)
        _report(path, started, ended)


def _begin() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
    django.setup()
    settings.DEBUG = False  # which would keep every statement in memory


def _fill(message_count: int) -> None:
    from django.db import connection
    from django.utils import timezone

    from whatsapp_monitoring_app.models import (
        Status,
        WhatsAppAttempt,
        WhatsAppNotification,
        WhatsAppReceipt,
        WhatsAppSender,
        WhatsAppSubject,
    )

    at = timezone.now()
    sender = WhatsAppSender.objects.get(code="mali")
    owed = WhatsAppNotification.objects.create(
        source_app="agent_mali",
        phone_number="+22370000000",
        message_type="expedition",
        category="colis_status",
        title="Votre colis est arrivé à Bamako",
        message_content="Bonjour, votre colis est arrivé à Bamako. Vous pouvez venir le chercher. " * 3,
        sender=sender,
        status=Status.READ,
        attempt_count=1,
        created_at=at,
        sent_at=at,
        delivered_at=at,
        read_at=at,
    )
    attempt = WhatsAppAttempt.objects.create(
        notification=owed, number=1, trigger="auto", started_at=at, finished_at=at, duration=timedelta(seconds=1),
        sender=sender, outcome="accepted", http_status=200, provider_response='{"messages": [{"id": "wamid"}]}' * 5,
    )  # fmt: skip
    receipts = [
        WhatsAppReceipt.objects.create(
            provider="cloud_api", provider_message_id="first", status=status, raw_status=status, occurred_at=at,
            notification=owed, received_at=at, applied_at=at, tracking=str(owed.pk),
        )
        for status in ("delivered", "read")
    ]  # fmt: skip
    subject = WhatsAppSubject.objects.create(notification=owed, name="colis:TS1", fact_rank=10)
    for count, day, status in (
        (message_count, 180, "read"),
        (message_count // 10, 80, "read"),
        (60_000, 0, "pending"),
    ):
        _copy(
            owed,
            f"generate_series(1, {count}) AS n",
            code="gen_random_uuid()",
            phone_number="'+223' || 70000000 + mod(n, 5000)",
            provider_message_id=f"'wamid.{day}.' || n" if status == "read" else "NULL",
            created_at=f"now() - interval '{day} days' + n * interval '60 days' / {count}" if day else "now()",
            status=f"'{status}'",
            next_attempt_at="now()" if status == "pending" else "NULL",
            attempt_count="1" if status == "read" else "0",
        )
    finished = "(SELECT code, provider_message_id AS id FROM whatsapp_monitoring_app_whatsappnotification"
    finished += " WHERE provider_message_id IS NOT NULL ORDER BY created_at) AS n"
    _copy(attempt, finished, notification_id="n.code")
    for receipt in receipts:
        _copy(receipt, finished, notification_id="n.code", provider_message_id="n.id", tracking="n.code")
    _copy(subject, finished, notification_id="n.code")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _copy(row: Any, source: str, **changed: str) -> None:
    """Copies of this row, one for each row of `source`, with these columns written otherwise."""
    from django.db import connection

    columns = [field.column for field in row._meta.concrete_fields if field.column != "id"]
    values = [changed.get(column, f't."{column}"') for column in columns]
    table, names = row._meta.db_table, ", ".join(f'"{column}"' for column in columns)
    key = row._meta.pk.column
    with connection.cursor() as cursor:
        # The copies refer to what is there.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {", ".join(values)} FROM "{table}" t, {source} '  # noqa: S608
            f'WHERE t."{key}" = %s',
            [row.pk],
        )
        cursor.execute("RESET session_replication_role")


@contextmanager
def _sending(path: Path) -> Iterator[None]:
    from django.db import connection

    process = get_context("spawn").Process(target=_send_for_ever, args=(path, connection.settings_dict["NAME"]))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _send_for_ever(path: Path, database: str) -> None:
    """Write down, for each message, when it began and how many seconds it took."""
    _begin()
    from django.db import connection

    connection.settings_dict["NAME"] = database
    from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender

    sender = WhatsAppSender.objects.get(code="mali")
    codes = list(WhatsAppNotification.objects.filter(status=Status.PENDING).values_list("pk", flat=True))
    with path.open("w", buffering=1) as file:
        for code in codes:
            started = time.monotonic()
            _send(code, sender)
            seconds = time.monotonic() - started
            file.write(f"{started} {seconds}\n")
            time.sleep(max(0, EVERY - seconds))


def _send(code: Any, sender: Any) -> None:
    from django.utils import timezone

    from whatsapp_monitoring_app.models import WhatsAppNotification
    from whatsapp_monitoring_app.providers.base import Accepted
    from whatsapp_monitoring_app.services import recording

    at = timezone.now()
    claimed = WhatsAppNotification.objects.claim(code, at)
    assert claimed
    recording.record(claimed, sender, recording.Call(Accepted(f"wamid.{code}"), at, at))


def _delete(minutes: float) -> tuple[float, float]:
    """Run the cleanup until nothing is left, or so long; when it started and ended."""
    from django.db import connection
    from django.utils import timezone

    from whatsapp_monitoring_app.services import cleanup

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_current_wal_lsn()")
        backend, lsn = cursor.fetchone()
    before, work = _cpu(backend), time.process_time()
    started, deleted, is_over = time.monotonic(), 0, False
    while not is_over:
        pace = cleanup.Pace()
        deleted += cleanup.delete_old(timezone.now(), KEEP, KEEP, pace)["notifications"]
        is_over = not pace.is_over or time.monotonic() > started + 60 * minutes
    ended = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", [lsn])
        (written,) = cursor.fetchone()
    seconds, own, its = ended - started, time.process_time() - work, _cpu(backend) - before
    print(f"{deleted:,} messages with all of theirs in {seconds:.0f} s: {deleted / seconds:,.0f} per second")
    print(f"processor: {own:.1f} s of this process, {its:.1f} s of its backend, {(own + its) / seconds:.0%} of one")
    print(f"WAL, the sender's included: {float(written) / 1e6:,.0f} MB")
    return started, ended


def _cpu(pid: int) -> float:
    """The processor's seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(path: Path, started: float, ended: float) -> None:
    times = [tuple(map(float, line.split())) for line in path.read_text().splitlines()]
    first = times[0][0] + 2  # the connection and the caches are warm
    _describe("before", [seconds for at, seconds in times if first < at < started])
    _describe("meanwhile", [seconds for at, seconds in times if started <= at <= ended])
    _describe("after", [seconds for at, seconds in times if ended < at])


def _describe(name: str, seconds: list[float]) -> None:
    ms = sorted(1000 * each for each in seconds)
    parts = quantiles(ms, n=1000)
    slow = sum(each > 2 * median(ms) for each in ms)
    print(
        f"{name}: {len(ms):,} sends; median {median(ms):.1f} ms, 95 % {parts[949]:.1f}, 99 % {parts[989]:.1f}, "
        f"99.9 % {parts[998]:.1f}, longest {ms[-1]:.1f}; longer than twice the median: {slow} ({slow / len(ms):.2%})"
    )


if __name__ == "__main__":
    main()
