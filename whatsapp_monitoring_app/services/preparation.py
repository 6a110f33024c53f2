"""What is to become of claimed messages: a request that may leave, a wait, or a refusal. Nothing is sent here."""

import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, RouteChoice, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers import base
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.providers.content import Template, Unsendable
from whatsapp_monitoring_app.services import (
    approval,
    circuit,
    message_types,
    pacing,
    quiet_hours,
    rendering,
    routing,
    secrecy,
    verdicts,
    wording,
)
from whatsapp_monitoring_app.services.approval import Unsayable
from whatsapp_monitoring_app.services.circumstances import Circumstances
from whatsapp_monitoring_app.services.retry_policy import EFFECTS

logger = logging.getLogger(__name__)

AFTER_A_BUG = timedelta(minutes=1)
AFTER_A_MISFIT = timedelta(minutes=1)
# When a stop ends, the first message finds out whether the account works; the others come while it does, and after.
SPREAD = timedelta(seconds=10)
TEMPLATE_SPREAD = timedelta(minutes=2)


# The columns of an attempt of which nobody knows what it said.
NOTHING_SAID = dict.fromkeys(("route", "route_reason", "form", "text", "template_name", "template_language"), "")


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
        return NOTHING_SAID | {
            "route": self.route.choice,
            "route_reason": self.route.reason,
            "form": self.wording.form,
            "text": self.wording.text if self.wording.text != notification.message_content else "",
            **template,
        }


@dataclass(frozen=True)
class Ready:
    """A request that may leave at `starts_at`. `is_probe`: it finds out whether a stopped account works again."""

    said: Said
    request: base.HttpRequest
    starts_at: datetime
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_probe: bool = False

    @property
    def sender(self) -> WhatsAppSender:
        return self.said.route.sender


@dataclass(frozen=True)
class Wait:
    """Why not now, and when it is worth trying again. Without an error it is only the pace, or the night."""

    error: ProviderError | None
    until: datetime
    slot_of: WhatsAppSender | None = None


@dataclass(frozen=True)
class Refuse:
    """Why it is not worth calling at all."""

    error: ProviderError


Prepared = Ready | Wait | Refuse


def prepare_all(
    notifications: Sequence[WhatsAppNotification], circumstances: Circumstances, ahead: timedelta = timedelta()
) -> dict[uuid.UUID, Prepared]:
    """What each of these claimed notifications is to do now. A slot that comes within `ahead` is worth waiting for."""
    by_code = {notification.pk: notification for notification in notifications}
    try:
        with circumstances.limits.turn():
            prepared = {code: _form_safely(notification, circumstances) for code, notification in by_code.items()}
            _pace(by_code, prepared, circumstances.at, ahead)
            _probe(by_code, prepared, circumstances.at)
            _count(by_code, prepared, circumstances)
    except (
        Exception
    ):  # nothing has left yet: whatever is wrong here must not look like messages that were perhaps sent
        logger.exception("%s notifications could not be prepared", len(notifications))
        return dict.fromkeys(by_code, _after_a_bug(circumstances.at))
    return prepared


def _after_a_bug(at: datetime) -> Wait:
    return Wait(ProviderError(ErrorClass.NOT_CONFIGURED, message="internal error"), at + AFTER_A_BUG)


def _form_safely(notification: WhatsAppNotification, circumstances: Circumstances) -> Prepared:
    try:
        return _form(notification, circumstances)
    except Unsendable as error:
        return Refuse(ProviderError(ErrorClass.MESSAGE_PERMANENT, message=str(error)))
    except Unsayable as refusal:
        if refusal.until is None:
            return Refuse(refusal.error)
        # Spread, so that the first one finds out for the others.
        return Wait(refusal.error, refusal.until + _random_part_of(TEMPLATE_SPREAD))
    except Exception:  # as above: one message must not hold up the others
        logger.exception("Notification %s could not be prepared", notification.pk)
        return _after_a_bug(circumstances.at)


def _form(notification: WhatsAppNotification, circumstances: Circumstances) -> Prepared:
    at = circumstances.at
    wakes_at = quiet_hours.first_moment_of(notification, at)
    if wakes_at > at:
        # What it has waited for until now stays said: an office where it is day can mend it meanwhile.
        return Wait(verdicts.error_of(notification), wakes_at)
    route = routing.choose(notification, circumstances)
    if route.obstacle:
        return Wait(route.obstacle, _worth_trying_at(route, at))
    try:
        ready = _ready(notification, route, circumstances)
    except (Unsendable, Unsayable) as misfit:
        if route.stands_in_because is None:
            raise
        # Who stands in cannot carry it: its own sender will. What has no template there has none for many others.
        again_after = AFTER_A_MISFIT if isinstance(misfit, Unsendable) else approval.LOOK_AGAIN_AFTER
        return Wait(route.stands_in_because, at + again_after)
    circumstances.limits.take(route.sender, notification)
    return ready


