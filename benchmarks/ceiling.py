"""Part: how fast the provider of the benchmarks is, so that nobody takes it for the bottleneck."""

from benchmarks.environment import Environment
from benchmarks.figures import Figure

CONNECTIONS = 64


def run(environment: Environment) -> list[Figure]:
    measured = [_ask(environment) for _ in range(environment.sizes.rounds)]
    rates, costs = zip(*measured, strict=True)
    row = f"{environment.sizes.ceiling:,} requests by {CONNECTIONS} connections, 0 ms"
    return [
        Figure(row, "answers/s, asked by one process beside it", rates),
        Figure(row, "processor ms per answer", costs),
        Figure(row, "answers/s of a whole core", tuple(1000 / cost for cost in costs)),
    ]


def _ask(environment: Environment) -> tuple[float, float]:
    """Answers per second, and processor milliseconds of each."""
    count = environment.sizes.ceiling
    with environment.provider(0) as provider:
        before = provider.counts()
        seconds = environment.ask_once(
            f"benchmarks.provider_client {provider.port} --requests {count} --connections {CONNECTIONS}"
        )
        after = provider.counts()
    environment.say(f"provider: {count / seconds:,.0f} answers/s")
    return count / seconds, (after["cpu"] - before["cpu"]) / count * 1000
