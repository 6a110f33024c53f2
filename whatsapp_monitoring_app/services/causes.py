"""What failed and waits for a person, grouped by why: one cause is seen to once, not once for each client."""

import operator
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import Count, Max, Min, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app.models import Action, ErrorClass, WhatsAppCauseMark, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import audit, diagnosis, explanations
from whatsapp_monitoring_app.services.diagnosis import Remedy
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, WITHOUT_REASON, Explanation
from whatsapp_monitoring_app.services.search import NONE, Filters
from whatsapp_monitoring_app.services.statistics import cause_label

# A cause that was first seen within this time is new.
STILL_NEW = timedelta(hours=24)
SHOWN_AT_MOST = 100
# The newest messages of each group that are looked at for whom to name.
SAMPLE = 6
NAMED = 3
KEY = ("source_app", "error_class", "error_code")


class State(models.TextChoices):
    CAME_BACK = "came_back", _("Came back")
    NEW = "new", _("New")
    ONGOING = "ongoing", _("Ongoing")
    HANDLED = "handled", _("Handled")


class Key(NamedTuple):
    """Why messages of one office failed; `error_class` and `error_code` are "" where nothing was said."""

    source_app: str
    error_class: str
    error_code: str


@dataclass(frozen=True)
class Sums:
    """How many messages failed so, to how many telephones, and from when to when."""

    message_count: int
    people_count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Group:
    """The messages that failed for one cause. `fresh_count` are those since somebody marked it as handled.

    `sample` are some of the newest, one for each person; `query` is what the list of exactly these is filtered by.
    """

    key: Key
    sums: Sums
    state: State
    mark: WhatsAppCauseMark | None
    fresh_count: int
    sample: Sequence[WhatsAppNotification]
    explanation: Explanation
    remedy: Remedy
    query: str

    @property
    def label(self) -> str | Promise:
        return cause_label(self.key.error_class)

    @property
    def others_count(self) -> int:
        """How many people the sample does not name."""
        return max(self.sums.people_count - len(self.sample), 0)


def groups(visible: NotificationQuerySet, scope: Scope, filters: Filters, at: datetime) -> list[Group]:
    """Why messages that pass the filters failed, the cause of most people first; a few queries, whatever there is.

    Their status is no filter here. Whether a cause is new or came back, all that failed for it says.
    """
    filters = filters.without("status")
    everything = visible.to_retry()
    found = filters.apply(visible, at).to_retry()
    shown = _sums(found)
    facts = _Facts.of(found, shown, everything, _sums(everything) if filters.is_filtering else shown)
    return [facts.group(key, sums, at, _query(filters, scope, key)) for key, sums in shown.items()]


def _sums(failed: NotificationQuerySet) -> dict[Key, Sums]:
    rows: Any = (
        failed.order_by()
        .values(*KEY)
        .annotate(
            messages=Count("pk"),
            people=Count("phone_number", distinct=True),
            first=Min("failed_at"),
            last=Max("failed_at"),
        )
        .order_by("-people", "-last")[:SHOWN_AT_MOST]
    )
    return {_key(row): Sums(row["messages"], row["people"], row["first"], row["last"]) for row in rows}


def _key(row: Mapping[str, Any]) -> Key:
    return Key(*(row[name] for name in KEY))


def _query(filters: Filters, scope: Scope, key: Key) -> str:
    exactly = replace(
        filters,
        status="to_handle",
        error_class=key.error_class or NONE,
        error_code=key.error_code or NONE,
        source_app=key.source_app if scope.sees_every_office else "",
    )
    return exactly.write()


@dataclass(frozen=True)
class _Facts:
    """What is known of the groups beside their sums."""

    whole: Mapping[Key, Sums]
    marks: Mapping[Key, WhatsAppCauseMark]
    fresh_counts: Mapping[Key, int]
    samples: Mapping[Key, Sequence[WhatsAppNotification]]
    explained: Mapping[UUID, Explanation]

    @classmethod
    def of(
        cls,
        found: NotificationQuerySet,
        shown: Collection[Key],
        everything: NotificationQuerySet,
        whole: Mapping[Key, Sums],
    ) -> Self:
        marks = _marks(shown)
        samples = _samples(found, shown) if shown else {}
        return cls(
            whole,
            marks,
            _fresh_counts(everything, [mark for key, mark in marks.items() if _came_back(whole.get(key), mark)]),
            samples,
            explanations.explain_all([sample[0] for sample in samples.values()]),
        )

    def group(self, key: Key, sums: Sums, at: datetime, query: str) -> Group:
        sample = self.samples.get(key, [])
        explanation = (self.explained.get(sample[0].pk) if sample else None) or _explanation(key)
        mark = self.marks.get(key)
        return Group(
            key=key,
            sums=sums,
            state=_state(self.whole.get(key, sums), mark, at),
            mark=mark,
            fresh_count=self.fresh_counts.get(key, 0),
            sample=sample,
            explanation=explanation,
            remedy=diagnosis.remedy_of_cause(key.error_class, key.error_code, explanation),
            query=query,
        )


