"""The types of message that somebody does without."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppMute
from whatsapp_monitoring_app.services import cancellation


def of(user: User) -> set[str]:
    """The types that this person does without."""
    return set(WhatsAppMute.objects.filter(user=user).values_list("message_type", flat=True))


@transaction.atomic
def choose(user: User, wanted: Mapping[str, bool], at: datetime) -> None:
    """Write to this person what they want of these types, and cancel what waits of the others. Twice is once.

    A type that is essential is sent whatever stands here.
    """
    heard = [kind for kind, is_wanted in wanted.items() if is_wanted]
    WhatsAppMute.objects.filter(user=user, message_type__in=heard).delete()
    WhatsAppMute.objects.bulk_create(
        (WhatsAppMute(user=user, message_type=kind, created_at=at) for kind in wanted if kind not in heard),
        ignore_conflicts=True,
    )
    cancellation.cancel_refused_by(user, at)
