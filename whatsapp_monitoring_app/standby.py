"""What a worker process does by itself, in a thread: it gives signs of life, and sends while the broker is away.

With each sign of life it adds up what the ledger of counts has noted.

While Redis is away, each worker process sends by itself what is due, one by one.

The database is the queue, so nothing but the doorbell is missing. It goes slowly, because without Redis the processes
do not know of one another's pace.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import Error, close_old_connections
from django.utils import timezone

from whatsapp_monitoring_app.services import (
    delivery,
    pacing,
    pulses,
    recovery,
    shared_memory,
    tallies,
    watch,
    webhooks,
)

logger = logging.getLogger(__name__)

LOOK_INTERVAL = timedelta(seconds=settings.WHATSAPP_STANDBY_SECONDS)
# How often a worker looks after the alerts when nobody asks it to.
WATCH_INTERVAL = timedelta(minutes=1)
# Away at two looks in a row: a restart of Redis is not worth the trouble.
LOOKS = 2
# So many times hundreds of webhook payloads are applied, at most, before messages are sent again.
ROUNDS = 20


class Standby:
    """A thread of a worker process; `start` and `stop` it with the worker."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._noted_at: datetime | None = None
        self._watched_at: datetime | None = None
        self._thread = threading.Thread(target=self._watch, name="standby", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()

    def join(self) -> None:
        """Let a call that is under way end."""
        self.stop()
        self._thread.join(delivery.CALL_TIME.total_seconds())

    def _watch(self) -> None:
        silences = 0
        self._live()
        while not self._over.wait(LOOK_INTERVAL.total_seconds()):
            self._live()
            silences = 0 if _redis_answers() else silences + 1
            if silences >= LOOKS:
                self._stand_in()
                silences = 0

    def _live(self) -> None:
        """Give a sign of life when it is time; and look after the alerts when beat, which asks for it, is silent."""
        at = timezone.now()
        if self._noted_at is None or at - self._noted_at >= pulses.INTERVAL:
            self._noted_at = at
            pulses.note_if_possible(pulses.Part.WORKER, at)
            _carefully(add_up)
        if self._watched_at is None or at - self._watched_at >= WATCH_INTERVAL:
            self._watched_at = at
            _carefully(watch_for_beat)

    def _stand_in(self) -> None:
        logger.warning("Redis is away: this worker sends by itself, slowly")
        recovered_at = None
        while not self._over.wait(pacing.ALONE_INTERVAL.total_seconds()):
            if _redis_answers():
                logger.warning("Redis is back")
                return
            self._live()
            at = timezone.now()
            if recovered_at is None or at - recovered_at >= recovery.SWEEP_INTERVAL:
                recovered_at = at
                _carefully(recover)
            _carefully(send_one)


def recover(at: datetime) -> None:
    """What recovery does every minute, without publishing anything."""
    recovery.run(at)
    watch.look_alone(at)
    for _ in range(ROUNDS):
        if not webhooks.apply_unread(at):
            break


def watch_for_beat(at: datetime) -> None:
    """Look after the alerts, if beat was here and gives no sign of life."""
    if pulses.look(at).beat.life is pulses.Life.SILENT:
        watch.look_alone(at)


def add_up(at: datetime) -> None:
    """Keep the changes few that everybody adds up who reads the figures; one worker does it, none waits."""
    tallies.fold()


def send_one(at: datetime) -> None:
    """Send the most urgent notification that is due, if there is one."""
    for bell in recovery.to_ring(at, limit=1):
        delivery.deliver(bell.code)


def _carefully(step: Callable[[datetime], None]) -> None:
    try:
        step(timezone.now())
    except Error as error:
        logger.error("The database is away too: %s", error)
    except Exception:
        logger.exception("The standby could not %s", step.__name__)
    finally:
        close_old_connections()


def _redis_answers() -> bool:
    try:
        return bool(shared_memory.client().ping())
    except redis.RedisError:
        return False
