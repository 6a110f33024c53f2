"""How fast a sender may go: a slot in time for each message, shared by all workers through Redis.

A generic cell rate algorithm with reservations: a message that must wait gets a slot of its own, so that a backlog
neither exceeds the provider's limits nor comes back all at once. Limits: Meta's "Throughput" (messages per second of a
number) and "Pair rate limit" (one message in 6 seconds to one person, after a burst of 45).
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import redis
from redis.commands.core import Script

from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

PAIR_INTERVAL = timedelta(seconds=6)
PAIR_BURST = 45
SENDER_BURST = timedelta(seconds=1)
# Slots are given out this far ahead; who comes after that asks again.
HORIZON = timedelta(minutes=2)
# A message that comes this late to its slot has lost it.
SLOT_TOLERANCE = timedelta(seconds=10)
# After an outage a sender starts at a tenth of its rate, and is back at all of it after this time.
RAMP = timedelta(minutes=5)
RAMP_START = 0.1
# Without Redis each process goes by itself: slowly, because it does not know of the others.
ALONE_INTERVAL = timedelta(seconds=1)

# KEYS: when each limit is free again. ARGV: horizon, then interval and burst of each limit; all in milliseconds.
# Returns the wait in milliseconds, or -1 when no slot is left before the horizon; then nothing is reserved.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait = 0
local free_at = {}
for i, key in ipairs(KEYS) do
  local burst = tonumber(ARGV[i * 2 + 1])
  free_at[i] = math.max(tonumber(redis.call('GET', key) or 0), now)
  wait = math.max(wait, free_at[i] - burst - now)
end
if wait > tonumber(ARGV[1]) then return -1 end
for i, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[i * 2])
  redis.call('SET', key, free_at[i] + interval, 'PX', math.ceil(free_at[i] + interval - now + 1000))
end
return math.ceil(wait)
"""


@dataclass(frozen=True)
class Slot:
    """When a message may go. `is_reserved` is false when it has to ask again then."""

    wait: timedelta
    is_reserved: bool = True


def reserve(sender: WhatsAppSender, telephone: str, at: datetime) -> Slot:
    """A slot for one message of this sender to this person; no wait means now."""
    interval = timedelta(seconds=1 / (sender.rate_per_second * ramp(sender, at)))
    limits = [interval, SENDER_BURST, PAIR_INTERVAL, PAIR_INTERVAL * (PAIR_BURST - 1)]
    keys = [f"pace:{sender.code}", f"pace:{sender.code}:{_fingerprint(telephone)}"]
    try:
        wait = _script()(keys=keys, args=[_ms(HORIZON), *(_ms(limit) for limit in limits)])
    except redis.RedisError as error:
        logger.error("Redis is away, sending goes on slowly: %s", error)
        return Slot(_alone.reserve())
    if wait == -1:
        return Slot(HORIZON, is_reserved=False)
    return Slot(timedelta(milliseconds=wait))


def holds_slot(slot_at: datetime | None, at: datetime) -> bool:
    """Whether a message that was given this slot may go now without asking again."""
    return slot_at is not None and slot_at <= at <= slot_at + SLOT_TOLERANCE


def ramp(sender: WhatsAppSender, at: datetime) -> float:
    """The part of its rate at which a sender may go: all of it, or less while it comes back from an outage."""
    if sender.resumed_at is None:
        return 1.0
    return min(1.0, RAMP_START + (1 - RAMP_START) * max((at - sender.resumed_at) / RAMP, 0.0))


def _fingerprint(telephone: str) -> str:
    # People's numbers stay out of Redis.
    return hashlib.blake2b(telephone.encode(), digest_size=12).hexdigest()


def _ms(duration: timedelta) -> float:
    # Not rounded: 80 messages per second are one in 12.5 ms.
    return duration / timedelta(milliseconds=1)


@cache
def _script() -> Script:
    return shared_memory.client().register_script(_RESERVE)


class _Alone:
    """This process's own pace, for when Redis is away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_at = 0.0

    def reserve(self) -> timedelta:
        with self._lock:
            now = time.monotonic()
            wait = max(self._free_at - now, 0.0)
            self._free_at = max(self._free_at, now) + ALONE_INTERVAL.total_seconds()
        return timedelta(seconds=wait)


_alone = _Alone()
