"""The way of notifications to their provider: claim, prepare, call, record.

Claims are taken and given up in short transactions; none is open, and no lock is held, while a provider is called. One
message goes over `requests`, many go together over one event loop: what decides and what is written is the same.
"""

import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, cast

from django.utils import timezone

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.providers.exchange import Carried, exchange
from whatsapp_monitoring_app.services import cancellation, circuit, message_types, recording, secrecy
from whatsapp_monitoring_app.services.circumstances import Circumstances
from whatsapp_monitoring_app.services.preparation import Prepared, Ready, Refuse, Wait, prepare_all
from whatsapp_monitoring_app.services.recording import Call, Record

# Longer than nearly every call. One that outlives its lease counts only while nobody else has claimed the message.
CALL_TIME = timedelta(seconds=transport.READ_SECONDS * 1.5)
# A message whose slot comes so soon is held until then. More would be in doubt when the worker dies.
AHEAD = timedelta(seconds=2)
# Answers are written together when so many are there, or when the first has waited so long: few enough that a worker
# that is killed leaves few messages in doubt, enough to share the price of a transaction.
GROUP = 50
GATHER_SECONDS = 0.02
# How long to wait before looking again whether there is room for another call.
ROOM_SECONDS = 0.01

Send = Callable[[base.HttpRequest], base.HttpAnswer]
Clock = Callable[[], datetime]
Tell = Callable[[WhatsAppNotification], object]


class Carrier(Protocol):
    """Whoever carries many requests at once; see providers.exchange."""

    @property
    def room(self) -> int: ...

    def start(self, key: uuid.UUID, request: base.HttpRequest, into: "queue.SimpleQueue[Carried]") -> None: ...


def deliver(code: uuid.UUID, *, send: Send = transport.send, now: Clock = timezone.now) -> WhatsAppNotification | None:
    """Try to send the notification once; it as stored afterwards, or None when it was not this call's to send."""
    at = now()
    notification = cancellation.still_wanted().claim(code, at)
    if notification is None:
        return None
    prepared = prepare_all([notification], Circumstances([notification], at))[code]
    if not isinstance(prepared, Ready) or _is_nearly_over(notification, now()):
        recording.put_back({notification: _as_wait(prepared, at)}, at)
    else:
        recording.record(notification, prepared.sender, _call(prepared, send, now))
    return notification


def deliver_all(
    codes: Collection[uuid.UUID],
    *,
    carrier: Carrier | None = None,
    now: Clock = timezone.now,
    ahead: timedelta = AHEAD,
    tell: Tell = lambda _notification: None,
) -> list[WhatsAppNotification]:
    """Try to send each of these notifications once, many at a time; those that were this call's to send, as stored.

    One whose slot comes within `ahead` is held until then. `tell` hears of each as soon as it is stored.
    """
    at = now()
    notifications = cancellation.still_wanted().claim_all(codes, at, ahead)
    if notifications:
        circumstances = Circumstances(notifications, at)
        prepared = prepare_all(notifications, circumstances, ahead)
        _Flight(notifications, prepared, circumstances, carrier or exchange(), now, tell).go()
    return notifications


def _as_wait(prepared: Prepared, at: datetime) -> Wait | Refuse:
    """What becomes of a message that does not leave; a request that was ready is made anew, at once."""
    return Wait(None, at) if isinstance(prepared, Ready) else prepared


def _is_nearly_over(claimed: WhatsAppNotification, at: datetime) -> bool:
    """Whether the lease would run out during a call: somebody else could then call too."""
    return claimed.claimed_until is None or at + CALL_TIME > claimed.claimed_until


def _call(ready: Ready, send: Send, now: Clock) -> Call:
    started_at = now()
    answer: base.HttpAnswer | transport.NotSent | transport.NoAnswer
    try:
        answer = send(ready.request)
    except (transport.NotSent, transport.NoAnswer) as error:
        answer = error
    return _read(ready, answer, started_at, now())


def _read(
    ready: Ready,
    answer: base.HttpAnswer | transport.NotSent | transport.NoAnswer,
    started_at: datetime,
    finished_at: datetime,
) -> Call:
    """What has come of a call, in our words, without the secrets that an answer may repeat."""
    match answer:
        case transport.NotSent():
            refusal = Refused(ProviderError(answer.error_class, message=str(answer)))
            return Call(refusal, started_at, finished_at, said=ready.said)
        case transport.NoAnswer():
            return Call(Uncertain(str(answer)), started_at, finished_at, said=ready.said)
    outcome = providers.get(ready.sender.provider).read(answer)
    shown = secrecy.hide_in_answer(answer, ready.secrets)
    return Call(secrecy.hide_in_outcome(outcome, ready.secrets), started_at, finished_at, shown, ready.said)


