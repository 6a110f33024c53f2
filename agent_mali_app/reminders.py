"""Reminding clients of what waits for them: at most once a day, and no more once it is fetched."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from agent_chine_app import events
from agent_chine_app.models import Colis
from agent_mali_app.apps import AgentMaliConfig
from whatsapp_monitoring_app.tasks import announce

OFFICE = AgentMaliConfig.scope.office
BAMAKO = ZoneInfo("Africa/Bamako")


@transaction.atomic
def remind(at: datetime) -> int:
    """Owe a reminder of all that waits for them to each client of whom something has waited long enough; of how many.

    Who was reminded today is not reminded again, whatever has become due since.
    """
    stored = Colis.objects.in_storage().filter(client__in=_due(at).values("client"))
    colis = list(stored.select_for_update(of=("self",)).select_related("client__user").order_by("client", "pk"))
    if not colis:
        return 0
    occasion = events.reminder(colis, OFFICE, at.astimezone(BAMAKO).date(), at)
    announced = announce(occasion.event, occasion.tellings)
    Colis.objects.filter(pk__in=[one.pk for one in colis]).update(reminded_at=at)
    return len(announced.notifications)


def _due(at: datetime) -> QuerySet[Colis]:
    """In storage for the first interval without a reminder, or for the next one since the last."""
    first = at - timedelta(days=settings.STORAGE_REMINDER_AFTER_DAYS)
    again = at - timedelta(days=settings.STORAGE_REMINDER_EVERY_DAYS)
    return Colis.objects.in_storage().filter(Q(reminded_at=None, arrived_at__lte=first) | Q(reminded_at__lte=again))
