"""Part: the memory of the workers while they send a hundred thousand messages."""

import time
from contextlib import ExitStack

from benchmarks import contenders
from benchmarks.environment import Environment, Provider
from benchmarks.figures import Figure, at_most
from benchmarks.machine import memory
from benchmarks.ours import Bulk, Ours

LOOK_SECONDS = 0.2
COLUMN = "MB of the largest worker"
# What the first steps allocate belongs to the start.
SETTLED_STEPS = 2


def run(environment: Environment) -> list[Figure]:
    sizes = environment.sizes
    environment.valkey.flush()
    with ExitStack() as stack:
        provider = stack.enter_context(environment.provider(0))
        contender = Ours(environment, Bulk())
        contender.start(provider, stack)
        seen = {0: _largest(contender)}
        environment.say(f"memory: {sizes.memory:,} messages")
        contender.prepare(sizes.memory)
        contender.go()
        for sent in range(sizes.memory_step, sizes.memory + 1, sizes.memory_step):
            _wait_for(contender, provider, sent)
            seen[sent] = _largest(contender)
            environment.say(f"memory: {seen[sent]:.0f} MB after {sent:,} messages")
        contenders.wait(contender, provider, sizes.memory)
        contender.verify()
    environment.drop_database("ours")
    return _figures(seen)


def _largest(contender: Ours) -> float:
    return max(memory(worker.pid) for worker in contender.system.workers)


def _wait_for(contender: Ours, provider: Provider, count: int) -> None:
    moved_at, seen = time.monotonic(), -1
    while (taken := int(provider.counts()["requests"])) < count:
        contender.check()
        if taken != seen:
            moved_at, seen = time.monotonic(), taken
        elif time.monotonic() - moved_at > contenders.STALL_SECONDS:
            raise contenders.Stalled(f"{taken} of {count} messages taken, and nothing moves")
        time.sleep(LOOK_SECONDS)


def _figures(seen: dict[int, float]) -> list[Figure]:
    sent = max(seen)
    rows = [
        Figure(f"after {count:,} messages" if count else "before", COLUMN, (size,)) for count, size in seen.items()
    ]
    settled = list(seen.values())[SETTLED_STEPS]
    return [
        *rows,
        Figure("largest", COLUMN, (max(seen.values()),), at_most(200), f"worker memory up to {sent:,} messages: MB"),
        Figure(
            "growth since the second step, %",
            COLUMN,
            (100 * (seen[sent] / settled - 1),),
            at_most(10),
            "growth of a worker’s memory since the second tenth of them: % (flat)",
        ),
    ]
