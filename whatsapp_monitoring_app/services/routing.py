"""Which sender speaks for a message."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import circuit, message_types, offices

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Route:
    """The sender to use, or the one to wait for and why."""

    sender: WhatsAppSender
    obstacle: ProviderError | None = None


def choose(notification: WhatsAppNotification, at: datetime) -> Route:
    """The message's own sender, or the first of its fallbacks that can send now."""
    first = own_sender(notification)
    first_obstacle = _obstacle(first, notification, at)
    sender, obstacle, seen = first, first_obstacle, {first.pk}
    while obstacle and sender.fallback and sender.fallback.pk not in seen:
        sender = sender.fallback
        seen.add(sender.pk)
        obstacle = _obstacle(sender, notification, at)
    return Route(first, first_obstacle) if obstacle else Route(sender)


def own_sender(notification: WhatsAppNotification) -> WhatsAppSender:
    """The company's voice for this message: the office's own, or the system's for accounts and codes."""
    return WhatsAppSender.objects.select_related("fallback").get(code=_code_of_own_sender(notification))


def own_sender_without_token(notification: WhatsAppNotification) -> WhatsAppSender | None:
    """The same, for whoever does not send; None when there is none any more."""
    return WhatsAppSender.objects.defer("token").filter(code=_code_of_own_sender(notification)).first()


def _code_of_own_sender(notification: WhatsAppNotification) -> str:
    is_system = message_types.get(notification.message_type).is_system
    scope = scopes.all_scopes().get(notification.source_app)
    # An office that is no longer installed still owes what it promised.
    return offices.SYSTEM_SENDER if is_system or scope is None else scope.sender


def _obstacle(sender: WhatsAppSender, notification: WhatsAppNotification, at: datetime) -> ProviderError | None:
    return circuit.obstacle(sender, at) or _daily_limit_reached(sender, notification, at)


def _daily_limit_reached(
    sender: WhatsAppSender, notification: WhatsAppNotification, at: datetime
) -> ProviderError | None:
    """Meta counts the different people who are written to in 24 hours; one more message to one of them is free."""
    if sender.daily_limit is None:
        return None
    today = WhatsAppNotification.objects.filter(sender=sender, sent_at__gt=at - DAY)
    if today.filter(phone_number=notification.phone_number).exists():
        return None
    if today.order_by().values("phone_number").distinct().count() < sender.daily_limit:
        return None
    return ProviderError(
        ErrorClass.DAILY_LIMIT, message=f"The sender “{sender.code}” has written to {sender.daily_limit} people today."
    )
