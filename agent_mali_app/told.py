"""What the Mali office has announced of a lot, and whether those who should know it do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from agent_chine_app import events
from agent_chine_app.models import Colis, Lot
from agent_mali_app.arrivals import OFFICE
from whatsapp_monitoring_app.models import WhatsAppAnnouncement, WhatsAppNotification
from whatsapp_monitoring_app.services import announcements
from whatsapp_monitoring_app.tasks import announce


@dataclass(frozen=True)
class Told:
    """An announcement, how far its people have been told, and those who were not even written down."""

    announcement: WhatsAppAnnouncement
    reconciliation: announcements.Reconciliation
    forgotten: Sequence[User]


def found_again(colis: Colis) -> str:
    """What to say when a parcel whose arrival its client was told of is received once more."""
    text = _(
        "Parcel %(number)s is here again. No message says so: %(client)s was told of its arrival before. "
        "Call them: %(telephone)s."
    )
    telephone = phones.for_people(colis.client.user.telephone)
    return text % {"number": colis.numero_suivi, "client": colis.client, "telephone": telephone}


def announced(lot: Lot) -> QuerySet[WhatsAppAnnouncement]:
    """What this office announced of the lot, the newest first."""
    about = WhatsAppAnnouncement.objects.filter(subject=lot.subject, source_app=OFFICE)
    return about.select_related("created_by").order_by("-created_at")


def of(lot: Lot) -> list[Told]:
    """Each announcement of this office about the lot, the newest first."""
    return [one(lot, announcement) for announcement in announced(lot)]


def one(lot: Lot, announcement: WhatsAppAnnouncement) -> Told:
    """How far the people of this announcement have been told."""
    expected = set(news(lot, announcement).values_list("client__user", flat=True))
    forgotten = announcements.forgotten_by(announcement, expected)
    people = User.objects.filter(pk__in=forgotten).order_by("last_name", "pk") if forgotten else ()
    return Told(announcement, announcements.reconcile(announcement, expected), list(people))


def complete(lot: Lot, announcement: WhatsAppAnnouncement) -> Sequence[WhatsAppNotification]:
    """Make the messages that are missing, for those too who were not written down; the new ones."""
    occasion = events.arrival(lot, news(lot, announcement), OFFICE, None)
    event = replace(occasion.event, idempotency_key=announcement.idempotency_key)
    return announce(event, occasion.tellings).notifications


def news(lot: Lot, announcement: WhatsAppAnnouncement) -> QuerySet[Colis]:
    """What of the lot this announced as arrived, and nobody has fetched: parcels are noted as told right before."""
    if announcement.category != events.ARRIVED.category:
        return Colis.objects.none()
    stored = lot.colis.in_storage().filter(arrival_told_at__lte=announcement.created_at)
    earlier = announced(lot).filter(category=events.ARRIVED.category, created_at__lt=announcement.created_at).first()
    return stored.filter(arrival_told_at__gt=earlier.created_at) if earlier else stored
