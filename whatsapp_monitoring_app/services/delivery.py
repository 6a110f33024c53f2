"""The way of one notification to its provider: claim, send, record.

The claim is taken and given up in short transactions; none is open, and no lock is held, while the provider is called.
"""

import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import Max
from django.utils import timezone

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Outcome,
    RouteChoice,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.providers.content import Template, Unsendable
from whatsapp_monitoring_app.services import (
    approval,
    cancellation,
    circuit,
    error_catalogue,
    inbound,
    pacing,
    quiet_hours,
    receipts,
    rendering,
    routing,
    secrecy,
    templates,
    verdicts,
    wording,
)
from whatsapp_monitoring_app.services.approval import Unsayable
from whatsapp_monitoring_app.services.retry_policy import EFFECTS
from whatsapp_monitoring_app.services.verdicts import Context

logger = logging.getLogger(__name__)

# Longer than nearly every call. One that outlives its lease counts only while nobody else has claimed the message.
CALL_TIME = timedelta(seconds=transport.READ_SECONDS * 1.5)
AFTER_A_BUG = timedelta(minutes=1)
AFTER_A_MISFIT = timedelta(minutes=1)
# When a stop ends, the first message finds out whether the account works; the others come while it does, and after.
SPREAD = timedelta(seconds=10)
TEMPLATE_SPREAD = timedelta(minutes=2)
# Seconds between the tries to write down what a provider has answered while the database is away.
RECORD_AGAIN_AFTER = (0.5, 1, 2, 4, 8)

Send = Callable[[base.HttpRequest], base.HttpAnswer]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Call:
    """One call to a provider that is over, whatever came of it. `said` is what it said, where that is known."""

    outcome: base.Outcome
    started_at: datetime
    finished_at: datetime
    answer: base.HttpAnswer | None = None
    said: "Said | None" = None


@dataclass(frozen=True)
class Said:
    """Why it was this sender that spoke, and in which form."""

    route: routing.Route
    wording: wording.Wording

    def as_fields(self, notification: WhatsAppNotification) -> dict[str, str]:
        """The columns of the attempt."""
        what = self.wording.what
        template = (
            {"template_name": what.name, "template_language": what.language} if isinstance(what, Template) else {}
        )
        return {
            "route": self.route.choice,
            "route_reason": self.route.reason,
            "form": self.wording.form,
            "text": self.wording.text if self.wording.text != notification.message_content else "",
            **template,
        }


def deliver(code: uuid.UUID, *, send: Send = transport.send, now: Clock = timezone.now) -> WhatsAppNotification | None:
    """Try to send the notification once; it as stored afterwards, or None when it was not this call's to send."""
    at = now()
    notification = cancellation.still_wanted().claim(code, at)
    if notification is None:
        return None
    prepared: _Ready | _Wait | _Refuse
    try:
        prepared = _prepare(notification, at)
    except Unsendable as error:
        prepared = _Refuse(ProviderError(ErrorClass.MESSAGE_PERMANENT, message=str(error)))
    except Unsayable as refusal:
        # Spread, so that the first one finds out for the others.
        again_at = refusal.until and refusal.until + _random_part_of(TEMPLATE_SPREAD)
        prepared = _Wait(refusal.error, again_at) if again_at else _Refuse(refusal.error)
    except (
        Exception
    ):  # nothing has left yet: whatever is wrong here must not look like a message that was perhaps sent
        logger.exception("Notification %s could not be prepared", code)
        prepared = _Wait(ProviderError(ErrorClass.NOT_CONFIGURED, message="internal error"), at + AFTER_A_BUG)
    if not isinstance(prepared, _Ready) or _is_nearly_over(notification, now()):
        return _patiently(partial(_give_back, notification, prepared, at))
    return _patiently(partial(record, notification, prepared.sender, _call(prepared, send, now)))


@dataclass(frozen=True)
class _Ready:
    """A request that may leave now."""

    said: Said
    request: base.HttpRequest
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sender(self) -> WhatsAppSender:
        return self.said.route.sender


@dataclass(frozen=True)
class _Wait:
    """Why not now, and when it is worth trying again. Without an error it is only the pace, or the night."""

    error: ProviderError | None
    until: datetime
    slot_of: WhatsAppSender | None = None


@dataclass(frozen=True)
class _Refuse:
    """Why it is not worth calling at all."""

    error: ProviderError


def _prepare(notification: WhatsAppNotification, at: datetime) -> _Ready | _Wait:
    wakes_at = quiet_hours.first_moment_of(notification, at)
    if wakes_at > at:
        # What it has waited for until now stays said: an office where it is day can mend it meanwhile.
        return _Wait(verdicts.error_of(notification), wakes_at)
    route = routing.choose(notification, at)
    if route.obstacle:
        return _Wait(route.obstacle, _worth_trying_at(route, at))
    try:
        ready = _ready(notification, route, at)
    except (Unsendable, Unsayable) as misfit:
        if route.stands_in_because is None:
            raise
        # Who stands in cannot carry it: its own sender will. What has no template there has none for many others.
        again_after = AFTER_A_MISFIT if isinstance(misfit, Unsendable) else approval.LOOK_AGAIN_AFTER
        return _Wait(route.stands_in_because, at + again_after)
    wait = _wait_for_pace(notification, route.sender, at)
    if wait:
        return wait
    stop = circuit.take_probe(route.sender, at)
    if stop:
        return _Wait(stop, at + _random_part_of(SPREAD))
    return ready


