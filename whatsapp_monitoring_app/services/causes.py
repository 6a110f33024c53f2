"""What failed and waits for a person, grouped by why: one cause is seen to once, not once for each client."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app.models import Action, ErrorClass, WhatsAppCauseMark, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import audit, cause_counts, depth, diagnosis, explanations
from whatsapp_monitoring_app.services.cause_counts import Cause, Key, Sums
from whatsapp_monitoring_app.services.depth import End
from whatsapp_monitoring_app.services.diagnosis import Remedy
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, WITHOUT_REASON, Explanation
from whatsapp_monitoring_app.services.paging import AtLeast
from whatsapp_monitoring_app.services.search import NONE, Filters
from whatsapp_monitoring_app.services.statistics import cause_label

# A cause that was first seen within this time is new.
STILL_NEW = timedelta(hours=24)
NAMED = 3


class State(models.TextChoices):
    CAME_BACK = "came_back", _("Came back")
    NEW = "new", _("New")
    ONGOING = "ongoing", _("Ongoing")
    HANDLED = "handled", _("Handled")


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
        people = self.sums.people_count
        count = max(people - len(self.sample), 0)
        return AtLeast(count) if isinstance(people, AtLeast) else count


@dataclass(frozen=True)
class Look:
    """The causes that were found. Words and the like were looked for among the newest failures, back to `end`."""

    groups: Sequence[Group]
    end: End | None


def look(visible: NotificationQuerySet, scope: Scope, filters: Filters, at: datetime) -> Look:
    """Why messages that pass the filters failed, the cause of most people first; a few queries, whatever there is.

    Their status is no filter here. Whether a cause is new or came back, all that failed for it says.
    """
    filters = replace(filters, status="to_handle")
    end = depth.end(filters, visible, {}, at)
    found = _since(depth.looked_at(filters.apply(visible, at), end), filters, end, at)
    causes = cause_counts.of(found, scope)
    facts = _Facts.of(causes)
    return Look([facts.group(cause, at, _query(filters, scope, cause.key)) for cause in causes], end)


def _since(found: NotificationQuerySet, filters: Filters, end: End | None, at: datetime) -> NotificationQuerySet:
    """The same ones. Nothing fails before it is created, and the index is ordered by when they failed."""
    begins = [moment for moment in (filters.begins_at(at), end and end.moment) if moment]
    return found.filter(failed_at__gte=max(begins)) if begins else found


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
    """What is known of the causes beside their sums."""

    marks: Mapping[Key, WhatsAppCauseMark]
    samples: Mapping[Key, Sequence[WhatsAppNotification]]
    explained: Mapping[UUID, Explanation]

    @classmethod
    def of(cls, causes: Collection[Cause]) -> Self:
        samples = _samples(causes)
        first_of_each = [sample[0] for sample in samples.values()]
        return cls(_marks({cause.key for cause in causes}), samples, explanations.explain_all(first_of_each))

    def group(self, cause: Cause, at: datetime, query: str) -> Group:
        key, sample = cause.key, self.samples.get(cause.key, [])
        explanation = (self.explained.get(sample[0].pk) if sample else None) or _explanation(key)
        mark = self.marks.get(key)
        return Group(
            key=key,
            sums=cause.sums,
            state=_state(cause, mark, at),
            mark=mark,
            fresh_count=cause.fresh_count,
            sample=sample,
            explanation=explanation,
            remedy=diagnosis.remedy_of_cause(key.error_class, key.error_code, explanation),
            query=query,
        )


def _explanation(key: Key) -> Explanation:
    return EXPLANATIONS[ErrorClass(key.error_class)] if key.error_class else WITHOUT_REASON


def _state(cause: Cause, mark: WhatsAppCauseMark | None, at: datetime) -> State:
    if mark:
        return State.CAME_BACK if cause.last_at > mark.handled_at else State.HANDLED
    return State.NEW if cause.first_at > at - STILL_NEW else State.ONGOING


def _marks(keys: Collection[Key]) -> dict[Key, WhatsAppCauseMark]:
    offices = {key.source_app for key in keys}
    rows = WhatsAppCauseMark.objects.filter(source_app__in=offices).select_related("handled_by")
    marks = {Key(mark.source_app, mark.error_class, mark.error_code): mark for mark in rows}
    return {key: mark for key, mark in marks.items() if key in keys}


def _samples(causes: Collection[Cause]) -> dict[Key, list[WhatsAppNotification]]:
    """Some of the newest messages of each cause, one for each person."""
    found: dict[Key, dict[str, WhatsAppNotification]] = defaultdict(dict)
    rows = WhatsAppNotification.objects.filter(pk__in=[code for cause in causes for code in cause.codes])
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
    if not visible.to_retry().filter(**key._asdict()).exists():
        raise NothingToMark
    WhatsAppCauseMark.objects.update_or_create(
        **key._asdict(), defaults={"handled_by": person, "handled_at": min(seen_at, at)}
    )
    audit.note(Action.CAUSE_HANDLED, person, scope, at, target=_words(key))


@transaction.atomic
def reopen(key: Key, person: User, scope: Scope, at: datetime) -> bool:
    """Take the mark away; False when there was none."""
    deleted, _rows = WhatsAppCauseMark.objects.filter(**key._asdict()).delete()
    if deleted:
        audit.note(Action.CAUSE_HANDLED, person, scope, at, target=_words(key), detail=audit.REOPENED)
    return bool(deleted)


def _words(key: Key) -> str:
    return " ".join(word for word in key if word)
