"""One text for many people."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppBulk, WhatsAppNotification
from whatsapp_monitoring_app.services import outbox
from whatsapp_monitoring_app.services.outbox import Draft


def create(draft: Draft, users: Iterable[User], at: datetime, created_by: User | None = None) -> WhatsAppBulk:
    """Write the bulk message in the caller's transaction. Raises what outbox.check raises, and then writes nothing."""
    outbox.check(draft)
    return WhatsAppBulk.objects.create(
        source_app=draft.source_app,
        message_content=draft.message_content,
        message_type=draft.message_type,
        category=draft.category,
        title=draft.title,
        priority=draft.priority,
        user_ids=list(dict.fromkeys(user.pk for user in users)),
        created_by=created_by,
        created_at=at,
    )


def expand(code: uuid.UUID, at: datetime) -> list[WhatsAppNotification]:
    """Write one notification per person; those that are new. A second run adds nothing.

    People who cannot be told are listed in the bulk's `refusals` with the reason.
    """
    bulk = WhatsAppBulk.objects.get(pk=code)
    people = User.objects.in_bulk(bulk.user_ids)
    new, refusals = [], {}
    for user_id in bulk.user_ids:
        try:
            notification, created = _post(bulk, people.get(user_id), user_id, at)
        except ValueError as error:
            refusals[str(user_id)] = str(error)
            continue
        if created:
            new.append(notification)
    bulk.refusals, bulk.finished_at = refusals, at
    bulk.save(update_fields=["refusals", "finished_at"])
    return new


@transaction.atomic
def _post(bulk: WhatsAppBulk, user: User | None, user_id: int, at: datetime) -> tuple[WhatsAppNotification, bool]:
    return outbox.post(
        Draft(
            user=user,
            message_content=bulk.message_content,
            source_app=bulk.source_app,
            message_type=bulk.message_type,
            category=bulk.category,
            title=bulk.title,
            priority=bulk.priority,
            idempotency_key=f"bulk:{bulk.pk}:{user_id}",
        ),
        at,
    )
