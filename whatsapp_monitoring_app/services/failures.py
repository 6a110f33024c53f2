"""What waits for a person now, and what went wrong in a period: by cause and by person, in one query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import CharField, Count, F, Value
from django.db.models.functions import Cast, Concat, Trim

from whatsapp_monitoring_app.models import Status
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet, is_silent
from whatsapp_monitoring_app.services import statistics
from whatsapp_monitoring_app.services.statistics import Cause

# What the dashboard names; the list has the others.
CAUSES_AT_MOST = 50
PEOPLE_AT_MOST = 5
# Once may be bad luck.
OFTEN = 2


@dataclass(frozen=True)
class CodedCause(Cause):
    """The same, with how many of them for each code that the provider gave."""

    codes: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Unlucky:
    """Somebody to whom several messages have failed."""

    pk: int
    telephone: str
    name: str
    count: int


@dataclass(frozen=True)
class FailingTemplate:
    """A template of ours whose messages have failed, by its code."""

    code: str
    label: str
    count: int


@dataclass(frozen=True)
class Failures:
    """Now: `waiting`, `unconfirmed`, `to_handle` (and why). Of the last week: `silent`. In the period: the others."""

    waiting: int
    unconfirmed: int
    to_handle: int
    open_causes: Sequence[Cause]
    silent: int
    causes: Sequence[CodedCause]
    people: Sequence[Unlucky]
    templates: Sequence[FailingTemplate]


def of(notifications: NotificationQuerySet, since: datetime, at: datetime) -> Failures:
    """What waits now among these notifications, and what went wrong with those created since then."""
    found: dict[str, list[Any]] = {}
    for row in _tallies(notifications, since, at):
        found.setdefault(row["sort"], []).append(row)
    open_causes = _causes(found.get("open", []))
    return Failures(
        **{name: found[name][0]["count"] for name in ("waiting", "unconfirmed", "silent")},
        to_handle=sum(cause.count for cause in open_causes),
        open_causes=[Cause(cause.error_class, cause.count) for cause in open_causes],
        causes=_causes(found.get("cause", [])),
        people=[
            Unlucky(int(row["first"]), row["second"], row["third"], row["count"]) for row in found.get("person", [])
        ],
        templates=[FailingTemplate(row["first"], row["second"], row["count"]) for row in found.get("template", [])],
    )


def _tallies(notifications: NotificationQuerySet, since: datetime, at: datetime) -> Iterable[Any]:
    recent = notifications.filter(created_at__gte=since)
    failed = recent.failed()
    name = Trim(Concat("user__first_name", Value(" "), "user__last_name"))
    person = {"first": Cast("user", CharField()), "second": F("user__telephone"), "third": name}
    often = _tally(failed.exclude(user=None), "person", **person)
    template = {"first": F("template__code"), "second": F("template__label")}
    tallies = [
        _tally(notifications.filter(status=Status.UNCONFIRMED), "unconfirmed"),
        _tally(notifications.to_retry(), "open", first=F("error_class")),
        _tally(notifications.filter(is_silent(at), created_at__gte=at - statistics.WEEK), "silent"),
        _tally(failed, "cause", first=F("error_class"), second=F("error_code")).order_by("-count")[:CAUSES_AT_MOST],
        _tally(failed.exclude(template=None), "template", **template).order_by("-count")[:PEOPLE_AT_MOST],
        often.filter(count__gte=OFTEN).order_by("-count")[:PEOPLE_AT_MOST],
    ]
    waiting = _tally(notifications.filter(status__in=statistics.ON_THE_WAY), "waiting")
    return cast(Iterable[Any], waiting.union(*tallies, all=True))


def _tally(rows: NotificationQuerySet, sort: str, **names: Any) -> Any:
    words = {name: names.get(name, Value("")) for name in ("first", "second", "third")}
    return rows.order_by().annotate(sort=Value(sort), **words).values("sort", *words).annotate(count=Count("pk"))


def _causes(rows: Iterable[Any]) -> list[CodedCause]:
    """The most frequent cause first, and so are its codes."""
    codes: dict[str, dict[str, int]] = {}
    for row in rows:
        codes.setdefault(row["first"], {})[row["second"]] = row["count"]
    causes = [
        CodedCause(error_class, sum(counts.values()), sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        for error_class, counts in codes.items()
    ]
    return sorted(causes, key=lambda cause: -cause.count)
