"""Reading the ledger of counts: figures that do not depend on how many messages there are.

The views (migrations/0009_statistics.sql) hold what was added up and what was not yet, by the full hour (UTC) in which
a message was created: each moment that is given here is such an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from whatsapp_monitoring_app.models.senders import WITHOUT_RECEIPTS
from whatsapp_monitoring_app.scopes import Scope

IN_SCOPE = "(%(office)s::text IS NULL OR source_app = %(office)s)"
_MUTE = "(SELECT id FROM whatsapp_monitoring_app_whatsappsender WHERE provider = ANY (%(without_receipts)s))"


@dataclass(frozen=True)
class Span:
    """From `begin` until now, and from `earlier` until `until` before that, by the hour or by the day (`unit`).

    What was not tried yet is late unless it became due after `late`.
    """

    begin: datetime
    earlier: datetime
    until: datetime
    unit: str
    late: datetime


# What a figure is of: a point in time, by the clock on the reader's wall; an office; a type and a category; all (()).
Name = tuple[Any, ...]


def name_of(*names: Any) -> Name:
    """The name of a row of which the other columns are NULL."""
    return tuple(name for name in names if name is not None)


class Cell(NamedTuple):
    """All messages of a span, or those of one point in time, of one office, of one type and category, of one hour of
    the day (and weekday, from Monday, 1); the names of what it is not are None. Of the last only the total is told.
    """

    is_now: bool
    point: datetime | None
    source_app: str | None
    message_type: str | None
    category: str | None
    weekday: int | None
    hour: int | None
    total: int
    waiting: int
    unconfirmed: int
    accepted: int
    unknown: int
    delivered: int
    read: int
    failed: int
    to_handle: int
    prompt: int
    tardy: int

    @property
    def name(self) -> Name:
        return name_of(self.point, self.source_app, self.message_type, self.category, self.weekday, self.hour)


_CELLS = f"""
WITH counted AS (
  SELECT hour, source_app, sender, message_type, category, total, waiting, unconfirmed, accepted, delivered, read,
    failed, to_handle, prompt, tardy + untried AS tardy
  FROM whatsapp_counts
  WHERE hour >= %(earlier)s AND (hour >= %(begin)s OR hour < %(until)s) AND {IN_SCOPE}
  UNION ALL
  -- Not late yet. Nothing leaves before it is due, so that the index of what waits by time finds them.
  SELECT date_bin('1 hour', created_at, timestamptz '2000-01-01 00:00+00'), source_app, 0, message_type, category,
    0, 0, 0, 0, 0, 0, 0, 0, 0, -1
  FROM whatsapp_monitoring_app_whatsappnotification
  WHERE status IN ('pending', 'retry_scheduled') AND first_attempt_at IS NULL AND next_attempt_at >= %(late)s
    AND coalesce(held_until, created_at) >= %(late)s AND created_at >= %(begin)s AND {IN_SCOPE}
), cell AS MATERIALIZED (
  SELECT hour >= %(begin)s AS is_now, date_trunc(%(unit)s, hour AT TIME ZONE %(zone)s) AS point, source_app,
    CASE WHEN hour >= %(begin)s THEN message_type END AS message_type,
    CASE WHEN hour >= %(begin)s THEN category END AS category,
    sum(total)::integer AS total,
    sum(waiting)::integer AS waiting,
    sum(unconfirmed)::integer AS unconfirmed,
    sum(accepted)::integer AS accepted,
    sum(CASE WHEN sender IN {_MUTE} THEN accepted ELSE 0 END)::integer AS unknown,
    sum(delivered)::integer AS delivered,
    sum(read)::integer AS read,
    sum(failed)::integer AS failed,
    sum(to_handle)::integer AS to_handle,
    sum(prompt)::integer AS prompt,
    sum(tardy)::integer AS tardy
  FROM counted GROUP BY 1, 2, 3, 4, 5
), hours AS (
  SELECT hour AT TIME ZONE %(zone)s AS wall, sum(total) AS total FROM whatsapp_counts
  WHERE %(unit)s = 'day' AND hour >= %(begin)s AND {IN_SCOPE} GROUP BY hour
)
SELECT is_now, point, source_app, message_type, category, NULL::integer, NULL::integer, sum(total), sum(waiting),
  sum(unconfirmed), sum(accepted) - sum(unknown), sum(unknown), sum(delivered), sum(read), sum(failed),
  sum(to_handle), sum(prompt), sum(tardy)
FROM cell GROUP BY is_now, GROUPING SETS ((point), (source_app), (message_type, category), ())
HAVING (is_now OR GROUPING(source_app, message_type) = 3) AND sum(total) <> 0
UNION ALL
SELECT true, NULL, NULL, NULL, NULL, extract(isodow FROM wall)::integer, extract(hour FROM wall)::integer,
  sum(total)::integer, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM hours GROUP BY 6, 7 HAVING sum(total) <> 0
"""  # noqa: S608 - our own words


def cells(scope: Scope, span: Span) -> list[Cell]:
    """What became of the messages of the span; of the earlier ones all, and by point."""
    mute = sorted(WITHOUT_RECEIPTS)
    return [Cell(*row) for row in ask(_CELLS, scope, **vars(span), zone=_zone(), without_receipts=mute)]


def fates(scope: Scope, begin: datetime) -> tuple[int, int]:
    """How many of those that were created since then have reached their people, and how many have failed."""
    statement = f"""
        SELECT coalesce(sum(delivered) + sum(read), 0)::integer, coalesce(sum(failed), 0)::integer FROM whatsapp_counts
        WHERE hour >= %(begin)s AND {IN_SCOPE}
    """  # noqa: S608 - our own words
    ((reached, failed),) = ask(statement, scope, begin=begin)
    return reached, failed


def to_handle(scope: Scope) -> int:
    """How many failed and wait for a person, whenever they were created."""
    statement = f"SELECT coalesce(sum(count), 0)::integer FROM whatsapp_backlog WHERE state = 'failed' AND {IN_SCOPE}"  # noqa: S608
    ((count,),) = ask(statement, scope)
    return int(count)


def ask(statement: str, scope: Scope, **values: Any) -> Sequence[tuple[Any, ...]]:
    """The rows that this statement finds for what the office sees; it names the office by IN_SCOPE."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {**values, "office": None if scope.sees_every_office else scope.office})
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _zone() -> str:
    return timezone.get_current_timezone_name()
