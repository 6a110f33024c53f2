"""How the messages of a period fared: the figures, their course over time, by type and by office."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from django.db.models import Aggregate, Count, DateTimeField, DurationField, F, Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Collate, Extract, Trunc
from django.utils import timezone

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet, due_at, is_prompt, is_tardy
from whatsapp_monitoring_app.services import search, statistics
from whatsapp_monitoring_app.services.statistics import Summary

# Types and categories come from callers: the dashboard shows the most frequent ones.
KINDS_AT_MOST = 12

Unit = Literal["hour", "day"]
STEPS: Mapping[Unit, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True)
class Period:
    """From `begin` until now (`end`), by the reader's clock; `shift` earlier was the period to compare with.

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
    begin, filters = now - timedelta(days=1), search.Filters(period="day")
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


class PercentileCont(Aggregate):
    """The value below which this fraction of the others lie; rows without a value do not count."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    allow_distinct = False

    def __init__(self, expression: Combinable, fraction: float, filter: Q | None = None) -> None:
        super().__init__(expression, fraction=fraction, filter=filter, output_field=DurationField())


@dataclass(frozen=True)
class Spread:
    """How long something took for half of the messages at most, and for 95 of 100; None where there was none."""

    half: timedelta | None
    most: timedelta | None


@dataclass(frozen=True)
class Figures:
    """What became of some messages, and how long it took since they were due.

    `prompt` of them were attempted within ten seconds, `tardy` ones were not.
    """

    counts: Summary
    prompt: int
    tardy: int
    tried: Spread
    accepted: Spread
    delivered: Spread

    @property
    def prompt_percent(self) -> int | None:
        due = self.prompt + self.tardy
        # 99.6 % is not all of them.
        return 100 * self.prompt // due if due else None


NOTHING = Figures(Summary(*[0] * 9), 0, 0, *[Spread(None, None)] * 3)


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
    scope: scopes.Scope
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


def of(notifications: NotificationQuerySet, period: Period, *, with_offices: bool) -> Trend:
    """How these notifications fared, in one query. Those who see one office need no comparison of offices."""
    found: dict[str, dict[tuple[str, str], Figures]] = {}
    for row in _tallies(notifications, period, with_offices):
        found.setdefault(row["sort"], {})[row["first"], row["second"]] = _figures(row)
    before = {datetime.fromisoformat(first): figures for (first, _), figures in found.get("before", {}).items()}
    return Trend(
        period,
        whole=found["whole"]["", ""],
        before=_sum(figures.counts for figures in before.values()),
        points=_points(period, found.get("point", {}), before),
        kinds=_kinds(found.get("kind", {})),
        offices=_offices(found.get("office", {})),
        clock=_clock(found.get("clock", {})),
    )


def _tallies(notifications: NotificationQuerySet, period: Period, with_offices: bool) -> Iterable[Any]:
    now = notifications.filter(created_at__gte=period.begin)
    then = notifications.filter(created_at__gte=period.begin - period.shift, created_at__lt=period.end - period.shift)
    text = Cast(Trunc("created_at", period.unit, output_field=DateTimeField()), TextField())
    moment = Collate(text, "C")  # sorted by its bytes, which is faster
    tallies = [
        _tally(now, period, "point", moment, times=_TIMES),
        _tally(then, period, "before", moment),
        _tally(now, period, "kind", F("message_type"), F("category")),
    ]
    if period.unit == "day":
        tallies.append(_tally(now, period, "clock", _part("iso_week_day"), _part("hour")))
    if with_offices:
        tallies.append(_tally(now, period, "office", F("source_app"), times=_TIMES))
    # First, for the database takes the columns' types from it.
    whole = _tally(now, period, "whole", Value(""), times=_TIMES)
    return cast(Iterable[Any], whole.union(*tallies, all=True))


def _part(name: str) -> Cast:
    """A part of the moment at which a message was created, by the reader's clock."""
    return Cast(Extract("created_at", name), TextField())


def _tally(
    rows: NotificationQuerySet,
    period: Period,
    sort: str,
    first: Any,
    second: Any = Value(""),  # noqa: B008 - never changed
    times: Mapping[str, Any] | None = None,
) -> Any:
    names = rows.order_by().annotate(sort=Value(sort), first=first, second=second).values("sort", "first", "second")
    return names.annotate(
        **statistics.counts(),
        prompt=Count("pk", filter=is_prompt()),
        tardy=Count("pk", filter=is_tardy(period.end)),
        **(times or _NO_TIMES),
    )


def _spread(name: str, moment: str, filter: Q | None = None) -> dict[str, Any]:
    since = F(moment) - due_at()
    return {f"{name}_half": PercentileCont(since, 0.5, filter), f"{name}_most": PercentileCont(since, 0.95, filter)}


_TIMES: dict[str, Any] = {
    **_spread("tried", "first_attempt_at"),
    **_spread("accepted", "sent_at"),
    # When somebody noted that it had arrived says nothing of when it did.
    **_spread("delivered", "delivered_at", Q(settled_by=None)),
}
_NO_TIMES: dict[str, Any] = dict.fromkeys(_TIMES, Cast(Value(None), DurationField()))


def _figures(row: Mapping[str, Any]) -> Figures:
    return Figures(
        Summary(**{name: row[name] for name in statistics.counts()}),
        row["prompt"],
        row["tardy"],
        *(Spread(row[f"{name}_half"], row[f"{name}_most"]) for name in ("tried", "accepted", "delivered")),
    )


def _sum(counts: Iterable[Summary]) -> Summary:
    each = [tuple(vars(count).values()) for count in counts]
    return Summary(*(sum(column) for column in zip(*each, strict=True))) if each else NOTHING.counts


def _points(
    period: Period, found: Mapping[tuple[str, str], Figures], before: Mapping[datetime, Figures]
) -> list[Point]:
    """One for each hour or day, those in which nothing happened too."""
    return [
        Point(
            moment,
            found.get((str(moment), ""), NOTHING),
            before.get(moment - period.shift, NOTHING).counts.success_percent,
        )
        for moment in period.moments
    ]


def _kinds(found: Mapping[tuple[str, str], Figures]) -> list[Kind]:
    kinds = [Kind(*names, figures) for names, figures in found.items()]
    kinds.sort(key=lambda kind: (-kind.figures.counts.total, kind.message_type, kind.category))
    return kinds[:KINDS_AT_MOST]


def _clock(found: Mapping[tuple[str, str], Figures]) -> list[Hour]:
    """From the first to the last hour in which anything happened."""
    counts = {(int(hour), int(weekday)): figures.counts.total for (weekday, hour), figures in found.items()}
    if not counts:
        return []
    most = max(counts.values())
    hours = range(min(counts)[0], max(counts)[0] + 1)
    return [Hour(hour, [_cell(counts.get((hour, weekday), 0), most) for weekday in range(1, 8)]) for hour in hours]


def _cell(count: int, most: int) -> Cell:
    return Cell(count, -(-4 * count // most))


def _offices(found: Mapping[tuple[str, str], Figures]) -> list[Office]:
    """The installed offices that have sent anything, in their usual order."""
    return [
        Office(scope, found[scope.office, ""]) for scope in scopes.all_scopes().values() if (scope.office, "") in found
    ]
