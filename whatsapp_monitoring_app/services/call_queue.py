"""Whose turn it is to be called: each telephone once, among the most urgent messages.

Whether a person knows better already takes time to find out, of each message anew. So a page asks it of the front of
the queue only, and says that there are more: they come up as the first are told.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, When
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppWrongNumber,
    compiled,
)
from whatsapp_monitoring_app.models.announcements import AddresseeQuerySet
from whatsapp_monitoring_app.models.compiled import Statement
from whatsapp_monitoring_app.models.notification_queries import EARLY, NotificationQuerySet
from whatsapp_monitoring_app.models.subjects import known_better
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import calls, statistics, telephones
from whatsapp_monitoring_app.services.paging import AtLeast

# Messages at the front of the queue, and those that are looked at for them: some people know better already.
FRONT = 1_000
LOOKED_THROUGH = 5_000
# The menu says how many people up to here, and “more” beyond; it counts so many messages, among so many.
COUNTED_AT_MOST = 99
LOOKED_AT = 150
COUNTED_THROUGH = 1_000
# The order of the indexes `notification_call_…`. Of the same urgency, what nobody needs any more is rather old.
MOST_URGENT_FIRST = ("priority", "-created_at", "-pk")
ENTRY = ("phone_number", "source_app", "priority", "created_at")
UNTOLD = ("user__telephone", "announcement__source_app", "announcement__priority", "announcement__created_at")
ANYTHING = Q()
# Stands for an office that is not known yet, as EARLY does for a moment.
SOME_OFFICE = "some office"
# SQL and its parameters.
Written = tuple[str, Sequence[Any]]
NOTHING: Written = ("", ())


class Kind(models.TextChoices):
    """Why somebody is on the list."""

    FAILED = "failed", _("Failed")
    DOUBTFUL = "doubtful", _("Doubtful")
    TO_CORRECT = "to_correct", _("Number to correct")
    UNWANTED = "unwanted", _("Does without messages")
    NO_MESSAGE = "no_message", _("No message")


@dataclass(frozen=True)
class Search:
    """Who is looked for: those of one kind (see Kind), whose name or number contains `text`, of one office."""

    kind: str = ""
    text: str = ""
    office: str = ""


@dataclass(frozen=True)
class Entry:
    """Somebody to call about a message of one office, as the queue is sorted."""

    phone_number: str
    office: str
    priority: int
    since: datetime


@dataclass(frozen=True)
class Queue:
    """Its front; who was `tried` today comes last. `is_cut`: there are more messages, at most as urgent as these."""

    entries: Sequence[Entry]
    is_cut: bool = False
    tried: Collection[str] = ()

    @property
    def numbers(self) -> list[str]:
        """Each telephone once: the most urgent first, then who waits longest."""
        best: dict[str, tuple[bool, int, datetime]] = {}
        for entry in self.entries:
            place = (entry.phone_number in self.tried, entry.priority, entry.since)
            _tried, priority, since = best.get(entry.phone_number, place)
            best[entry.phone_number] = (place[0], min(priority, entry.priority), min(since, entry.since))
        return sorted(best, key=lambda number: (*best[number], number))

    @property
    def count(self) -> int:
        """How many people; AtLeast when it is cut."""
        return AtLeast(len(self.numbers)) if self.is_cut else len(self.numbers)


@dataclass(frozen=True)
class Limits:
    """So many messages at the front, for which at most so many are looked through."""

    front: int
    through: int

    def of_messages(self, without: Collection[str]) -> list[Any]:
        return [self.through + 1, list(without), self.through, self.front + 1]


@dataclass(frozen=True)
class _Question:
    """What asks for messages, and for people without one."""

    messages: Written
    untold: Written


# Django's words go in.
_MESSAGES = """
(SELECT phone_number, source_app, priority, created_at, place
 FROM (SELECT *, row_number() OVER () AS place FROM ({rows} LIMIT %s) AS rows) AS looked_at
 WHERE is_wanted AND phone_number <> ALL (%s) OR place > %s LIMIT %s)
