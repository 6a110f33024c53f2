"""Which accounts cannot send now, or soon will not, for people to see."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender
from whatsapp_monitoring_app.services import health
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, Explanation


@dataclass(frozen=True)
class Stop:
    """An account whose circuit is open, with the senders that speak through it."""

    senders: list[WhatsAppSender]
    error_class: ErrorClass
    reason: str
    until: datetime

    @property
    def explanation(self) -> Explanation:
        return EXPLANATIONS[self.error_class]

    @property
    def is_partial(self) -> bool:
        """Essential messages still leave."""
        return self.error_class is ErrorClass.ACCOUNT_SLOW


@dataclass(frozen=True)
class Expiry:
    """A token whose end is near or past, with the senders that speak with it."""

    senders: list[WhatsAppSender]
    expires_at: datetime
    is_past: bool


@dataclass(frozen=True)
class Troubles:
    """What everybody should know of the senders; nothing while all is well."""

    stops: list[Stop]
    expiries: list[Expiry]


def troubles(at: datetime) -> Troubles:
    """What troubles the senders that are in use, in one query."""
    return troubles_of(WhatsAppSender.objects.defer("token"), at)


def troubles_of(senders: Iterable[WhatsAppSender], at: datetime) -> Troubles:
    """What troubles those of these senders that are in use."""
    used = [sender for sender in senders if sender.is_active]
    return Troubles(_stops(used, at), _expiries(used, at))


def _stops(senders: Iterable[WhatsAppSender], at: datetime) -> list[Stop]:
    """One entry per stopped account."""
    by_account = defaultdict(list)
    for sender in senders:
        if sender.is_stopped(at):
            by_account[sender.account_key].append(sender)
    return [_stop(of_account) for of_account in by_account.values()]


def _stop(senders: list[WhatsAppSender]) -> Stop:
    first = senders[0]
    assert first.stopped_until
    cause = ErrorClass(first.stop_class or ErrorClass.ACCOUNT_STOP)
    return Stop(senders, cause, first.stop_reason, first.stopped_until)


def _expiries(senders: Iterable[WhatsAppSender], at: datetime) -> list[Expiry]:
    """The tokens that somebody must renew now, the most urgent first."""
    by_token = defaultdict(list)
    for sender in senders:
        if sender.token_expires_at and sender.token_expires_at <= at + health.EXPIRES_SOON:
            by_token[sender.token_expires_at, sender.account_key].append(sender)
    return [Expiry(by_token[key], key[0], is_past=key[0] <= at) for key in sorted(by_token)]
