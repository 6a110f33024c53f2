"""Messages that are not to go out any more: a newer fact replaced them, the person refused, somebody cancelled."""

from datetime import datetime

from django.db.models import Exists, OuterRef

from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppNotification
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet

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
    newer = WhatsAppNotification.objects.filter(
        subject=OuterRef("subject"), phone_number=OuterRef("phone_number"), fact_rank__gt=OuterRef("fact_rank")
    ).exclude(status__in=[Status.FAILED, Status.CANCELLED])
    waiting = WhatsAppNotification.objects.waiting().filter(fact_rank__gt=0).exclude(subject="")
    return cancel(waiting.filter(Exists(newer)), Reason.SUPERSEDED, at)
