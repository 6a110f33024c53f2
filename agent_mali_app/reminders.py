"""Reminding clients of what waits for them: at most once a day, and no more once it is fetched."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from agent_chine_app import events
from agent_chine_app.models import Client, Colis
from agent_mali_app.apps import AgentMaliConfig
from whatsapp_monitoring_app.models import Status, WhatsAppMute, WhatsAppOptOut, WhatsAppSubject, WhatsAppWrongNumber
from whatsapp_monitoring_app.tasks import announce

OFFICE = AgentMaliConfig.scope.office
BAMAKO = events.BAMAKO


@transaction.atomic
def remind(at: datetime) -> int:
    """Owe a reminder of all that waits for them to each client of whom something has waited long enough; of how many.

    Who was reminded today is not reminded again, whatever has become due since.
    """
    stored = Colis.objects.in_storage().filter(client__in=_due(at).values("client"))
    # In the order of their keys, as parcels are locked elsewhere: two runs take turns.
    colis = list(stored.select_for_update(of=("self",)).select_related("client__user").order_by("pk"))
    if not colis:
        return 0
    occasion = events.reminder(colis, OFFICE, _day(at))
    announced = announce(occasion.event, occasion.tellings)
    Colis.objects.filter(pk__in=[one.pk for one in colis]).update(reminded_at=at)
    return len(announced.notifications)


def _due(at: datetime) -> QuerySet[Colis]:
    """In storage for the first interval without a reminder, or for the next one since the last; in days of Bamako.

    Days and not hours: else each reminder would leave a little later in the day than the one before.
    """
    first = _end_of(_day(at) - timedelta(days=settings.STORAGE_REMINDER_AFTER_DAYS))
    again = _end_of(_day(at) - timedelta(days=settings.STORAGE_REMINDER_EVERY_DAYS))
    return Colis.objects.in_storage().filter(Q(reminded_at=None, arrived_at__lt=first) | Q(reminded_at__lt=again))


def next_days(clients: Collection[int], at: datetime) -> dict[int, date]:
    """The day on which each of these clients is reminded next; those who do without reminders are left out."""
    days: dict[int, date] = {}
    for colis in Colis.objects.in_storage().filter(client__in=_willing(clients)).exclude(arrived_at=None):
        due = max(_due_day(colis), _day(at))
        days[colis.client_id] = min(days.get(colis.client_id, due), due)
    return days


def counts(colis: Collection[Colis]) -> Mapping[str, int]:
    """How many reminders were sent of each of these parcels, by its subject; 0 is left out."""
    told = WhatsAppSubject.objects.filter(
        name__in=[one.subject for one in colis], notification__message_type=events.REMINDER.message_type
    )
    sent = told.exclude(notification__status__in=[Status.FAILED, Status.CANCELLED])
    return dict(sent.values_list("name").annotate(Count("pk")).order_by("name"))


def _willing(clients: Collection[int]) -> QuerySet[Client]:
    """Those of these clients to whom reminders are written."""
    unwanted = WhatsAppOptOut.objects.values("phone_number").union(WhatsAppWrongNumber.objects.values("phone_number"))
    muted = WhatsAppMute.objects.filter(message_type=events.REMINDER.message_type).values("user")
    found = Client.objects.filter(pk__in=clients).exclude(user__in=muted)
    return found.exclude(user__telephone__in=unwanted)


def _due_day(colis: Colis) -> date:
    if colis.reminded_at:
        return _day(colis.reminded_at) + timedelta(days=settings.STORAGE_REMINDER_EVERY_DAYS)
    assert colis.arrived_at is not None
    return _day(colis.arrived_at) + timedelta(days=settings.STORAGE_REMINDER_AFTER_DAYS)


def _day(at: datetime) -> date:
    return at.astimezone(BAMAKO).date()


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), BAMAKO)
