"""The way of one notification to its provider: claim, send, record.

The claim is taken and given up in short transactions; none is open, and no lock is held, while the provider is called.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from whatsapp_monitoring_app import providers, scopes
from whatsapp_monitoring_app.models import ErrorClass, Outcome, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.services import message_types, offices, receipts, rendering, verdicts
from whatsapp_monitoring_app.services.retry_policy import EFFECTS
from whatsapp_monitoring_app.services.verdicts import Context

logger = logging.getLogger(__name__)

Send = Callable[[base.HttpRequest], base.HttpAnswer]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Call:
    """One call to a provider that is over, whatever came of it."""

    outcome: base.Outcome
    started_at: datetime
    finished_at: datetime
    answer: base.HttpAnswer | None = None


def deliver(code: uuid.UUID, *, send: Send = transport.send, now: Clock = timezone.now) -> WhatsAppNotification | None:
    """Try to send the notification once; it as stored afterwards, or None when it was not this call's to send."""
    notification = WhatsAppNotification.objects.claim(code, now())
    if notification is None:
        return None
    sender = choose_sender(notification)
    at = now()
    obstacle = _obstacle(sender, at)
    if obstacle:
        shortest = at + EFFECTS[obstacle.error_class].min_delay
        wait_until = sender.stopped_until if sender.stopped_until and sender.is_stopped(at) else shortest
        verdicts.give_back(notification, obstacle, wait_until)
        return notification
    return record(notification, sender, _call(notification, sender, send, now))


def choose_sender(notification: WhatsAppNotification) -> WhatsAppSender:
    """The company's voice for this message: the office's own, or the system's for accounts and codes."""
    is_system = message_types.get(notification.message_type).is_system
    code = offices.SYSTEM_SENDER if is_system else scopes.get(notification.source_app).sender
    return WhatsAppSender.objects.get(code=code)


def _obstacle(sender: WhatsAppSender, at: datetime) -> ProviderError | None:
    """Why this sender cannot send now, known without asking the provider."""
    if sender.is_stopped(at):
        return ProviderError(ErrorClass.ACCOUNT_STOP, message=sender.stop_reason)
    if not sender.is_active:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” is paused.")
    if sender.credentials is None:
        return ProviderError(ErrorClass.NOT_CONFIGURED, message=f"The sender “{sender.code}” has no account or token.")
    return None


def _call(notification: WhatsAppNotification, sender: WhatsAppSender, send: Send, now: Clock) -> Call:
    provider = providers.get(sender.provider)
    message = base.Message(
        to=rendering.number_to_call(notification),
        text=rendering.text_to_send(notification),
        tracking=str(notification.code),
    )
    request = provider.build(base.Account(*(sender.credentials or ("", ""))), message)
    started_at = now()
    try:
        answer = send(request)
    except transport.NotSent as error:
        refusal = Refused(ProviderError(ErrorClass.TRANSIENT, message=str(error)))
        return Call(refusal, started_at, now())
    except transport.NoAnswer as error:
        return Call(Uncertain(str(error)), started_at, now())
    return Call(provider.read(answer), started_at, now(), answer)


@transaction.atomic
def record(claimed: WhatsAppNotification, sender: WhatsAppSender, call: Call) -> WhatsAppNotification:
    """Write the attempt and what follows from it, unless somebody else has claimed the notification since.

    An answer that comes after its lease has run out still counts while nobody else has claimed: what the provider
    said is better than not knowing.
    """
    notification = WhatsAppNotification.objects.select_for_update().get(pk=claimed.pk)
    if notification.claim_id != claimed.claim_id:
        logger.warning("Notification %s: an answer came after another worker had claimed it", claimed.pk)
        return notification
    context = Context(at=call.finished_at, sender=sender)
    match call.outcome:
        case Accepted():
            verdicts.accept(notification, call.outcome, context)
        case Refused(error):
            verdicts.refuse(notification, error, context)
        case Uncertain(reason):
            verdicts.leave_unconfirmed(notification, reason, context)
        case _ as never:
            assert_never(never)
    write_attempt(claimed, sender, call, next_attempt_at=notification.next_attempt_at)
    receipts.apply_waiting(notification, context.at)
    return notification


def write_attempt(
    claimed: WhatsAppNotification, sender: WhatsAppSender | None, call: Call, next_attempt_at: datetime | None
) -> None:
    """Add the immutable record of one try. `claimed` is the notification as it was when it was claimed."""
    last_number = claimed.attempts.aggregate(last=Max("number"))["last"] or 0
    WhatsAppAttempt.objects.create(
        notification=claimed,
        number=last_number + 1,
        trigger=claimed.next_trigger,
        actor_id=claimed.next_actor_id,
        started_at=call.started_at,
        finished_at=call.finished_at,
        duration=call.finished_at - call.started_at,
        sender=sender,
        outcome=_word(call.outcome),
        http_status=call.answer.status if call.answer else None,
        **verdicts.error_fields(_error_of(call.outcome)),
        provider_response=call.answer.excerpt if call.answer else "",
        next_attempt_at=next_attempt_at,
    )


def _word(outcome: base.Outcome) -> Outcome:
    words = {Accepted: Outcome.ACCEPTED, Refused: Outcome.REFUSED, Uncertain: Outcome.UNCERTAIN}
    return words[type(outcome)]


def _error_of(outcome: base.Outcome) -> ProviderError | None:
    match outcome:
        case Refused(error):
            return error
        case Uncertain(reason):
            return ProviderError(ErrorClass.UNCONFIRMED, message=reason)
        case _:
            return None
