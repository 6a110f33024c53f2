"""Webhook payloads: written down first, understood later."""

import json
import logging
from datetime import datetime

from django.db import transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import WhatsAppWebhookLog
from whatsapp_monitoring_app.providers.base import ReceiptEvent
from whatsapp_monitoring_app.services import receipts

logger = logging.getLogger(__name__)


class InvalidPayload(ValueError):
    """The body is not a JSON object; nothing was written."""


def store(provider: str, body: bytes, at: datetime) -> WhatsAppWebhookLog:
    """Keep the payload as it came. Raises InvalidPayload."""
    try:
        text = body.decode()
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(str(error)) from error
    if not is_object:
        raise InvalidPayload("not a JSON object")
    return WhatsAppWebhookLog.objects.create(provider=provider, payload=text, received_at=at)


def process(log_id: int, at: datetime) -> int:
    """Apply what the stored payload says; how many receipts it held. Safe to repeat."""
    log = WhatsAppWebhookLog.objects.get(pk=log_id)
    events = providers.get(log.provider).receipts(json.loads(log.payload))
    errors = [error for event in events if (error := _take(log, event, at))]
    log.processed_at, log.error = at, "\n".join(errors)
    log.save(update_fields=["processed_at", "error"])
    return len(events)


def _take(log: WhatsAppWebhookLog, event: ReceiptEvent, at: datetime) -> str:
    """Apply one receipt; what went wrong, or "". One bad receipt must not lose the others of its payload."""
    try:
        with transaction.atomic():
            receipts.take(log.provider, event, at)
    except Exception as error:
        logger.exception("Webhook payload %s: the receipt %s could not be applied", log.pk, event.provider_message_id)
        return f"{event.provider_message_id} {event.raw_status}: {error!r}"
    return ""
