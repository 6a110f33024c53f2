"""A sender's circuit breaker: closed (it sends), open (its queue waits), half-open (one probe at a time).

It opens at once when the provider refuses the account, and after a run of failures that no answer interrupts. When its
time is over, one message goes out as a probe; an answer that shows a working account closes it.
"""

import logging
from datetime import datetime, timedelta

import redis

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender
from whatsapp_monitoring_app.providers.base import Accepted, Outcome, ProviderError, Refused
from whatsapp_monitoring_app.services import shared_memory
from whatsapp_monitoring_app.services.retry_policy import EFFECTS

logger = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 20
AFTER_FAILURES = timedelta(seconds=30)
PROBE_TIME = timedelta(seconds=30)
TROUBLES = {ErrorClass.TRANSIENT, ErrorClass.TRANSIENT_CAPPED}


def obstacle(sender: WhatsAppSender, at: datetime) -> ProviderError | None:
    """Why this sender cannot send now, known without asking the provider."""
    if not sender.is_active:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” is paused.")
    if sender.credentials is None:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” has no account or token.")
    if sender.is_stopped(at):
        return ProviderError(ErrorClass.ACCOUNT_STOP, message=sender.stop_reason)
    return None


def take_probe(sender: WhatsAppSender, at: datetime) -> bool:
    """Whether a call may be made now: always while closed; while half-open, by one caller at a time."""
    if sender.stopped_until is None:
        return True
    # It stays open for the others while this caller finds out.
    won = WhatsAppSender.objects.filter(pk=sender.pk, stopped_until=sender.stopped_until).update(
        stopped_until=at + PROBE_TIME
    )
    return bool(won)


def note(sender: WhatsAppSender, outcome: Outcome, at: datetime) -> None:
    """Let the circuit know how a call ended."""
    if isinstance(outcome, Refused) and EFFECTS[outcome.error.error_class].stops_sender:
        error = outcome.error
        sender.stop(at + EFFECTS[error.error_class].min_delay, f"{error.code} {error.message}".strip())
    elif _is_an_answer(outcome):
        _forget_failures(sender)
        if sender.stopped_until:
            sender.resume(at)
    elif _count_failure(sender) >= FAILURES_IN_A_ROW:
        _forget_failures(sender)
        sender.stop(at + AFTER_FAILURES, f"{FAILURES_IN_A_ROW} failures in a row")


def _is_an_answer(outcome: Outcome) -> bool:
    if isinstance(outcome, Refused):
        return outcome.error.error_class not in TROUBLES
    return isinstance(outcome, Accepted)


def _count_failure(sender: WhatsAppSender) -> int:
    try:
        pipeline = shared_memory.client().pipeline()
        pipeline.incr(_key(sender))
        pipeline.expire(_key(sender), 3600)
        return int(pipeline.execute()[0])
    except redis.RedisError as error:
        logger.error("Redis is away, failures are not counted: %s", error)
        return 0


def _forget_failures(sender: WhatsAppSender) -> None:
    try:
        shared_memory.client().delete(_key(sender))
    except redis.RedisError as error:
        logger.error("Redis is away, failures are not counted: %s", error)


def _key(sender: WhatsAppSender) -> str:
    return f"failures:{sender.code}"
