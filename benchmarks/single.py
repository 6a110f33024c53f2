"""Part: one task per message, as every screen of an office owes them."""

from benchmarks import contenders
from benchmarks.environment import Environment
from benchmarks.figures import Figure, at_least
from benchmarks.ours import Ours, Single

LATENCY = 0.1


def run(environment: Environment) -> list[Figure]:
    count = environment.sizes.single
    runs = []
    for number in range(environment.sizes.rounds):
        environment.say(f"round {number + 1}, one task per message: {count:,} messages")
        runs.append(contenders.run(environment, Ours(environment, Single(environment.sizes.workers)), LATENCY, count))
    row = f"{LATENCY * 1000:.0f} ms: {count:,} messages"
    name = f"single path, one task per message, {LATENCY * 1000:.0f} ms: messages/s"
    return [
        Figure(row, "messages/s", tuple(each.rate for each in runs), at_least(300), name),
        Figure(row, "processor ms per message", tuple(each.whole_cost for each in runs)),
        *(Figure(row, f"… {family}", tuple(each.cost(family) for each in runs)) for family in runs[0].work),
    ]
