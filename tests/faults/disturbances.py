"""What happens to the system in the middle of its work. Each is a context manager: messages are owed meanwhile."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.faults.orders import Way
from tests.faults.system import CONFIRMATION_SECONDS, LEASE_SECONDS, System
from tests.waiting import eventually

POSTGRES_AWAY_SECONDS = 2
VALKEY_AWAY_SECONDS = 2
PROVIDER_AWAY_SECONDS = 1
PROVIDER_HANGS_SECONDS = 2.5
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
    kill_count = max(KILLS_AT_LEAST, system.owed_count // 10)

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
    for way in Way:
        eventually(partial(system.orders.victims, way), f"a worker froze that sends {way}")
    system.orders.cancel()
    _wait(FROZEN_SECONDS)
    _wake_the_workers(system)


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
    owed = system.owed_count
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
def postgres_restarted_among_answers(system: System) -> Iterator[None]:
    """Started again while a worker has a group of answers in hand, and back before its lease is over."""
    with _amid_a_group(system):
        system.postgres.stop()
    with _meanwhile(system.postgres.start):
        yield


@contextmanager
def valkey_away_amid_a_group(system: System) -> Iterator[None]:
    """Away while requests of a group are under way and others are about to leave."""
    with _amid_a_group(system):
        system.valkey.kill()
    try:
        yield
        _wait(VALKEY_AWAY_SECONDS)
    finally:
        system.valkey.start()


@contextmanager
def provider_killed_amid_a_group(system: System) -> Iterator[None]:
    """Every connection is reset while some requests of a group are under way; the others find nobody."""
    _let_a_group_be_under_way(system)
    system.line.cut()
    try:
        yield
        _wait(PROVIDER_AWAY_SECONDS)
    finally:
        system.line.mend()


@contextmanager
def provider_hangs_amid_a_group(system: System) -> Iterator[None]:
    """Nothing passes for longer than anybody waits for an answer; then everything does."""
    _let_a_group_be_under_way(system)
    system.line.jam()
    try:
        yield
        _wait(PROVIDER_HANGS_SECONDS)
    finally:
        system.line.clear()


@contextmanager
def _amid_a_group(system: System) -> Iterator[None]:
    """The block runs while the worker that sends a group stands still at the ordered step."""
    eventually(partial(system.orders.victims, Way.TOGETHER), "a worker stands still in the middle of a group")
    system.orders.cancel()
    system.interruptions += 1
    yield
    _wake_the_workers(system)


def _let_a_group_be_under_way(system: System) -> None:
    """Until the provider, who takes his time to answer, has one of those that leave together."""
    alone = set(system.owed[Way.ALONE])
    eventually(lambda: any(message["tracking"] not in alone for message in system.accepted()), "a group is under way")
    system.interruptions += 1


def _wake_the_workers(system: System) -> None:
    for worker in system.supervisor.named("worker"):
        worker.wake()


@contextmanager
def web_away(system: System) -> Iterator[None]:
    """Away until the provider has accepted everything."""
    system.stop_web()
    system.interruptions += 1
    try:
        yield
        system.wait_for_accepted(system.owed_count)
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
