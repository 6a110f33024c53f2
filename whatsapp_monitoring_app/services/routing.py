"""Which sender speaks for a message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import RouteChoice, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import circuit, message_types, offices
from whatsapp_monitoring_app.services.circumstances import Circumstances


@dataclass(frozen=True)
class Route:
    """The sender to use, or the one to wait for and why; `stands_in_because` says why it is not the message's own."""

    sender: WhatsAppSender
    choice: RouteChoice
    obstacle: ProviderError | None = None
    stands_in_because: ProviderError | None = None

    @property
    def reason(self) -> str:
        """Why the message's own sender did not speak; "" when it did."""
        why = self.stands_in_because
        return (why.message or why.error_class.value) if why else ""


def choose(notification: WhatsAppNotification, circumstances: Circumstances) -> Route:
    """The message's own sender, or the first of its fallbacks that can send now."""
    first = circumstances.sender(**_key_of_own_sender(notification))
    first_obstacle = _obstacle(first, notification, circumstances)
    if first_obstacle and message_types.get(notification.message_type).has_stand_ins:
        for sender in _fallbacks(first):
            if not _obstacle(sender, notification, circumstances):
                return Route(sender, RouteChoice.FALLBACK, stands_in_because=first_obstacle)
    return Route(first, choice_of_own_sender(notification), first_obstacle)


def _fallbacks(sender: WhatsAppSender) -> Iterator[WhatsAppSender]:
    """Who takes over from this sender, and from that one, until the circle closes."""
    seen = {sender.pk}
    while sender.fallback and sender.fallback.pk not in seen:
        sender = sender.fallback
        seen.add(sender.pk)
        yield sender


def stand_in(sender: WhatsAppSender, at: datetime) -> WhatsAppSender | None:
    """Who would speak instead of this sender now, as far as no daily limit is in the way; None when nobody can."""
    return next((each for each in _fallbacks(sender) if not circuit.obstacle(each, at)), None)


def would_make_a_circle(sender: WhatsAppSender, fallback: WhatsAppSender) -> bool:
    """Whether this sender would come to stand in for itself if `fallback` took over from it."""
    return sender in (fallback, *_fallbacks(fallback))


def cannot_leave(at: datetime) -> Q:
    """Messages whose sender, and whoever may take over, cannot send now: ringing for them would be for nothing.

    Not all of them: of the essential ones, of the system's, and of those that name their sender, there are few enough
    to ask one by one.
    """
    senders = WhatsAppSender.objects.select_related("fallback")
    idle = {
        sender.code for sender in senders if all(circuit.obstacle(each, at) for each in (sender, *_fallbacks(sender)))
    }
    idle_offices = [scope.office for scope in scopes.all_scopes().values() if scope.sender in idle]
    asked_one_by_one = [*message_types.ESSENTIAL_TYPES, *message_types.SYSTEM_TYPES]
    return Q(source_app__in=idle_offices, asked_sender=None) & ~Q(message_type__in=asked_one_by_one)


def own_sender_without_token(notification: WhatsAppNotification) -> WhatsAppSender | None:
    """Who speaks for it unless somebody stands in, for whoever does not send; None when there is none any more."""
    return WhatsAppSender.objects.defer("token").filter(**_key_of_own_sender(notification)).first()


def owned_by(sender: WhatsAppSender) -> Q:
    """The messages whose own sender this is: the same rule as `choice_of_own_sender`, asked of the database."""
    scopes_by_office = scopes.all_scopes()
    offices_of_sender = [office for office, scope in scopes_by_office.items() if scope.sender == sender.code]
    is_system = Q(message_type__in=message_types.SYSTEM_TYPES) | ~Q(source_app__in=scopes_by_office)
    theirs = Q(source_app__in=offices_of_sender) & ~is_system
    if sender.code == offices.SYSTEM_SENDER:
        theirs |= is_system
    return Q(asked_sender=sender) | Q(asked_sender=None) & theirs


def choice_of_own_sender(notification: WhatsAppNotification) -> RouteChoice:
    """Why the message's own sender is its own."""
    if notification.asked_sender_id:
        return RouteChoice.ASKED
    is_system = message_types.get(notification.message_type).is_system
    # An office that is no longer installed still owes what it promised.
    if is_system or notification.source_app not in scopes.all_scopes():
        return RouteChoice.SYSTEM
    return RouteChoice.OFFICE


def _key_of_own_sender(notification: WhatsAppNotification) -> dict[str, Any]:
    match choice_of_own_sender(notification):
        case RouteChoice.ASKED:
            return {"pk": notification.asked_sender_id}
        case RouteChoice.SYSTEM:
            return {"code": offices.SYSTEM_SENDER}
        case _:
            return {"code": scopes.get(notification.source_app).sender}


def _obstacle(
    sender: WhatsAppSender, notification: WhatsAppNotification, circumstances: Circumstances
) -> ProviderError | None:
    is_essential = message_types.get(notification.message_type).is_essential
    return circuit.obstacle(sender, circumstances.at, is_essential=is_essential) or circumstances.limits.obstacle(
        sender, notification
    )
