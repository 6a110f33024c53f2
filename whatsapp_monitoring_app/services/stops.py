"""Which accounts cannot send now, for people to see."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender
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


def current(at: datetime) -> list[Stop]:
    """One entry per stopped account."""
    by_account = defaultdict(list)
    for sender in WhatsAppSender.objects.defer("token"):
        if sender.is_active and sender.is_stopped(at):
            by_account[sender.account_key].append(sender)
    return [_stop(senders) for senders in by_account.values()]


def _stop(senders: list[WhatsAppSender]) -> Stop:
    first = senders[0]
    assert first.stopped_until
    cause = ErrorClass(first.stop_class or ErrorClass.ACCOUNT_STOP)
    return Stop(senders, cause, first.stop_reason, first.stopped_until)