"""
_UNTOLD = "(SELECT *, NULL::bigint FROM ({rows} LIMIT %s) AS untold)"


def together(queues: Iterable[Queue]) -> Queue:
    """One queue of these."""
    parts = list(queues)
    return Queue(
        [entry for part in parts for entry in part.entries],
        any(part.is_cut for part in parts),
        {number for part in parts for number in part.tried},
    )


def of(scope: Scope, search: Search, at: datetime) -> Queue:
    """Those whom this office's people have to call; whom somebody tried today, after all others."""
    own = search if scope.sees_every_office else replace(search, office=scope.office)
    tried = tried_since(scope, statistics.start_of_day(at))
    limits = Limits(FRONT, LOOKED_THROUGH)
    parts = [_queue(_answers([_question(own, at)], limits, tried), limits)]
    if tried:
        again = _messages(own, at).filter(phone_number__in=tried)
        asked_again = _Question(_written_messages(again, _meant(own.text)), NOTHING)
        parts.append(_queue(_answers([asked_again], limits), limits))
    return replace(together(parts), tried=tried)


def of_offices(offices: Collection[str], tried: Collection[str], at: datetime, front: int) -> dict[str, Queue]:
    """The queue of each of these offices, in one query, about so many messages; those who were `tried`, last."""
    limits = Limits(front, LOOKED_THROUGH)
    rows = _answers([_question(Search(office=office), at) for office in offices], limits)
    return {
        office: replace(_queue([row for row in rows if row[1] == office], limits), tried=tried) for office in offices
    }


def count(scope: Scope, at: datetime) -> int:
    """How many telephones are on the list, in one query; at most one more than COUNTED_AT_MOST.

    Every page asks, so only LOOKED_AT messages at the front of the queue are counted; where there are more, the answer
    is AtLeast.
    """
    limits = Limits(LOOKED_AT, COUNTED_THROUGH)
    question = _question(Search(office="" if scope.sees_every_office else scope.office), at)
    queue = _queue(_answers([question], limits), limits)
    found = min(len({entry.phone_number for entry in queue.entries}), COUNTED_AT_MOST + 1)
    return AtLeast(found) if queue.is_cut else found


def tried_since(scope: Scope, moment: datetime) -> set[str]:
    """Whom somebody called in vain since this moment."""
    tried = WhatsAppCall.objects.visible_to(scope).in_vain().filter(at__gte=moment)
    return set(tried.order_by().values_list("phone_number", flat=True).distinct())


def _question(search: Search, at: datetime) -> _Question:
    if search.kind or search.text:
        return _Question(
            _written_messages(_messages(search, at), _meant(search.text)), _written_untold(_untold(search))
        )
    messages, untold = _every_message(bool(search.office)), _everybody_untold(bool(search.office))
    return _Question(
        (messages.sql, messages.with_values(at=at, office=search.office)),
        (untold.sql, untold.with_values(office=search.office)),
    )


# Every page asks these two, and Django takes longer to write them than the database to answer.
@cache
def _every_message(is_of_one_office: bool) -> Statement:
    office = {"office": SOME_OFFICE} if is_of_one_office else {}
    written = _written_messages(_messages(Search(**office), EARLY), ANYTHING)
    return compiled.marked(*written, {"at": EARLY, **office})


@cache
def _everybody_untold(is_of_one_office: bool) -> Statement:
    office = {"office": SOME_OFFICE} if is_of_one_office else {}
    return compiled.marked(*_written_untold(_untold(Search(**office))), office)


def _messages(search: Search, at: datetime) -> NotificationQuerySet:
    """What somebody may have to be called about. To a telephone in full an index leads, wherever its turn is."""
    found = calls.given_up(WhatsAppNotification.objects.all(), at)
    if search.office:
        found = found.filter(source_app=search.office)
    if whole := telephones.whole(search.text):
        found = found.filter(phone_number__in=whole)
    return _of_kind(found, search.kind)


