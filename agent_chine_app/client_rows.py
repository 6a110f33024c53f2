"""What the list of clients says of each: found for a whole page by one question of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from agent_chine_app.models import Client, Colis
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppOptOut, WhatsAppWrongNumber
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet

UNDER_WAY = {
    "on_the_way": [Colis.Status.RECEIVED, Colis.Status.SHIPPED],
    "in_storage": [Colis.Status.ARRIVED, Colis.Status.READY],
}
NONE = dict.fromkeys(("total", *UNDER_WAY), 0)


def parcel_counts(of: str = "") -> dict[str, Count]:
    """What counts parcels, by where they are; `of` leads to them from the rows that are asked for."""
    counts = {name: Count(f"{of}pk", filter=Q(**{f"{of}status__in": where})) for name, where in UNDER_WAY.items()}
    return {"total": Count(f"{of}pk"), **counts}


@dataclass(frozen=True)
class ClientRow:
    """One line of the list."""

    client: Client
    parcels: dict[str, int]
    last_message: WhatsAppNotification | None
    is_strangers: bool
    has_opted_out: bool


def of(clients: Sequence[Client], visible: NotificationQuerySet) -> list[ClientRow]:
    """The rows of these clients, in their order; messages among those that are `visible`."""
    numbers = {client.user.telephone for client in clients}
    parcels = _parcels(clients)
    messages = _last_messages(clients, visible)
    strangers = set(
        WhatsAppWrongNumber.objects.filter(phone_number__in=numbers).values_list("phone_number", flat=True)
    )
    refusing = set(WhatsAppOptOut.objects.filter(phone_number__in=numbers).values_list("phone_number", flat=True))
    return [
        ClientRow(
            client,
            parcels.get(client.pk, NONE),
            messages.get(client.user_id),
            client.user.telephone in strangers,
            client.user.telephone in refusing,
        )
        for client in clients
    ]


def _those_in(noted: QuerySet[Any], numbers: set[str]) -> set[str]:
    return set(noted.filter(phone_number__in=numbers).values_list("phone_number", flat=True))


def _parcels(clients: Sequence[Client]) -> dict[int, dict[str, int]]:
    # Without an order of its own: the model's would be grouped by.
    counted: Any = Colis.objects.filter(client__in=clients).order_by().values("client").annotate(**parcel_counts())
    return {row.pop("client"): row for row in counted}


def _last_messages(clients: Sequence[Client], visible: NotificationQuerySet) -> dict[int | None, WhatsAppNotification]:
    told = visible.filter(user__in=[client.user_id for client in clients])
    latest = told.order_by("user", "-created_at", "-code").distinct("user").defer("message_content")
    return {notification.user_id: notification for notification in latest}
