"""What the ledger of counts must say: the same, counted row by row."""

import math
from collections import Counter
from datetime import UTC, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import (
    PROMPT,
    NotificationQuerySet,
    delivery_unknown,
    failed_to_handle,
)
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY
from whatsapp_monitoring_app.services.durations import WIDTH, Spread
from whatsapp_monitoring_app.services.statistics import Summary


def summary(notifications: NotificationQuerySet) -> Summary:
    """Count them where they are."""
    counts = {
        "total": Count("pk"),
        "waiting": Count("pk", filter=Q(status__in=ON_THE_WAY)),
        "unconfirmed": Count("pk", filter=Q(status=Status.UNCONFIRMED)),
        "accepted": Count("pk", filter=Q(status=Status.SENT) & ~delivery_unknown()),
        "unknown": Count("pk", filter=delivery_unknown()),
        "delivered": Count("pk", filter=Q(status=Status.DELIVERED)),
        "read": Count("pk", filter=Q(status=Status.READ)),
        "failed": Count("pk", filter=Q(status=Status.FAILED)),
        "to_handle": Count("pk", filter=failed_to_handle()),
    }
    return Summary(**notifications.order_by().aggregate(**counts))


def is_about(spread: Spread, half: timedelta, most: timedelta) -> bool:
    """Whether the histogram says so, to within the 5 % that it may be off."""
    assert spread.half is not None
    assert spread.most is not None
    return abs(spread.half / half - 1) <= 0.05 and abs(spread.most / most - 1) <= 0.05


# What the ledger says of each group, by the view that says it: counted there, and counted here.
Groups = Counter[tuple[Any, ...]]


def counted(purged: list[WhatsAppNotification]) -> dict[str, Groups]:
    """What each view must say, from the rows that there are and those that were deleted."""
    found: dict[str, Groups] = {name: Counter() for name in STATEMENTS}
    rows = list(WhatsAppNotification.objects.all())
    for row in [*rows, *purged]:
        is_there = row in rows
        for name, groups in _of(row, is_there).items():
            found[name].update(groups)
    return found


def _of(row: WhatsAppNotification, is_there: bool) -> dict[str, Groups]:
    hour = row.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    state = "waiting" if row.status in ON_THE_WAY else str(row.status)
    is_failed = row.status == Status.FAILED
    is_open = is_failed and not (row.settled_by_id or row.informed_at or row.resent_as_id)
    key = (hour, row.source_app, row.sender_id or 0, row.message_type, row.category)
    measures = [
        "total",
        state,
        *(["to_handle"] if is_open and is_there else []),
        *([_pace(row)] if _pace(row) else []),
    ]
    cause = (hour, row.source_app, row.error_class, row.error_code, row.template_id or 0)
    waits = is_there and (is_open or state in ("waiting", "unconfirmed"))
    return {
        "counts": Counter((*key, NAMES.get(measure, measure)) for measure in measures if measure != "cancelled"),
        "failures": Counter([cause] if is_failed else []),
        "times": Counter((hour, row.source_app, measure, number) for measure, number in _times(row)),
        "backlog": Counter([(row.source_app, state, row.error_class if is_failed else "")] if waits else []),
    }


NAMES = {"sent": "accepted"}


def _pace(row: WhatsAppNotification) -> str:
    if row.first_attempt_at:
        return "prompt" if row.first_attempt_at - (row.held_until or row.created_at) <= PROMPT else "tardy"
    if row.status == Status.CANCELLED:
        return ""
    return "untried" if row.status in ON_THE_WAY else "tardy"


def _times(row: WhatsAppNotification) -> list[tuple[str, int]]:
    due = row.held_until or row.created_at
    moments = {
        "tried": row.first_attempt_at,
        "accepted": row.sent_at,
        "delivered": None if row.settled_by_id else row.delivered_at,
    }
    seconds = {measure: (at - due).total_seconds() for measure, at in moments.items() if at}
    return [(measure, _class(took)) for measure, took in seconds.items()]


def _class(seconds: float) -> int:
    return min(255, round(math.log(max(0, seconds * 1000) + 1) / math.log(WIDTH)))


MEASURES = (
    *("total", "waiting", "unconfirmed", "accepted", "delivered", "read", "failed", "to_handle"),
    *("prompt", "tardy", "untried"),
)
STATEMENTS = {
    "counts": "SELECT hour, source_app, sender, message_type, category, measure, sum(n) FROM whatsapp_counts,"  # noqa: S608
    f" LATERAL (VALUES {', '.join(f'({each!r}, {each})' for each in MEASURES)}) m (measure, n)"
    " GROUP BY 1, 2, 3, 4, 5, 6",
    "failures": "SELECT hour, source_app, error_class, error_code, template, sum(count) FROM whatsapp_failure_counts"
    " GROUP BY 1, 2, 3, 4, 5",
    "times": "SELECT hour, source_app, measure, class, sum(count), sum(histogram)::text FROM whatsapp_times"
    " GROUP BY 1, 2, 3, 4",
    "backlog": "SELECT source_app, state, error_class, sum(count) FROM whatsapp_backlog GROUP BY 1, 2, 3",
}


def said() -> dict[str, Groups]:
    """What each view says, without what comes to nothing."""
    found: dict[str, Groups] = {}
    for name, statement in STATEMENTS.items():
        groups: Groups = Counter()
        with connection.cursor() as cursor:
            cursor.execute(statement)
            for row in cursor.fetchall():
                groups.update(_classes(row) if name == "times" else {tuple(row[:-1]): int(row[-1])})
        found[name] = Counter({key: count for key, count in groups.items() if count})
    return found


def _classes(row: tuple[Any, ...]) -> Groups:
    *key, number, count, histogram = row
    if number is not None:
        return Counter({(*key, number): int(count)})
    digits = histogram[::-1]
    places = [int(digits[start : start + 12][::-1]) for start in range(0, len(digits), 12)]
    return Counter({(*key, place): count for place, count in enumerate(places)})
