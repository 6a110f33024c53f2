"""How the messages of a period fared: the figures, their course over time, by type and by office."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models.notification_queries import PROMPT
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import durations, ledger, search, statistics
from whatsapp_monitoring_app.services.durations import Spread, Times
from whatsapp_monitoring_app.services.statistics import Summary

# Types and categories come from callers: the dashboard shows the most frequent ones.
KINDS_AT_MOST = 12

Unit = Literal["hour", "day"]
STEPS: Mapping[Unit, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True)
class Period:
    """From a full hour (`begin`) until now (`end`), by the reader's clock; `shift` earlier was the one before.

    `filters` show the same messages in the list.
    """

    name: str
    begin: datetime
    end: datetime
    shift: timedelta
    unit: Unit
    filters: search.Filters

    @property
    def moments(self) -> list[datetime]:
        """When each hour or day of it begins, without a zone: what the clock on the reader's wall says."""
        first, last = (_floor(moment, self.unit) for moment in (self.begin, self.end))
        return [first + number * STEPS[self.unit] for number in range((last - first) // STEPS[self.unit] + 1)]

    @property
    def span(self) -> ledger.Span:
        """What is counted of it, and before it: the same hours, the one that has begun included."""
        next_hour = statistics.full_hour(self.end) + STEPS["hour"]
        until = min(self.begin, next_hour - self.shift)
        return ledger.Span(self.begin, self.begin - self.shift, until, self.unit, late=self.end - PROMPT)


def _floor(moment: datetime, unit: Unit) -> datetime:
    whole = moment.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return whole if unit == "hour" else whole.replace(hour=0)


def _days(name: str, count: int) -> Callable[[datetime], Period]:
    """Whole days, today included: what the list shows since the first of them."""

    def period(now: datetime) -> Period:
        begin = statistics.start_of_day(now) - timedelta(days=count - 1)
        filters = search.Filters(since=begin.date().isoformat())
        return Period(name, begin, now, timedelta(days=count), "day", filters)

    return period


def _today(now: datetime) -> Period:
    begin, filters = statistics.start_of_day(now), search.Filters(period="today")
    return Period("today", begin, now, timedelta(days=1), "hour", filters)


def _last_day(now: datetime) -> Period:
    begin, filters = search.BEGINNINGS["day"](now), search.Filters(period="day")
    return Period("day", begin, now, timedelta(days=1), "hour", filters)


# At eight in the morning today is still empty: what yesterday left behind is in the last 24 hours.
DEFAULT_PERIOD = "day"
PERIODS: Mapping[str, Callable[[datetime], Period]] = {
    "today": _today,
    "day": _last_day,
    "week": _days("week", 7),
    "month": _days("month", 30),
}


def period(name: str, at: datetime) -> Period:
    """The period of this name that ends at `at`, in the current time zone; the usual one for an unknown name."""
    return PERIODS.get(name, PERIODS[DEFAULT_PERIOD])(timezone.localtime(at))


NO_SPREAD = Spread(None, None)


@dataclass(frozen=True)
class Figures:
    """What became of some messages, and how long it took since they were due (by what was measured).

    `prompt` of them were attempted within ten seconds, `tardy` ones were not.
    """

    counts: Summary
    prompt: int
    tardy: int
    times: Mapping[str, Times] = field(default_factory=dict)

    @property
    def tried(self) -> Spread:
        return self._spread("tried")

    @property
    def accepted(self) -> Spread:
        return self._spread("accepted")

    @property
    def delivered(self) -> Spread:
        return self._spread("delivered")

    def _spread(self, measure: str) -> Spread:
        return self.times[measure].spread if measure in self.times else NO_SPREAD

    @property
    def prompt_percent(self) -> int | None:
        due = self.prompt + self.tardy
        # 99.6 % is not all of them.
        return 100 * self.prompt // due if due else None


NOTHING = Figures(Summary(*[0] * 9), 0, 0)


@dataclass(frozen=True)
class Point:
    """One hour or day of a period, and the share that was reached in the same one of the period before."""

    at: datetime
    figures: Figures
    previous_percent: int | None


@dataclass(frozen=True)
class Kind:
    message_type: str
    category: str
    figures: Figures


@dataclass(frozen=True)
class Office:
    scope: Scope
    figures: Figures


@dataclass(frozen=True)
class Cell:
    """How many messages, and how that compares with the busiest cell: from 0 (none) to 4."""

    count: int
    heat: int


@dataclass(frozen=True)
class Hour:
    """One hour of the day, on each weekday from Monday."""

    hour: int
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Trend:
    """A period, beside the one before it: as a whole, by hour or day, by type, and by office.

    `clock` is told of periods of several days.
    """

    period: Period
    whole: Figures
    before: Summary
    points: Sequence[Point]
    kinds: Sequence[Kind]
    offices: Sequence[Office]
    clock: Sequence[Hour]

    @property
    def weekdays(self) -> list[datetime]:
        """A Monday and the days after it, for their names."""
        monday = self.points[0].at - timedelta(days=self.points[0].at.weekday())
        return [monday + timedelta(days=number) for number in range(7)]

    @property
    def gain(self) -> int | None:
        """By how many points the share that was reached has changed; None where there is nothing to compare."""
        now, then = self.whole.counts.success_percent, self.before.success_percent
        return None if now is None or then is None else now - then


def of(scope: Scope, period: Period) -> Trend:
    """How the messages fared that this office sees. Who sees one office needs no comparison of offices."""
    cells, times = ledger.cells(scope, period.span), durations.since(scope, period.begin, period.unit)
    now = {cell.name: _figures(cell, times) for cell in cells if cell.is_now and not cell.weekday}
    before = {cell.name: _summary(cell) for cell in cells if not cell.is_now}
    return Trend(
        period,
        whole=now.get((), NOTHING),
        before=before.get((), NOTHING.counts),
        points=_points(period, now, before),
        kinds=_kinds(now),
        offices=_offices(now) if scope.sees_every_office else [],
        clock=_clock(
            {(cell.hour, cell.weekday): cell.total for cell in cells if cell.weekday and cell.hour is not None}
        ),
    )


def _figures(cell: ledger.Cell, times: Mapping[ledger.Name, Mapping[str, Times]]) -> Figures:
    return Figures(_summary(cell), cell.prompt, cell.tardy, times.get(cell.name, {}))


def _summary(cell: ledger.Cell) -> Summary:
    return Summary(*(getattr(cell, each.name) for each in fields(Summary)))


def _points(period: Period, now: Mapping[ledger.Name, Figures], before: Mapping[ledger.Name, Summary]) -> list[Point]:
    """One for each hour or day, those in which nothing happened too."""
    # The 24 hours before begin where these end: the last hour is compared with the first.
    earlier = {name: figures.counts for name, figures in now.items()} | dict(before)
    return [
        Point(
            moment,
            now.get((moment,), NOTHING),
            earlier.get((moment - period.shift,), NOTHING.counts).success_percent,
        )
        for moment in period.moments
    ]


def _kinds(now: Mapping[ledger.Name, Figures]) -> list[Kind]:
    kinds = [Kind(*name, figures) for name, figures in now.items() if len(name) == 2]
    kinds.sort(key=lambda kind: (-kind.figures.counts.total, kind.message_type, kind.category))
    return kinds[:KINDS_AT_MOST]


def _clock(counts: Mapping[tuple[int, int], int]) -> list[Hour]:
    """From the first to the last hour in which anything happened."""
    if not counts:
        return []
    most = max(counts.values())
    hours = range(min(counts)[0], max(counts)[0] + 1)
    return [Hour(hour, [_cell(counts.get((hour, weekday), 0), most) for weekday in range(1, 8)]) for hour in hours]


def _cell(count: int, most: int) -> Cell:
    return Cell(count, -(-4 * count // most))


def _offices(now: Mapping[ledger.Name, Figures]) -> list[Office]:
    """The installed offices that have sent anything, in their usual order."""
    return [Office(scope, now[scope.office,]) for scope in scopes.all_scopes().values() if (scope.office,) in now]
