"""Part: whether senders notice that a million old messages are deleted.

One process deletes as the task of the night does. Another one claims and records a message every 20 ms: before that,
meanwhile, and afterwards.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from benchmarks import old_messages
from benchmarks.environment import Environment
from benchmarks.figures import Figure, at_most
from benchmarks.machine import Meter
from benchmarks.processes import Helper

EVERY = 0.02  # seconds between two messages of the sender
WARM_UP = 20
BEFORE, MEANWHILE, AFTER = "before", "meanwhile", "after"
PERCENTILES = (95, 99, 99.9)
WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


@dataclass(frozen=True)
class Deletion:
    """What it took; `work` is processor seconds by family of processes."""

    messages: int
    seconds: float
    megabytes: float
    work: dict[str, float]


def run(environment: Environment) -> list[Figure]:
    """Once, however many rounds there are: one deletion is thousands of sends."""
    old = environment.sizes.old_rows
    environment.valkey.flush()
    url = environment.fresh_database("cleanup")
    variables = environment.variables(url)
    with (
        ThreadPoolExecutor(1) as pool,
        environment.helper("sender", variables) as sender,
        environment.helper("deleter", variables) as deleter,
    ):
        deleter.ask("leave_a_sample")
        environment.say(f"cleanup: filling {old:,} old messages")
        old_messages.fill(url, old)
        environment.say("cleanup: sending before, while and after they are deleted")
        _send(sender, WARM_UP)
        before = _send(sender, environment.sizes.quiet_sends)
        deleting = pool.submit(_delete, environment, url, deleter)
        meanwhile = list(_sending(sender, deleting.done))
        deletion = deleting.result()
        after = _send(sender, environment.sizes.quiet_sends)
    old_messages.check_that_they_are_gone(url, old)
    environment.drop_database("cleanup")
    environment.say(f"cleanup: {deletion.messages / deletion.seconds:,.0f} messages/s")
    sends = {BEFORE: before, MEANWHILE: meanwhile, AFTER: after}
    return [*_times(sends), *_longest(sends, deletion), *_costs(deletion)]


def _sending(sender: Helper, is_over: Callable[[], bool]) -> Iterator[float]:
    """Send one message after the other until it is over, but one in any case; the milliseconds of each."""
    while True:
        took = float(sender.ask("send"))
        yield took
        time.sleep(max(0, EVERY - took / 1000))
        if is_over():
            return


def _send(sender: Helper, count: int) -> list[float]:
    return list(islice(_sending(sender, lambda: False), count))


def _delete(environment: Environment, url: str, deleter: Helper) -> Deletion:
    families = {
        "Python": [deleter.pid],
        "PostgreSQL, the backend of the deletion": [deleter.ask("backend")],
        "PostgreSQL, all of it, with the sender’s": environment.servers["PostgreSQL"],
    }
    written, meter = environment.query(url, WRITTEN)[0][0], Meter(families)
    started = time.perf_counter()
    messages = deleter.ask("delete")
    seconds, work = time.perf_counter() - started, meter.read()
    return Deletion(messages, seconds, float(environment.query(url, WRITTEN)[0][0] - written) / 1e6, work)


def _times(sends: dict[str, list[float]]) -> list[Figure]:
    quiet = statistics.median(sends[BEFORE])
    return [
        Figure(row, when, (value,)) for when, took in sends.items() for row, value in _described(took, quiet).items()
    ]


def _described(took: Sequence[float], quiet: float) -> dict[str, float]:
    slow = sum(each > 2 * quiet for each in took)
    return {
        "sends": len(took),
        "a send, median: ms": statistics.median(took),
        **{f"a send, {percent:g} %: ms": _percentile(took, percent) for percent in PERCENTILES},
        "a send, the longest: ms": max(took),
        "sends longer than twice the median before": slow,
        "the same, % of all": 100 * slow / len(took),
    }


def _longest(sends: dict[str, list[float]], deletion: Deletion) -> list[Figure]:
    """Of which something is required; the same without the deletion stands beside it."""
    name = f"a sender while {deletion.messages:,} old messages are deleted: the longest send, times the median before"
    quiet = statistics.median(sends[BEFORE])
    limits = {MEANWHILE: at_most(2)}
    return [
        Figure("the longest, times the median before", when, (max(took) / quiet,), limits.get(when), name)
        for when, took in sends.items()
    ]


def _percentile(took: Sequence[float], percent: float) -> float:
    """What so many of a hundred do not exceed."""
    return sorted(took)[math.ceil(len(took) * percent / 100) - 1]


def _costs(deletion: Deletion) -> list[Figure]:
    """Messages are counted once, rows with all that hangs on them."""
    rows = deletion.messages * old_messages.ROWS_EACH
    values = {
        "old messages deleted": deletion.messages,
        "old messages deleted per second": deletion.messages / deletion.seconds,
        "rows deleted, with all that hangs on them": rows,
        "rows deleted per second": rows / deletion.seconds,
        **{
            f"processor s per 100,000 rows: {family}": seconds / rows * 100_000
            for family, seconds in deletion.work.items()
        },
        "WAL, with the sender’s: MB": deletion.megabytes,
    }
    return [Figure(row, MEANWHILE, (value,)) for row, value in values.items()]
