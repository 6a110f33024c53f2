"""What happens to parcels, and who is told of it: one event, one message for each client, whatever they ship.

Nobody writes these messages: each is a template of ours with the client's parcels in it. What a message says of a
parcel has a rank, so that what waits is cancelled as soon as a newer message says more of all its parcels.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import formats, timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from agent_chine_app.models import Client, Colis, Lot
from whatsapp_monitoring_app.models import WhatsAppAddressee, WhatsAppAnnouncement, languages
from whatsapp_monitoring_app.services.announcements import Event, Telling

# More numbers than this are no longer read; “My parcels” shows them all.
NAMED_AT_MOST = 12
# The highest that is added to a rank: below the distance of two ranks.
REPEATS_AT_MOST = 9
Rank = Colis.Rank
BAMAKO = ZoneInfo("Africa/Bamako")


@dataclass(frozen=True)
class Kind:
    """A kind of event: its type of message, what it is called, how urgent it is."""

    message_type: str
    category: str
    title: Promise
    priority: int = 3


SHIPPED = Kind("expedition", "colis_status", gettext_lazy("Departure from China"))
DELAYED = Kind("delay", "colis_status", gettext_lazy("Delay"))
ARRIVED = Kind("delivery", "colis_arrival", gettext_lazy("Arrival in Mali"), priority=2)
REMINDER = Kind("reminder", "pickup", gettext_lazy("Parcels to fetch"), priority=4)
HANDED_OVER = Kind("pickup", "pickup", gettext_lazy("Parcels handed over"))


@dataclass(frozen=True)
class Occasion:
    """An event, and what each of the people concerned is to be told of it."""

    event: Event
    tellings: Sequence[Telling]


def shipping(lot: Lot, office: str, by: User | None) -> Occasion:
    """The lot leaves, or has left, China: with all its parcels but those that are searched for."""
    leaving = _of(lot).exclude(status=Colis.Status.LOST)
    tellings = [
        _telling(client, "envoi_parti", colis, _ranks(colis, Rank.SHIPPED)) for client, colis in _by_client(leaving)
    ]
    return Occasion(_event(SHIPPED, office, f"shipped:{lot.pk}", by, lot), tellings)


def delay(lot: Lot, office: str, expected_on: date, request_id: uuid.UUID, by: User | None) -> Occasion:
    """The lot comes later than was said. Of its parcels, those that are still on their way."""
    times = _times_announced(lot)
    tellings = []
    for client, colis in _by_client(_of(lot).filter(status=Colis.Status.SHIPPED)):
        with translation.override(client.user.language):
            day = day_in_words(expected_on)
        ranks = _ranks(colis, Rank.SHIPPED, times)
        tellings.append(_telling(client, "envoi_retarde", colis, ranks, date=day))
    return Occasion(_event(DELAYED, office, f"delayed:{lot.pk}:{request_id}", by, lot), tellings)


def arrival(lot: Lot, news: Iterable[Colis], office: str, by: User | None) -> Occasion:
    """These parcels of the lot have arrived.

    Their clients are told what of theirs is there, and what is still on its way: whatever waited to tell them less of
    this lot is not needed any more.
    """
    times = _times_announced(lot)
    news = list(news)
    concerned = {colis.client_id for colis in news}
    tellings = [
        _arrival_telling(client, colis, times)
        for client, colis in _by_client(_of(lot).filter(client__in=concerned))
        # Nothing is there when it was handed over, or lost again, meanwhile.
        if any(one.is_in_storage for one in colis)
    ]
    # A parcel is news once; how often the lot was announced is forgotten with the oldest announcements.
    key = f"arrived:{lot.pk}:{min((colis.pk for colis in news), default=0)}"
    return Occasion(_event(ARRIVED, office, key, by, lot), tellings)


def _arrival_telling(client: Client, colis: Sequence[Colis], times: int) -> Telling:
    here = [one for one in colis if one.is_in_storage]
    on_the_way = [one for one in colis if one.status == Colis.Status.SHIPPED]
    ranks = {**_ranks(here, Rank.ARRIVED, times), **_ranks(on_the_way, Rank.SHIPPED, times)}
    if not on_the_way:
        return _telling(client, "envoi_arrive", here, ranks)
    with translation.override(client.user.language):
        rest = in_words(on_the_way)
    return _telling(client, "envoi_arrive_en_partie", here, ranks, reste=rest)


def reminder(stored: Iterable[Colis], office: str, on: date) -> Occasion:
    """These parcels wait for their clients; at most one such message a day for each client."""
    tellings = []
    for client, colis in _by_client(stored):
        since = min(timezone.localdate(one.arrived_at, BAMAKO) for one in colis if one.arrived_at)
        with translation.override(client.user.language):
            day = day_in_words(since)
        tellings.append(_telling(client, "rappel_retrait", colis, _ranks(colis, Rank.REMINDER), date=day))
    return Occasion(_event(REMINDER, office, f"reminder:{on:%Y-%m-%d}", None), tellings)


def handing_over(colis: Sequence[Colis], to: str, office: str, request_id: uuid.UUID, by: User | None) -> Occasion:
    """These parcels of one client were handed over to this person."""
    tellings = [
        _telling(client, "colis_remis", theirs, _ranks(theirs, Rank.HANDED_OVER), destinataire=to)
        for client, theirs in _by_client(colis)
    ]
    return Occasion(_event(HANDED_OVER, office, _handing_over_key(request_id), by), tellings)


def handed_over_with(office: str, request_id: uuid.UUID) -> list[str]:
    """The tracking numbers of the parcels that this request handed over before."""
    told = WhatsAppAddressee.objects.filter(
        announcement__source_app=office, announcement__idempotency_key=_handing_over_key(request_id)
    )
    return [subject.removeprefix("colis:") for about in told.values_list("about", flat=True) for subject in about]


def _handing_over_key(request_id: uuid.UUID) -> str:
    return f"handed_over:{request_id}"


def day_in_words(day: date) -> str:
    """The day in the current language: “3 décembre 2026”, and “1er décembre 2026”, which Django does not know."""
    text = formats.date_format(day, "DATE_FORMAT")
    is_first_in_french = day.day == 1 and (translation.get_language() or "").startswith("fr")
    return text.replace("1 ", "1er ", 1) if is_first_in_french else text


def in_words(colis: Sequence[Colis]) -> str:
    """The parcels as a message names them, in the current language: “parcel TS1…”, “3 parcels (TS1…, TS2…, TS3…)”."""
    if len(colis) == 1:
        (only,) = colis
        return _("parcel %(number)s") % {"number": only.numero_suivi}
    numbers = [one.numero_suivi for one in colis[:NAMED_AT_MOST]]
    if len(colis) > NAMED_AT_MOST:
        numbers.append("…")
    text = ngettext("%(count)d parcel (%(numbers)s)", "%(count)d parcels (%(numbers)s)", len(colis))
    return text % {"count": len(colis), "numbers": ", ".join(numbers)}


def _event(kind: Kind, office: str, key: str, by: User | None, lot: Lot | None = None) -> Event:
    with translation.override(languages.DEFAULT):
        title = str(kind.title) + (f" · {lot.number}" if lot else "")
    return Event(
        source_app=office,
        idempotency_key=key,
        message_type=kind.message_type,
        category=kind.category,
        title=title,
        subject=lot.subject if lot else "",
        priority=kind.priority,
        created_by=by,
    )


def _telling(
    client: Client, template: str, colis: Sequence[Colis], ranks: Mapping[str, int], **values: str
) -> Telling:
    with translation.override(client.user.language):
        params = {"nom": str(client), "colis": in_words(colis), **values}
    return Telling(user=client.user, template=template, params=params, about=ranks)


def _ranks(colis: Iterable[Colis], rank: Rank, times: int = 0) -> dict[str, int]:
    """What a message says of each of these parcels. What is said later of the same says more."""
    return {one.subject: rank + min(times, REPEATS_AT_MOST) for one in colis}


def _times_announced(lot: Lot) -> int:
    """How often the lot's clients were told something already."""
    return WhatsAppAnnouncement.objects.filter(subject=lot.subject).count()


def _of(lot: Lot) -> QuerySet[Colis]:
    return lot.colis.select_related("client__user").order_by("client", "pk")


def _by_client(colis: Iterable[Colis]) -> list[tuple[Client, list[Colis]]]:
    """The parcels of each client, in the order in which they come."""
    found: dict[int, tuple[Client, list[Colis]]] = {}
    for one in colis:
        found.setdefault(one.client_id, (one.client, []))[1].append(one)
    return list(found.values())
