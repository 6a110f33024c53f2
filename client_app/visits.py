"""How often an address asks for parcels without an account, so that nobody finds numbers by trying.

Counted in the Redis that all processes share; while it is away, each process counts for itself.
"""

import ipaddress
import logging
import threading
from datetime import datetime, timedelta
from typing import NamedTuple

import redis

from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

PERIOD = timedelta(minutes=10)
# Far more than somebody who mistypes.
MISSES = 20
# A mobile operator puts many clients behind one address; at this pace, finding one parcel among 32^8 numbers takes
# years.
REQUESTS = 600
# Addresses that a process remembers while Redis is away.
REMEMBERED = 10_000


class _Count(NamedTuple):
    number: int
    until: datetime


_here: dict[str, _Count] = {}
_lock = threading.Lock()


def wait_of(address: str, at: datetime) -> timedelta:
    """Count a request from this address; how long it has to wait before it is answered, usually zero."""
    return _wait(_key("requests", address), REQUESTS, at)


def wait_of_miss(address: str, at: datetime) -> timedelta:
    """Count a number of nobody that was tried from this address; how long to wait before the next one, usually zero.

    A right number opens all the while: others behind the same address do not pay for who tries.
    """
    return _wait(_key("misses", address), MISSES, at)


def _wait(key: str, most: int, at: datetime) -> timedelta:
    count = _counted(key, at)
    return count.until - at if count.number > most else timedelta()


def _counted(key: str, at: datetime) -> _Count:
    """Add one to the count of this name; how it stands."""
    try:
        return _counted_by_all(key, at)
    except redis.RedisError as error:
        logger.error("Redis is away, each process counts visits for itself: %s", error)
        with _lock:
            return _counted_here(key, at)


def _counted_by_all(key: str, at: datetime) -> _Count:
    with shared_memory.client().pipeline() as steps:
        steps.incr(key)
        # The period begins with the first one.
        steps.pexpire(key, PERIOD, nx=True)
        steps.pttl(key)
        number, _begins, left = steps.execute()
    return _Count(number, at + timedelta(milliseconds=left))


def _counted_here(key: str, at: datetime) -> _Count:
    if len(_here) >= REMEMBERED:
        _here.clear()
    known = _here.get(key)
    if known is None or known.until <= at:
        known = _Count(0, at + PERIOD)
    _here[key] = _Count(known.number + 1, known.until)
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
