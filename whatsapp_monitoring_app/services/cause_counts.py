"""Why messages failed that wait for a person, each cause counted up to a bound along its index.

A cause costs the same whether it has kept a thousand messages or a million: the database steps from cause to cause in
the index `notification_failed`, and reads the newest of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import ledger
from whatsapp_monitoring_app.services.paging import AtLeast

# Messages of each cause that are counted, the newest; beyond them a page says “1 000+”.
COUNTED_AT_MOST = 1_000
# Causes that a page shows, those of most people.
SHOWN_AT_MOST = 100
# The newest messages of each cause that are looked at for whom to name.
SAMPLE = 6


class Key(NamedTuple):
    """Why messages of one office failed; `error_class` and `error_code` are "" where nothing was said."""

    source_app: str
    error_class: str
    error_code: str


@dataclass(frozen=True)
class Sums:
    """How many messages failed so, to how many telephones, and from when to when. The counts may be AtLeast."""

    message_count: int
    people_count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Cause:
    """One cause: the messages that are meant (`sums`, and the newest of them), and when all of its messages failed.

    `fresh_count` are those since somebody marked it as handled; it may be AtLeast.
    """

    key: Key
    sums: Sums
    codes: Sequence[UUID]
    first_at: datetime
    last_at: datetime
    fresh_count: int


_OPEN = "status = 'failed' AND settled_by_id IS NULL AND informed_at IS NULL AND resent_as_id IS NULL"
_FAILED = f"whatsapp_monitoring_app_whatsappnotification WHERE {_OPEN}"
_KEY = "source_app, error_class, error_code"
_OF_CAUSE = f"({_KEY}) = (cause.source_app, cause.error_class, cause.error_code)"
_CAUSES = f"""
WITH RECURSIVE cause AS (
  (SELECT {_KEY} FROM {_FAILED} AND {ledger.IN_SCOPE} ORDER BY {_KEY} LIMIT 1)
  UNION ALL
  SELECT following.* FROM cause, LATERAL (
    SELECT {_KEY} FROM {_FAILED} AND ({_KEY}) > (cause.source_app, cause.error_class, cause.error_code)
    ORDER BY {_KEY} LIMIT 1
  ) following
  -- Not inside: beside another condition the index would not be entered at the next cause.
  WHERE %(office)s::text IS NULL OR following.source_app = %(office)s
)
SELECT cause.*, counted.messages, counted.people, ({{oldest}} LIMIT 1), counted.last_at,
  ARRAY({{codes}} LIMIT {SAMPLE}),
  (SELECT failed_at FROM {_FAILED} AND {_OF_CAUSE} ORDER BY failed_at LIMIT 1),
  (SELECT failed_at FROM {_FAILED} AND {_OF_CAUSE} ORDER BY failed_at DESC LIMIT 1),
  (SELECT count(*) FROM (
    SELECT FROM {_FAILED} AND {_OF_CAUSE} AND failed_at > mark.handled_at LIMIT %(at_most)s + 1
  ) AS fresh)
FROM cause
LEFT JOIN whatsapp_monitoring_app_whatsappcausemark mark USING ({_KEY}),
LATERAL (
  SELECT count(*) AS messages, count(DISTINCT phone_number) AS people, max(failed_at) AS last_at
  FROM ({{newest}} LIMIT %(at_most)s + 1) AS newest
) counted
WHERE counted.messages > 0
ORDER BY counted.people DESC, counted.last_at DESC LIMIT {SHOWN_AT_MOST}
"""  # noqa: S608 - our own words


def of(found: NotificationQuerySet, scope: Scope) -> list[Cause]:
    """The causes of these messages that wait, all of which this office sees; that of most people first."""
    of_cause = {name: RawSQL(f"cause.{name}", ()) for name in Key._fields}  # noqa: S611 - our own words
    newest = found.filter(**of_cause).order_by("-failed_at")
    values: dict[str, object] = {"at_most": COUNTED_AT_MOST}
    try:
        statement = _CAUSES.format(
            newest=_written(newest.values_list("phone_number", "failed_at"), "newest", values),
            oldest=_written(newest.reverse().values_list("failed_at"), "oldest", values),
            codes=_written(newest.values_list("code"), "code", values),
        )
    except EmptyResultSet:
        return []
    return [_cause(*row) for row in ledger.ask(statement, scope, **values)]


def _written(rows: QuerySet[Any, Any], name: str, values: dict[str, object]) -> str:
    """Django's words for these rows, with parameters by names that begin so; the values are added to the others."""
    sql, params = rows.query.sql_with_params()
    names = [f"{name}_{place}" for place in range(len(params))]
    values |= dict(zip(names, params, strict=True))
    return sql.replace("%%", "%%%%") % tuple(f"%({each})s" for each in names)


def _cause(office: str, error_class: str, error_code: str, *facts: Any) -> Cause:
    messages, people, first_at, last_at, codes, whole_first_at, whole_last_at, fresh = facts
    is_cut = messages > COUNTED_AT_MOST
    sums = Sums(_bounded(messages, is_cut), _bounded(people, is_cut), first_at, last_at)
    fresh_count = _bounded(fresh, fresh > COUNTED_AT_MOST)
    return Cause(Key(office, error_class, error_code), sums, codes, whole_first_at, whole_last_at, fresh_count)


def _bounded(count: int, is_cut: bool) -> int:
    return AtLeast(min(count, COUNTED_AT_MOST)) if is_cut else count
