"""Part: dashboards and lists while the table grows."""

import statistics
from collections.abc import Mapping

from benchmarks.environment import Environment
from benchmarks.figures import Figure, at_most

SETTINGS = "benchmarks.pages_settings"
WORST = "the worst of them"
CLOCK, PROCESSOR = 0, 1
# Of one round at one size: the milliseconds of each view of each page, from the clock and of Django's processor.
Views = dict[str, list[tuple[float, float]]]
# By size of the table.
Medians = dict[int, tuple[float, ...]]


def run(environment: Environment) -> list[Figure]:
    environment.valkey.flush()
    looks = _look(environment, environment.fresh_database("pages"))
    environment.drop_database("pages")
    pages = list(next(iter(looks.values()))[0])
    times = {page: _medians(looks, page, CLOCK) for page in pages}
    return [*_figures(looks, times), *_worst(times)]


def _look(environment: Environment, url: str) -> dict[int, list[Views]]:
    sizes = environment.sizes
    looks = {}
    with environment.helper("pages", {**environment.variables(url), "DJANGO_SETTINGS_MODULE": SETTINGS}) as helper:
        helper.ask("prepare")
        for before, size in zip((0, *sizes.pages), sizes.pages, strict=False):
            environment.say(f"pages: filling up to {size:,} rows")
            seconds = helper.ask("fill", before, size)
            environment.say(f"pages: filled in {seconds:.0f} s")
            looks[size] = [helper.ask("look", sizes.page_views) for _ in range(sizes.rounds)]
            environment.say(f"pages: {_spoken(looks[size][0])}")
    return looks


def _spoken(views: Views) -> str:
    return ", ".join(f"{page} {_median(taken, CLOCK):.0f} ms" for page, taken in views.items())


def _median(taken: list[tuple[float, float]], which: int) -> float:
    return statistics.median(each[which] for each in taken)


def _medians(looks: Mapping[int, list[Views]], page: str, which: int) -> Medians:
    return {size: tuple(_median(views[page], which) for views in rounds) for size, rounds in looks.items()}


def _figures(looks: Mapping[int, list[Views]], times: Mapping[str, Medians]) -> list[Figure]:
    last = max(looks)
    return [
        figure
        for page, by_size in times.items()
        for figure in (
            *(Figure(page, f"{size:,} rows: ms", taken) for size, taken in by_size.items()),
            Figure(page, "ratio", (_growth(by_size),)),
            Figure(page, f"{last:,} rows: processor ms of Django", _medians(looks, page, PROCESSOR)[last]),
        )
    ]


def _growth(by_size: Medians) -> float:
    """The median at the largest size, by that at the smallest."""
    return statistics.median(by_size[max(by_size)]) / statistics.median(by_size[min(by_size)])


def _worst(times: Mapping[str, Medians]) -> list[Figure]:
    sizes = next(iter(times.values()))
    first, last = min(sizes), max(sizes)
    slowest = max((by_size[last] for by_size in times.values()), key=statistics.median)
    growth = max(map(_growth, times.values()))
    name = f"dashboard and list, server time at {last:,} rows"
    return [
        Figure(WORST, f"{last:,} rows: ms", slowest, at_most(40), f"{name}, the slowest page: ms"),
        Figure(WORST, "ratio", (growth,), at_most(1.5), f"{name}, times {first:,} rows, the page that grows most"),
    ]
