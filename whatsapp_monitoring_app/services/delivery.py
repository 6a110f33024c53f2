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

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, Outcome, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.services import (
    cancellation,
    circuit,
    error_catalogue,
    inbound,
    pacing,
    receipts,
    rendering,
    routing,
    verdicts,
)
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
    at = now()
    notification = cancellation.still_wanted().claim(code, at)
    if notification is None:
        return None
    route = routing.choose(notification, at)
    if route.obstacle:
        verdicts.give_back(notification, route.obstacle, _worth_trying_at(route, at))
    elif _must_wait(notification, route.sender, at):
        return notification
    elif not circuit.take_probe(route.sender, at):
        busy = ProviderError(ErrorClass.ACCOUNT_STOP, message=route.sender.stop_reason)
        verdicts.give_back(notification, busy, at + circuit.PROBE_TIME)
    else:
        return record(notification, route.sender, _call(notification, route.sender, send, now))
    return notification


def _worth_trying_at(route: routing.Route, at: datetime) -> datetime:
    """When the sender may be able to send again."""
    assert route.obstacle
    shortest = at + EFFECTS[route.obstacle.error_class].min_delay
    return route.sender.stopped_until if route.sender.stopped_until and route.sender.is_stopped(at) else shortest


def _must_wait(notification: WhatsAppNotification, sender: WhatsAppSender, at: datetime) -> bool:
    """Whether the sender's pace, or the person's, puts the message off; then it has been given back until its slot."""
    # A slot is its sender's: it is worth nothing at the one that takes over.
    if notification.sender_id == sender.pk and pacing.holds_slot(notification.slot_at, at):
        return False
    slot = pacing.reserve(sender, rendering.number_to_call(notification), at)
    if not slot.wait:
        return False
    verdicts.wait_for_slot(notification, sender, at + slot.wait, is_reserved=slot.is_reserved)
    return True


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
    circuit.note(sender, call.outcome, context.at)
    error_catalogue.note_unclassified(sender.provider, _error_of(call.outcome), context.at)
    inbound.note_opt_out(notification, _error_of(call.outcome), context.at)
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
