"""Pages of a long list, each found by the row that it follows and not by its number.

A page costs the same however far down it is, and shows neither twice nor never what moves while new rows arrive.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connection
from django.db.models import Model, Q, QuerySet, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# More than these are not counted: a page says “10 000+”.
COUNTED_AT_MOST = 10_000


class AtLeast(int):
    """A count that may be too low, because not everything was looked at."""


@dataclass(frozen=True)
class Order:
    """How a list is ordered: newest first by `moment`, and by the key where two moments are the same."""

    model: type[Model]
    moment: str = "created_at"

    def newest_first(self) -> tuple[str, str]:
        return (f"-{self.moment}", "-pk")

    def oldest_first(self) -> tuple[str, str]:
        return (self.moment, "pk")

    def token(self, row: Any) -> str:
        """Where this row stands, as a word for an address."""
        microseconds = (getattr(row, self.moment) - EPOCH) // MICROSECOND
        return f"{microseconds}-{row.pk}"

    def place(self, token: str) -> tuple[datetime, Any] | None:
        """What the word says; None when it is none of ours."""
        microseconds, _, key = token.partition("-")
        try:
            moment = EPOCH + timedelta(microseconds=int(microseconds))
            return moment, self.model._meta.pk.to_python(key)
        except (ValueError, OverflowError, ValidationError):
            return None

    def older_than(self, moment: datetime, key: Any) -> Q:
        # The first condition is for the index; the second one for rows of the same moment.
        return Q(**{f"{self.moment}__lte": moment}) & (Q(**{f"{self.moment}__lt": moment}) | Q(pk__lt=key))

    def newer_than(self, moment: datetime, key: Any) -> Q:
        return Q(**{f"{self.moment}__gte": moment}) & (Q(**{f"{self.moment}__gt": moment}) | Q(pk__gt=key))


@dataclass(frozen=True)
class Page(Sequence[Any]):
    """Some rows, newest first. `newer` and `older` are the words of the neighbouring pages' addresses, or "".

    `is_cut`: the rows end because no older ones were looked at; whether `older` has any is not known.
    """

    rows: Sequence[Any]
    newer: str = ""
    older: str = ""
    is_cut: bool = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def is_only(self) -> bool:
        return not self.newer and not self.older

    @property
    def is_whole(self) -> bool:
        """Whether all that was looked at stands on it."""
        return not self.newer and (self.is_cut or not self.older)


def page(
    found: QuerySet[Any], query: Mapping[str, str], size: int, moment: str = "created_at", beyond: str = ""
) -> Page:
    """The page of these rows that an address asks for: `after=` a row, `before=` one, or else the first.

    A word that is none of ours asks for the first page; so does one before which less than a page is left, because a
    page of two rows would hide that others follow.

    `beyond` is where to look for more when these rows, which are not all that there may be, end.
    """
    shown = _page_of(found, query, size, Order(found.model, moment), is_part=bool(beyond))
    return shown if shown.older or not beyond else replace(shown, older=beyond, is_cut=True)


def _page_of(found: QuerySet[Any], query: Mapping[str, str], size: int, order: Order, *, is_part: bool) -> Page:
    if after := order.place(query.get("after", "")):
        rows = list(found.filter(order.older_than(*after)).order_by(*order.newest_first())[: size + 1])
        if rows or is_part:
            return _page(order, rows[:size], has_newer=True, has_older=len(rows) > size)
    elif before := order.place(query.get("before", "")):
        rows = list(found.filter(order.newer_than(*before)).order_by(*order.oldest_first())[: size + 1])
        if len(rows) > size:
            return _page(order, rows[size - 1 :: -1], has_newer=True, has_older=True)
    rows = list(found.order_by(*order.newest_first())[: size + 1])
    return _page(order, rows[:size], has_newer=False, has_older=len(rows) > size)


def _page(order: Order, rows: Sequence[Any], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        rows,
        newer=order.token(rows[0]) if has_newer and rows else "",
        older=order.token(rows[-1]) if has_older else "",
    )


def counts(*found: QuerySet[Any], at_most: int = COUNTED_AT_MOST) -> list[int]:
    """How many each of these are, in one query; one more than `at_most` where there are more than that.

    What is sliced already is counted as it is.
    """
    questions = [_bounded_count(each, at_most) for each in found]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(question for question, _params in questions)}",
            [value for _question, params in questions for value in params],
        )
        return list(cursor.fetchone())


def _bounded_count(found: QuerySet[Any], at_most: int) -> tuple[str, Sequence[Any]]:
    """The question as a value. The database counts: ten thousand rows take it a millisecond, and us ten."""
    rows = found if found.query.is_sliced else found.order_by()[: at_most + 1]
    try:
        question, params = rows.values_list(Value(1)).query.sql_with_params()
    except EmptyResultSet:
        return "0", ()
    return f"(SELECT count(*) FROM ({question}) AS found)", params  # noqa: S608 - Django's own words
