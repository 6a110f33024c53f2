"""What the Mali office does with parcels: receive them, announce them, keep them, hand them over."""

import enum
import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app import events
from agent_chine_app.models import Client, Colis, ColisStep, Lot
from agent_mali_app.apps import AgentMaliConfig
from whatsapp_monitoring_app.models import CancelReason
from whatsapp_monitoring_app.services import announcements, calls, cancellation
from whatsapp_monitoring_app.tasks import announce

logger = logging.getLogger(__name__)

OFFICE = AgentMaliConfig.scope.office
# Arrivals that nobody has announced for this long are announced by the beat.
FORGOTTEN_AFTER = timedelta(minutes=30)
Status = Colis.Status


class ArrivalRefusal(Exception):
    """This cannot be done with the parcel or lot as it is; nothing changed. The message says why, for people."""


@dataclass(frozen=True)
class Received:
    """The parcels that this call received, and how many had been received before."""

    colis: Sequence[Colis]
    known_count: int


class Outcome(enum.StrEnum):
    """What a scanned number turned out to be."""

    RECEIVED = "received"
    KNOWN = "known"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True)
class Scan:
    """What came of scanning a number, and the parcel if it is one of the lot. The sentence says it to people."""

    outcome: Outcome
    sentence: str
    colis: Colis | None = None


def _locked(lot: Lot) -> Lot:
    return Lot.objects.select_for_update().get(pk=lot.pk)


@transaction.atomic
def receive(lot: Lot, pks: Collection[int], by: User, at: datetime) -> Received:
    """These parcels of the lot are in Mali. Their clients are told by `tell`.

    Two agents at one lot take turns: a parcel is received once. Raises ArrivalRefusal when the lot has not left China.
    """
    lot = _locked(lot)
    if lot.status not in (Lot.Status.SHIPPED, Lot.Status.RECEIVED):
        raise ArrivalRefusal(_("Lot %(lot)s has not left China yet.") % {"lot": lot})
    asked = Colis.objects.filter(lot=lot, pk__in=pks)
    known_count = asked.exclude(status__in=[Status.SHIPPED, Status.LOST]).count()
    new = asked.move(Status.ARRIVED, by, at, arrived_at=at)
    _note_completion(lot, at)
    return Received(new, known_count)


def receive_all(lot: Lot, by: User, at: datetime) -> Received:
    """Everything that was on its way with the lot is in Mali. Raises ArrivalRefusal as `receive` does."""
    return receive(lot, list(lot.colis.filter(status=Status.SHIPPED).values_list("pk", flat=True)), by, at)


def scan(lot: Lot, number: str, by: User, at: datetime) -> Scan:
    """The parcel with this tracking number is in Mali, if it is of this lot and was not known to be there."""
    number = number.replace("\x00", "").strip().upper()
    colis = Colis.objects.filter(numero_suivi=number).select_related("lot", "client__user").first()
    if colis is None:
        return Scan(Outcome.UNKNOWN, _("No parcel has the number %(number)s.") % {"number": number[:40]})
    names = {"number": number, "client": colis.client, "lot": colis.lot}
    if colis.lot_id != lot.pk:
        return Scan(Outcome.ELSEWHERE, _elsewhere(colis) % names)
    try:
        is_new = bool(receive(lot, [colis.pk], by, at).colis)
    except ArrivalRefusal as refusal:
        return Scan(Outcome.REFUSED, str(refusal))
    if not is_new:
        return Scan(Outcome.KNOWN, _("Parcel %(number)s of %(client)s was noted already.") % names, colis)
    return Scan(Outcome.RECEIVED, _("Parcel %(number)s of %(client)s has arrived.") % names, colis)


def _elsewhere(colis: Colis) -> str:
    if colis.lot_id is None:
        return _("Parcel %(number)s is not of this lot: it is in no lot.")
    return _("Parcel %(number)s is not of this lot: it is in lot %(lot)s.")


def _note_completion(lot: Lot, at: datetime) -> None:
    """The lot is received once nothing of it is on its way."""
    if not lot.colis.filter(status=Status.SHIPPED).exists():
        Lot.objects.filter(pk=lot.pk, status=Lot.Status.SHIPPED).update(status=Lot.Status.RECEIVED, received_at=at)


def untold(lot: Lot) -> QuerySet[Colis]:
    """What has arrived of the lot, and its clients have not been told of."""
    return lot.colis.in_storage().filter(arrival_told_at=None).select_related("client__user")


def plan(lot: Lot) -> announcements.Plan:
    """Who would be told of what has arrived, who not and why, and how long it takes."""
    occasion = events.arrival(lot, untold(lot), OFFICE, None)
    return announcements.plan(occasion.event, occasion.tellings)


@transaction.atomic
def tell(lot: Lot, by: User | None, at: datetime) -> announcements.Announced | None:
    """Owe each client whose parcels have arrived one message; None when all of them have been told."""
    lot = _locked(lot)
    # Locked, and in one order: a parcel that is handed over at this moment is no news any more.
    news = list(untold(lot).select_for_update(of=("self",)).order_by("pk"))
    if not news:
        return None
    Colis.objects.filter(pk__in=[colis.pk for colis in news]).update(arrival_told_at=at)
    occasion = events.arrival(lot, news, OFFICE, by)
    return announce(occasion.event, occasion.tellings)


