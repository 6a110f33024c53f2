"""A person asks for another attempt."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import Status, Trigger, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import outbox, quiet_hours, retry_reasons
from whatsapp_monitoring_app.services.retry_reasons import DOUBTS, Reason

# Whoever presses a button for many has seen how old they are.
OLD_NEWS = frozenset({Reason.STALE})


class NotRetryable(Exception):
    """This notification cannot be retried now; nothing changed. The message says why, for people."""

    def __init__(self, reason: Reason, sentence: str = "") -> None:
        super().__init__(sentence or str(reason.label))
        self.reason = reason


class NeedsConfirmation(NotRetryable):
    """The same, unless somebody says that they know: each of `doubts` has to be confirmed."""

    def __init__(self, doubts: list[Reason]) -> None:
        super().__init__(doubts[0], " ".join(str(doubt.label) for doubt in doubts))
        self.doubts = doubts


@transaction.atomic
def retry(
    notification: WhatsAppNotification,
    actor: User | None,
    at: datetime,
    trigger: Trigger = Trigger.MANUAL,
    confirmed: Collection[Reason] = (),
) -> None:
    """Queue one more attempt, on top of those that were made, or now instead of the planned one.

    At night at the person's, what is not urgent waits for the morning. The automatic chain does not start anew.
    `confirmed` are the doubts that the actor has answered for. In a bulk, only what failed is taken.

    Safe to press twice: there is one attempt at a time. Raises NotRetryable, or NeedsConfirmation.
    """
    # What the caller read may be old: a message that is being sent, or was accepted since, must not be sent twice.
    locked = WhatsAppNotification.objects.select_related("user").select_for_update(of=("self",))
    notification.refresh_from_db(from_queryset=locked)
    if trigger == Trigger.BULK and notification.status != Status.FAILED:
        raise NotRetryable(Reason.NOT_FAILED)
    check(notification, at, confirmed)
    queue(notification, actor, at, trigger)


def queue(notification: WhatsAppNotification, actor: User | None, at: datetime, trigger: Trigger) -> None:
    """Queue one more attempt for a notification that the caller has locked and judged."""
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


def check(notification: WhatsAppNotification, at: datetime, confirmed: Collection[Reason] = ()) -> None:
    """Say what speaks against sending it again. Raises NotRetryable, or NeedsConfirmation."""
    if not notification.can_retry and not notification.resent_as_id:
        sentence = _("Only a failed message can be retried; this one is: %(status)s.")
        raise NotRetryable(Reason.NOT_FAILED, sentence % {"status": notification.get_status_display()})
    reasons = retry_reasons.of_one(notification, at)
    for reason in reasons:
        if reason not in DOUBTS:
            raise NotRetryable(reason)
    if notification.next_attempt_at and notification.next_attempt_at <= at:
        raise NotRetryable(Reason.NOT_FAILED, _("A new attempt is queued already."))
    doubts = [reason for reason in reasons if reason not in confirmed]
    if doubts:
        raise NeedsConfirmation(doubts)


def _times(notification: WhatsAppNotification, at: datetime) -> dict[str, datetime | None]:
    """When the new attempt is made, and until when it is useful: what would be too old by then begins anew."""
    leaves_at = quiet_hours.first_moment_of(notification, at)
    own_end = notification.expires_at
    return {
        "next_attempt_at": leaves_at,
        "rung_at": at if leaves_at == at else None,
        "expires_at": own_end if own_end and own_end > leaves_at else outbox.default_expiry(notification, leaves_at),
    }


def lock_and_judge(
    codes: Collection[UUID], at: datetime, confirmed: frozenset[Reason]
) -> dict[UUID, tuple[WhatsAppNotification, Reason | None]]:
    """Each of these for the caller's transaction, and the reason not to send it again in a bulk; two queries."""
    chosen = WhatsAppNotification.objects.filter(pk__in=codes)
    # By their key, so that two callers with the same ones do not wait for each other in a circle.
    locked = {each.pk: each for each in chosen.select_related("user").select_for_update(of=("self",)).order_by("pk")}
    reasons: Any = chosen.order_by().values_list("pk", retry_reasons.of_each(at, confirmed))
    return {code: (locked[code], _reason_of(locked[code], reason, at)) for code, reason in reasons}


def _reason_of(notification: WhatsAppNotification, reason: str, at: datetime) -> Reason | None:
    if reason:
        return Reason(reason)
    return Reason.WINDOW_CLOSED if retry_reasons.cannot_be_said(notification, at) else None


@dataclass
class Retried:
    """What became of many retries: those that are queued, and how many are not, by the reason why."""

    queued: list[WhatsAppNotification] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


def retry_each(failed: NotificationQuerySet, actor: User | None, at: datetime) -> Retried:
    """Queue one more attempt for each of them that nobody has settled since, however old it is."""
    retried = Retried()
    given_up = failed.failed().exclude(settled_by=None).count()
    if given_up:
        retried.refusals[str(Reason.GIVEN_UP.label)] = given_up
    # By their key, as batches take them: two callers with the same ones do not wait for each other in a circle.
    for notification in failed.to_retry().order_by("pk").iterator():
        try:
            retry(notification, actor, at, Trigger.BULK, OLD_NEWS)
        except NotRetryable as refusal:
            # Retried by somebody else meanwhile, which is as good; or its person refuses such messages.
            retried.refusals[str(refusal)] += 1
        else:
            retried.queued.append(notification)
    return retried