class _Flight:
    """Claimed messages on their way: each starts when its slot has come, and is recorded when its answer has."""

    def __init__(
        self,
        notifications: Collection[WhatsAppNotification],
        prepared: Mapping[uuid.UUID, Prepared],
        circumstances: Circumstances,
        carrier: Carrier,
        now: Clock,
        tell: Tell,
    ) -> None:
        self._tell = tell
        self._notifications = {each.pk: each for each in notifications}
        self._circumstances = circumstances
        self._resumed_at = {sender.pk: sender.resumed_at for sender in circumstances.senders}
        self._carrier = carrier
        self._now = now
        ready = [(code, each) for code, each in prepared.items() if isinstance(each, Ready)]
        self._to_start = deque(sorted(ready, key=lambda each: each[1].starts_at))
        self._under_way: dict[uuid.UUID, Ready] = {}
        self._answers: queue.SimpleQueue[Carried] = queue.SimpleQueue()
        self._returned = {code: each for code, each in prepared.items() if not isinstance(each, Ready)}
        self._failures: list[Exception] = []

    def go(self) -> None:
        """Carry all of them to an end. Raises the first error of what could not be written, after all the others."""
        self._put_back()
        while self._to_start or self._under_way:
            self._start()
            self._put_back()
            self._record(list(self._gather()))
        if self._failures:
            raise self._failures[0]

    def _start(self) -> None:
        # What waited for room elsewhere would leave although its account had been stopped meanwhile.
        while self._to_start and self._to_start[0][1].starts_at <= self._now() and self._carrier.room > 0:
            code, ready = self._to_start.popleft()
            obstacle = self._obstacle(self._notifications[code], ready)
            if obstacle:
                self._returned[code] = obstacle
            else:
                self._under_way[code] = ready
                self._carrier.start(code, ready.request, self._answers)

    def _obstacle(self, notification: WhatsAppNotification, ready: Ready) -> Wait | None:
        """What has come in the way since it was made ready: of its sender, or of its lease."""
        at, sender = self._now(), ready.sender
        # Slowed down since: its slot is void, and it asks for another one.
        if _is_nearly_over(notification, at) or sender.resumed_at != self._resumed_at[sender.pk]:
            return Wait(None, at)
        is_essential = message_types.get(notification.message_type).is_essential
        stop = None if ready.is_probe else circuit.obstacle(sender, at, is_essential=is_essential)
        return Wait(stop, max(at, sender.stopped_until or at)) if stop else None

    def _gather(self) -> Iterator[Carried]:
        """The next answers: a group of them, or fewer when it is time to start another message, or none is to come."""
        if not (self._to_start or self._under_way):
            return
        deadline = time.monotonic() + self._patience()
        for _ in range(GROUP):
            try:
                yield self._answers.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return
            deadline = min(deadline, time.monotonic() + GATHER_SECONDS)

    def _patience(self) -> float:
        """Seconds until the next message may start; with none left, as long as a call can take."""
        if not self._to_start:
            return CALL_TIME.total_seconds()
        return max((self._to_start[0][1].starts_at - self._now()).total_seconds(), ROOM_SECONDS)

    def _record(self, answers: Collection[Carried]) -> None:
        records: list[Record] = []
        for each in answers:
            self._carefully(partial(self._read_into, records, each))
        self._carefully(partial(self._write, records))
        if not all(isinstance(each.call.outcome, Accepted) for each in records):
            self._carefully(self._circumstances.look_at_stops)

    def _write(self, records: Sequence[Record]) -> None:
        recording.record_all(records)
        for each in records:
            self._tell(each.claimed)

    def _read_into(self, records: list[Record], carried: Carried) -> None:
        code = cast(uuid.UUID, carried.key)
        ready = self._under_way.pop(code)
        call = _read(ready, carried.answer, carried.started_at, carried.finished_at)
        records.append(Record(self._notifications[code], ready.sender, call))

    def _put_back(self) -> None:
        returned = {self._notifications[code]: each for code, each in self._returned.items()}
        self._returned = {}
        self._carefully(partial(self._write_returned, returned))

    def _write_returned(self, returned: Mapping[WhatsAppNotification, Wait | Refuse]) -> None:
        recording.put_back(returned, self._now())
        for notification in returned:
            self._tell(notification)

    def _carefully(self, write: Callable[[], None]) -> None:
        """Write; what cannot be written, or read, must not keep the answers that come after it from being written."""
        try:
            write()
        except Exception as error:  # noqa: BLE001 - raised by `go`, when nothing is under way any more
            self._failures.append(error)
