"""Ways of sending, measured by the same procedure: set up, warmed up, let go, waited for, counted, stopped."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from benchmarks.environment import Environment, Provider
from benchmarks.machine import Meter

LOOK_SECONDS = 0.1
# Recovery and its patience included: what was not finished after so long without any progress never will be.
STALL_SECONDS = 200


class Lost(AssertionError):
    """What the provider took is not what the database knows: the figure would be worth nothing."""


class Stalled(RuntimeError):
    """Nothing has moved for so long that nothing will."""


class Contender(Protocol):
    """A way of sending text messages by HTTP that records each in PostgreSQL."""

    name: str

    def start(self, provider: Provider, stack: ExitStack) -> None:
        """Make a new database, and start all processes; they end with the stack."""

    def prepare(self, count: int) -> None:
        """Have so many more messages ready, as far as that does not belong to what is measured."""

    def go(self) -> None:
        """Let what was prepared leave."""

    def finished(self) -> int:
        """How many messages are over, by a count that costs little: it is asked while the clock runs."""

    def recorded(self) -> int:
        """How many messages are recorded as accepted, each with what its way keeps of the call."""

    def check(self) -> None:
        """Raises processes.Died."""

    def verify(self) -> None:
        """Raises Lost when the rows say that something was sent twice."""

    @property
    def processes(self) -> list[int]:
        """The roots of its families of processes, without the servers."""


@dataclass(frozen=True)
class Run:
    """What came of one run. `work` is processor seconds by family of processes."""

    count: int
    seconds: float
    work: dict[str, float]

    @property
    def rate(self) -> float:
        """Messages per second, from the order to the last one recorded."""
        return self.count / self.seconds

    def cost(self, family: str) -> float:
        """Processor milliseconds per message."""
        return self.work[family] / self.count * 1000

    @property
    def whole_cost(self) -> float:
        """The same of everything that runs, the provider included."""
        return sum(map(self.cost, self.work))


def run(environment: Environment, contender: Contender, latency: float, count: int) -> Run:
    """Send so many messages by this contender. Raises Lost, Stalled, processes.Died."""
    environment.valkey.flush()
    with ExitStack() as stack:
        provider = stack.enter_context(environment.provider(latency))
        contender.start(provider, stack)
        warm_up = min(environment.sizes.warm_up, count)
        contender.prepare(warm_up)
        contender.go()
        wait(contender, provider, warm_up)
        contender.prepare(count)
        measured = _measure(environment, contender, provider, count)
        compare(contender, provider, warm_up + count)
    environment.say(
        f"{contender.name}: {measured.rate:,.0f} messages/s, {measured.whole_cost:.2f} ms of processors each"
    )
    return measured


def _measure(environment: Environment, contender: Contender, provider: Provider, count: int) -> Run:
    total = contender.finished() + count
    families = {"application": contender.processes, **environment.servers, "provider": [provider.pid]}
    meter = Meter(families)
    started = time.perf_counter()
    contender.go()
    wait(contender, provider, total)
    seconds = time.perf_counter() - started
    return Run(count, seconds, meter.read())


def wait(contender: Contender, provider: Provider, total: int) -> None:
    """Return when `total` messages are recorded. Raises Stalled, processes.Died."""
    seen, seen_at = -1, time.monotonic()
    while (done := _progress(contender, provider, total)) < total:
        contender.check()
        if done != seen:
            seen, seen_at = done, time.monotonic()
        elif time.monotonic() - seen_at > STALL_SECONDS:
            raise Stalled(f"{contender.name}: {contender.finished()} of {total} recorded, and nothing moves")
        time.sleep(LOOK_SECONDS if done < total * 0.98 else LOOK_SECONDS / 2)


def _progress(contender: Contender, provider: Provider, total: int) -> int:
    """The database is asked only when the provider has taken everything: it has other work."""
    taken = int(provider.counts()["requests"])
    return min(taken, contender.finished()) if taken >= total else min(taken, total - 1)


def compare(contender: Contender, provider: Provider, total: int) -> None:
    """Raises Lost unless `total` were owed, taken by the provider and recorded, each once."""
    taken, recorded = int(provider.counts()["requests"]), contender.recorded()
    if not taken == recorded == total:
        raise Lost(f"{contender.name}: {total} owed, {taken} taken by the provider, {recorded} recorded")
    contender.verify()
