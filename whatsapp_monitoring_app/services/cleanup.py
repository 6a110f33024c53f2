"""Deleting what is old, in small batches that no sender notices."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models

from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppReceipt, WhatsAppWebhookLog

BATCH = 1000


def delete_old(at: datetime, keep: timedelta, keep_payloads: timedelta) -> dict[str, int]:
    """Delete finished notifications older than `keep`, with their attempts and receipts, and older payloads.

    How many of each. What still waits to be sent is never deleted, however old it is.
    """
    orphans = WhatsAppReceipt.objects.filter(notification=None, received_at__lt=at - keep)
    return {
        "notifications": _delete(WhatsAppNotification.objects.finished_before(at - keep)),
        "receipts": _delete(orphans),
        "payloads": _delete(WhatsAppWebhookLog.objects.filter(received_at__lt=at - keep_payloads)),
    }


def _delete(rows: models.QuerySet[Any]) -> int:
    deleted = 0
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted
