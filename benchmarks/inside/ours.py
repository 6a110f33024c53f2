"""Who owes messages, through the public doors."""

import time
import uuid
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from benchmarks import rows, scratch
from ts_air_cargo.celery import app
from whatsapp_monitoring_app.bells import queue_for
from whatsapp_monitoring_app.models import (
    Outcome,
    Status,
    Trigger,
    WhatsAppAttempt,
    WhatsAppBulk,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.tasks import (
    send_bulk_whatsapp_async,
    send_bulk_whatsapp_notifications,
    send_whatsapp_async,
)

app.set_default()

TEXT = "Votre colis est arrivé à Bamako. Vous pouvez venir le chercher du lundi au samedi, de 8 h à 18 h."
OFFICE = "agent_mali"
NORMAL = 3
LOOK_SECONDS = 0.5


def people(first: int, count: int) -> QuerySet[User]:
    """The clients of these numbers."""
    start, end = (f"+223{rows.FIRST_NUMBER + number}" for number in (first, first + count))
    return User.objects.filter(telephone__gte=start, telephone__lt=end).order_by("pk")


def count_workers(expected: int) -> int:
    """How many answer; nobody waits for more than are expected."""
    return len(app.control.ping(timeout=LOOK_SECONDS, limit=expected) or [])


def owe_bulk(first: int, count: int) -> str:
    """One bulk message to all of them; its code."""
    return str(send_bulk_whatsapp_async(people(first, count), TEXT, OFFICE).id)


def owe_singles(first: int, count: int) -> int:
    """One message to each."""
    for user in people(first, count):
        send_whatsapp_async(user, TEXT, OFFICE, priority=NORMAL)
    return count


def pause_singles(workers: int) -> int:
    """Let these workers take nothing from the queue of single messages; how many obey."""
    return len(app.control.cancel_consumer(queue_for(NORMAL), reply=True, limit=workers) or [])


def resume_singles(workers: int) -> int:
    """Let them take from it again."""
    return len(app.control.add_consumer(queue_for(NORMAL), reply=True, limit=workers) or [])


def expand(first: int, count: int) -> dict[str, float]:
    """Take a bulk message in, from the call to the last row, and ring for the first; nobody listens.

    Seconds, processor seconds of this process, and MiB before and at most.
    """
    before = scratch.reset_peak_memory()
    started, worked = time.perf_counter(), time.process_time()
    code = owe_bulk(first, count)
    called = time.perf_counter()
    written = send_bulk_whatsapp_notifications(code)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    bulk = WhatsAppBulk.objects.get(pk=uuid.UUID(code))
    assert written == count, f"{written} of {count} written"
    assert not bulk.refusals, bulk.refusals
    return {
        "call": called - started,
        "seconds": seconds,
        "work": work,
        "memory_before": before,
        "memory": scratch.peak_memory(),
    }


def leave_a_sample() -> str:
    """One message that was sent, and its attempt, to be copied; its code."""
    at = timezone.now() - timedelta(minutes=1)
    sender = WhatsAppSender.objects.get(code="mali")
    notification = WhatsAppNotification.objects.create(
        source_app=OFFICE,
        phone_number=f"+223{rows.FIRST_NUMBER - 1}",
        message_type="notification",
        category="general",
        message_content=TEXT,
        status=Status.SENT,
        attempt_count=1,
        sender=sender,
        provider_message_id="wamid.sample",
        created_at=at,
        first_attempt_at=at,
        sent_at=at,
    )
    WhatsAppAttempt.objects.create(
        notification=notification,
        number=1,
        trigger=Trigger.AUTO,
        started_at=at,
        finished_at=at,
        duration=timedelta(milliseconds=100),
        sender=sender,
        outcome=Outcome.ACCEPTED,
        http_status=200,
    )
    return str(notification.code)