def _is_nearly_over(claimed: WhatsAppNotification, at: datetime) -> bool:
    """Whether the lease would run out during a call: somebody else could then call too."""
    return claimed.claimed_until is None or at + CALL_TIME > claimed.claimed_until


@transaction.atomic
def _give_back(
    claimed: WhatsAppNotification, prepared: _Ready | _Wait | _Refuse, at: datetime
) -> WhatsAppNotification:
    """Put the notification back, at no cost, unless the claim was lost; with the receipts that came meanwhile."""
    notification = WhatsAppNotification.objects.select_for_update().get(pk=claimed.pk)
    if notification.claim_id != claimed.claim_id or notification.status != Status.SENDING:
        return notification
    match prepared:
        case _Wait(error=None):
            verdicts.wait_for_slot(notification, prepared.slot_of, prepared.until)
        case _Wait(error=ProviderError() as error):
            verdicts.give_back(notification, error, prepared.until)
        case _Refuse(error):
            verdicts.fail(notification, error, Context(at=at))
        case _:
            verdicts.wait_for_slot(notification, None, at)
    receipts.apply_waiting(notification, at)
    return notification


def _worth_trying_at(route: routing.Route, at: datetime) -> datetime:
    """When the sender may be able to send again."""
    assert route.obstacle
    if route.sender.stopped_until and route.sender.is_stopped(at):
        return route.sender.stopped_until + _random_part_of(SPREAD)
    return at + EFFECTS[route.obstacle.error_class].min_delay


def _random_part_of(duration: timedelta) -> timedelta:
    return duration * random.random()  # noqa: S311 - spreads the waiting, protects nothing


def _wait_for_pace(notification: WhatsAppNotification, sender: WhatsAppSender, at: datetime) -> _Wait | None:
    """When the sender's pace, or the person's, lets the message go; None for now."""
    # A slot is its sender's: it is worth nothing at the one that takes over.
    if notification.sender_id == sender.pk and pacing.holds_slot(sender, notification.slot_at, at):
        return None
    slot = pacing.reserve(sender, rendering.number_to_call(notification), at, notification.priority)
    if not slot.wait:
        return None
    return _Wait(None, at + slot.wait, slot_of=sender if slot.is_reserved else None)


def _ready(notification: WhatsAppNotification, route: routing.Route, at: datetime) -> _Ready:
    sender = route.sender
    said = Said(route, wording.of(notification, sender, at))
    message = base.Message(
        to=rendering.number_to_call(notification),
        content=said.wording.what,
        tracking=str(notification.code),
        # The other sender's number has another conversation.
        reply_to="" if route.choice is RouteChoice.FALLBACK else notification.reply_to,
    )
    account = base.Account(*(sender.credentials or ("", "")), address=sender.address)
    request = providers.get(sender.provider).build(account, message)
    return _Ready(said, request, secrecy.of(notification, account, message, request, said.wording.text))


def _call(ready: _Ready, send: Send, now: Clock) -> Call:
    started_at = now()
    try:
        answer = send(ready.request)
    except transport.NotSent as error:
        refusal = Refused(ProviderError(error.error_class, message=str(error)))
        return Call(refusal, started_at, now(), said=ready.said)
    except transport.NoAnswer as error:
        return Call(Uncertain(str(error)), started_at, now(), said=ready.said)
    outcome = providers.get(ready.sender.provider).read(answer)
    shown = secrecy.hide_in_answer(answer, ready.secrets)
    return Call(secrecy.hide_in_outcome(outcome, ready.secrets), started_at, now(), shown, ready.said)


def _patiently(write: Callable[[], WhatsAppNotification]) -> WhatsAppNotification:
    """Write down what became of a claim, even if the database is being started again.

    An answer that is forgotten may be sent twice, and a message that never left would look as if it perhaps had.
    """
    for wait in RECORD_AGAIN_AFTER:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            logger.warning("What became of a claim cannot be recorded yet: %s", type(error).__name__)
            time.sleep(wait)
            close_old_connections()
    return write()


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
    same = {"started_at": call.started_at, "finished_at": call.finished_at, "outcome": _word(call.outcome)}
    if claimed.attempts.filter(**same).exists():
        return notification  # the connection broke after the commit, and this is the second try to write it
    context = Context(at=call.finished_at, sender=sender)
    call = replace(call, outcome=error_catalogue.classified_outcome(sender.provider, call.outcome))
    match call.outcome:
        case Accepted():
            verdicts.accept(notification, call.outcome, context)
        case Refused(error):
            # Sent already: a receipt said meanwhile that an earlier attempt arrived, and this one was not needed.
            if notification.status != Status.SENT:
                verdicts.refuse(notification, error, context)
        case Uncertain(reason):
            verdicts.leave_unconfirmed(notification, reason, context)
        case _ as never:
            assert_never(never)
    circuit.note(sender, call.outcome, context.at)
    error_catalogue.note_unclassified(sender.provider, _error_of(call.outcome), context.at)
    inbound.note_opt_out(notification, _error_of(call.outcome), context.at)
    write_attempt(claimed, sender, call, next_attempt_at=notification.next_attempt_at)
    templates.note_stop(notification, _error_of(call.outcome), context.at)
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
        # A gateway that echoes the request would write a secret into the row.
        provider_response=call.answer.excerpt if call.answer and not claimed.is_secret else "",
        next_attempt_at=next_attempt_at,
        **(call.said.as_fields(claimed) if call.said else {}),
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
