"""Whether a page that somebody looks at is still true: asked every few seconds, answered from indexes alone.

What a page was made with travels in its token: a moment shortly before, how many messages passed its filters since
that moment, and how many there were in each state that people watch.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import CharField, Count, F, Value

from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.search import Filters

COUNTED_AT_MOST = 99
# Rows show when their transaction ends, not in the order of their moments: what is so young is counted, not dated.
COMMITTED_AFTER = timedelta(minutes=1)
# Nobody counts what has happened since a page that is older.
FRESH_FOR = timedelta(days=1)
# How many are in these, the pages say; of the others there are too many to count so often.
WATCHED = (Status.PENDING, Status.SENDING, Status.RETRY_SCHEDULED, Status.UNCONFIRMED, Status.FAILED)
FAILED_SINCE = timedelta(days=7)
_NEWER = "newer"
_TOKEN = re.compile(r"(\d{1,11})\.(\d{1,9})\.([\d-]{1,60})")


@dataclass(frozen=True)
class Token:
    """What a page was made with. `since` is in whole seconds."""

    since: datetime
    known: int
    figures: str

    def __str__(self) -> str:
        return f"{int(self.since.timestamp())}.{self.known}.{self.figures}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The token of an address; None when it is none."""
        parts = _TOKEN.fullmatch(text)
        if parts is None:
            return None
        return cls(datetime.fromtimestamp(int(parts[1]), UTC), int(parts[2]), parts[3])


@dataclass(frozen=True)
class Changes:
    """What is new since a page was made. `is_old`: too much time has passed to count it."""

    newer: int = 0
    has_new_figures: bool = False
    is_old: bool = False

    def __bool__(self) -> bool:
        return self.newer > 0 or self.has_new_figures or self.is_old


def token(filters: Filters, scope: Scope, at: datetime) -> Token:
    """What a page that is made now is made with."""
    since = (at - COMMITTED_AFTER).replace(microsecond=0)
    counts = _counts(filters, scope, since, at)
    return Token(since, counts.get(_NEWER, 0), _figures(counts))


def since(page: Token | None, filters: Filters, scope: Scope, at: datetime) -> Changes:
    """What has changed since the page of this token was made. Nothing is known of a page without one."""
    if page is None or page.since < at - FRESH_FOR:
        return Changes(is_old=True)
    counts = _counts(filters, scope, page.since, at)
    newer = max(0, counts.get(_NEWER, 0) - page.known)
    return Changes(newer, has_new_figures=_figures(counts) != page.figures)


def _counts(filters: Filters, scope: Scope, since: datetime, at: datetime) -> dict[str, int]:
    """How many are newer than this moment, and how many are in each watched state: one query, two indexes."""
    visible = WhatsAppNotification.objects.visible_to(scope).order_by()
    newer = filters.within(scope).apply(visible.filter(created_at__gt=since), at).order_by()
    watched = visible.filter(status__in=WATCHED, created_at__gt=at - FAILED_SINCE)
    found = newer.annotate(kind=Value(_NEWER, output_field=CharField())).values("kind").annotate(count=Count("*"))
    states = watched.annotate(kind=F("status")).values("kind").annotate(count=Count("*"))
    return dict(found.values_list("kind", "count").union(states.values_list("kind", "count"), all=True))


def _figures(counts: dict[str, int]) -> str:
    return "-".join(str(counts.get(status, 0)) for status in WATCHED)
