"""A person's number was wrong: what went there in vain is said again, to the right one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    Form,
    Status,
    WhatsAppAddressee,
    WhatsAppNotification,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.models.subjects import superseded
from whatsapp_monitoring_app.services import cancellation, message_types, outbox
from whatsapp_monitoring_app.services.drafts import Draft

# What is older than this is no news any more.
WORTH_SAYING = timedelta(days=14)
# What somebody else got at the wrong number, the client has not heard.
GONE_ELSEWHERE = (Status.SENT, Status.DELIVERED, Status.READ)


def in_vain(user: User, old_number: str, at: datetime, *, was_somebody_else: bool = False) -> NotificationQuerySet:
    """What this person was not told because of `old_number`, and is still worth saying.

    It failed there for want of a WhatsApp account, or still waits to go there; with `was_somebody_else` also what
    arrived there, at a stranger's.
    """
    failed = Q(status=Status.FAILED, error_class=ErrorClass.RECIPIENT_PERMANENT)
    missed = failed | Q(status__in=WAITING) | Q(cancel_reason=CancelReason.WRONG_NUMBER)
    if was_somebody_else:
        missed |= Q(status__in=[*GONE_ELSEWHERE, Status.UNCONFIRMED])
    theirs = WhatsAppNotification.objects.filter(user=user, phone_number=old_number, resent_as=None, informed_at=None)
    recent = theirs.filter(missed, created_at__gte=at - WORTH_SAYING)
    return recent.exclude(message_type__in=message_types.TYPES_WITHOUT_CALL).exclude(superseded())


@transaction.atomic
def note_stranger(phone_number: str, person: User, at: datetime) -> bool:
    """Write nothing more to this number: somebody else answers there. False when that is known already."""
    _row, is_new = WhatsAppWrongNumber.objects.get_or_create(
        phone_number=phone_number, defaults={"noted_by": person, "created_at": at}
    )
    cancellation.cancel_all_to_strangers(at)
    return is_new


def forget_stranger(phone_number: str) -> bool:
    """The number is the right one after all; False when nobody had said otherwise."""
    deleted, _rows = WhatsAppWrongNumber.objects.filter(phone_number=phone_number).delete()
    return bool(deleted)


@transaction.atomic
def say_again(missed: NotificationQuerySet, at: datetime) -> Sequence[WhatsAppNotification]:
    """Owe each of these messages again, to its person's number of today; the new ones, for which nobody was rung.

    Safe to repeat. Raises what outbox.post raises, and then nothing changes.
    """
    locked = missed.select_related("user", "template").select_for_update(of=("self",)).order_by("created_at")
    return [again for notification in locked if (again := _again(notification, at))]


def _again(notification: WhatsAppNotification, at: datetime) -> WhatsAppNotification | None:
    if notification.user is None:
        return None
    again, is_new = outbox.post(_draft_of(notification, notification.user), at)
    WhatsAppNotification.objects.filter(pk=notification.pk).update(resent_as=again)
    WhatsAppAddressee.objects.filter(notification=notification).update(notification=again)
    cancellation.cancel(WhatsAppNotification.objects.filter(pk=notification.pk), CancelReason.PERSON, at)
    return again if is_new else None


def _draft_of(notification: WhatsAppNotification, user: User) -> Draft:
    template = notification.template
    return Draft(
        source_app=notification.source_app,
        user=user,
        message_content="" if template else notification.message_content,
        template=template.code if template else "",
        params=notification.template_params if template else {},
        image_url=notification.media_link if notification.media == Form.IMAGE else "",
        document_url=notification.media_link if notification.media == Form.DOCUMENT else "",
        document_name=notification.media_name,
        message_type=notification.message_type,
        category=notification.category,
        title=notification.title,
        priority=notification.priority,
        language=notification.language,
        subject=notification.subject,
        fact_rank=notification.fact_rank,
        about=dict(notification.subjects.values_list("name", "fact_rank")),
        context_data=notification.context_data,
        is_secret=notification.is_secret,
        idempotency_key=f"again:{notification.pk}:{user.telephone}",
    )
