"""What an answer or a receipt does to a notification. Each function takes a notification locked by its caller."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from whatsapp_monitoring_app.models import ErrorClass, Status, Trigger, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.notification_queries import LEFT_BEHIND
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


@dataclass(frozen=True)
class Moved:
    """What has been written of a notification that has moved: its status, and the columns beside it."""

    status: Status
    columns: Mapping[str, Any]

    def show(self, notification: WhatsAppNotification) -> None:
        """Let the object be as its row is."""
        notification.status = self.status
        for name, value in {**LEFT_BEHIND, **self.columns}.items():
            field: Any = WhatsAppNotification._meta.get_field(name)
            setattr(notification, field.attname, value)


def accept_all(accepted: Mapping[WhatsAppNotification, tuple[Accepted, Context]]) -> dict[uuid.UUID, Moved]:
    """The provider took these, all of one claim; those that the claim still holds.

    The others are for `accept`: what somebody has moved meanwhile. Raises IntegrityError, within the caller's
    transaction, where one of them was answered with an id that another message has.
    """
    rows = {each.pk: _accepted(each, *answer) for each, answer in accepted.items()}
    return _move_held(Status.SENT, rows, next(iter(accepted), None))


def _move_held(
    to: Status, rows: Mapping[uuid.UUID, Mapping[str, Any]], one_of_them: WhatsAppNotification | None
) -> dict[uuid.UUID, Moved]:
    """Move those that are being sent under the claim of one of them."""
    if one_of_them is None:
        return {}
    moved = WhatsAppNotification.objects.all().move_each(
        to, rows, claim_id=one_of_them.claim_id, among=[Status.SENDING]
    )
    return {code: Moved(to, rows[code]) for code in moved}


def _accepted(notification: WhatsAppNotification, accepted: Accepted, context: Context) -> dict[str, Any]:
    return {
        "sent_at": context.at,
        "attempt_count": notification.attempt_count + 1,
        "wa_id": _wa_id(accepted),
        "sender": context.sender.pk if context.sender else None,
        "provider_message_id": accepted.provider_message_id or notification.provider_message_id,
        **error_fields(None),
    }


def _wa_id(accepted: Accepted) -> str:
    # The test phone's id says nothing about the client: its STOP would be theirs.
    return "" if settings.WHATSAPP_TEST_PHONE else accepted.wa_id


def accept(notification: WhatsAppNotification, accepted: Accepted, context: Context) -> None:
    """The provider took it."""
    known: dict[str, Any] = {"wa_id": _wa_id(accepted), "sender": context.sender}
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
        Status.PENDING if given_back and not count else Status.RETRY_SCHEDULED,
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


@dataclass(frozen=True)
class Return:
    """A claimed notification that goes back to the queue without a call; it waits `until` then, at no cost.

    `error` says what it waits for, unless that is only the pace or the night; `slot_of` gave it a slot then.
    """

    notification: WhatsAppNotification
    until: datetime
    error: ProviderError | None = None
    slot_of: WhatsAppSender | None = None


def put_back(returns: Sequence[Return]) -> dict[uuid.UUID, Moved]:
    """Put these back, all of one claim; those that the claim still held. No call was made, so none is recorded."""
    moved: dict[uuid.UUID, Moved] = {}
    # A receipt of an earlier attempt, perhaps unconfirmed, must still be able to stop the next one.
    for status, was_tried in ((Status.PENDING, False), (Status.RETRY_SCHEDULED, True)):
        some = [each for each in returns if _was_tried(each.notification) == was_tried]
        rows = {each.notification.pk: _returned(each) for each in some}
        moved |= _move_held(status, rows, some[0].notification if some else None)
    return moved


def _was_tried(notification: WhatsAppNotification) -> bool:
    return notification.attempt_count > 0


def _returned(back: Return) -> dict[str, Any]:
    notification = back.notification
    # How soon we are is measured by calls.
    first_attempt_at = None if notification.is_at_its_first_call else notification.first_attempt_at
    return {
        "next_attempt_at": back.until,
        "rung_at": None,
        "first_attempt_at": first_attempt_at,
        "sender": back.slot_of.pk if back.slot_of else notification.sender_id,
        "slot_at": back.until if back.slot_of else None,
        **error_fields(back.error),
    }


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
