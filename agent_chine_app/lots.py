"""The way of a lot through the China office: opened, filled, closed, shipped."""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app import events
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Colis, Lot, Transport
from whatsapp_monitoring_app.models import WhatsAppAnnouncement
from whatsapp_monitoring_app.services import announcements
from whatsapp_monitoring_app.tasks import announce

OFFICE = AgentChineConfig.scope.office
FIRST_NUMBER = "GZ-0001"
GONE = (Lot.Status.SHIPPED, Lot.Status.RECEIVED)


class LotRefusal(Exception):
    """This cannot be done with the lot as it is; nothing changed. The message says why, for people."""


@dataclass
class Added:
    """What became of parcels that were to join a lot. `refusals` are sentences for people."""

    numbers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def locked(pk: int) -> Lot:
    """The lot as it is now, for this transaction alone: two people at one lot take turns. Raises Lot.DoesNotExist."""
    return Lot.objects.select_for_update().get(pk=pk)


def next_number() -> str:
    """What the next lot may be called: one more than the latest, with as many digits."""
    latest = Lot.objects.values_list("number", flat=True).first()
    counted = re.fullmatch(r"(.*?)(\d{1,15})", latest or "")
    if counted is None:
        return FIRST_NUMBER
    prefix, digits = counted.groups()
    return f"{prefix}{int(digits) + 1:0{len(digits)}}"


def create(number: str, transport: Transport, request_id: uuid.UUID, by: User) -> Lot:
    """An open lot; the same request again is the same lot. Raises LotRefusal when another lot has this number."""
    wanted = {"number": number.strip().upper(), "transport": transport, "created_by": by}
    try:
        with transaction.atomic():
            return Lot.objects.get_or_create(request_id=request_id, defaults=wanted)[0]
    except IntegrityError as error:
        raise LotRefusal(_("There is a lot with this number already.")) from error


@transaction.atomic
def add(lot: Lot, numbers: Collection[str]) -> Added:
    """Put the parcels with these tracking numbers into the open lot. Raises LotRefusal when it is not open.

    One that cannot join says why, and keeps none of the others from joining.
    """
    lot = locked(lot.pk)
    if lot.status != Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is closed: nothing can be added.") % {"lot": lot})
    wanted = [number.strip().upper() for number in numbers if number.strip()]
    # The lots are read after the locks are held: a join would show the lot of before.
    found = Colis.objects.filter(numero_suivi__in=wanted).select_for_update().order_by("pk").prefetch_related("lot")
    known = {colis.numero_suivi: colis for colis in found}
    added = Added()
    for number in dict.fromkeys(wanted):
        refusal = _why_not(lot, known.get(number), number)
        (added.refusals if refusal else added.numbers).append(refusal or number)
    Colis.objects.filter(numero_suivi__in=added.numbers).update(lot=lot)
    return added


def _why_not(lot: Lot, colis: Colis | None, number: str) -> str:
    """Why this parcel cannot join the lot; "" when it can."""
    names = {"number": number, "lot": lot, "status": colis.get_status_display() if colis else ""}
    if colis is None:
        return _("No parcel has the number %(number)s.") % names
    if colis.lot == lot:
        return _("Parcel %(number)s is in this lot already.") % names
    if colis.lot:
        return _("Parcel %(number)s is in lot %(other)s.") % {**names, "other": colis.lot}
    if colis.status != Colis.Status.RECEIVED:
        return _("Parcel %(number)s cannot travel: %(status)s.") % names
    if colis.transport != lot.transport:
        return _("Parcel %(number)s travels by %(transport)s, not with this lot.") % {
            **names,
            "transport": colis.get_transport_display(),
        }
    return ""


@transaction.atomic
def remove(lot: Lot, colis: Colis) -> bool:
    """Take the parcel out of the open lot; False when it is not in it (any more). Raises LotRefusal."""
    if locked(lot.pk).status != Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is closed: nothing can be taken out.") % {"lot": lot})
    return bool(Colis.objects.filter(pk=colis.pk, lot=lot).update(lot=None))


