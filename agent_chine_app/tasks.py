"""Celery's door to the China office."""

import uuid
from datetime import datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from agent_chine_app import client_creation, client_import
from agent_chine_app.models import ClientCreation, ClientImport
from whatsapp_monitoring_app.bells import after_commit

PATIENCE = timedelta(seconds=settings.WHATSAPP_PATIENCE_SECONDS)


@shared_task
def create_client_account_async(code: str) -> str:
    """Create the client that this ClientCreation asks for, and tell them; its status afterwards."""
    return client_creation.run(uuid.UUID(code), timezone.now()).status


@shared_task
def bring_in_clients(code: str) -> bool:
    """Create the next few clients of this import, and ring for those that are left; whether there are any."""
    has_more = client_import.run(uuid.UUID(code))
    if has_more:
        after_commit(bring_in_clients, code)
    return has_more


@shared_task
def recover_client_creations() -> int:
    """Ring again for creations and imports whose task was lost or whose worker died; how many."""
    at = timezone.now()
    lost = list(ClientCreation.objects.unfinished(at - PATIENCE).values_list("pk", flat=True)[:500])
    ClientCreation.objects.filter(pk__in=lost).update(rung_at=at)
    for code in lost:
        after_commit(create_client_account_async, str(code))
    return len(lost) + _recover_imports(at)


@shared_task
def forget_old_imports() -> int:
    """Delete what imports and creations of clients know of people, once nobody asks for it any more; how many."""
    return client_import.forget(timezone.now() - timedelta(days=settings.WHATSAPP_RETENTION_DAYS))


def _recover_imports(at: datetime) -> int:
    lost = list(ClientImport.objects.lost(at, at - PATIENCE).values_list("pk", flat=True))
    ClientImport.objects.filter(pk__in=lost).update(rung_at=at)
    for code in lost:
        after_commit(bring_in_clients, str(code))
    return len(lost)
