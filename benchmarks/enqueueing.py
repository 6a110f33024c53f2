"""Part: what `send_whatsapp_async` costs its caller, against a bare `.delay()` of a task with one text."""

from benchmarks import rows
from benchmarks.environment import Environment
from benchmarks.figures import Figure, at_most, ratios

WAYS = {"owe": "`send_whatsapp_async` in a transaction, with its commit", "ring": "a bare `.delay(code)`"}


def run(environment: Environment) -> list[Figure]:
    rounds = [_compare(environment) for _ in range(environment.sizes.rounds)]
    families = list(rounds[0]["ring"])
    costs = {
        way: {family: _costs(environment, [one[way][family] for one in rounds]) for family in families} for way in WAYS
    }
    for way in WAYS:
        costs[way]["everything"] = tuple(sum(each) for each in zip(*costs[way].values(), strict=True))
    figures = [
        Figure(label, f"processor ms: {family}", values)
        for way, label in WAYS.items()
        for family, values in costs[way].items()
    ]
    judged = {"caller": ("the caller’s process", at_most(2.5)), "everything": ("with the servers’ part", None)}
    return figures + [
        Figure(
            "ratio",
            f"processor ms: {family}",
            ratios(costs["owe"][family], costs["ring"][family]),
            limit,
            "`send_whatsapp_async`, row and ring, processor time of " + label + ", times a bare `.delay()`",
        )
        for family, (label, limit) in judged.items()
    ]


def _costs(environment: Environment, seconds: list[float]) -> tuple[float, ...]:
    return tuple(one / environment.sizes.enqueueing * 1000 for one in seconds)


def _compare(environment: Environment) -> dict[str, dict[str, float]]:
    environment.valkey.flush()
    count = environment.sizes.enqueueing
    url = environment.fresh_database("enqueueing")
    rows.add_people(url, 0, count)
    with environment.helper("enqueueing", environment.variables(url)) as helper:
        work: dict[str, dict[str, float]] = helper.ask("compare", count, environment.servers)
    [(written,)] = environment.query(url, f"SELECT count(*) FROM {rows.NOTIFICATIONS}")  # noqa: S608 - a constant
    if written < count:
        raise AssertionError(f"{written} of {count} messages were written")
    owe, ring = (work[way]["caller"] / count * 1000 for way in WAYS)
    environment.say(f"enqueueing: {owe:.2f} ms of the caller against {ring:.2f} ms of a bare .delay()")
    return work
