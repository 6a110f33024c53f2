"""A client's parcels, as the client sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from agent_chine_app.models import Colis
from agent_chine_app.models.colis import ColisQuerySet
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSubject

MESSAGES_AT_MOST = 20

# What became of a message, in words for the person to whom it was written.
WORDS: dict[Status, Promise] = {
    Status.PENDING: _("On its way to your telephone"),
    Status.SENDING: _("On its way to your telephone"),
    Status.RETRY_SCHEDULED: _("On its way to your telephone"),
    Status.UNCONFIRMED: _("Sent; we do not know whether you have it"),
    Status.SENT: _("Sent"),
    Status.DELIVERED: _("On your telephone"),
    Status.READ: _("You have read it"),
    Status.FAILED: _("It did not reach you"),
}
IN_PERSON = _("We told you ourselves")


@dataclass(frozen=True)
class Underway:
    """What is not handed over yet, by where it is."""

    to_fetch: Sequence[Colis]
    on_the_way: Sequence[Colis]
    searched_for: Sequence[Colis]
    in_china: Sequence[Colis]

    @property
    def has_any(self) -> bool:
        return bool(self.to_fetch or self.on_the_way or self.searched_for or self.in_china)

    @property
    def fee_fcfa(self) -> int:
        """What there is to pay for all that can be fetched."""
        return sum(colis.fee_fcfa or 0 for colis in self.to_fetch)


@dataclass(frozen=True)
class Told:
    """A message to the client, and what became of it."""

    notification: WhatsAppNotification
    words: str | Promise


def of(user: User) -> ColisQuerySet:
    """The parcels that this person ships, and nobody else's."""
    return Colis.objects.filter(client__user=user).select_related("lot")


def underway(user: User) -> Underway:
    """What this person waits for, the latest first."""
    found = list(of(user).exclude(status=Colis.Status.HANDED_OVER))
    return Underway(
        to_fetch=[colis for colis in found if colis.is_in_storage],
        on_the_way=[colis for colis in found if colis.status == Colis.Status.SHIPPED],
        searched_for=[colis for colis in found if colis.status == Colis.Status.LOST],
        in_china=[colis for colis in found if colis.status == Colis.Status.RECEIVED],
    )


def handed_over(user: User) -> ColisQuerySet:
    """What this person has fetched, the latest first."""
    return of(user).filter(status=Colis.Status.HANDED_OVER).order_by("-handed_over_at", "-pk")


def told_about(colis: Colis, user: User) -> list[Told]:
    """What we wrote to this person about the parcel, the latest first; not what was called off before it left."""
    spoken_of = WhatsAppSubject.objects.filter(notification=OuterRef("pk"), name=colis.subject)
    # By the account alone: a telephone may have been somebody else's before.
    theirs = WhatsAppNotification.objects.filter(Q(subject=colis.subject) | Exists(spoken_of), user=user)
    shown = theirs.filter(resent_as=None).exclude(status=Status.CANCELLED, informed_at=None)
    return [Told(notification, _words(notification)) for notification in shown[:MESSAGES_AT_MOST]]


def _words(notification: WhatsAppNotification) -> str | Promise:
    return IN_PERSON if notification.informed_at else WORDS[Status(notification.status)]
