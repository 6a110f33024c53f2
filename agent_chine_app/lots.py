"""The way of a lot through the China office: opened, filled, closed, shipped."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app import events
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Colis, Lot
from whatsapp_monitoring_app.services import announcements
from whatsapp_monitoring_app.tasks import announce

OFFICE = AgentChineConfig.scope.office


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


@transaction.atomic
def add(lot: Lot, numbers: Collection[str]) -> Added:
    """Put the parcels with these tracking numbers into the open lot. Raises LotRefusal when it is not open.

    One that cannot join says why, and keeps none of the others from joining.
    """
    lot = locked(lot.pk)
    if lot.status != Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is closed: nothing can be added.") % {"lot": lot})
    wanted = [number.strip().upper() for number in numbers if number.strip()]
    found = Colis.objects.filter(numero_suivi__in=wanted).select_related("lot").select_for_update(of=("self",))
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


@transaction.atomic
def close(lot: Lot, at: datetime) -> None:
    """Nothing joins or leaves the lot any more. Raises LotRefusal when it is empty or closed already."""
    lot = locked(lot.pk)
    if lot.status != Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is closed already.") % {"lot": lot})
    if not lot.colis.exists():
        raise LotRefusal(_("Lot %(lot)s is empty: add parcels before you close it.") % {"lot": lot})
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


@transaction.atomic
def ship(lot: Lot, by: User, at: datetime, expected_on: date | None = None) -> announcements.Announced:
    """The closed lot leaves China, and each client with parcels in it is owed one message.

    Raises LotRefusal when it is not closed yet, or has left already.
    """
    lot = locked(lot.pk)
    if lot.status == Lot.Status.OPEN:
        raise LotRefusal(_("Lot %(lot)s is still open: close it before it leaves.") % {"lot": lot})
    if lot.status != Lot.Status.CLOSED:
        raise LotRefusal(_("Lot %(lot)s has left already; its clients were told once.") % {"lot": lot})
    Lot.objects.filter(pk=lot.pk).update(status=Lot.Status.SHIPPED, shipped_at=at, expected_on=expected_on)
    Colis.objects.filter(lot=lot).move(Colis.Status.SHIPPED, by, at)
    occasion = events.shipping(lot, OFFICE, by)
    return announce(occasion.event, occasion.tellings)
