"""What an answer or a receipt does to a notification. Each function takes a notification locked by its caller."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from whatsapp_monitoring_app.models import ErrorClass, Status, Trigger, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError
from whatsapp_monitoring_app.services.retry_policy import EFFECTS, Fate, delay

logger = logging.getLogger(__name__)

CONFIRMATION_TIME = timedelta(seconds=settings.WHATSAPP_CONFIRMATION_SECONDS)
_random = Random()  # noqa: S311 - spreads retries, protects nothing


@dataclass(frozen=True)
class Context:
    """When a verdict falls, on whose messages, and with which dice."""

    at: datetime
    sender: WhatsAppSender | None = None
    random: Random = _random


def accept(notification: WhatsAppNotification, accepted: Accepted, context: Context) -> None:
    """The provider took it."""
    # The test phone's id says nothing about the client: its STOP would be theirs.
    wa_id = "" if settings.WHATSAPP_TEST_PHONE else accepted.wa_id
    known: dict[str, Any] = {"wa_id": wa_id, "sender": context.sender}
    named = {"provider_message_id": accepted.provider_message_id} if accepted.provider_message_id else {}
    try:
        with transaction.atomic():
            _accept(notification, known | named, context)
    except IntegrityError:
        # Accepted all the same: receipts find the message by our code.
        logger.error("Notification %s was answered with another message's id", notification.pk)
        _accept(notification, known, context)


def _accept(notification: WhatsAppNotification, known: dict[str, Any], context: Context) -> None:
    moved = notification.move(
        Status.SENT,
        sent_at=context.at,
        attempt_count=_count_after(notification),
        **known,
        **error_fields(None),
    )
    if not moved:
        # A receipt was faster than the answer and went further; the id is still worth having.
        WhatsAppNotification.objects.filter(pk=notification.pk).update(**known)
        notification.refresh_from_db()


def refuse(notification: WhatsAppNotification, error: ProviderError, context: Context) -> None:
    """The provider refused it, at once or later by a receipt; the error class decides what follows."""
    effect = EFFECTS[error.error_class]
    costs = effect.fate is not Fate.GIVE_BACK
    # Told by a receipt, it gives the attempt back that was counted when the message was accepted.
    count = _count_after(notification) if costs else max(_count_after(notification) - 1, 0)
    tries = _tries(notification, error)
    again_at = context.at + delay(error.error_class, tries, context.random, error.retry_after)
    if not _may_try_again(notification, error, tries, again_at):
        fail(notification, error, context, attempt_count=count)
        return
    given_back = not costs and notification.status == Status.SENDING
    notification.move(
        _waiting_status(count) if given_back else Status.RETRY_SCHEDULED,
        attempt_count=count,
        next_attempt_at=again_at,
        next_trigger=notification.next_trigger if given_back else Trigger.RETRY,
        next_actor=notification.next_actor if given_back else None,
        rung_at=None,
        **_sender_field(context),
        **error_fields(error),
    )


def fail(notification: WhatsAppNotification, error: ProviderError, context: Context, **changes: Any) -> None:
    """The machine gives up."""
    notification.move(Status.FAILED, failed_at=context.at, **error_fields(error), **_sender_field(context), **changes)


def leave_unconfirmed(notification: WhatsAppNotification, reason: str, context: Context) -> None:
    """It may have gone out: a receipt may tell within the confirmation time."""
    notification.move(
        Status.UNCONFIRMED,
        confirm_by=context.at + CONFIRMATION_TIME,
        attempt_count=_count_after(notification),
        **_sender_field(context),
        **error_fields(ProviderError(ErrorClass.UNCONFIRMED, message=reason)),
    )


def give_back(notification: WhatsAppNotification, error: ProviderError, until: datetime) -> None:
    """The sender cannot send now: wait, at no cost. No call was made, so there is no attempt to record."""
    status = _waiting_status(notification.attempt_count)
    notification.move(status, next_attempt_at=until, rung_at=None, **_not_tried(notification), **error_fields(error))


def _waiting_status(attempt_count: int) -> Status:
    # A receipt of an earlier attempt, perhaps unconfirmed, must still be able to stop the next one.
    return Status.RETRY_SCHEDULED if attempt_count else Status.PENDING


def wait_for_slot(notification: WhatsAppNotification, slot_of: WhatsAppSender | None, until: datetime) -> None:
    """The sender goes as fast as it may: wait, at no cost and with no error, for a slot of its or to ask again."""
    slot = {"sender": slot_of, "slot_at": until} if slot_of else {}
    status = _waiting_status(notification.attempt_count)
    untried = _not_tried(notification)
    notification.move(status, next_attempt_at=until, rung_at=None, **slot, **untried, **error_fields(None))


def _not_tried(notification: WhatsAppNotification) -> dict[str, None]:
    """What a worker took and gave back without a call was not attempted: how soon we are is measured by calls."""
    return {} if notification.attempt_count else {"first_attempt_at": None}


def _count_after(notification: WhatsAppNotification) -> int:
    # A late answer, or a receipt, belongs to an attempt that was counted already.
    return notification.attempt_count + (notification.status == Status.SENDING)


def _sender_field(context: Context) -> dict[str, WhatsAppSender]:
    return {"sender": context.sender} if context.sender else {}


def _tries(notification: WhatsAppNotification, error: ProviderError) -> int:
    """The attempts so far, this one included; where they cost none, those that ended in the same way."""
    if EFFECTS[error.error_class].fate is Fate.GIVE_BACK:
        # Said at once or by a receipt; the one that says it now is not linked yet.
        told = (notification.attempts, notification.receipts)
        return sum(rows.filter(error_class=error.error_class).count() for rows in told) + 1
    return _count_after(notification)


def _may_try_again(notification: WhatsAppNotification, error: ProviderError, tries: int, again_at: datetime) -> bool:
    effect = EFFECTS[error.error_class]
    if effect.fate is Fate.FAIL or (notification.expires_at and again_at >= notification.expires_at):
        return False
    if effect.max_attempts and tries >= effect.max_attempts:
        return False
    return effect.fate is Fate.GIVE_BACK or _count_after(notification) < notification.max_attempts


def error_fields(error: ProviderError | None) -> dict[str, str]:
    """The three columns that say what went wrong; empty when nothing did."""
    if error is None:
        return {"error_code": "", "error_class": "", "error_message": ""}
    return {"error_code": error.code, "error_class": error.error_class, "error_message": error.message}


def error_of(notification: WhatsAppNotification) -> ProviderError | None:
    """What went wrong with it, as its row says; None when nothing did."""
    if not notification.error_class:
        return None
    error_class = ErrorClass(notification.error_class)
    return ProviderError(error_class, code=notification.error_code, message=notification.error_message)
