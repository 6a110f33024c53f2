"""Sending without the broker: while Redis is away, each worker process sends by itself what is due, one by one.

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

from whatsapp_monitoring_app.services import delivery, pacing, recovery, shared_memory, webhooks

logger = logging.getLogger(__name__)

LOOK_INTERVAL = timedelta(seconds=settings.WHATSAPP_STANDBY_SECONDS)
# Away at two looks in a row: a restart of Redis is not worth the trouble.
LOOKS = 2


class Standby:
    """A thread of a worker process; `start` and `stop` it with the worker."""

    def __init__(self) -> None:
        self._over = threading.Event()
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
        while not self._over.wait(LOOK_INTERVAL.total_seconds()):
            silences = 0 if _redis_answers() else silences + 1
            if silences >= LOOKS:
                self._stand_in()
                silences = 0

    def _stand_in(self) -> None:
        logger.warning("Redis is away: this worker sends by itself, slowly")
        recovered_at = None
        while not self._over.wait(pacing.ALONE_INTERVAL.total_seconds()):
            if _redis_answers():
                logger.warning("Redis is back")
                return
            at = timezone.now()
            if recovered_at is None or at - recovered_at >= recovery.SWEEP_INTERVAL:
                recovered_at = at
                _carefully(recover)
            _carefully(send_one)


def recover(at: datetime) -> None:
    """What recovery does every minute, without publishing anything."""
    recovery.run(at)
    for log_id in recovery.lost_webhooks(at):
        webhooks.process(log_id, at)


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
        logger.exception("Standing in for the broker failed")
    finally:
        close_old_connections()


def _redis_answers() -> bool:
    try:
        return bool(shared_memory.client().ping())
    except redis.RedisError:
        return False
