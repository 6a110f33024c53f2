"""The results as a table that people read."""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.faults.measure import Result
from tests.faults.orders import Way
from tests.faults.system import TIMES

COLUMNS = (
    "scenario", "sent", "faults", "owed", "accepted once", "lost", "doubled", "in doubt", "settled by receipt",
    "waiting for a person", "failed for good", "seconds",
)  # fmt: skip

TEXT = """# Reliability

Nothing lost, nothing sent twice: measured by killing the running system. `make faults` writes this page.

{table}

{verdict}

Measured on {day} at commit {commit} with `{command}`: {count} messages, {cores} cores, {memory} GB of memory.

## The two ways

Messages leave in two ways, over the same decisions and the same records. One by one: a task claims one message, calls
the provider and writes the answer. Many together: a task claims up to a hundred, starts their calls on one event loop
as their slots come, and writes the answers in groups as they arrive. Bulk messages, sweeps and recovery use the
second.

Every scenario does both at once, so each has two lines. One message in four is owed by `send_whatsapp_async` and
leaves alone, unless recovery has to help it; the others are owed by `send_bulk_whatsapp_async` and leave together, so
that whoever dies has a group in hand. A line speaks of the messages that were owed in its way. Each named step is put
around both ways, and workers are struck on each of them. What strikes a server strikes both ways, and is counted in
both lines; so are, in a worker that dies, the messages that it held in the other way.

## What is counted

The provider here is the sandbox. It is asked how often it accepted each message, by the code that every request
carries; the database is asked what the system believes. One message in four creates an account, the others are
notices.

| column | meaning |
|---|---|
| faults | processes or servers struck; with a hostile provider also the calls refused or without a clear answer |
| owed | `send_whatsapp_async` returned, or `send_bulk_whatsapp_async` with this person, so the company owes it |
| accepted once, doubled | the provider took it once, or more than once |
| lost | never accepted, although nothing waits, nobody is asked, and no failure is shown |
| in doubt | calls that ended without a clear answer, and messages that a dead worker held |
| settled by receipt | the last call had no clear answer, and a receipt told what had become of it |
| waiting for a person | the fate of an account message is unknown: the monitoring shows it, and a person decides |
| failed for good | given up with a stated reason, and shown as such |

Without receipts nobody can know whether a call that broke off had arrived. Notices are then sent again, which may
double them; messages about accounts, codes and payments never are. Those are the only doubles that may appear above.

A message is in doubt from its claim on, because only the worker knows whether its call has begun: whoever dies with a
group in hand leaves in doubt all of it that is not written yet.

## What runs

PostgreSQL, Valkey without persistence, the web server, three worker processes with four threads each (six where it
says so), recovery every half second or celery beat, the sandbox, and the program that owes the messages, each a real
process under a supervisor. “Killed” is SIGKILL. The named steps are wrapped around the real functions from outside.
Half of the messages are owed before the disturbance, the other half during it. PostgreSQL is stopped, and Valkey taken
away, while the worker with the group stands still at that very step (SIGSTOP). Between the workers and the sandbox is
a line that can be cut, which resets every connection, and jammed; that happens when the sandbox has the first message
of a group and has not answered.

So that an hour of production fits into seconds, the engine's times are short: {times}. The broker gives back the
tasks of a dead worker after 5 s instead of 15 minutes, a dead run's bulk message is taken up after 5 s instead of 3
minutes, and an account that failed twenty times in a row rests for 2 s instead of 30. `tests/faults/` holds it all;
a short form of every scenario is part of `make test`.

Not covered: the loss of PostgreSQL's disk, a receipt that comes later than the confirmation time, a process that
freezes in the instant between its last look at its lease and the call, and clocks that disagree.
"""


def page(results: Sequence[Result], command: str) -> str:
    """The whole document."""
    return TEXT.format(
        table=table(results),
        verdict=verdict(results),
        day=datetime.now(UTC).date().isoformat(),
        commit=_commit(),
        command=command,
        count=f"{sum(result.owed for result in results):,}",
        cores=os.cpu_count(),
        memory=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        times=", ".join(f"`{name}={value}`" for name, value in TIMES.items()),
    )


def _commit() -> str:
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return git.stdout.strip() or "unknown"


def table(results: Sequence[Result]) -> str:
    lines = [COLUMNS, ["---", "---", *["---:"] * (len(COLUMNS) - 2)], *(_cells(result) for result in results)]
    for way in Way:
        totals = _totals([result for result in results if result.way is way])
        lines.append(["**all**", f"**{way}**", *(f"**{total}**" for total in totals), ""])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(result: Result) -> list[str]:
    return [result.summary, result.way, *(str(number) for number in _numbers(result)), f"{result.seconds:.0f}"]


def _totals(results: Sequence[Result]) -> list[int]:
    return [sum(column) for column in zip(*(_numbers(result) for result in results), strict=True)]


def _numbers(result: Result) -> tuple[int, ...]:
    return (
        result.faults,
        result.owed,
        result.once,
        result.lost,
        result.doubled,
        result.in_doubt,
        result.settled,
        result.waits_for_a_person,
        result.failed,
    )


def verdict(results: Sequence[Result]) -> str:
    """The promise in numbers."""
    return "\n".join(_verdict([result for result in results if result.way is way], way) for way in Way)


def _verdict(results: Sequence[Result], way: Way) -> str:
    lost = sum(result.lost for result in results)
    with_receipts = sum(result.doubled for result in results if not result.may_double)
    without = sum(result.doubled for result in results if result.may_double)
    asking = sum(result.doubled_asking for result in results)
    misjudged = sum(result.misjudged for result in results)
    restless = sum(result.on_their_way for result in results)
    return (
        f"* {str(way).capitalize()}: lost **{lost}**. Doubled where receipts work: **{with_receipts}**. Doubled with "
        f"receipts switched off: **{without}**, of them **{asking}** whose type forbids it. Accepted, but believed to "
        f"have failed: **{misjudged}**. Still on their way when the time was up: **{restless}**. "
        f"{_doubts(results)}"
    )


def _doubts(results: Sequence[Result]) -> str:
    """How much a worker that is killed at a step of this way leaves in doubt, of all that it holds in this way."""
    kills = [result for result in results if result.is_kill and result.faults]
    if not kills:
        return ""
    mean = sum(result.in_doubt for result in kills) / sum(result.faults for result in kills)
    most = max(result.in_doubt / result.faults for result in kills)
    return f"In doubt for each worker killed: **{mean:.1f}**, at the worst step **{most:.1f}**."
