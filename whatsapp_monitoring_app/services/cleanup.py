"""Deleting what is old, in small batches that no sender notices."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models

from whatsapp_monitoring_app.models import (
    WhatsAppAlert,
    WhatsAppAnnouncement,
    WhatsAppBulk,
    WhatsAppCall,
    WhatsAppExport,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppRetryBatch,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.services import exports

BATCH = 1000


def delete_old(at: datetime, keep: timedelta, keep_payloads: timedelta) -> dict[str, int]:
    """Delete what is finished and older than `keep`, and payloads older than `keep_payloads`.

    Finished are notifications, with their attempts and receipts, clients' messages, calls, bulk messages,
    retry batches, announcements, resolved alerts and exports, whose files go when their own days are over.

    How many of each. What still waits to be sent is never deleted, however old it is.
    """
    orphans = WhatsAppReceipt.objects.filter(notification=None, received_at__lt=at - keep)
    # First: without its notifications an announcement would look as if nobody had been told.
    announcements = _delete(WhatsAppAnnouncement.objects.filter(created_at__lt=at - keep))
    return {
        "announcements": announcements,
        "notifications": _delete(WhatsAppNotification.objects.finished_before(at - keep)),
        "receipts": _delete(orphans),
        "inbound": _delete(WhatsAppInbound.objects.filter(received_at__lt=at - keep)),
        "calls": _delete(WhatsAppCall.objects.filter(at__lt=at - keep)),
        "retry_batches": _delete(WhatsAppRetryBatch.objects.filter(finished_at__lt=at - keep)),
        "bulks": _delete(WhatsAppBulk.objects.filter(finished_at__lt=at - keep)),
        "exports": _delete(WhatsAppExport.objects.filter(finished_at__lt=at - keep)),
        "files": exports.forget_files(at),
        "alerts": _delete(WhatsAppAlert.objects.filter(resolved_at__lt=at - keep)),
        "payloads": _delete(WhatsAppWebhookLog.objects.filter(received_at__lt=at - keep_payloads)),
    }


def _delete(rows: models.QuerySet[Any]) -> int:
    deleted = 0
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted
