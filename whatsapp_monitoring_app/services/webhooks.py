"""Webhook payloads: written down first, understood later, many at once."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    WhatsAppNotification,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.models.receipts import OctetLength
from whatsapp_monitoring_app.providers.base import (
    AccountEvent,
    InboundEvent,
    PreferenceEvent,
    ReceiptEvent,
    TemplateEvent,
)
from whatsapp_monitoring_app.services import health, inbound, plain_receipts, receipts, templates
from whatsapp_monitoring_app.services.deadlocks import again_after_deadlock

logger = logging.getLogger(__name__)

# How many payloads one worker takes at once, and about how much text: a payload may have one status, or a thousand.
PAYLOADS_AT_ONCE = 500
BYTES_AT_ONCE = 1_000_000
# How many receipts take effect in one transaction, whose locks nobody should wait for long.
RECEIPTS_AT_ONCE = 1_000
# How long nobody else looks at a payload that a worker has taken: longer than it needs, shorter than patience.
LEASE = timedelta(seconds=30)

Dated = TypeVar("Dated", ReceiptEvent, InboundEvent)
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
    dialect = providers.get(provider)
    secrets = _secrets(provider) if dialect.signs_with_tokens else []
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


@dataclass
class _Reading:
    """One payload and what it says, as far as it was not applied yet."""

    log: WhatsAppWebhookLog
    receipts: list[ReceiptEvent]
    others: list[Event]
    report: Report


def is_anything_unread(at: datetime) -> bool:
    """Whether a payload waits that no worker has taken."""
    return WhatsAppWebhookLog.objects.unread(at).exists()


def apply_unread(at: datetime) -> list[Report]:
    """Apply the oldest payloads that nobody has taken yet, as many as fit; a report of each, none when none waits.

    Any number of workers may do this at once.
    """
    return _process(_claim(at), at)


def process(log_id: int, at: datetime) -> Report:
    """Apply what this stored payload says. Safe to repeat, even by two at once."""
    (report,) = _process([WhatsAppWebhookLog.objects.get(pk=log_id)], at)
    return report


def _claim(at: datetime) -> list[WhatsAppWebhookLog]:
    with transaction.atomic():
        unread = WhatsAppWebhookLog.objects.unread(at).order_by("received_at").select_for_update(skip_locked=True)
        sizes = unread.annotate(size=OctetLength("payload")).values_list("pk", "size")[:PAYLOADS_AT_ONCE]
        claimed = WhatsAppWebhookLog.objects.filter(pk__in=_as_many_as_fit(sizes))
        claimed.update(claimed_until=at + LEASE)
    return list(claimed.order_by("received_at"))


def _as_many_as_fit(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """The first payloads that are not too much together; one at least, however large."""
    fitting, total = list[int](), 0
    for pk, size in sizes:
        total += size
        if fitting and total > BYTES_AT_ONCE:
            break
        fitting.append(pk)
    return fitting


def _process(logs: Sequence[WhatsAppWebhookLog], at: datetime) -> list[Report]:
    readings = [_read(log) for log in logs]
    for provider in sorted({log.provider for log in logs}):
        _take_together(provider, [reading for reading in readings if reading.log.provider == provider], at)
    finished = [reading for reading in readings if _is_finished(reading, at)]
    flawless = [reading.log.pk for reading in finished if not reading.report.errors]
    WhatsAppWebhookLog.objects.filter(pk__in=flawless).update(processed_at=at, error="", claimed_until=None)
    for reading in finished:
        if reading.report.errors:
            errors = "\n".join(reading.report.errors)
            flawed = WhatsAppWebhookLog.objects.filter(pk=reading.log.pk)
            flawed.update(processed_at=at, error=errors, claimed_until=None)
    return [reading.report for reading in readings]


def _read(log: WhatsAppWebhookLog) -> _Reading:
    report = Report()
    receipts: list[ReceiptEvent] = []
    others: list[Event] = []
    try:
        provider = providers.get(log.provider)
        payload = json.loads(log.payload)
        receipts = [_dated(event, log) for event in provider.receipts(payload)]
        others = [_dated(event, log) for event in provider.inbound(payload)]
        others += [*provider.preferences(payload), *provider.notices(payload)]
    except Exception as error:  # a payload that we do not understand must not hold back the ones after it
        logger.exception("Webhook payload %s was not understood", log.pk)
        report.errors.append(repr(error))
    report.event_count = len(receipts) + len(others)
    return _Reading(log, receipts, others, report)


def _dated(event: Dated, log: WhatsAppWebhookLog) -> Dated:
    """The event with a moment: the payload's own arrival, which stays the same when it is processed again."""
    return event if event.occurred_at else replace(event, occurred_at=log.received_at)


def _take_together(provider: str, readings: Sequence[_Reading], at: datetime) -> None:
    """Apply what can be applied together; the readings then hold the receipts that are left."""
    told = [(reading, event) for reading in readings for event in reading.receipts]
    for reading in readings:
        reading.receipts = []
    for start in range(0, len(told), RECEIPTS_AT_ONCE):
        part = told[start : start + RECEIPTS_AT_ONCE]
        for place in _left_of([event for _reading, event in part], provider, at):
            reading, event = part[place]
            reading.receipts.append(event)


def _left_of(events: Sequence[ReceiptEvent], provider: str, at: datetime) -> list[int]:
    try:
        return again_after_deadlock(partial(plain_receipts.take, provider, events, at))
    except Exception:  # one of them is bad: taken one by one, the others are not lost
        if not connection.is_usable():
            raise  # the database is away: the payloads stay unprocessed, and recovery brings them back
        logger.exception("%s receipts could not be applied together", len(events))
        return list(range(len(events)))


def _is_finished(reading: _Reading, at: datetime) -> bool:
    """Apply what is left of it, event by event; False when it has to be repeated as a whole."""
    try:
        for event in (*reading.receipts, *reading.others):
            _take(reading.log, event, at, reading.report)
    except (OperationalError, InterfaceError):
        if not connection.is_usable():
            raise  # the database was away: the payload stays unprocessed, and recovery brings it back
        logger.exception("Webhook payload %s stays unprocessed", reading.log.pk)
        return False
    return True


def _take(log: WhatsAppWebhookLog, event: Event, at: datetime, report: Report) -> None:
    try:
        answer = again_after_deadlock(partial(_apply_atomically, log.provider, event, at))
    except (OperationalError, InterfaceError):
        raise
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


@transaction.atomic
def _apply_atomically(provider: str, event: Event, at: datetime) -> WhatsAppNotification | None:
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
