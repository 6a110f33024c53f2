"""What happens to the system in the middle of its work. Each is a context manager: messages are owed meanwhile."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.system import CONFIRMATION_SECONDS, LEASE_SECONDS, System
from tests.waiting import eventually

POSTGRES_AWAY_SECONDS = 2
BROKER_AWAY_SECONDS = CONFIRMATION_SECONDS + 3
SENT_WITHOUT_BROKER = 4
KILLS_AT_LEAST = 6
FROZEN_SECONDS = LEASE_SECONDS + CONFIRMATION_SECONDS + 3


@contextmanager
def nothing(system: System) -> Iterator[None]:
    yield


@contextmanager
def workers_killed(system: System) -> Iterator[None]:
    """One worker that somebody picked blindly, every second."""
    over = threading.Event()
    kill_count = max(KILLS_AT_LEAST, len(system.codes) // 10)

    def kill() -> None:
        for _ in range(kill_count):
            random.choice(system.supervisor.named("worker")).kill()
            system.interruptions += 1
            over.wait(1)

    with _meanwhile(kill):
        yield


@contextmanager
def workers_frozen(system: System) -> Iterator[None]:
    """The workers that froze at their step wake up when everybody has given them up."""
    yield
    eventually(system.orders.victims, "a worker froze")
    system.orders.cancel()
    _wait(FROZEN_SECONDS)
    for worker in system.supervisor.named("worker"):
        worker.wake()


@contextmanager
def valkey_flushed(system: System) -> Iterator[None]:
    system.valkey.flush()
    system.interruptions += 1
    yield


@contextmanager
def valkey_restarted(system: System) -> Iterator[None]:
    system.valkey.kill()
    system.valkey.start()
    system.interruptions += 1
    yield


@contextmanager
def valkey_away(system: System) -> Iterator[None]:
    """Away while messages are owed and receipts come in, for longer than the confirmation time; sending goes on."""
    owed = len(system.codes)
    system.wait_for_accepted(owed)
    system.valkey.kill()
    system.interruptions += 1
    try:
        yield
        _wait(BROKER_AWAY_SECONDS)
        system.wait_for_accepted(owed + SENT_WITHOUT_BROKER)
    finally:
        system.valkey.start()


@contextmanager
def postgres_killed(system: System) -> Iterator[None]:
    def kill_and_start() -> None:
        system.postgres.kill()
        system.interruptions += 1
        _wait(POSTGRES_AWAY_SECONDS)
        system.postgres.start()

    with _meanwhile(kill_and_start):
        yield


@contextmanager
def web_away(system: System) -> Iterator[None]:
    """Away until the provider has accepted everything."""
    system.stop_web()
    system.interruptions += 1
    try:
        yield
        system.wait_for_accepted(len(system.codes))
    finally:
        system.start_web()


@contextmanager
def _meanwhile(deed: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=deed)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
