"""Part: how fast a bulk message becomes rows, and in how much memory."""

from benchmarks import rows
from benchmarks.environment import Environment
from benchmarks.figures import Figure, at_least


def run(environment: Environment) -> list[Figure]:
    counts = environment.sizes.acceptance
    return [figure for count in counts for figure in _measure(environment, count, is_first=count == counts[0])]


def _measure(environment: Environment, count: int, *, is_first: bool) -> list[Figure]:
    taken = [_expand(environment, count) for _ in range(environment.sizes.rounds)]
    row = f"{count:,} recipients"
    columns = {
        "messages/s": [count / one["seconds"] for one in taken],
        "seconds until the call returned": [one["call"] for one in taken],
        "processor ms of the process per message": [one["work"] / count * 1000 for one in taken],
        "MiB before": [one["memory_before"] for one in taken],
        "MiB at most": [one["memory"] for one in taken],
    }
    return [
        Figure(
            row,
            column,
            tuple(values),
            at_least(8_000) if is_first and column == "messages/s" else None,
            f"bulk acceptance, {count:,} recipients (rows in the database, work queued): messages/s",
        )
        for column, values in columns.items()
    ]


def _expand(environment: Environment, count: int) -> dict[str, float]:
    environment.valkey.flush()
    url = environment.fresh_database("acceptance")
    rows.open_senders(url)
    rows.add_people(url, 0, count)
    with environment.helper("ours", environment.variables(url)) as helper:
        taken: dict[str, float] = helper.ask("expand", 0, count)
    [(written,)] = environment.query(url, f"SELECT count(*) FROM {rows.NOTIFICATIONS}")  # noqa: S608 - a constant
    if written != count:
        raise AssertionError(f"{written} of {count} rows were written")
    environment.say(f"bulk acceptance: {count:,} recipients in {taken['seconds']:.1f} s")
    environment.drop_database("acceptance")
    return taken
