"""Receipts: stored once each, and applied to their notification when both are there, in whatever order they come.

Here they are taken one by one; `plain_receipts` takes together those of which nothing else follows.
"""

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Exists, OuterRef, UUIDField, When
from django.db.models.functions import Cast

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, Outcome, Status, WhatsAppNotification, WhatsAppReceipt, prepared
from whatsapp_monitoring_app.models.receipts import ReceiptQuerySet
from whatsapp_monitoring_app.models.statuses import REACHED
from whatsapp_monitoring_app.providers.base import ProviderError, ReceiptEvent, Refused
from whatsapp_monitoring_app.services import (
    circuit,
    error_catalogue,
    inbound,
    plain_receipts,
    templates,
    turns,
    verdicts,
)
from whatsapp_monitoring_app.services.retry_policy import EFFECTS
from whatsapp_monitoring_app.services.verdicts import Context

logger = logging.getLogger(__name__)

ARRIVED = REACHED | {Status.SENT}  # at the provider at least
CODE = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Kind = WhatsAppReceipt.Kind
_WAITING = f"""
    SELECT {", ".join(str(field.column) for field in WhatsAppReceipt._meta.concrete_fields)}
    FROM {WhatsAppReceipt._meta.db_table}
    WHERE applied_at IS NULL AND (tracking = ANY(%s) OR provider_message_id = ANY(%s)) ORDER BY occurred_at, id
"""  # noqa: S608 - our own table


@transaction.atomic
def take(provider: str, event: ReceiptEvent, at: datetime) -> WhatsAppReceipt:
    """Store the receipt, once however often it comes, and apply it if its notification is known and ready.

    One that does not say when it happened has happened `at`.
    """
    if event.error:
        event = replace(event, error=error_catalogue.classified(provider, event.error))
    _notification_of(event)  # locked before the receipt's row is written: in the order of those who take many at once
    receipt, created = _keep(provider, event, at)
    if created:
        error_catalogue.note_unclassified(provider, event.error, at)
    elif event.tracking and not receipt.tracking:
        # Told again, and this time by our code: it may be the only thing that finds its notification.
        receipt.tracking = event.tracking
        receipt.save(update_fields=["tracking"])
    if receipt.applied_at is None:
        apply(receipt, at)
    return receipt


def _keep(provider: str, event: ReceiptEvent, at: datetime) -> tuple[WhatsAppReceipt, bool]:
    """The receipt's row, and whether it is new."""
    fact: dict[str, Any] = {
        "provider": provider,
        "provider_message_id": event.provider_message_id,
        "raw_status": event.raw_status,
    }
    occurred_at = event.occurred_at or at
    if providers.get(provider).dates_receipts:
        fact["occurred_at"] = occurred_at
    else:
        # The moment of arrival orders the receipts, but a repeated one has another: then the word alone is the fact.
        # The unique constraint cannot know that of the provider, so that only one at a time may look and insert.
        turns.wait_for(json.dumps(sorted(fact.items())))
    values = {
        "occurred_at": occurred_at,
        "status": event.status,
        "tracking": event.tracking,
        "received_at": at,
        **verdicts.error_fields(event.error),
    }
    return WhatsAppReceipt.objects.get_or_create(**fact, defaults=values)


def apply(receipt: WhatsAppReceipt, at: datetime) -> bool:
    """Let the receipt take effect; False when its notification is not known yet, or is being sent right now."""
    notification = _notification_of(receipt)
    if notification is None or notification.status == Status.SENDING:
        return False
    _settle(notification, receipt, at)
    receipt.notification, receipt.applied_at = notification, at
    receipt.save(update_fields=["notification", "applied_at"])
    return True


def ready(waiting: ReceiptQuerySet) -> ReceiptQuerySet:
    """Those whose notification is known by now, by the provider's id or by our code, and is not being sent."""
    # An account may be shared: another program's tracking text is no code of ours.
    code = Case(When(tracking__regex=CODE, then=Cast("tracking", UUIDField())), default=None)
    known = WhatsAppNotification.objects.exclude(status=Status.SENDING)
    by_id = Exists(known.filter(provider_message_id=OuterRef("provider_message_id")))
    return waiting.alias(code=code).filter(by_id | Exists(known.filter(pk=OuterRef("code"))))