def told_by_itself_at(lot: Lot) -> datetime | None:
    """When the beat will tell the clients of what nobody has announced; None when nothing waits for that."""
    last: datetime | None = untold(lot).aggregate(last=Max("arrived_at"))["last"]
    return last + FORGOTTEN_AFTER if last else None


def tell_forgotten(at: datetime) -> int:
    """Announce the arrivals that nobody has announced; of how many lots."""
    stored = Colis.objects.in_storage().filter(arrival_told_at=None, lot__isnull=False)
    quiet = stored.values("lot").annotate(last=Max("arrived_at")).filter(last__lt=at - FORGOTTEN_AFTER)
    lots = list(Lot.objects.filter(pk__in=quiet.values("lot")))
    return sum(1 for lot in lots if _tell_alone(lot, at))


def _tell_alone(lot: Lot, at: datetime) -> bool:
    """Whether there was something to tell. A lot that goes wrong does not keep the others from being told."""
    try:
        return tell(lot, None, at) is not None
    except Exception:
        logger.exception("The arrivals of lot %s could not be announced", lot)
        return False


def plan_delay(lot: Lot, expected_on: date) -> announcements.Plan:
    """Who would be told of a delay, who not and why."""
    occasion = events.delay(lot, OFFICE, expected_on, uuid.uuid4(), None)
    return announcements.plan(occasion.event, occasion.tellings)


@transaction.atomic
def delay(
    lot: Lot, expected_on: date, request_id: uuid.UUID, by: User, at: datetime, note: str = ""
) -> announcements.Announced:
    """The lot comes later: its clients are told, once for each request.

    Raises ArrivalRefusal when nothing of it is on its way, or when this day is the one that is expected already.
    """
    lot = _locked(lot)
    occasion = events.delay(lot, OFFICE, expected_on, request_id, by)
    if not occasion.tellings:
        raise ArrivalRefusal(_("Nothing of lot %(lot)s is on its way.") % {"lot": lot})
    announced = announce(occasion.event, occasion.tellings)
    if announced.is_new:
        _expect_on(lot, expected_on, by, at, note)
    return announced


def _expect_on(lot: Lot, expected_on: date, by: User, at: datetime, note: str) -> None:
    if lot.expected_on == expected_on:
        # Two people who note one delay: its clients are told once.
        raise ArrivalRefusal(_("Lot %(lot)s is expected on that day already; nobody was told again.") % {"lot": lot})
    Lot.objects.filter(pk=lot.pk).update(expected_on=expected_on)
    ColisStep.objects.bulk_create(
        ColisStep(colis=colis, kind=ColisStep.Kind.DELAYED, at=at, by=by, note=note)
        for colis in lot.colis.filter(status=Status.SHIPPED)
    )


def make_ready(colis: Colis, shelf: str, by: User, at: datetime) -> bool:
    """The parcel can be fetched, and lies on this shelf; False when it is not (or no longer) waiting for that."""
    return bool(Colis.objects.filter(pk=colis.pk).move(Status.READY, by, at, shelf=shelf))


def put_on_shelf(colis: Colis, shelf: str) -> bool:
    """The parcel lies on this shelf now; False when it is not in storage (any more)."""
    return bool(Colis.objects.in_storage().filter(pk=colis.pk).update(shelf=shelf))


@transaction.atomic
def lose(colis: Colis, by: User, at: datetime, note: str = "") -> bool:
    """The parcel cannot be found; False when it was handed over, or is being searched for already."""
    # The lot before its parcels, as in `receive`: two people who lock in different orders would wait for each other.
    lot = _locked(colis.lot) if colis.lot else None
    lost = Colis.objects.filter(pk=colis.pk).move(Status.LOST, by, at, note)
    for one in lost:
        # “Come and fetch it” must not leave any more.
        cancellation.cancel_older_about(
            one.client.user, [one.subject], Colis.Rank.HANDED_OVER, CancelReason.PERSON, at
        )
    if lost and lot:
        _note_completion(lot, at)
    return bool(lost)


@transaction.atomic
def hand_over(
    client: Client, pks: Collection[int], to: str, request_id: uuid.UUID, by: User, at: datetime
) -> Sequence[Colis]:
    """The client's parcels were given to this person, and the client is told once; what this request handed over.

    Nobody need call the client about them any more. The same request again gives the same parcels. Raises
    ArrivalRefusal when none of them is here, or when the request handed over others before.
    """
    theirs = Colis.objects.filter(client=client, pk__in=pks)
    given = theirs.move(Status.HANDED_OVER, by, at, handed_over_at=at, handed_over_to=to.strip())
    if not given:
        return _given_before(client, request_id)
    subjects = [colis.subject for colis in given]
    # Whatever becomes of the message about it.
    cancellation.cancel_older_about(client.user, subjects, Colis.Rank.HANDED_OVER, CancelReason.SUPERSEDED, at)
    calls.close(subjects, client.user, by, at)
    occasion = events.handing_over(given, to.strip(), OFFICE, request_id, by)
    if not announce(occasion.event, occasion.tellings).is_new:
        raise ArrivalRefusal(_("This page was used already. Look for the client again, and tick what is left."))
    return given


def _given_before(client: Client, request_id: uuid.UUID) -> Sequence[Colis]:
    numbers = events.handed_over_with(OFFICE, request_id)
    given = list(client.colis.filter(numero_suivi__in=numbers).select_related("client__user").order_by("pk"))
    if not given:
        raise ArrivalRefusal(_("These parcels are not here any more: they were handed over, or are searched for."))
    return given