def _worth_trying_at(route: routing.Route, at: datetime) -> datetime:
    """When the sender may be able to send again."""
    assert route.obstacle
    if route.sender.stopped_until and route.sender.is_stopped(at):
        return route.sender.stopped_until + _random_part_of(SPREAD)
    return at + EFFECTS[route.obstacle.error_class].min_delay


def _random_part_of(duration: timedelta) -> timedelta:
    return duration * random.random()  # noqa: S311 - spreads the waiting, protects nothing


def _ready(notification: WhatsAppNotification, route: routing.Route, circumstances: Circumstances) -> Ready:
    sender = route.sender
    said = Said(route, wording.of(notification, sender, circumstances))
    message = base.Message(
        to=rendering.number_to_call(notification),
        content=said.wording.what,
        tracking=str(notification.code),
        # The other sender's number has another conversation.
        reply_to="" if route.choice is RouteChoice.FALLBACK else notification.reply_to,
    )
    account = base.Account(*(sender.credentials or ("", "")), address=sender.address)
    request = providers.get(sender.provider).build(account, message)
    secrets = secrecy.of(notification, account, message, request, said.wording.text)
    return Ready(said, request, circumstances.at, secrets)


def _pace(
    by_code: Mapping[uuid.UUID, WhatsAppNotification],
    prepared: dict[uuid.UUID, Prepared],
    at: datetime,
    ahead: timedelta,
) -> None:
    """Let each leave when its sender's pace, and its person's, let it."""
    groups: defaultdict[tuple[WhatsAppSender, int], list[uuid.UUID]] = defaultdict(list)
    for code, ready in _those_ready(prepared):
        groups[ready.sender, by_code[code].priority].append(code)
    for (sender, priority), codes in groups.items():
        slots = _slots([by_code[code] for code in codes], sender, priority, at, ahead)
        for code, slot in slots.items():
            prepared[code] = _at_its_slot(prepared[code], slot, at, ahead)


def _slots(
    notifications: Iterable[WhatsAppNotification],
    sender: WhatsAppSender,
    priority: int,
    at: datetime,
    ahead: timedelta,
) -> dict[uuid.UUID, pacing.Slot]:
    """When each of them may leave: in the slot that it holds, or in a new one."""
    # A slot is its sender's: it is worth nothing at the one that takes over.
    held = {each.pk: each.slot_at if each.sender_id == sender.pk else None for each in notifications}
    are_held = pacing.hold_all(sender, list(held.values()), at, ahead)
    slots = {
        code: pacing.Slot(max(slot_at - at, timedelta()))
        for (code, slot_at), is_held in zip(held.items(), are_held, strict=True)
        if is_held and slot_at
    }
    others = [each for each in notifications if each.pk not in slots]
    if others:
        numbers = [rendering.number_to_call(each) for each in others]
        slots |= zip((each.pk for each in others), pacing.reserve_all(sender, numbers, at, priority), strict=True)
    return slots


def _at_its_slot(prepared: Prepared, slot: pacing.Slot, at: datetime, ahead: timedelta) -> Prepared:
    assert isinstance(prepared, Ready)
    if slot.wait <= ahead:
        return replace(prepared, starts_at=at + slot.wait) if slot.wait else prepared
    return Wait(None, at + slot.wait, slot_of=prepared.sender if slot.is_reserved else None)


def _probe(
    by_code: Mapping[uuid.UUID, WhatsAppNotification], prepared: dict[uuid.UUID, Prepared], at: datetime
) -> None:
    """Where an account has been stopped, let one message find out whether it works again."""
    for code, ready in _those_ready(prepared):
        sender = ready.sender
        if sender.is_probing:
            # Another one of these does.
            stop = _obstacle(by_code[code], sender, at)
        else:
            stop = circuit.take_probe(sender, at)
            if sender.is_probing:
                prepared[code] = replace(ready, is_probe=True)
        if stop:
            prepared[code] = Wait(stop, at + _random_part_of(SPREAD))


def _obstacle(notification: WhatsAppNotification, sender: WhatsAppSender, at: datetime) -> ProviderError | None:
    is_essential = message_types.get(notification.message_type).is_essential
    return circuit.obstacle(sender, at, is_essential=is_essential)


def _count(
    by_code: Mapping[uuid.UUID, WhatsAppNotification],
    prepared: Mapping[uuid.UUID, Prepared],
    circumstances: Circumstances,
) -> None:
    """Let those that leave count towards the daily limits, and no others."""
    leaving = [(ready.sender, by_code[code]) for code, ready in _those_ready(prepared)]
    circumstances.limits.settle(leaving)


def _those_ready(prepared: Mapping[uuid.UUID, Prepared]) -> list[tuple[uuid.UUID, Ready]]:
    return [(code, each) for code, each in prepared.items() if isinstance(each, Ready)]
