"""Who deletes what is old, as the task of the night does."""

from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from benchmarks.inside import ours
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppReceipt, WhatsAppSubject
from whatsapp_monitoring_app.services import cleanup

KEEP = timedelta(days=90)
TOLD = (Status.DELIVERED, Status.READ)


def leave_a_sample() -> str:
    """One message that was read, with its attempt, two receipts and a subject, to be copied; its code."""
    code, at = UUID(ours.leave_a_sample()), timezone.now()
    WhatsAppNotification.objects.filter(pk=code).update(status=Status.READ, delivered_at=at, read_at=at)
    for status in TOLD:
        WhatsAppReceipt.objects.create(
            provider="cloud_api",
            provider_message_id="wamid.sample",
            status=status,
            raw_status=status,
            occurred_at=at,
            tracking=str(code),
            notification_id=code,
            received_at=at,
            applied_at=at,
        )
    WhatsAppSubject.objects.create(notification_id=code, name="colis:TS1", fact_rank=10)
    return str(code)


def backend() -> int:
    """The process of PostgreSQL that serves this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def delete() -> int:
    """Run after run, each as long as in production, until nothing old is left; how many messages went."""
    deleted, is_over = 0, False
    while not is_over:
        pace = cleanup.Pace()
        deleted += cleanup.delete_old(timezone.now(), KEEP, KEEP, pace)["notifications"]
        is_over = not pace.is_over
    return deleted
