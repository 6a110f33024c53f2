"""Which sender speaks for a message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import circuit, message_types, offices

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Route:
    """The sender to use, or the one to wait for and why; `stands_in_because` says why it is not the message's own."""

    sender: WhatsAppSender
    obstacle: ProviderError | None = None
    stands_in_because: ProviderError | None = None


def choose(notification: WhatsAppNotification, at: datetime) -> Route:
    """The message's own sender, or the first of its fallbacks that can send now."""
    first = own_sender(notification)
    first_obstacle = _obstacle(first, notification, at)
    if first_obstacle:
        for sender in _fallbacks(first):
            if not _obstacle(sender, notification, at):
                return Route(sender, stands_in_because=first_obstacle)
    return Route(first, first_obstacle)


def _fallbacks(sender: WhatsAppSender) -> Iterator[WhatsAppSender]:
    """Who takes over from this sender, and from that one, until the circle closes."""
    seen = {sender.pk}
    while sender.fallback and sender.fallback.pk not in seen:
        sender = sender.fallback
        seen.add(sender.pk)
        yield sender


def cannot_leave(at: datetime) -> Q:
    """Messages whose sender, and whoever may take over, cannot send now: ringing for them would be for nothing.

    Not all of them: of the essential ones, and of the system's, there are few enough to ask one by one.
    """
    senders = WhatsAppSender.objects.select_related("fallback")
    idle = {
        sender.code for sender in senders if all(circuit.obstacle(each, at) for each in (sender, *_fallbacks(sender)))
    }
    idle_offices = [scope.office for scope in scopes.all_scopes().values() if scope.sender in idle]
    asked_one_by_one = [*message_types.ESSENTIAL_TYPES, *message_types.SYSTEM_TYPES]
    return Q(source_app__in=idle_offices) & ~Q(message_type__in=asked_one_by_one)


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
    is_essential = message_types.get(notification.message_type).is_essential
    return circuit.obstacle(sender, at, is_essential=is_essential) or _daily_limit_reached(sender, notification, at)


def _daily_limit_reached(
    sender: WhatsAppSender, notification: WhatsAppNotification, at: datetime
) -> ProviderError | None:
    """Meta counts the different people that an account writes to in 24 hours; one more message to them is free."""
    if sender.daily_limit is None:
        return None
    perhaps_sent = Q(status=Status.UNCONFIRMED, first_attempt_at__gt=at - DAY)
    today = WhatsAppNotification.objects.filter(
        Q(sent_at__gt=at - DAY) | perhaps_sent, sender__in=sender.same_account()
    )
    if today.filter(phone_number=notification.phone_number).exists():
        return None
    if today.order_by().values("phone_number").distinct().count() < sender.daily_limit:
        return None
    return ProviderError(
        ErrorClass.DAILY_LIMIT, message=f"The sender “{sender.code}” has written to {sender.daily_limit} people today."
    )