def _stranger(number: str) -> Exists:
    return Exists(WhatsAppWrongNumber.objects.filter(phone_number=OuterRef(number)))


def _of_kind(notifications: NotificationQuerySet, kind: str) -> NotificationQuerySet:
    if kind == Kind.TO_CORRECT:
        return notifications.filter(_stranger("phone_number"))
    # The status stands beside each reason for the index that leads to it.
    wanted = {
        Kind.FAILED: Q(status=Status.FAILED) | Q(status=Status.CANCELLED, cancel_reason=CancelReason.WRONG_NUMBER),
        Kind.DOUBTFUL: Q(status=Status.UNCONFIRMED),
        Kind.UNWANTED: Q(status=Status.CANCELLED, cancel_reason=CancelReason.OPT_OUT),
    }
    if kind not in wanted:
        return notifications.none() if kind == Kind.NO_MESSAGE else notifications
    return notifications.filter(wanted[Kind(kind)]).exclude(_stranger("phone_number"))


def _untold(search: Search) -> AddresseeQuerySet:
    """Those for whom no message could be made."""
    found = WhatsAppAddressee.objects.never_told()
    if search.office:
        found = found.filter(announcement__source_app=search.office)
    if search.kind not in ("", Kind.NO_MESSAGE):
        return found.none()
    return found.filter(_named(search.text, "user__telephone")) if search.text else found


def _meant(text: str) -> Q:
    return _named(text, "phone_number") if text and not telephones.whole(text) else ANYTHING


def _named(text: str, number: str) -> Q:
    """Each word in the first name or in the last one; or the telephone contains it."""
    named = Q()
    for word in text.split():
        named &= Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word)
    return named | Q(**{f"{number}__contains": text.replace(" ", "")})


def _written_messages(messages: NotificationQuerySet, is_meant: Q) -> Written:
    """These, the most urgent first, and whether each is meant and news to its person."""
    wanted = Case(When(is_meant & ~known_better(), then=True), default=False, output_field=BooleanField())
    rows = messages.order_by(*MOST_URGENT_FIRST).annotate(is_wanted=wanted)
    return _written(rows.values_list(*ENTRY, "is_wanted"))


def _written_untold(addressees: AddresseeQuerySet) -> Written:
    rows = addressees.order_by("announcement__priority", "-announcement__created_at", "-pk")
    return _written(rows.values_list(*UNTOLD))


def _written(rows: QuerySet[Any, Any]) -> Written:
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return NOTHING


def _answers(questions: Iterable[_Question], limits: Limits, without: Collection[str] = ()) -> list[tuple[Any, ...]]:
    """Entries with the places of their messages among all; untold people have none. One more of each than asked for.

    The messages end with the row behind those that are looked through, if there is one.
    """
    parts, values = [], []
    for question in questions:
        for part, (rows, params) in ((_MESSAGES, question.messages), (_UNTOLD, question.untold)):
            if rows:
                parts.append(part.format(rows=rows))
                values += [*params, *limits.of_messages(without)] if part == _MESSAGES else [*params, limits.front + 1]
    with connection.cursor() as cursor:
        if parts:
            cursor.execute(" UNION ALL ".join(parts), values)
        return list(cursor.fetchall()) if parts else []


def _queue(rows: Sequence[tuple[Any, ...]], limits: Limits) -> Queue:
    messages = [row for row in rows if row[-1] is not None]
    untold = [row for row in rows if row[-1] is None]
    near = [row for row in messages if row[-1] <= limits.through]
    is_cut = len(near) < len(messages) or max(len(near), len(untold)) > limits.front
    shown = near[: limits.front] + untold[: limits.front]
    return Queue([Entry(*entry) for *entry, _place in shown], is_cut)
