"""How far the list looks by itself for what no index leads to.

Among five million messages the few of one type, or with one word, take seconds to find. So the list looks through the
newest LOOKED_THROUGH from where it stands, says so, and looks further when somebody asks for it. What is exported,
grouped or sent again is looked for among all messages, whatever the list has shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import LATE, SILENCE, NotificationQuerySet
from whatsapp_monitoring_app.services import paging
from whatsapp_monitoring_app.services.search import NONE, Filters

LOOKED_THROUGH = 5_000
ORDER = paging.Order(WhatsAppNotification)
# Where each message has to be looked at; `status`, `error_class` and the texts only as some are meant.
UNLED = ("message_type", "category", "sender", "template", "priority", "language", "attempts")
# Statuses that most messages have, or that are more than a status.
COMMON = (Status.SENT, Status.DELIVERED, Status.READ, "reached", "late", "silent", "tardy")
# Accepted so long ago means created before that.
AT_LEAST_AS_OLD = {"late": LATE, "silent": SILENCE}


def unled(filters: Filters) -> list[str]:
    """The names of the filters for which each message has to be looked at; none where another one leads to few."""
    if filters.finds_few:
        return []
    names = [name for name in UNLED if getattr(filters, name)]
    names += [name for name in ("q", "telephone") if getattr(filters, name)]
    names += [name for name in ("error_class", "error_code") if getattr(filters, name) == NONE]
    return [*names, "status"] if filters.status in COMMON else names


@dataclass(frozen=True)
class End:
    """The oldest message that is not looked at any more."""

    moment: datetime
    key: UUID

    @property
    def beyond(self) -> str:
        """The word of the page that goes on there."""
        return f"{(self.moment - paging.EPOCH) // paging.MICROSECOND}-{UUID(int=self.key.int + 1)}"


def end(filters: Filters, visible: NotificationQuerySet, query: Mapping[str, str], at: datetime) -> End | None:
    """Where a page of the list stops looking; None where it looks at everything.

    What an index leads to is not counted: of the failed messages, the newest LOOKED_THROUGH failed ones are looked at.
    """
    names = unled(filters)
    # On the way back a page ends where the one was that somebody comes from.
    if not names or filters.misread or query.get("before"):
        return None
    passing = filters.without(*names).apply(visible, at)
    if age := AT_LEAST_AS_OLD.get(filters.status):
        passing = passing.filter(created_at__lt=at - age)
    if after := ORDER.place(query.get("after", "")):
        passing = passing.filter(ORDER.older_than(*after))
    return _last_of(passing.order_by(*ORDER.newest_first())[: LOOKED_THROUGH + 1])


def _last_of(newest: NotificationQuerySet) -> End | None:
    rows, params = newest.values_list("created_at", "code").query.sql_with_params()
    with connection.cursor() as cursor:
        # One row comes back. The first 5 000 cannot be passed over: whether there are so many would stay unknown.
        cursor.execute(
            f"SELECT created_at, code, count(*) OVER () FROM ({rows}) AS newest"  # noqa: S608 - our own names
            " ORDER BY created_at, code LIMIT 1",
            params,
        )
        last = cursor.fetchone()
    return End(last[0], last[1]) if last and last[2] > LOOKED_THROUGH else None


def looked_at(found: NotificationQuerySet, end: End | None) -> NotificationQuerySet:
    """Those of them that are newer than the end."""
    return found.filter(ORDER.newer_than(end.moment, end.key)) if end else found


def looser(filters: Filters, visible: NotificationQuerySet, at: datetime) -> dict[str, NotificationQuerySet]:
    """What would be found without each of the filters: one message of them, if there is any.

    Where no index leads to it, it is looked for among the newest.
    """
    newest = visible.filter(pk__in=visible.order_by(*ORDER.newest_first()).values("pk")[:LOOKED_THROUGH])
    found = {}
    for name, _text in filters.chosen():
        others = filters.without(name)
        found[name] = others.apply(newest if unled(others) else visible, at).order_by()[:1]
    return found
