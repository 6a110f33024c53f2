"""Celery's door to the Mali office."""

from celery import shared_task
from django.utils import timezone

from agent_mali_app import arrivals, reminders


@shared_task
def announce_forgotten_arrivals() -> int:
    """Tell the clients of parcels that have arrived and that nobody has announced; of how many lots."""
    return arrivals.tell_forgotten(timezone.now())


@shared_task
def remind_of_stored_parcels() -> int:
    """Remind the clients of what has waited for them long enough; how many."""
    return reminders.remind(timezone.now())
