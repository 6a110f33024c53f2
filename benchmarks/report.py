"""The figures as tables that people read, and the page that holds them."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from benchmarks.figures import Figure

TEXTS = Path(__file__).parent / "text"
MARKS = {True: "yes", False: "**no**"}


@dataclass(frozen=True)
class Result:
    """What came of one part: its figures, or why there are none."""

    part: str
    figures: Sequence[Figure]
    error: str = ""


def page(results: Sequence[Result], machine: Mapping[str, str], parts: Sequence[str], about: Mapping[str, str]) -> str:
    """The whole document; `about` are the other values of its text."""
    tables = {result.part: table(result) for result in results}
    missing = {part: "Not measured in this run." for part in parts if part not in tables}
    return Template((TEXTS / "performance.md").read_text()).substitute(
        {
            **about,
            **tables,
            **missing,
            "required": required(results),
            "machine": _markdown([["machine", "of this run"], *map(list, machine.items())]),
            "profile": (TEXTS / "profile.md").read_text().strip(),
        }
    )


def required(results: Sequence[Result]) -> str:
    """The figures of which something is required."""
    judged = [figure for result in results for figure in result.figures if figure.required]
    lines = [
        [figure.name or f"{figure.row}: {figure.column}", _limit(figure), _cell(figure), MARKS[figure.is_enough]]
        for figure in judged
    ]
    return _markdown([["figure", "required", "measured", "reached"], *lines])


def table(result: Result) -> str:
    """The figures of one part: a line for each row, a column for each column."""
    if result.error:
        return f"**Failed**: {html.escape(result.error)}"
    rows = list(dict.fromkeys(figure.row for figure in result.figures))
    columns = list(dict.fromkeys(figure.column for figure in result.figures))
    cells = {(figure.row, figure.column): _cell(figure) for figure in result.figures}
    return _markdown([["", *columns], *([row, *(cells.get((row, column), "") for column in columns)] for row in rows)])


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *body = lines
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def _cell(figure: Figure) -> str:
    """The median, and between which values it lies."""
    median = _number(figure.median)
    lowest, highest = _number(min(figure.values)), _number(max(figure.values))
    return median if lowest == highest else f"{median} ({lowest} – {highest})"


def _limit(figure: Figure) -> str:
    assert figure.required
    return f"{'≤' if figure.required.is_the_most else '≥'} {figure.required.value:,g}"


def _number(value: float) -> str:
    """Three digits that mean something."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"
