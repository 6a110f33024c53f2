"""What happened to one notification, in order, and how long each step took."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts.models import User
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Outcome,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
)
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet


@dataclass(frozen=True)
class Decision:
    """What a person said of a message of which nobody knew."""

    person: User
    at: datetime
    has_arrived: bool


def decision(notification: WhatsAppNotification) -> Decision | None:
    """Who settled it, when and how; None when nobody had to.

    Whoever tells the person by telephone settles it too; then that is what the page says of it.
    """
    at = notification.failed_at or notification.delivered_at
    if notification.settled_by is None or at is None or at == notification.informed_at:
        return None
    return Decision(notification.settled_by, at, has_arrived=notification.failed_at is None)


@dataclass(frozen=True)
class Moment:
    """One line of a notification's history: its creation, an attempt, a receipt, a person's decision, its end.

    `is_informing`: somebody of ours told the person. `since` is the time since the attempt before for an attempt,
    since the provider accepted it for a receipt, and since the creation for all else; None where it is not known.
    """

    at: datetime
    attempt: WhatsAppAttempt | None = None
    receipt: WhatsAppReceipt | None = None
    decision: Decision | None = None
    is_informing: bool = False
    is_cancelling: bool = False
    is_expiry: bool = False
    since: timedelta | None = None


def timeline(notification: WhatsAppNotification) -> list[Moment]:
    """What happened to the notification, in order."""
    attempts: Any = notification.attempts.select_related("sender", "actor")
    moments = [
        *(Moment(at=attempt.started_at, attempt=attempt) for attempt in attempts),
        *(Moment(at=receipt.occurred_at, receipt=receipt) for receipt in notification.receipts.all()),
        *_ends(notification),
    ]
    created_at = notification.created_at
    return [Moment(at=created_at), *_with_waits(sorted(moments, key=_place), created_at)]


def _ends(notification: WhatsAppNotification) -> Iterator[Moment]:
    if settled := decision(notification):
        yield Moment(at=settled.at, decision=settled)
    if notification.informed_at:
        yield Moment(at=notification.informed_at, is_informing=True)
    if notification.cancelled_at:
        yield Moment(at=notification.cancelled_at, is_cancelling=True)
    if notification.error_class == ErrorClass.EXPIRED and notification.failed_at:
        yield Moment(at=notification.failed_at, is_expiry=True)


def _place(moment: Moment) -> datetime:
    """Where it stands in the history. Providers date their receipts in whole seconds, and mean some moment in it."""
    is_whole = moment.receipt is not None and moment.at.microsecond == 0
    return moment.at + timedelta(microseconds=999_999) if is_whole else moment.at


def _with_waits(moments: Iterable[Moment], created_at: datetime) -> Iterator[Moment]:
    last_end, accepted_at = created_at, None
    for moment in moments:
        if moment.attempt:
            yield _after(last_end, moment)
            last_end = moment.attempt.finished_at
            accepted_at = last_end if moment.attempt.outcome == Outcome.ACCEPTED else accepted_at
        else:
            yield _after(accepted_at if moment.receipt else created_at, moment)


def _after(before: datetime | None, moment: Moment) -> Moment:
    return replace(moment, since=max(moment.at - before, timedelta())) if before else moment


def others(visible: NotificationQuerySet, notification: WhatsAppNotification) -> NotificationQuerySet:
    """The other messages to the same person, or to the same number where it is nobody's; newest first."""
    same = Q(user=notification.user_id) if notification.user_id else Q(phone_number=notification.phone_number)
    return visible.filter(same).exclude(pk=notification.pk)
