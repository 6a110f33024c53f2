"""Somebody who looks at the monitoring, and what there is to be seen."""

import time
from datetime import timedelta
from io import StringIO
from itertools import count, islice

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from benchmarks import rows
from benchmarks.inside.ours import TEXT
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, InformedHow, Status, WhatsAppNotification, WhatsAppSender

OFFICES = ("agent_mali", "admin_mali")
PAGES = {"dashboard": "whatsapp/monitoring/", "list": "whatsapp/monitoring/list/"}
TELEPHONES = {"agent_mali": "+22366550001", "admin_mali": "+22366550002"}
SOURCES = ("agent_mali", "agent_chine")
TYPES = ("expedition", "arrival", "payment", "reminder")
# Of a hundred messages.
STATUSES = (
    *[Status.READ] * 84,
    *[Status.DELIVERED] * 9,
    *[Status.SENT] * 4,
    *[Status.FAILED] * 2,
    Status.CANCELLED,
)
DAYS = 90
KEPT_DAYS = 85  # the oldest is younger than the retention
WARM_UP = 3


def prepare() -> None:
    """The people who look, and a hundred messages as patterns of all others."""
    for office in OFFICES:
        User.objects.create_user(TELEPHONES[office], first_name="Awa", last_name="Traoré", role=office)
    sender = WhatsAppSender.objects.get(code="mali")
    for slot, status in enumerate(STATUSES):
        _pattern(slot, status, sender)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as raw:
        rows.take_samples(raw, rows.NOTIFICATIONS, len(STATUSES))


def _pattern(slot: int, status: Status, sender: WhatsAppSender) -> None:
    at = timezone.now() - timedelta(days=KEPT_DAYS)
    is_sent = status in {Status.SENT, Status.DELIVERED, Status.READ}
    failure = {
        "failed_at": at,
        "error_class": ErrorClass.RECIPIENT_PERMANENT,
        "error_code": "131026",
        "error_message": "Message undeliverable",
        "informed_at": at,
        "informed_how": InformedHow.PHONE,
    }
    WhatsAppNotification.objects.create(
        source_app=SOURCES[slot % 2],
        phone_number=f"+223{rows.FIRST_NUMBER - slot}",
        message_type=TYPES[slot // 2 % len(TYPES)],
        category="colis_status",
        title="Votre colis est arrivé à Bamako",
        message_content=TEXT,
        status=status,
        attempt_count=int(status != Status.CANCELLED),
        sender=sender if is_sent else None,
        provider_message_id=f"wamid.pattern.{slot}" if is_sent else None,
        created_at=at,
        first_attempt_at=at,
        sent_at=at if is_sent else None,
        delivered_at=at if status in {Status.DELIVERED, Status.READ} else None,
        read_at=at if status == Status.READ else None,
        **(failure if status == Status.FAILED else {}),
    )


def fill(first: int, last: int) -> float:
    """Have these messages too, spread over the time that they are kept; the seconds that it took.

    Failures of the last week still wait for somebody, older ones were dealt with.
    """
    started = time.perf_counter()
    changes = _changes(first, last)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as raw:
        indexes = _drop_indexes(raw) if last - first > rows.SLICE else []
        rows.multiply_in_slices(raw, rows.NOTIFICATIONS, range(first, last), changes)
        for index in indexes:
            raw.execute(index.encode())
        _rebuild()
        raw.execute("VACUUM (ANALYZE)")
        raw.execute("CHECKPOINT")  # nothing of the filling is left to be done while pages are looked at
    return time.perf_counter() - started


def _changes(first: int, last: int) -> dict[str, str]:
    age = f"(interval '{KEPT_DAYS} days' - interval '1 minute') * ({last} - n) / ({last} - {first})"
    created = f"(now() - {age})"
    same = {
        name: f"CASE WHEN sample.{name} IS NOT NULL THEN {created} + interval '2 seconds' END"
        for name in ("first_attempt_at", "sent_at", "delivered_at", "read_at", "failed_at")
    }
    is_old = f"{age} > interval '7 days' AND sample.informed_at IS NOT NULL"
    return {
        "code": "gen_random_uuid()",
        "phone_number": f"'+223' || ({rows.FIRST_NUMBER} + n % 20000)",
        "provider_message_id": "CASE WHEN sample.provider_message_id IS NOT NULL THEN 'wamid.page.' || n END",
        "created_at": created,
        "informed_at": f"CASE WHEN {is_old} THEN {created} + interval '1 hour' END",
        "informed_how": f"CASE WHEN {is_old} THEN sample.informed_how ELSE '' END",
        **same,
    }


def _drop_indexes(raw: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Drop the indexes that are no constraints; how to make them again, which is faster than to feed them."""
    found = raw.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN (SELECT conname FROM "
        "pg_constraint WHERE conrelid = %s::regclass)",
        [rows.NOTIFICATIONS, rows.NOTIFICATIONS],
    ).fetchall()
    for name, _definition in found:
        raw.execute(f'DROP INDEX "{name}"'.encode())
    return [str(definition) for _name, definition in found]


def _rebuild() -> None:
    """Count what the dashboards show. What the command says must not be taken for this process's answer."""
    call_command("rebuild_whatsapp_statistics", stdout=StringIO())
    connection.close()


def look(views: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each view of each page, by office and page: from the clock, and of this process's processor."""
    return {
        f"{office.partition('_')[0]} {page}": _look_at(office, f"/{scopes.get(office).slug}/{path}", views)
        for office in OFFICES
        for page, path in PAGES.items()
    }


def _look_at(office: str, path: str, views: int) -> list[tuple[float, float]]:
    browser = Browser()
    browser.force_login(User.objects.get(telephone=TELEPHONES[office]))
    took = (_view(browser, path) for _ in count())
    return list(islice(took, WARM_UP, WARM_UP + views))


def _view(browser: Browser, path: str) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    answer = browser.get(path, secure=True)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return seconds * 1000, work * 1000