def check_closable(lot: Lot) -> None:
    """Raises LotRefusal when the lot is empty or closed already."""
    if lot.status != Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is closed already.") % {"lot": lot})
    if not lot.colis.exists():
        raise LotRefusal(_("Lot %(lot)s is empty: add parcels before you close it.") % {"lot": lot})


@transaction.atomic
def close(lot: Lot, at: datetime) -> None:
    """Nothing joins or leaves the lot any more. Raises LotRefusal when it is empty or closed already."""
    lot = locked(lot.pk)
    check_closable(lot)
    Lot.objects.filter(pk=lot.pk).update(status=Lot.Status.CLOSED, closed_at=at)


@transaction.atomic
def reopen(lot: Lot) -> None:
    """Let parcels join the closed lot again. Raises LotRefusal when it is not closed, or has left."""
    if locked(lot.pk).status != Lot.Status.CLOSED:
        raise LotRefusal(_("Only a closed lot that has not left can be opened again."))
    Lot.objects.filter(pk=lot.pk).update(status=Lot.Status.OPEN, closed_at=None)


def plan(lot: Lot) -> announcements.Plan:
    """Who would be told that the lot has left, who not and why, and how long it takes."""
    occasion = events.shipping(lot, OFFICE, None)
    return announcements.plan(occasion.event, occasion.tellings)


def check_shippable(lot: Lot) -> None:
    """Raises LotRefusal when the lot is not closed yet, or has left already."""
    if lot.status == Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is still open: close it before it leaves.") % {"lot": lot})
    if lot.status != Lot.Status.CLOSED:
        raise LotRefusal(_("Lot %(lot)s has left already; its clients were told once.") % {"lot": lot})


@transaction.atomic
def ship(lot: Lot, by: User, at: datetime, expected_on: date | None = None) -> announcements.Announced:
    """The closed lot leaves China, and each client with parcels in it is owed one message.

    Raises LotRefusal when it is not closed yet, or has left already.
    """
    lot = locked(lot.pk)
    check_shippable(lot)
    Lot.objects.filter(pk=lot.pk).update(status=Lot.Status.SHIPPED, shipped_at=at, expected_on=expected_on)
    Colis.objects.filter(lot=lot).move(Colis.Status.SHIPPED, by, at)
    occasion = events.shipping(lot, OFFICE, by)
    return announce(occasion.event, occasion.tellings)


@transaction.atomic
def complete(lot: Lot, by: User) -> announcements.Announced:
    """Owe their message to those clients of the lot who were not told that it left, the forgotten ones too.

    Safe to repeat: nobody gets a second one. Raises LotRefusal when the lot has not left.
    """
    lot = locked(lot.pk)
    if lot.status not in GONE:
        raise LotRefusal(_("Lot %(lot)s has not left China yet.") % {"lot": lot})
    occasion = events.shipping(lot, OFFICE, by)
    return announce(occasion.event, occasion.tellings)


@dataclass(frozen=True)
class Told:
    """An announcement about a lot, what became of it, and who of the lot's clients was not even written down."""

    announcement: WhatsAppAnnouncement
    reconciliation: announcements.Reconciliation
    forgotten: Collection[User]

    @property
    def code(self) -> str:
        return str(self.announcement.pk)


def told(lot: Lot) -> list[Told]:
    """What this office has announced about the lot, the newest first, against everybody with parcels in it."""
    announced = WhatsAppAnnouncement.objects.filter(source_app=OFFICE, subject=lot.subject).select_related(
        "created_by"
    )
    expected = set(lot.colis.values_list("client__user", flat=True))
    return [
        Told(one, announcements.reconcile(one, expected), _people(announcements.forgotten_by(one, expected)))
        for one in announced
    ]


def _people(pks: Collection[int]) -> list[User]:
    return list(User.objects.filter(pk__in=pks).order_by("last_name", "pk")) if pks else []
