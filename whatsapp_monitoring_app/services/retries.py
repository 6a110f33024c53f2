"""A person asks for another attempt."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import Status, Trigger, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import cancellation, outbox, quiet_hours


class NotRetryable(Exception):
    """This notification cannot be retried now; nothing changed. The message says why, for people."""


@transaction.atomic
def retry(
    notification: WhatsAppNotification, actor: User | None, at: datetime, trigger: Trigger = Trigger.MANUAL
) -> None:
    """Queue one more attempt, on top of those that were made, or now instead of the planned one.

    At night at the person's, what is not urgent waits for the morning. The automatic chain does not start anew.

    Safe to press twice: there is one attempt at a time. Raises NotRetryable.
    """
    # What the caller read may be old: a message that is being sent, or was accepted since, must not be sent twice.
    locked = WhatsAppNotification.objects.select_related("user").select_for_update(of=("self",))
    notification.refresh_from_db(from_queryset=locked)
    if notification.resent_as_id:
        raise NotRetryable(_("This message was sent again to the person’s corrected number already."))
    if not notification.can_retry:
        raise NotRetryable(
            _("Only a failed message can be retried; this one is: %(status)s.")
            % {"status": notification.get_status_display()}
        )
    if cancellation.is_to_a_former_number(notification):
        raise NotRetryable(_("This person has another number now. Send the message again from their own page."))
    if cancellation.is_to_a_stranger(notification):
        raise NotRetryable(_("Somebody else answers at this number. Correct the person’s number first."))
    if cancellation.is_refused(notification):
        raise NotRetryable(_("This person does not want such messages any more. Call them if they must know."))
    if notification.next_attempt_at and notification.next_attempt_at <= at:
        raise NotRetryable(_("A new attempt is queued already."))
    order = {"next_trigger": trigger, "next_actor": actor, "slot_at": None, **_times(notification, at)}
    if notification.status == Status.RETRY_SCHEDULED:
        # The person's attempt takes the place of the one that the machine had planned.
        WhatsAppNotification.objects.filter(pk=notification.pk).update(**order)
        notification.refresh_from_db()
        return
    notification.move(
        Status.RETRY_SCHEDULED if notification.status == Status.UNCONFIRMED else Status.PENDING,
        max_attempts=Greatest(F("max_attempts"), F("attempt_count") + 1),
        settled_by=None,
        **order,
    )


def _times(notification: WhatsAppNotification, at: datetime) -> dict[str, datetime | None]:
    """When the new attempt is made, and until when it is useful: what would be too old by then begins anew."""
    leaves_at = quiet_hours.first_moment_of(notification, at)
    own_end = notification.expires_at
    return {
        "next_attempt_at": leaves_at,
        "rung_at": at if leaves_at == at else None,
        "expires_at": own_end if own_end and own_end > leaves_at else outbox.default_expiry(notification, leaves_at),
    }


@dataclass
class Retried:
    """What became of many retries: those that are queued, and how many are not, by the reason why."""

    queued: list[WhatsAppNotification] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


def retry_each(failed: NotificationQuerySet, actor: User | None, at: datetime) -> Retried:
    """Queue one more attempt for each of them that nobody has settled since."""
    retried = Retried()
    given_up = failed.failed().exclude(settled_by=None).count()
    if given_up:
        retried.refusals[_("A person has given it up.")] = given_up
    for notification in failed.to_retry().iterator():
        try:
            retry(notification, actor, at, Trigger.BULK)
        except NotRetryable as refusal:
            # Retried by somebody else meanwhile, which is as good; or its person refuses such messages.
            retried.refusals[str(refusal)] += 1
        else:
            retried.queued.append(notification)
    return retried


def retry_all(failed: NotificationQuerySet, actor: User | None, at: datetime) -> list[WhatsAppNotification]:
    """Queue one more attempt for each of them that nobody has settled since; those that were queued."""
    return retry_each(failed, actor, at).queued
