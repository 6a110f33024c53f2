"""The filters of the list, as people say them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.labels import category_label, language_name, type_label
from whatsapp_monitoring_app.services.search import NONE, Filters

Words = str | Promise

# Words for several statuses at once, and for more than a status, as the dashboard counts them.
GROUPS: list[tuple[str, Words]] = [
    ("waiting", gettext_lazy("On their way")),
    ("overdue", gettext_lazy("Waiting for more than an hour")),
    ("reached", gettext_lazy("Delivered or read")),
    ("to_handle", gettext_lazy("Failed, to handle")),
    ("late", gettext_lazy("Accepted, not delivered for 12 h")),
    ("silent", gettext_lazy("Accepted, without receipt for 72 h")),
    ("tardy", gettext_lazy("First tried later than 10 s after being due")),
]
PERIODS: list[tuple[str, Words]] = [
    ("today", gettext_lazy("Today")),
    ("day", gettext_lazy("Last 24 hours")),
    ("morning", gettext_lazy("Since the previous working day")),
    ("week", gettext_lazy("Last 7 days")),
    ("month", gettext_lazy("Last 30 days")),
]
PRIORITIES: list[tuple[str, Words]] = [
    ("1", gettext_lazy("1, the most urgent")),
    ("2", "2"),
    ("3", gettext_lazy("3, usual")),
    ("4", "4"),
    ("5", gettext_lazy("5, the least urgent")),
]
CAUSES: list[tuple[str, Words]] = [*ErrorClass.choices, (NONE, gettext_lazy("No reason given"))]
LABELS: Mapping[str, Any] = {
    "q": gettext_lazy("Search"),
    "status": gettext_lazy("Status"),
    "period": gettext_lazy("Period"),
    "since": gettext_lazy("First day"),
    "until": gettext_lazy("Last day"),
    "error_class": gettext_lazy("Cause"),
    "error_code": gettext_lazy("Error code"),
    "message_type": gettext_lazy("Type"),
    "category": gettext_lazy("Category"),
    "source_app": gettext_lazy("Office"),
    "sender": gettext_lazy("Sender"),
    "template": gettext_lazy("Template"),
    "client": gettext_lazy("Client"),
    "telephone": gettext_lazy("Telephone"),
    "parcel": gettext_lazy("Parcel"),
    "lot": gettext_lazy("Lot"),
    "bulk": gettext_lazy("Bulk message"),
    "priority": gettext_lazy("Priority"),
    "language": gettext_lazy("Language"),
    "attempts": gettext_lazy("Attempts, at least"),
}
# What may be, or hold, a person's number.
MAY_NAME_A_NUMBER = ("q", "telephone")


@dataclass(frozen=True)
class Chip:
    """One filter in words, whether it was understood, and the query of the address without it."""

    name: str
    label: str
    value: str
    query: str
    is_misread: bool = False


def chips(filters: Filters, client: str = "") -> list[Chip]:
    """Each filter that filters, in the language of the page. `client` is the name of the one that is looked for."""
    misread = filters.misread
    known = {"client": client} if client else {}
    return [
        Chip(
            name,
            str(LABELS[name]),
            gettext("“%(text)s”") % {"text": text} if name in misread else known.get(name) or _in_words(name, text),
            filters.without(name).write(),
            name in misread,
        )
        for name, text in filters.chosen()
    ]


def chips_for(filters: Filters, reader: Scope) -> list[Chip]:
    """The same on a page that others read too: without what may name a number, where this office sees none."""
    shown = filters.without(*MAY_NAME_A_NUMBER) if reader.masks_numbers else filters
    hidden = [name for name, _text in filters.chosen() if not getattr(shown, name)]
    return [*chips(shown), *(Chip(name, str(LABELS[name]), "•••", "") for name in hidden)]


def _in_words(name: str, text: str) -> str:
    return str(_WORDS[name](text)) if name in _WORDS else text


def _office(text: str) -> Words:
    scope = scopes.all_scopes().get(text)
    return scope.label if scope else text


def _day(text: str) -> str:
    return date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")


def _one_of(choices: list[tuple[str, Words]]) -> Callable[[str], Words]:
    known = dict(choices)
    return lambda text: known.get(text, text)


_WORDS: Mapping[str, Callable[[str], Words]] = {
    "q": lambda text: gettext("“%(text)s”") % {"text": text},
    "status": _one_of([*GROUPS, *Status.choices]),
    "period": _one_of(PERIODS),
    "bulk": lambda text: text[:8],
    "since": _day,
    "until": _day,
    "error_class": _one_of(CAUSES),
    "error_code": _one_of([(NONE, gettext_lazy("none"))]),
    "message_type": type_label,
    "category": category_label,
    "source_app": _office,
    "priority": _one_of(PRIORITIES),
    "language": language_name,
}
