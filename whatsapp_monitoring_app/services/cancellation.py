"""Messages that are not to go out any more: a newer fact replaced them, the person refused, somebody cancelled."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet
from whatsapp_monitoring_app.services import message_types

Reason = CancelReason


def cancel(notifications: NotificationQuerySet, reason: CancelReason, at: datetime) -> int:
    """Cancel those that still wait; how many."""
    return notifications.move(Status.CANCELLED, cancel_reason=reason, cancelled_at=at)


def cancel_superseded_by(newer: WhatsAppNotification, at: datetime) -> int:
    """Cancel what waits to tell the same person an older fact about the same subject; how many."""
    if not newer.subject or not newer.fact_rank:
        return 0
    older = WhatsAppNotification.objects.filter(
        subject=newer.subject,
        phone_number=newer.phone_number,
        fact_rank__gt=0,
        fact_rank__lt=newer.fact_rank,
    )
    return cancel(older, Reason.SUPERSEDED, at)


def cancel_all_superseded(at: datetime) -> int:
    """Cancel what came back to the queue after a newer fact was told; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(_is_superseded()), Reason.SUPERSEDED, at)


def cancel_all_refused(at: datetime) -> int:
    """Cancel what came back to the queue after its person had refused such messages; how many."""
    return cancel(WhatsAppNotification.objects.waiting().filter(_is_refused()), Reason.OPT_OUT, at)


def still_wanted() -> NotificationQuerySet:
    """All but those that `cancel_all_superseded` and `cancel_all_refused` cancel, for whoever is about to send one.

    They come back to the queue from a worker's hands at any moment, and must not leave before they are cancelled.
    """
    return WhatsAppNotification.objects.exclude(_is_superseded()).exclude(_is_refused())


def is_refused(notification: WhatsAppNotification) -> bool:
    """Whether its person has asked not to get messages of this type."""
    return WhatsAppNotification.objects.filter(_is_refused(), pk=notification.pk).exists()


def _is_superseded() -> Q:
    newer = WhatsAppNotification.objects.filter(
        subject=OuterRef("subject"), phone_number=OuterRef("phone_number"), fact_rank__gt=OuterRef("fact_rank")
    ).exclude(status__in=[Status.FAILED, Status.CANCELLED])
    return Q(fact_rank__gt=0) & ~Q(subject="") & Q(Exists(newer))


def _is_refused() -> Q:
    opt_out = WhatsAppOptOut.objects.filter(phone_number=OuterRef("phone_number"))
    return ~Q(message_type__in=message_types.ESSENTIAL_TYPES) & Q(Exists(opt_out))
