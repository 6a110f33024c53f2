"""Proof of notice: everything that was said about one thing, to whom, when, and how far it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from whatsapp_monitoring_app.models import (
    Outcome,
    Status,
    WhatsAppAddressee,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
)
from whatsapp_monitoring_app.scopes import Scope


@dataclass(frozen=True)
class Notice:
    """One message, what was really said, and the provider's receipts."""

    notification: WhatsAppNotification
    text: str
    receipts: Sequence[WhatsAppReceipt]

    @property
    def was_settled(self) -> bool:
        """Whether it was a person, and no receipt, that said what became of it."""
        return self.notification.settled_by_id is not None and self.notification.status == Status.DELIVERED


@dataclass(frozen=True)
class Proof:
    """What `office` said about `subject`, in order; `untold` are those for whom no message could be made."""

    subject: str
    office: Scope
    notices: Sequence[Notice]
    untold: Sequence[WhatsAppAddressee]
    issued_at: datetime
    issued_by: User

    @property
    def is_empty(self) -> bool:
        return not self.notices and not self.untold


def of(subject: str, scope: Scope, person: User, at: datetime) -> Proof:
    """The proof about this subject, from the messages that this office sees; a few queries."""
    told = WhatsAppNotification.objects.visible_to(scope).filter(subjects__name=subject)
    told = told.select_related("user", "sender", "informed_by", "settled_by")
    told = told.prefetch_related("attempts", "receipts").order_by("created_at", "pk")
    untold = WhatsAppAddressee.objects.visible_to(scope).filter(notification=None, about__has_key=subject)
    return Proof(
        subject,
        scope,
        [Notice(one, _really_said(one), list(one.receipts.all())) for one in told] if subject else [],
        list(untold.select_related("user", "announcement", "informed_by")) if subject else [],
        at,
        person,
    )


def _really_said(notification: WhatsAppNotification) -> str:
    """The words of the attempt that was accepted; without one, those that would have been said."""
    tried: list[WhatsAppAttempt] = list(notification.attempts.all())
    accepted = [attempt for attempt in tried if attempt.outcome == Outcome.ACCEPTED]
    words = [attempt.text for attempt in accepted or tried if attempt.text]
    return words[-1] if words else notification.message_content