def _explanation(key: Key) -> Explanation:
    return EXPLANATIONS[ErrorClass(key.error_class)] if key.error_class else WITHOUT_REASON


def _came_back(whole: Sums | None, mark: WhatsAppCauseMark) -> bool:
    return whole is not None and whole.last_at > mark.handled_at


def _state(whole: Sums, mark: WhatsAppCauseMark | None, at: datetime) -> State:
    if mark:
        return State.CAME_BACK if _came_back(whole, mark) else State.HANDLED
    return State.NEW if whole.first_at > at - STILL_NEW else State.ONGOING


def _marks(keys: Collection[Key]) -> dict[Key, WhatsAppCauseMark]:
    offices = {key.source_app for key in keys}
    rows = WhatsAppCauseMark.objects.filter(source_app__in=offices).select_related("handled_by")
    marks = {Key(mark.source_app, mark.error_class, mark.error_code): mark for mark in rows}
    return {key: mark for key, mark in marks.items() if key in keys}


def _fresh_counts(failed: NotificationQuerySet, marks: Sequence[WhatsAppCauseMark]) -> dict[Key, int]:
    """How many have failed since each of these marks was made."""
    if not marks:
        return {}
    since = (_of_key(mark) & Q(failed_at__gt=mark.handled_at) for mark in marks)
    rows: Any = failed.filter(reduce(operator.or_, since)).order_by().values(*KEY).annotate(count=Count("pk"))
    return {_key(row): row["count"] for row in rows}


def _of_key(of: Key | WhatsAppCauseMark) -> Q:
    return Q(**{name: getattr(of, name) for name in KEY})


def _samples(failed: NotificationQuerySet, keys: Collection[Key]) -> dict[Key, list[WhatsAppNotification]]:
    """Some of the newest messages of each group, one for each person."""
    # Some for each key, along an index: numbering all that failed takes seconds.
    newest = [failed.filter(_of_key(key)).order_by("-failed_at").values("pk")[:SAMPLE] for key in keys]
    found: dict[Key, dict[str, WhatsAppNotification]] = defaultdict(dict)
    rows = WhatsAppNotification.objects.filter(pk__in=newest[0].union(*newest[1:], all=True))
    for one in rows.select_related("user", "sender").order_by("-failed_at"):
        found[Key(one.source_app, one.error_class, one.error_code)].setdefault(one.phone_number, one)
    return {key: list(people.values())[:NAMED] for key, people in found.items()}


class NothingToMark(Exception):
    """Nothing failed for this cause any more; nothing changed."""


@transaction.atomic
def mark(
    visible: NotificationQuerySet, key: Key, person: User, scope: Scope, at: datetime, *, seen_at: datetime
) -> None:
    """Note that this person has seen to what failed so until `seen_at`, and at the latest `at`; later ones come back.

    Raises NothingToMark, also when this office cannot see such messages.
    """
    if not visible.to_retry().filter(_of_key(key)).exists():
        raise NothingToMark
    WhatsAppCauseMark.objects.update_or_create(
        **key._asdict(), defaults={"handled_by": person, "handled_at": min(seen_at, at)}
    )
    audit.note(Action.CAUSE_HANDLED, person, scope, at, target=_words(key))


@transaction.atomic
def reopen(key: Key, person: User, scope: Scope, at: datetime) -> bool:
    """Take the mark away; False when there was none."""
    deleted, _rows = WhatsAppCauseMark.objects.filter(_of_key(key)).delete()
    if deleted:
        audit.note(Action.CAUSE_HANDLED, person, scope, at, target=_words(key), detail=audit.REOPENED)
    return bool(deleted)


def _words(key: Key) -> str:
    return " ".join(word for word in key if word)
