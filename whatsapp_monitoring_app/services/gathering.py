"""Messages that are rung for one by one, and leave together while many do.

One that leaves alone costs a claim, a transaction and a thread's connection of its own: several times what one of a
group costs. While a few are under way in this process, whoever comes waits a moment for those that come next; nobody
waits otherwise.
"""

import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta

from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import delivery

logger = logging.getLogger(__name__)

BUSY = 4  # messages under way
MOMENT_SECONDS = 0.02
# Whoever has no slot yet goes back to the queue: it is not held here, where others wait for a thread.
AHEAD = timedelta()


class _Ticket(Future[WhatsAppNotification | None]):
    """What is to become of one message: as stored afterwards, or None when the group could not take it along."""

    def __init__(self, code: uuid.UUID) -> None:
        super().__init__()
        self.code = code


class Gathering:
    """Where the threads of a process meet that have one message each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._under_way = 0

    def deliver(self, code: uuid.UUID) -> WhatsAppNotification | None:
        """What `delivery.deliver` promises. Raises what went wrong with this message, or with all of its group."""
        ticket = _Ticket(code)
        with self._lock:
            self._waiting.append(ticket)
            is_first, is_busy = len(self._waiting) == 1, self._under_way >= BUSY
        if is_first:
            if is_busy:
                time.sleep(MOMENT_SECONDS)
            self._leave()
        # A group takes nobody along whose row is being written to at that moment; alone one waits for it.
        return ticket.result() or self._deliver_alone(code)

    def _leave(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        with self._counted(len(group)):
            _deliver_together(group)

    def _deliver_alone(self, code: uuid.UUID) -> WhatsAppNotification | None:
        with self._counted(1):
            return delivery.deliver(code)

    @contextmanager
    def _counted(self, count: int) -> Iterator[None]:
        with self._lock:
            self._under_way += count
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= count


def _deliver_together(group: Sequence[_Ticket]) -> None:
    """Try to send the messages of these, and tell each what became of it as soon as that is written.

    One alone needs no group.
    """
    tickets = defaultdict(list)
    for ticket in group:
        tickets[ticket.code].append(ticket)

    def tell(notification: WhatsAppNotification) -> None:
        tickets[notification.pk].pop().set_result(notification)

    error: Exception | None = None
    try:
        if len(group) > 1:
            delivery.deliver_all(list(tickets), ahead=AHEAD, tell=tell)
    except Exception as what:
        logger.exception("A group of %s messages did not come to a good end", len(group))
        error = what
    finally:  # whatever happens: their threads wait for it
        _settle_the_others(group, error)


def _settle_the_others(group: Sequence[_Ticket], error: Exception | None) -> None:
    for ticket in group:
        if ticket.done():
            continue
        if error is None:
            ticket.set_result(None)
        else:
            ticket.set_exception(error)


_gathering = Gathering()
deliver = _gathering.deliver
