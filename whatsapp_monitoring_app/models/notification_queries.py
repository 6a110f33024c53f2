"""The questions that are asked of notifications, and the one door of their status."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Concat

from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.receipts import WhatsAppReceipt
from whatsapp_monitoring_app.models.senders import WITHOUT_RECEIPTS
from whatsapp_monitoring_app.models.statuses import FINAL, WAITING, Status, origins

if TYPE_CHECKING:
    from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
    from whatsapp_monitoring_app.scopes import Scope

# An accepted message of which nothing was heard for this long is worth a look.
SILENCE = timedelta(hours=72)
# An accepted message that is not delivered after this long waits for its telephone.
LATE = timedelta(hours=12)
# A message is attempted promptly within this time of being due.
PROMPT = timedelta(seconds=10)
# How long a worker may hold a notification: far longer than the longest call to a provider.
LEASE = timedelta(seconds=settings.WHATSAPP_LEASE_SECONDS)


def delivery_unknown() -> Q:
    """Accepted by a provider that never tells what became of a message."""
    return Q(status=Status.SENT, sender__provider__in=WITHOUT_RECEIPTS)


def is_silent(at: datetime) -> Q:
    """Accepted long ago, and not one receipt came, though its provider would tell."""
    heard = WhatsAppReceipt.objects.filter(notification=OuterRef("pk"))
    return Q(~Exists(heard), status=Status.SENT, sent_at__lt=at - SILENCE) & ~delivery_unknown()


def is_late(at: datetime) -> Q:
    """Accepted half a day ago and not delivered yet, though its provider would tell: the telephone may be off."""
    return Q(status=Status.SENT, sent_at__lt=at - LATE) & ~delivery_unknown()


def due_at() -> Coalesce:
    """When it was to leave: at once, or at the end of what it was held for on purpose."""
    return Coalesce("held_until", "created_at")


def is_prompt() -> Q:
    """Attempted within ten seconds of being due."""
    return Q(first_attempt_at__lte=due_at() + PROMPT)


def is_tardy(at: datetime) -> Q:
    """Attempted later than ten seconds after being due, or still not; cancelled before is neither."""
    never = Q(first_attempt_at=None) & ~Q(status=Status.CANCELLED)
    # The same question as "due_at() < at - PROMPT", in words that need no annotation.
    is_overdue = Q(held_until__lt=at - PROMPT) | Q(held_until=None, created_at__lt=at - PROMPT)
    return Q(first_attempt_at__gt=due_at() + PROMPT) | (never & is_overdue)


def failed_to_handle() -> Q:
    """Failed, and not settled since: given up, told by a person, or sent again to the corrected number."""
    return Q(status=Status.FAILED, settled_by=None, informed_at=None, resent_as=None)


def waits_for_template() -> Q:
    """Held because the template that would say it cannot be used."""
    return Q(status__in=WAITING, error_class=ErrorClass.TEMPLATE_STOP)


class NotificationQuerySet(models.QuerySet["WhatsAppNotification"]):
    def visible_to(self, scope: "Scope") -> Self:
        """The notifications that people working in this office may see."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)

    def due(self, at: datetime) -> Self:
        """Waiting, their time has come, and still worth sending."""
        return self.waiting().filter(next_attempt_at__lte=at).exclude(expires_at__lte=at)

    def waiting(self) -> Self:
        return self.filter(status__in=WAITING)

    def waiting_for_template(self) -> Self:
        return self.filter(waits_for_template())

    def expired(self, at: datetime) -> Self:
        """Still waiting, but too old to be useful."""
        return self.waiting().filter(expires_at__lte=at)

    def abandoned(self, at: datetime) -> Self:
        """Held by a worker whose lease has run out: it died, perhaps after sending."""
        return self.filter(status=Status.SENDING, claimed_until__lt=at)

    def overdue_for_confirmation(self, at: datetime) -> Self:
        return self.filter(status=Status.UNCONFIRMED, confirm_by__lte=at)

    def without_receipt(self, at: datetime) -> Self:
        return self.filter(is_silent(at))

    def late(self, at: datetime) -> Self:
        return self.filter(is_late(at))

    def failed(self) -> Self:
        return self.filter(status=Status.FAILED)

    def to_retry(self) -> Self:
        """Failed, and not settled since: what a person gave up or has told is for one person to send again."""
        return self.filter(failed_to_handle())

    def told_to(self, user: Any) -> Self:
        """What this person was told, and what their telephone was."""
        return self.filter(Q(user=user) | Q(phone_number=user.telephone))

    def known_as(self, wa_id: str) -> Self:
        """Those whose person has this WhatsApp id, though it is not the telephone that we write to."""
        # The condition of the index `notification_by_wa_id`, word for word.
        elsewhere = self.exclude(wa_id="").exclude(phone_number=Concat(models.Value("+"), "wa_id"))
        return elsewhere.filter(wa_id=wa_id)

    def finished_before(self, moment: datetime) -> Self:
        """In a final state, or accepted, and created before `moment`."""
        return self.filter(status__in=FINAL | {Status.SENT, Status.DELIVERED}, created_at__lt=moment)

    def move(self, to: Status, **changes: Any) -> int:
        """Move to `to` those that may go there; how many did. The one door of the status.

        What belongs to the state that is left (lease, next attempt, slot, deadline) is cleared unless given.
        """
        cleared = {"claimed_until": None, "next_attempt_at": None, "slot_at": None, "confirm_by": None}
        return self.filter(status__in=origins(to)).update(status=to, **(cleared | changes))

    def claim(self, code: uuid.UUID, at: datetime) -> "WhatsAppNotification | None":
        """Take a due notification for sending, or None when it is not due or somebody else has it.

        The winner holds it until `claimed_until`; `claim_id` proves it.
        """
        claim_id = uuid.uuid4()
        won = (
            self.due(at)
            .filter(code=code)
            .move(
                Status.SENDING,
                claim_id=claim_id,
                claimed_until=at + LEASE,
                slot_at=F("slot_at"),
                first_attempt_at=Coalesce("first_attempt_at", models.Value(at)),
            )
        )
        if not won:
            return None
        return self.model.objects.select_related("user").get(code=code, claim_id=claim_id)
