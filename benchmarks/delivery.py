"""Part: ours, django-post_office and the naive way side by side, at several latencies of the provider."""

from collections.abc import Callable

from benchmarks.contenders import Contender, Run
from benchmarks.contenders import run as run_contender
from benchmarks.environment import Environment
from benchmarks.figures import Figure, Limit, at_least, at_most, ratios
from benchmarks.naive import Naive
from benchmarks.ours import Bulk, Ours
from benchmarks.post_office import PostOffice
from benchmarks.sizes import Load

OURS, POST_OFFICE, NAIVE = "ours", PostOffice.name, Naive.name
CONTENDERS: dict[str, Callable[[Environment], Contender]] = {
    OURS: lambda environment: Ours(environment, Bulk()),
    POST_OFFICE: PostOffice,
    NAIVE: Naive,
}
RATE = "messages/s"
COST = "processor ms per message"
# Of the first load: the rate, the cost, the rate against each rival.
REQUIRED_RATE = at_least(1_000)
REQUIRED_COST = at_most(0.8)
REQUIRED_RATIOS = {POST_OFFICE: at_least(2.5), NAIVE: at_least(50)}


def run(environment: Environment) -> list[Figure]:
    sizes = environment.sizes
    return [figure for load in sizes.loads for figure in _compare(environment, load, is_first=load is sizes.loads[0])]


def _compare(environment: Environment, load: Load, *, is_first: bool) -> list[Figure]:
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    counts = {OURS: load.ours, POST_OFFICE: load.post_office, NAIVE: load.naive}
    for number in range(environment.sizes.rounds):
        for name in _in_turn(number):
            environment.say(f"round {number + 1}, {name}: {counts[name]:,} messages at {load.latency * 1000:.0f} ms")
            contender = CONTENDERS[name](environment)
            runs[name].append(run_contender(environment, contender, load.latency, counts[name]))
    figures = [figure for name in CONTENDERS for figure in _figures(load, name, runs[name], is_first=is_first)]
    return figures + [_ratio(load, name, runs, is_first=is_first) for name in (POST_OFFICE, NAIVE)]


def _in_turn(number: int) -> list[str]:
    """The contenders in another order in each round, so that none always comes first."""
    names = list(CONTENDERS)
    start = number % len(names)
    return names[start:] + names[:start]


def _figures(load: Load, name: str, runs: list[Run], *, is_first: bool) -> list[Figure]:
    row = f"{load.latency * 1000:.0f} ms: {name}, {runs[0].count:,} messages"
    is_judged = is_first and name == OURS
    limits: dict[str, Limit] = {RATE: REQUIRED_RATE, COST: REQUIRED_COST} if is_judged else {}
    names = {
        RATE: f"bulk delivery, {load.ours:,} messages, {load.latency * 1000:.0f} ms: messages/s",
        COST: "processors per bulk message, everything recorded, provider included: ms",
    }
    values = {
        RATE: [run.rate for run in runs],
        COST: [run.whole_cost for run in runs],
        **{f"… {family}": [run.cost(family) for run in runs] for family in runs[0].work},
        "provider busy, %": [100 * run.work["provider"] / run.seconds for run in runs],
    }
    return [
        Figure(row, column, tuple(numbers), limits.get(column), names.get(column, ""))
        for column, numbers in values.items()
    ]


def _ratio(load: Load, rival: str, runs: dict[str, list[Run]], *, is_first: bool) -> Figure:
    ours, theirs = (tuple(run.rate for run in runs[name]) for name in (OURS, rival))
    return Figure(
        f"{load.latency * 1000:.0f} ms: ours ÷ {rival}",
        RATE,
        ratios(ours, theirs),
        REQUIRED_RATIOS[rival] if is_first else None,
        f"bulk delivery, ours against {rival}: times",
    )
