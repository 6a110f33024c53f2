"""A person asks for another attempt."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import Status, Trigger, WhatsAppNotification
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet
from whatsapp_monitoring_app.services import cancellation, outbox


class NotRetryable(Exception):
    """This notification cannot be retried now; nothing changed. The message says why, for people."""


@transaction.atomic
def retry(
    notification: WhatsAppNotification, actor: User | None, at: datetime, trigger: Trigger = Trigger.MANUAL
) -> None:
    """Queue one more attempt, on top of those that were made, or now instead of the planned one.

    The automatic chain does not start anew.

    Safe to press twice: there is one attempt at a time. Raises NotRetryable.
    """
    # What the caller read may be old: a message that is being sent, or was accepted since, must not be sent twice.
    notification.refresh_from_db(from_queryset=WhatsAppNotification.objects.select_for_update())
    if not notification.can_retry:
        raise NotRetryable(
            _("Only a failed message can be retried; this one is: %(status)s.")
            % {"status": notification.get_status_display()}
        )
    if cancellation.is_to_a_stranger(notification):
        raise NotRetryable(_("Somebody else answers at this number. Correct the person’s number first."))
    if cancellation.is_refused(notification):
        raise NotRetryable(_("This person does not want such messages any more. Call them if they must know."))
    if notification.next_attempt_at and notification.next_attempt_at <= at:
        raise NotRetryable(_("A new attempt is queued already."))
    order = {"next_attempt_at": at, "next_trigger": trigger, "next_actor": actor, "rung_at": at, "slot_at": None}
    if notification.status == Status.RETRY_SCHEDULED:
        # The person's attempt takes the place of the one that the machine had planned.
        WhatsAppNotification.objects.filter(pk=notification.pk).update(**order)
        notification.refresh_from_db()
        return
    expires_at = notification.expires_at
    notification.move(
        Status.RETRY_SCHEDULED if notification.status == Status.UNCONFIRMED else Status.PENDING,
        max_attempts=Greatest(F("max_attempts"), F("attempt_count") + 1),
        settled_by=None,
        expires_at=expires_at if expires_at and expires_at > at else outbox.default_expiry(notification, at),
        **order,
    )


def retry_all(failed: NotificationQuerySet, actor: User | None, at: datetime) -> list[WhatsAppNotification]:
    """Queue one more attempt for each of them that nobody has given up; those that were queued."""
    queued = []
    for notification in failed.to_retry().iterator():
        try:
            retry(notification, actor, at, Trigger.BULK)
        except NotRetryable:
            continue  # retried by somebody else meanwhile, which is as good; or its person refuses such messages
        queued.append(notification)
    return queued
