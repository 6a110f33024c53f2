"""Bulk messages and the people who get them: what the tests of bulk messages share."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import NOW
from whatsapp_monitoring_app.models import WhatsAppBulk, WhatsAppNotification
from whatsapp_monitoring_app.services import bulks
from whatsapp_monitoring_app.services.drafts import Draft

TEXT = "Fermeture exceptionnelle samedi"


def people(make_user: Callable[..., User], count: int) -> list[User]:
    return [make_user() for _ in range(count)]


def unreachable(make_user: Callable[..., User], number: str = "+999") -> User:
    """Somebody whose account holds a number that cannot exist."""
    user = make_user()
    User.objects.filter(pk=user.pk).update(telephone=number)
    return user


def bulk_for(users: Iterable[User], **fields: Any) -> WhatsAppBulk:
    given = {"message_content": TEXT, "source_app": "agent_mali", "priority": 5, **fields}
    return bulks.create(Draft(**given), users, NOW)


def expand(bulk: WhatsAppBulk, at: datetime = NOW, ring: bulks.Ring = list) -> set[User | None]:
    """Expand the bulk message at this moment; the people for whom the run wrote something."""
    before = set(WhatsAppNotification.objects.values_list("pk", flat=True))
    new_count = bulks.expand(bulk.pk, ring=ring, now=lambda: at)
    new = WhatsAppNotification.objects.exclude(pk__in=before).select_related("user")
    assert new_count == len(new)
    bulk.refresh_from_db()
    return {notification.user for notification in new}
