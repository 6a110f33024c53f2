"""A person's number was wrong: what went there in vain is said again, to the right one."""

from dataclasses import dataclass, field
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
    WhatsAppFormerNumber,
    WhatsAppNotification,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
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
    # Whoever has chosen a password needs no link for the first one.
    useless = [*message_types.TYPES_WITHOUT_CALL, *(["account_creation"] if user.has_usable_password() else [])]
    return recent.exclude(message_type__in=useless).exclude(superseded())


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
def move_away(user: User, old_number: str, new_number: str, at: datetime) -> None:
    """The person has another number: whatever was meant for them does not go to the old one, now or later."""
    WhatsAppFormerNumber.objects.get_or_create(user=user, phone_number=old_number, defaults={"created_at": at})
    WhatsAppFormerNumber.objects.filter(user=user, phone_number=new_number).delete()
    waiting = WhatsAppNotification.objects.filter(user=user, phone_number=old_number)
    cancellation.cancel(waiting, CancelReason.WRONG_NUMBER, at)


@dataclass
class SaidAgain:
    """The messages that are new, for which nobody was rung, and why there is none for the others, a sentence each."""

    new: list[WhatsAppNotification] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@transaction.atomic
def say_again(missed: NotificationQuerySet, at: datetime) -> SaidAgain:
    """Owe each of these messages again, to its person's number of today. Safe to repeat.

    One that cannot be sent any more, because its template is off for example, keeps none of the others.
    """
    said = SaidAgain()
    locked = missed.exclude(user=None).select_related("user", "template").select_for_update(of=("self",))
    for notification in locked.order_by("created_at"):
        try:
            again = _again(notification, at)
        except ValueError as error:
            said.refusals.append(str(error))
        else:
            said.new += [again] if again else []
    return said


def _again(notification: WhatsAppNotification, at: datetime) -> WhatsAppNotification | None:
    assert notification.user
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
