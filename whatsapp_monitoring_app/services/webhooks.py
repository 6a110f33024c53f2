"""Webhook payloads: written down first, understood later."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    WhatsAppNotification,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.providers.base import (
    AccountEvent,
    InboundEvent,
    PreferenceEvent,
    ReceiptEvent,
    TemplateEvent,
)
from whatsapp_monitoring_app.services import health, inbound, receipts, templates

logger = logging.getLogger(__name__)

Event = ReceiptEvent | InboundEvent | PreferenceEvent | TemplateEvent | AccountEvent


class InvalidPayload(ValueError):
    """The provider would not write such a body; nothing was stored."""


class NotAuthentic(Exception):
    """The provider did not sign this; nothing was stored."""


@dataclass(frozen=True)
class Post:
    """What somebody has posted to a provider's webhook. `urls` are the names of the address that may be signed."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    urls: Sequence[str]


def receive(provider: str, post: Post, at: datetime) -> WhatsAppWebhookLog:
    """Keep what the provider posted. Raises NotAuthentic, InvalidPayload."""
    secrets = _secrets(provider)
    dialect = providers.get(provider)
    if not any(dialect.is_authentic(post.body, post.headers, url=url, secrets=secrets) for url in post.urls):
        raise NotAuthentic
    return store(provider, post.body, at, url=post.urls[0])


def _secrets(provider: str) -> list[str]:
    """The tokens of our senders there. One that is not set, or cannot be read, is no secret."""
    tokens = WhatsAppSender.objects.filter(provider=provider).values_list("token", flat=True)
    return [token for token in tokens if token]


def store(provider: str, body: bytes, at: datetime, *, url: str = "") -> WhatsAppWebhookLog:
    """Keep the payload as it came. Raises InvalidPayload."""
    try:
        text = providers.get(provider).payload_text(body, url=url)
    except ValueError as error:
        raise InvalidPayload(str(error)) from error
    return WhatsAppWebhookLog.objects.create(provider=provider, payload=text, received_at=at)


@dataclass
class Report:
    """What a payload held: how many events, the answers that it calls for, what went wrong."""

    event_count: int = 0
    answers: list[WhatsAppNotification] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    # Whether a template was approved, whose parts only a synchronisation tells.
    calls_for_sync: bool = False


def is_unread(log_id: int) -> bool:
    """Whether the stored payload has not been applied yet."""
    return WhatsAppWebhookLog.objects.filter(pk=log_id, processed_at=None).exists()


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
        told: list[ReceiptEvent | InboundEvent] = [*provider.receipts(payload), *provider.inbound(payload)]
        # The payload's own arrival, which stays the same when it is processed again.
        dated = [replace(event, occurred_at=event.occurred_at or log.received_at) for event in told]
        return [*dated, *provider.preferences(payload), *provider.notices(payload)]
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
        kind = type(event).__name__  # not its id, which may hold a number
        logger.exception("Webhook payload %s: a %s could not be applied", log.pk, kind)
        report.errors.append(f"{kind} {_name_of(event)}: {error!r}")
        return
    if answer:
        report.answers.append(answer)
    if isinstance(event, TemplateEvent) and event.status == WhatsAppProviderTemplate.APPROVED:
        report.calls_for_sync = True


def _name_of(event: Event) -> str:
    match event:
        case TemplateEvent():
            return event.name
        case AccountEvent():
            return event.business_account_id
        case _:
            return event.provider_message_id


def _apply(provider: str, event: Event, at: datetime) -> WhatsAppNotification | None:
    match event:
        case InboundEvent():
            return inbound.take(provider, event, at)
        case PreferenceEvent():
            inbound.take_preference(provider, event, at)
        case ReceiptEvent():
            receipts.take(provider, event, at)
        case TemplateEvent():
            templates.take(provider, event, at)
        case AccountEvent():
            health.take(provider, event, at)
    return None
