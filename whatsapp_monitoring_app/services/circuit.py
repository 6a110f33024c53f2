"""An account's circuit breaker: closed (it sends), open (its queue waits), half-open (one probe at a time).

It opens at once when the provider refuses the account, and after a run of failures that no answer interrupts. When its
time is over, one message goes out as a probe; an answer that shows a working account closes it. An account that goes
too fast is not stopped but slowed down. Senders that share an account share all of this.
"""

import logging
from datetime import datetime, timedelta

import redis

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.notifications import NO_ERROR
from whatsapp_monitoring_app.providers.base import Accepted, Outcome, ProviderError, Refused
from whatsapp_monitoring_app.services import pacing, shared_memory
from whatsapp_monitoring_app.services.retry_policy import EFFECTS

logger = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 20
AFTER_FAILURES = timedelta(seconds=30)
# Without a Retry-After. It is short because the account goes on at a tenth of its rate.
FIRST_BRAKE = timedelta(seconds=2)
PROBE_TIME = timedelta(seconds=30)
WAITS_FOR_THE_ACCOUNT = {error_class for error_class, effect in EFFECTS.items() if effect.stops_sender}
TROUBLES = {ErrorClass.UNREACHABLE, ErrorClass.TRANSIENT, ErrorClass.TRANSIENT_CAPPED}


def obstacle(sender: WhatsAppSender, at: datetime, *, is_essential: bool = False) -> ProviderError | None:
    """Why this sender cannot send such a message now, known without asking the provider.

    A sender that WhatsApp has restricted because of complaints still sends what is essential.
    """
    if not sender.is_active:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” is paused.")
    if sender.missing_fields:
        missing = ", ".join(sender.missing_fields)
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” has no {missing}.")
    if sender.credentials is None:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” only prints.")
    if sender.is_stopped(at) and not (is_essential and sender.stop_class == ErrorClass.ACCOUNT_SLOW):
        return stop_of(sender)
    return None


def stop_of(sender: WhatsAppSender) -> ProviderError:
    """What stopped this sender, as the error of a message that waits for it."""
    return ProviderError(ErrorClass(sender.stop_class or ErrorClass.ACCOUNT_STOP), message=sender.stop_reason)


def take_probe(sender: WhatsAppSender, at: datetime) -> ProviderError | None:
    """Why no call may be made now, or None: always while closed; while half-open, for one caller at a time."""
    if sender.stopped_until is None or sender.is_stopped(at):  # stopped, and no obstacle: an essential message
        return None
    # It stays open for the others while this caller finds out.
    return None if sender.take_probe(at + PROBE_TIME) else stop_of(sender)


def note(sender: WhatsAppSender, outcome: Outcome, at: datetime) -> None:
    """Let the circuit know how a call ended."""
    error = outcome.error if isinstance(outcome, Refused) else None
    if error and EFFECTS[error.error_class].stops_sender:
        _open(sender, error, at)
    elif _is_an_answer(outcome):
        _forget_failures(sender)
        if sender.is_probing:
            sender.resume(at)
        if error and EFFECTS[error.error_class].slows_sender:
            _slow_down(sender, error, at)
    elif _count_failure(sender) >= FAILURES_IN_A_ROW:
        _forget_failures(sender)
        sender.stop(at + AFTER_FAILURES, ErrorClass.TRANSIENT, f"{FAILURES_IN_A_ROW} failures in a row")


def note_arrival(sender: WhatsAppSender, at: datetime) -> None:
    """Let the circuit know that a call without an answer had gone through all the same."""
    _forget_failures(sender)
    if sender.stop_class == ErrorClass.TRANSIENT:
        sender.resume(at)


def resume(sender: WhatsAppSender, at: datetime) -> None:
    """Somebody has mended the account: close the circuit, and let what waited for it be due now."""
    sender.resume(at)
    WhatsAppNotification.objects.waiting().filter(
        error_class__in=WAITS_FOR_THE_ACCOUNT, next_attempt_at__gt=at
    ).update(next_attempt_at=at, rung_at=None, **NO_ERROR)


def _open(sender: WhatsAppSender, error: ProviderError, at: datetime) -> None:
    wait = max(EFFECTS[error.error_class].min_delay, error.retry_after or timedelta())
    sender.stop(at + wait, error.error_class, f"{error.code} {error.message}".strip())


def _slow_down(sender: WhatsAppSender, error: ProviderError, at: datetime) -> None:
    wait = error.retry_after or FIRST_BRAKE
    pacing.brake(sender, wait)
    sender.same_account().update(resumed_at=at + wait)


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
    return f"failures:{sender.account_key}"
