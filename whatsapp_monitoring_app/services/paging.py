"""Pages of a long list, each found by the row that it follows and not by its number.

A page costs the same however far down it is, and shows neither twice nor never what moves while new rows arrive.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# More than these are not counted: a page says “10 000+”.
COUNTED_AT_MOST = 10_000


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
        microseconds = (getattr(row, self.moment) - EPOCH) // timedelta(microseconds=1)
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
    """Some rows, newest first. `newer` and `older` are the words of the neighbouring pages' addresses, or ""."""

    rows: Sequence[Any]
    newer: str = ""
    older: str = ""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def is_only(self) -> bool:
        return not self.newer and not self.older


def page(found: QuerySet[Any], query: Mapping[str, str], size: int, moment: str = "created_at") -> Page:
    """The page of these rows that an address asks for: `after=` a row, `before=` one, or else the first.

    A word that is none of ours asks for the first page; so does one before which less than a page is left, because a
    page of two rows would hide that others follow.
    """
    order = Order(found.model, moment)
    if after := order.place(query.get("after", "")):
        rows = list(found.filter(order.older_than(*after)).order_by(*order.newest_first())[: size + 1])
        if rows:
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
        newer=order.token(rows[0]) if has_newer else "",
        older=order.token(rows[-1]) if has_older else "",
    )


def counts(*found: QuerySet[Any], at_most: int = COUNTED_AT_MOST) -> list[int]:
    """How many each of these are, in one query; one more than `at_most` where there are more than that."""
    rows = [
        each.order_by().annotate(place=Value(place)).values_list("place")[: at_most + 1]
        for place, each in enumerate(found)
    ]
    places = Counter(place for (place,) in rows[0].union(*rows[1:], all=True))
    return [places[place] for place in range(len(found))]