def apply_waiting(notification: WhatsAppNotification, at: datetime) -> None:
    """Apply the receipts that came before the provider's answer was stored."""
    if apply_waiting_all({notification.pk: notification.provider_message_id}, at):
        notification.refresh_from_db()


def apply_waiting_all(ids: Mapping[uuid.UUID, str | None], at: datetime) -> bool:
    """The same for several notifications, by code with the provider's id where it is known; whether any had some.

    One query where nothing waits. To be called within the transaction that has stored the answers.
    """
    codes, known = [str(code) for code in ids], [each for each in ids.values() if each]
    waiting = prepared.instances(WhatsAppReceipt, _WAITING, [codes, known])
    if not waiting:
        return False
    for receipt in plain_receipts.apply(waiting, at):
        apply(receipt, at)
    return True


def _notification_of(receipt: ReceiptEvent | WhatsAppReceipt) -> WhatsAppNotification | None:
    """The receipt's notification, locked: by our code that the provider echoes, else by the provider's id."""
    locked = WhatsAppNotification.objects.select_for_update()
    code = plain_receipts.code_of(receipt.tracking)
    found = locked.filter(pk=code).first() if code else None
    return found or locked.filter(provider_message_id=receipt.provider_message_id).first()


def _settle(notification: WhatsAppNotification, receipt: WhatsAppReceipt, at: datetime) -> None:
    was_in_doubt = notification.status == Status.UNCONFIRMED
    _take_effect(notification, receipt, at)
    if was_in_doubt and notification.sender and notification.status in ARRIVED:
        circuit.note_arrival(notification.sender, at)


def _take_effect(notification: WhatsAppNotification, receipt: WhatsAppReceipt, at: datetime) -> None:
    match receipt.status:
        case Kind.SENT if not _failed_afterwards(receipt):
            _remember_id(notification, receipt)
            notification.move(Status.SENT, sent_at=receipt.occurred_at, **verdicts.error_fields(None))
        case Kind.DELIVERED:
            _remember_id(notification, receipt)
            notification.delivered(receipt.occurred_at)
        case Kind.READ:
            _remember_id(notification, receipt)
            notification.read(receipt.occurred_at)
        case Kind.FAILED:
            _fail(notification, receipt, at)
        case Kind.UNKNOWN:
            logger.warning("Receipt %s has the unknown word %r", receipt.pk, receipt.raw_status)


def _failed_afterwards(receipt: WhatsAppReceipt) -> bool:
    # Receipts come in any order: "sent" after "failed" is old news, and must not stop the retry.
    return WhatsAppReceipt.objects.filter(
        provider=receipt.provider, provider_message_id=receipt.provider_message_id, status=Kind.FAILED
    ).exists()


def _fail(notification: WhatsAppNotification, receipt: WhatsAppReceipt, at: datetime) -> None:
    if not _is_of_the_last_attempt(receipt, notification):
        return
    error = ProviderError(
        error_class=ErrorClass(receipt.error_class or ErrorClass.UNKNOWN),
        code=receipt.error_code,
        message=receipt.error_message,
    )
    verdicts.refuse(notification, error, Context(at=at, sender=notification.sender))
    effect = EFFECTS[error.error_class]
    if notification.sender and (effect.stops_sender or effect.slows_sender):
        circuit.note(notification.sender, Refused(error), at)
    inbound.note_opt_out(notification, error, at)
    templates.note_stop(notification, error, at)


def _is_of_the_last_attempt(receipt: WhatsAppReceipt, notification: WhatsAppNotification) -> bool:
    is_known = notification.provider_message_id == receipt.provider_message_id
    if notification.status == Status.UNCONFIRMED:
        # Nobody knows the last attempt's id yet: the one on the row is an earlier attempt's. And nobody knows which of
        # several calls without an answer has failed: the deadline decides, or a person.
        return not is_known and notification.attempts.filter(outcome=Outcome.UNCERTAIN).count() == 1
    return notification.status == Status.SENT and (is_known or notification.provider_message_id is None)


def _remember_id(notification: WhatsAppNotification, receipt: WhatsAppReceipt) -> None:
    # Sent without our ever seeing the answer: from now on its receipts find it by the provider's id too.
    is_taken = WhatsAppNotification.objects.filter(provider_message_id=receipt.provider_message_id).exists()
    if not is_taken and (notification.provider_message_id is None or notification.status == Status.UNCONFIRMED):
        notification.provider_message_id = receipt.provider_message_id
        notification.save(update_fields=["provider_message_id"])
