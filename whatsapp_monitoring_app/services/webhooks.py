"""Webhook payloads: written down first, understood later."""

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppWebhookLog
from whatsapp_monitoring_app.providers.base import InboundEvent, PreferenceEvent, ReceiptEvent
from whatsapp_monitoring_app.services import inbound, receipts

logger = logging.getLogger(__name__)

Event = ReceiptEvent | InboundEvent | PreferenceEvent


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


@dataclass
class Report:
    """What a payload held: how many events, the answers that it calls for, what went wrong."""

    event_count: int = 0
    answers: list[WhatsAppNotification] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def process(log_id: int, at: datetime) -> Report:
    """Apply what the stored payload says. Safe to repeat."""
    log = WhatsAppWebhookLog.objects.get(pk=log_id)
    report = Report()
    for event in _events(log, report):
        report.event_count += 1
        _take(log, event, at, report)
    log.processed_at, log.error = at, "\n".join(report.errors)
    log.save(update_fields=["processed_at", "error"])
    return report


def _events(log: WhatsAppWebhookLog, report: Report) -> list[Event]:
    provider = providers.get(log.provider)
    try:
        payload = json.loads(log.payload)
        return [*provider.receipts(payload), *provider.inbound(payload), *provider.preferences(payload)]
    except Exception as error:  # a payload that we do not understand must not hold back the ones after it
        logger.exception("Webhook payload %s was not understood", log.pk)
        report.errors.append(repr(error))
        return []


def _take(log: WhatsAppWebhookLog, event: Event, at: datetime, report: Report) -> None:
    try:
        with transaction.atomic():
            answer = _apply(log.provider, event, at)
    except (OperationalError, InterfaceError):
        raise  # the database was away: the payload stays unprocessed, and recovery brings it back
    except Exception as error:  # one bad event must not lose the others of its payload
        logger.exception("Webhook payload %s: %s could not be applied", log.pk, event.provider_message_id)
        report.errors.append(f"{event.provider_message_id}: {error!r}")
        return
    if answer:
        report.answers.append(answer)


def _apply(provider: str, event: Event, at: datetime) -> WhatsAppNotification | None:
    match event:
        case InboundEvent():
            return inbound.take(provider, event, at)
        case PreferenceEvent():
            inbound.take_preference(provider, event, at)
        case ReceiptEvent():
            receipts.take(provider, event, at)
    return None
