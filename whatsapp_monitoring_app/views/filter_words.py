"""The filters of the list, as people say them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language_info, gettext_lazy

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status
from whatsapp_monitoring_app.services.search import Filters


@dataclass(frozen=True)
class Chip:
    """One filter: what it looks at, what that has to be, and whether that was understood."""

    name: str
    label: str | Promise
    words: str
    is_misread: bool


LABELS: Mapping[str, str | Promise] = {
    "q": gettext_lazy("Search"),
    "status": gettext_lazy("Status"),
    "period": gettext_lazy("Period"),
    "since": gettext_lazy("From day"),
    "until": gettext_lazy("To day"),
    "error_class": gettext_lazy("Cause"),
    "error_code": gettext_lazy("Error code"),
    "message_type": gettext_lazy("Type"),
    "category": gettext_lazy("Category"),
    "source_app": gettext_lazy("Office"),
    "sender": gettext_lazy("Sender"),
    "client": gettext_lazy("Client"),
    "telephone": gettext_lazy("Telephone"),
    "parcel": gettext_lazy("Parcel"),
    "lot": gettext_lazy("Lot"),
    "priority": gettext_lazy("Priority"),
    "language": gettext_lazy("Language"),
    "attempts": gettext_lazy("Attempts at least"),
}
STATUSES: Mapping[str, str | Promise] = {
    "waiting": gettext_lazy("On their way"),
    "reached": gettext_lazy("Delivered or read"),
    "to_handle": gettext_lazy("Failed, to handle"),
    "late": gettext_lazy("Accepted, not delivered for 12 h"),
    "silent": gettext_lazy("Accepted, without receipt for 72 h"),
    **{status.value: status.label for status in Status},
}
PERIODS: Mapping[str, str | Promise] = {
    "today": gettext_lazy("Today"),
    "day": gettext_lazy("Last 24 hours"),
    "morning": gettext_lazy("Since the previous working day"),
    "week": gettext_lazy("Last 7 days"),
    "month": gettext_lazy("Last 30 days"),
}


def chips(filters: Filters) -> list[Chip]:
    """Each filter that filters, in the language of the page."""
    misread = filters.misread
    return [
        Chip(name, LABELS[name], text if name in misread else _words(name, text), name in misread)
        for name, text in filters.chosen()
    ]


def _words(name: str, text: str) -> str:
    return str(_WORDS[name](text)) if name in _WORDS else text


def _office(text: str) -> str | Promise:
    scope = scopes.all_scopes().get(text)
    return scope.label if scope else text


def _language(text: str) -> str:
    try:
        return str(get_language_info(text)["name_translated"])
    except KeyError:
        return text


def _day(text: str) -> str:
    return date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")


_WORDS: Mapping[str, Callable[[str], str | Promise]] = {
    "status": lambda text: STATUSES[text],
    "period": lambda text: PERIODS[text],
    "since": _day,
    "until": _day,
    "error_class": lambda text: ErrorClass(text).label,
    "source_app": _office,
    "language": _language,
}
