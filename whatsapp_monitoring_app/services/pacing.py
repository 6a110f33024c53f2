"""How fast an account may go: a slot in time for each message, shared by all workers through Redis.

A generic cell rate algorithm with reservations: a message that must wait gets a slot of its own, so that a backlog
neither exceeds the provider's limits nor comes back all at once. The rate is shared out between lanes: a message takes
the first free slot of its own lane and of those below it, so that it never waits for less urgent ones.

Limits: Meta's "Throughput" (messages per second of a number) and "Pair rate limit" (one message in 6 seconds to one
person, after a burst of 45).
"""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import redis
from redis.commands.core import Script

from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

PAIR_INTERVAL = timedelta(seconds=6)
PAIR_BURST = 45
# So little that the first second at 70 messages stays within the 80 of the provider's limit.
LANE_BURST = timedelta(milliseconds=100)
# Slots are given out this far ahead; who comes after that asks again, when the sweep has come by.
HORIZON = timedelta(minutes=2)
ASK_AGAIN_AFTER = HORIZON + timedelta(minutes=1)
# A message that comes this late to its slot has lost it.
SLOT_TOLERANCE = timedelta(seconds=10)
# After an outage a sender starts at a tenth of its rate, and is back at all of it after this time.
RAMP = timedelta(minutes=5)
RAMP_START = 0.1
# Without Redis each process goes by itself: slowly, because it does not know of the others.
ALONE_INTERVAL = timedelta(seconds=1)


class Lane(NamedTuple):
    """A part of an account's rate, for messages of at most this priority (1 is the most urgent)."""

    name: str
    lowest_priority: int
    share: float


# A bulk goes at four fifths of the rate; a new urgent message waits for urgent messages only.
LANES = (Lane("urgent", 2, 0.1), Lane("normal", 3, 0.1), Lane("bulk", 5, 0.8))

# KEYS: the brake, when each lane is free again, when each message's person is. ARGV: the number of lanes, the horizon,
# then interval and burst of the person and of each lane; in milliseconds. Returns the wait of each message, or -1 and
# reserves nothing where the horizon is full.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local brake = math.max(redis.call('PTTL', KEYS[1]), 0)
local lanes, horizon = tonumber(ARGV[1]), tonumber(ARGV[2])
local function interval(i) return tonumber(ARGV[i * 2 + 3]) end
local function burst(i) return tonumber(ARGV[i * 2 + 4]) end
local function free_at(i) return math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now) end
local function wait_of(lane) return math.max(free_at(lane + 1) - burst(lane) - now, 0) end
local function take(key, limit)
  local free = math.max(free_at(key), now + brake) + interval(limit)
  redis.call('SET', KEYS[key], free, 'PX', math.ceil(free - now + 1000))
