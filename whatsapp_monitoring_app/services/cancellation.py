"""Messages that are not to go out any more: a newer fact replaced them, the person refused, somebody cancelled."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppFormerNumber,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSubject,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.subjects import superseded
from whatsapp_monitoring_app.services import message_types

Reason = CancelReason


def cancel(notifications: NotificationQuerySet, reason: CancelReason, at: datetime) -> int:
    """Cancel those that still wait; how many."""
    return notifications.move(Status.CANCELLED, cancel_reason=reason, cancelled_at=at)


def cancel_superseded_by(newer: Iterable[WhatsAppNotification], at: datetime) -> int:
    """Cancel what waits to tell the same people less about the same things; how many.

    A message that speaks of several things is cancelled once there is something newer to say of each.
    """
    facts = [notification for notification in newer if notification.fact_rank]
    if not facts:
        return 0
    names = WhatsAppSubject.objects.filter(notification__in=facts).values("name")
    older = WhatsAppNotification.objects.waiting().filter(
        Exists(WhatsAppSubject.objects.filter(notification=OuterRef("pk"), name__in=names)),
        phone_number__in={notification.phone_number for notification in facts},
    )
    return cancel(older.filter(superseded()), Reason.SUPERSEDED, at)


def cancel_all_superseded(at: datetime) -> int:
    """Cancel what came back to the queue after a newer fact was told; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(superseded()), Reason.SUPERSEDED, at)


def cancel_all_refused(at: datetime) -> int:
    """Cancel what came back to the queue after its person had refused such messages; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(refused()), Reason.OPT_OUT, at)


def cancel_refused_by(user: User, at: datetime) -> int:
    """Cancel what waits for this person and they have refused; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(refused(), user=user), Reason.OPT_OUT, at)


def cancel_older_about(user: User, names: Iterable[str], rank: int, reason: CancelReason, at: datetime) -> int:
    """Cancel what waits to tell this person facts of a lower rank about these things and nothing else; how many."""
    facts = WhatsAppSubject.objects.filter(notification=OuterRef("pk"), fact_rank__gt=0)
    older = Q(name__in=list(names), fact_rank__lt=rank)
    waiting = WhatsAppNotification.objects.waiting().filter(Exists(facts.filter(older)), user=user)
    return cancel(waiting.exclude(Exists(facts.exclude(older))), reason, at)


def cancel_all_to_strangers(at: datetime) -> int:
    """Cancel what waits to go to a number that is not its person's; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(_is_to_a_stranger()), Reason.WRONG_NUMBER, at)


@cache
def still_wanted() -> NotificationQuerySet:
    """All but those that the functions above cancel, for whoever is about to send one.

    They come back to the queue from a worker's hands at any moment, and must not leave before they are cancelled.
    """
    return WhatsAppNotification.objects.exclude(superseded()).exclude(refused()).exclude(_is_to_a_stranger())


def _is_to_a_stranger() -> Q:
    return somebody_else_answers() | has_moved_on()


def somebody_else_answers() -> Q:
    """Those at whose number somebody else answers."""
    return Q(Exists(WhatsAppWrongNumber.objects.filter(phone_number=OuterRef("phone_number"))))


def has_moved_on() -> Q:
    """Those whose person has another number now."""
    moved = WhatsAppFormerNumber.objects.filter(user=OuterRef("user"), phone_number=OuterRef("phone_number"))
    return Q(Exists(moved))


def refused() -> Q:
    """Those whose person has asked not to get messages of their type."""
    opt_out = WhatsAppOptOut.objects.filter(phone_number=OuterRef("phone_number"))
    mute = WhatsAppMute.objects.filter(user=OuterRef("user"), message_type=OuterRef("message_type"))
    return ~Q(message_type__in=message_types.ESSENTIAL_TYPES) & (Q(Exists(opt_out)) | Q(Exists(mute)))
