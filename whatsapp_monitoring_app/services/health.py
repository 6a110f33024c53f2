"""How the senders are: asked of their providers, told by webhooks, and seen in their queues."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import AccountEvent, Health, HttpAnswer, HttpRequest, TokenFacts
from whatsapp_monitoring_app.services import circuit, routing, secrecy

logger = logging.getLogger(__name__)

Send = Callable[[HttpRequest], HttpAnswer]

# A ban that names no end is looked at again after this time, by one message.
BAN_TIME = timedelta(hours=1)
# How the reason of a stop begins that a provider has told by itself.
TOLD = "Told by the provider: "
# Time enough to make a new token, and to tell the person who can.
EXPIRES_SOON = timedelta(days=7)


@dataclass(frozen=True)
class Queue:
    """What waits to be said by one sender."""

    count: int
    oldest: datetime | None


def queue_of(sender: WhatsAppSender) -> Queue:
    return queues_of([sender])[sender.pk]


def queues_of(senders: Iterable[WhatsAppSender]) -> dict[int, Queue]:
    """The queue of each of these senders by its key, in one query."""
    owned = {sender.pk: routing.owned_by(sender) for sender in senders}
    counts = {f"count_{pk}": Count("pk", filter=theirs) for pk, theirs in owned.items()}
    oldest = {f"oldest_{pk}": Min("created_at", filter=theirs) for pk, theirs in owned.items()}
    found = WhatsAppNotification.objects.waiting().order_by().aggregate(**counts, **oldest)
    return {pk: Queue(found[f"count_{pk}"], found[f"oldest_{pk}"]) for pk in owned}


def check_all(at: datetime, send: Send = transport.send) -> int:
    """Ask how every sender that can be asked is; how many answered. To be called outside of a transaction."""
    senders = WhatsAppSender.objects.filter(is_active=True)
    return sum(_check_safely(sender, at, send) for sender in senders if can_check(sender))


def _check_safely(sender: WhatsAppSender, at: datetime, send: Send) -> bool:
    try:
        return check(sender, at, send)
    except Exception:  # one odd answer must not keep the others from being asked
        logger.exception("The sender %s could not be checked", sender.code)
        return False


def can_check(sender: WhatsAppSender) -> bool:
    """Whether its provider says how an account is, and the sender is complete enough to ask."""
    account = _account(sender)
    return account is not None and providers.get(sender.provider).health_request(account) is not None


def check(sender: WhatsAppSender, at: datetime, send: Send = transport.send) -> bool:
    """Ask the provider how the sender's account and token are, and keep what it says; whether it said anything.

    To be called outside of a transaction: none is open while the provider is called.
    """
    account = _account(sender)
    if account is None:
        return False
    provider = providers.get(sender.provider)
    request = provider.health_request(account)
    if request is None:
        return False
    try:
        asked = _without_secrets(sender, send)
        health = provider.read_health(asked(request), account)
        token = _token_facts(provider, account, asked)
    except (transport.NotSent, transport.NoAnswer) as error:
        logger.warning("The sender %s could not be checked: %s", sender.code, error)
        health, token = Health(None, f"{type(error).__name__}: {error}"), TokenFacts(None)
    _keep(sender, health, token, at)
    return health.is_connected is not None


def _without_secrets(sender: WhatsAppSender, send: Send) -> Send:
    """The same, without the token in its answers: providers repeat what they do not understand."""
    return lambda request: secrecy.hide_in_answer(send(request), secrecy.of_account(sender))


def _token_facts(provider: base.Provider, account: base.Account, send: Send) -> TokenFacts:
    request = provider.token_request(account)
    return provider.read_token(send(request)) if request else TokenFacts(None)


def _keep(sender: WhatsAppSender, health: Health, token: TokenFacts, at: datetime) -> None:
    words = health.detail if token.is_valid is not False else f"{token.detail} {health.detail}".strip()
    known = {
        "is_connected": False if token.is_valid is False else health.is_connected,
        "health_detail": words[:200],
        "checked_at": at,
    }
    told = {"quality": health.quality[:40], "limit": health.limit[:40], "display_number": health.number[:20]}
    known |= {name: word for name, word in told.items() if word}
    if token.is_valid is not None:
        known["token_expires_at"] = token.expires_at
    WhatsAppSender.objects.filter(pk=sender.pk).update(**known)
    sender.refresh_from_db(fields=list(known))


def _account(sender: WhatsAppSender) -> base.Account | None:
    if sender.credentials is None:
        return None
    return base.Account(*sender.credentials, address=sender.address, business_account_id=sender.business_account)


def can_check_numbers(sender: WhatsAppSender) -> bool:
    return providers.get(sender.provider).can_check_numbers and _account(sender) is not None


def is_on_whatsapp(sender: WhatsAppSender, number: str, send: Send = transport.send) -> bool | None:
    """Whether this number (E.164) has WhatsApp, says the sender's provider; None when it does not say.

    Nothing is sent to the number. Raises transport.NotSent, transport.NoAnswer.
    """
    account = _account(sender)
    if account is None or not can_check_numbers(sender):
        return None
    provider = providers.get(sender.provider)
    asked = _without_secrets(sender, send)
    found = provider.read_number_check(asked(provider.number_check_request(account, [number])))
    return found[0] if found else None


def take(provider: str, event: AccountEvent, at: datetime) -> None:
    """Keep what the provider tells of an account by itself: a ban stops it, the end of a ban lets it go on."""
    senders = _spoken_of(provider, event)
    if not senders:
        logger.warning("%s tells of an account that no sender has", provider)
    told = {"quality": event.quality[:40], "limit": event.limit[:40], "health_detail": event.detail[:200]}
    known = {name: word for name, word in told.items() if word}
    for sender in senders:
        if known:
            WhatsAppSender.objects.filter(pk=sender.pk).update(**known)
        if event.can_send is False:
            logger.error("The sender %s was stopped by its provider: %s", sender.code, event.detail)
            sender.stop(event.until or at + BAN_TIME, ErrorClass.ACCOUNT_STOP, TOLD + event.detail)
        elif event.can_send and sender.stop_reason.startswith(TOLD):
            # The end of what was told; a bad token, or complaints, go on.
            circuit.resume(sender, at)


def _spoken_of(provider: str, event: AccountEvent) -> list[WhatsAppSender]:
    """The senders of this business account, or of this number of it."""
    senders = WhatsAppSender.objects.defer("token").filter(provider=provider)
    of_account = [sender for sender in senders if sender.business_account == event.business_account_id]
    if not event.number:
        return of_account
    return [sender for sender in of_account if event.number in (sender.display_number, sender.address)]