end
local waits = {}
for person = lanes + 2, #KEYS do
  local lane = 1
  for i = 2, lanes do
    if wait_of(i) < wait_of(lane) then lane = i end
  end
  local wait = math.max(free_at(person) - burst(0) - now, 0, wait_of(lane), brake)
  if wait > horizon then
    wait = -1
  else
    take(person, 0)
    take(lane + 1, lane)
  end
  waits[#waits + 1] = math.ceil(wait)
end
return waits
"""


# KEYS: the brake, the ramp. ARGV: interval and burst of the ramp in milliseconds, no interval at the full rate.
# Returns whether a slot that is held already may be used now.
_HOLD = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local interval = tonumber(ARGV[1])
if interval == 0 then return 1 end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local free = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), now)
if free - now > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], free + interval, 'PX', math.ceil(free + interval - now + 1000))
return 1
"""
RAMP_BURST = timedelta(seconds=1)


@dataclass(frozen=True)
class Slot:
    """When a message may go. `is_reserved` is false when it has to ask again then."""

    wait: timedelta
    is_reserved: bool = True


def reserve(sender: WhatsAppSender, telephone: str, at: datetime, priority: int = LANES[-1].lowest_priority) -> Slot:
    """A slot for one message of this sender to this person; no wait means now."""
    return reserve_all(sender, [telephone], at, priority)[0]


def reserve_all(sender: WhatsAppSender, telephones: Sequence[str], at: datetime, priority: int) -> list[Slot]:
    """The same for a message to each of these people, in this order, asked at once."""
    lanes = [lane for lane in LANES if priority <= lane.lowest_priority]
    names = ["brake", *(lane.name for lane in lanes), *map(_fingerprint, telephones)]
    limits = [PAIR_INTERVAL, PAIR_INTERVAL * (PAIR_BURST - 1)]
    for lane in lanes:
        limits += [timedelta(seconds=1 / (sender.rate_per_second * ramp(sender, at) * lane.share)), LANE_BURST]
    arguments = [len(lanes), _ms(HORIZON), *(_ms(limit) for limit in limits)]
    try:
        waits = _script(_RESERVE)(keys=[_key(sender, name) for name in names], args=arguments)
    except redis.RedisError as error:
        logger.error("Redis is away, sending goes on slowly: %s", error)
        return [Slot(_alone.reserve()) for _ in telephones]
    return [_slot(wait) for wait in waits]


def _slot(wait: int) -> Slot:
    if wait == -1:
        return Slot(ASK_AGAIN_AFTER, is_reserved=False)
    return Slot(timedelta(milliseconds=wait))


def holds_slot(sender: WhatsAppSender, slot_at: datetime | None, at: datetime) -> bool:
    """Whether a message that was given this slot by this sender may go now without asking again.

    A slot may have been given before the account was slowed down: of those, no more are good than the ramp lets pass.
    """
    return hold_all(sender, [slot_at], at)[0]


def hold_all(
    sender: WhatsAppSender, slots: Sequence[datetime | None], at: datetime, ahead: timedelta = timedelta()
) -> list[bool]:
    """The same for several messages, in one question; with `ahead`, also of slots that come so soon."""
    timely = [slot is not None and slot - ahead <= at <= slot + SLOT_TOLERANCE for slot in slots]
    if not any(timely):
        return timely
    part = ramp(sender, at)
    if part == 1:
        is_free = _may_pass(sender, timedelta())
        return [is_timely and is_free for is_timely in timely]
    interval = timedelta(seconds=1 / (sender.rate_per_second * part))
    return [is_timely and _may_pass(sender, interval) for is_timely in timely]


def _may_pass(sender: WhatsAppSender, interval: timedelta) -> bool:
    """Whether no brake is in the way, nor, with an interval, the ramp."""
    keys = [_key(sender, "brake"), _key(sender, "ramp")]
    try:
        return bool(_script(_HOLD)(keys=keys, args=[_ms(interval), _ms(RAMP_BURST)]))
    except redis.RedisError as error:
        logger.error("Redis is away, nobody knows of a brake: %s", error)
        return True  # the pace was found when the slot was given


def brake(sender: WhatsAppSender, wait: timedelta) -> None:
    """Let nothing of this account go before `wait` is over; slots before that are lost."""
    key, milliseconds = _key(sender, "brake"), math.ceil(_ms(wait))
    try:
        # Both in one transaction: of two brakes at the same moment the longer one counts.
        pipeline = shared_memory.client().pipeline()
        pipeline.set(key, "", px=milliseconds, nx=True)
        pipeline.pexpire(key, milliseconds, gt=True)
        pipeline.execute()
    except redis.RedisError as error:
        logger.error("Redis is away, %s cannot be slowed down: %s", sender.code, error)


def ramp(sender: WhatsAppSender, at: datetime) -> float:
    """The part of its rate at which a sender may go: all of it, or less while it comes back from an outage."""
    if sender.resumed_at is None:
        return 1.0
    return min(1.0, RAMP_START + (1 - RAMP_START) * max((at - sender.resumed_at) / RAMP, 0.0))


def most_within(duration: timedelta) -> int:
    """How many messages all accounts together can send in this time, at their full rates."""
    rates = {sender.account_key: sender.rate_per_second for sender in WhatsAppSender.objects.defer("token")}
    return math.ceil(sum(rates.values()) * duration.total_seconds())


def _key(sender: WhatsAppSender, name: str) -> str:
    return f"pace:{sender.account_key}:{name}"


def _fingerprint(telephone: str) -> str:
    # People's numbers stay out of Redis.
    return hashlib.blake2b(telephone.encode(), digest_size=12).hexdigest()


def _ms(duration: timedelta) -> float:
    # Not rounded: 80 messages per second are one in 12.5 ms.
    return duration / timedelta(milliseconds=1)


@cache
def _script(source: str) -> Script:
    return shared_memory.client().register_script(source)


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
