"""A person says what became of a message of which nobody knows whether it went out."""

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.models.notifications import NO_ERROR


class TooLate(Exception):
    """The message is no longer in doubt; nothing changed. The message says what it is now, for people."""

    def __init__(self, notification: WhatsAppNotification) -> None:
        super().__init__(
            _("It is too late: this message is no longer in doubt. Its status: %(status)s.")
            % {"status": notification.get_status_display()}
        )


def confirm_arrival(notification: WhatsAppNotification, person: User, at: datetime) -> bool:
    """The client says that they have it; False when that was noted already. Raises TooLate."""
    # A failure before a retry is history: what failed last is what `failed_at` tells.
    arrived = {"sent_at": Coalesce("sent_at", models.Value(at)), "delivered_at": at, "failed_at": None}
    return _settle(notification, Status.DELIVERED, person, **arrived, **NO_ERROR)


def give_up(notification: WhatsAppNotification, person: User, at: datetime) -> bool:
    """It is not to be sent again, though nobody knows whether it arrived; False when that was noted already.

    Raises TooLate.
    """
    return _settle(notification, Status.FAILED, person, failed_at=at)


@transaction.atomic
def _settle(notification: WhatsAppNotification, status: Status, person: User, **changes: Any) -> bool:
    # What the caller read may be old: a receipt knows better than a person, and may have come meanwhile.
    notification.refresh_from_db(from_queryset=WhatsAppNotification.objects.select_for_update())
    if notification.status == status and notification.settled_by_id:
        return False  # pressed twice, or by two people who agree
    if notification.status != Status.UNCONFIRMED:
        raise TooLate(notification)
    return notification.move(status, settled_by=person, **changes)
