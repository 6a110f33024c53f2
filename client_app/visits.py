"""How often an address asks for parcels without an account, so that nobody finds numbers by trying.

Counted in the Redis that all processes share; while it is away, each process counts for itself.
"""

import ipaddress
import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import redis

from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

PERIOD = timedelta(minutes=10)
# Far more than somebody who mistypes; at this pace, finding one parcel among 32^8 numbers takes for ever.
MISSES = 20
# A whole office behind one address may look after its parcels.
REQUESTS = 120
# Addresses that a process remembers while Redis is away.
REMEMBERED = 10_000


class _Count(NamedTuple):
    number: int
    until: datetime


_here: dict[str, _Count] = {}
_lock = threading.Lock()


def wait_of(address: str, at: datetime) -> timedelta:
    """Count a request from this address; how long it has to wait before the next one is answered, usually zero."""
    requests, misses = _counted({_key("requests", address): 1, _key("misses", address): 0}, at)
    ends = [count.until for count, most in ((requests, REQUESTS), (misses, MISSES - 1)) if count.number > most]
    return max(ends, default=at) - at


def note_miss(address: str, at: datetime) -> None:
    """Count a number of nobody that was tried from this address."""
    _counted({_key("misses", address): 1}, at)


def _counted(more: Mapping[str, int], at: datetime) -> list[_Count]:
    """Add these numbers to the counts of these names; how they stand."""
    try:
        return _counted_by_all(more, at)
    except redis.RedisError as error:
        logger.error("Redis is away, each process counts visits for itself: %s", error)
        with _lock:
            return [_counted_here(key, number, at) for key, number in more.items()]


def _counted_by_all(more: Mapping[str, int], at: datetime) -> list[_Count]:
    with shared_memory.client().pipeline() as steps:
        for key, number in more.items():
            steps.incrby(key, number)
            # The period begins with the first one.
            steps.pexpire(key, PERIOD, nx=True)
            steps.pttl(key)
        answers = steps.execute()
    return [
        _Count(number, at + timedelta(milliseconds=left))
        for number, left in zip(answers[::3], answers[2::3], strict=True)
    ]


def _counted_here(key: str, number: int, at: datetime) -> _Count:
    if len(_here) >= REMEMBERED:
        _here.clear()
    known = _here.get(key)
    if known is None or known.until <= at:
        known = _Count(0, at + PERIOD)
    _here[key] = _Count(known.number + number, known.until)
    return _here[key]


def _key(what: str, address: str) -> str:
    return f"tracking:{what}:{_neighbourhood(address)}"


def _neighbourhood(address: str) -> str:
    """Who shares the address: with IPv6 one subscriber has 2^64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else address
