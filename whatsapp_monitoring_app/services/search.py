"""What the list of messages is filtered by: read from an address, applied to rows, written back into an address.

The same filters choose what is shown, exported, grouped by cause and sent again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Self

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils import timezone

from accounts import phones
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppAddressee, WhatsAppSubject
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import REACHED
from whatsapp_monitoring_app.services import morning, statistics

# Words for several statuses at once.
STATUS_GROUPS = {"waiting": statistics.ON_THE_WAY, "reached": tuple(REACHED)}
# Words for more than a status.
CONDITIONS = ("to_handle", "late", "silent")
BEGINNINGS: dict[str, Callable[[datetime], datetime]] = {
    "today": statistics.start_of_day,
    "day": lambda at: at - timedelta(days=1),
    "morning": morning.since,
    "week": lambda at: at - statistics.WEEK,
    "month": lambda at: at - timedelta(days=30),
}
# How a parcel and a lot are named among the subjects of messages.
PARCEL, LOT = "colis:", "lot:"


@dataclass(frozen=True)
class Filters:
    """The filters, each as the text that stands in the address; "" filters nothing."""

    q: str = ""
    status: str = ""
    period: str = ""
    since: str = ""  # ISO date, the first day in the reader's zone
    until: str = ""  # ISO date, the last day
    error_class: str = ""
    error_code: str = ""
    message_type: str = ""
    category: str = ""
    source_app: str = ""
    sender: str = ""  # its code
    client: str = ""  # the key of an account
    telephone: str = ""  # in any spelling, or a part of it
    parcel: str = ""  # its tracking number
    lot: str = ""  # its number
    priority: str = ""
    language: str = ""
    attempts: str = ""  # at least so many

    @classmethod
    def read(cls, query: str | Mapping[str, str]) -> Self:
        """The filters of an address's query; what is none of them is left out."""
        values = QueryDict(query) if isinstance(query, str) else query
        return cls(**{name: _clean(values.get(name) or "") for name in NAMES})

    def write(self) -> str:
        """The query of an address, which `read` understands; always the same for the same filters."""
        query = QueryDict(mutable=True)
        query.update(dict(self.chosen()))
        return query.urlencode()

    def without(self, *names: str) -> Self:
        """The same filters, apart from these."""
        return replace(self, **dict.fromkeys(names, ""))

    def chosen(self) -> Iterator[tuple[str, str]]:
        """The name and the text of each filter that filters."""
        return ((name, text) for name in NAMES if (text := getattr(self, name)))

    @property
    def is_filtering(self) -> bool:
        return any(self.chosen())

    @property
    def misread(self) -> list[str]:
        """The names of those that cannot be understood; such a filter finds nothing."""
        return [name for name, text in self.chosen() if name in _CHECKS and not _CHECKS[name](text)]

    def apply(self, notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
        """Those of the notifications that pass every filter, as it is meant at this moment.

        A filter that cannot be understood lets nothing pass: acting on everything would be worse.
        """
        if self.misread:
            return notifications.none()
        found = notifications
        for name, text in self.chosen():
            found = _APPLY[name](found, text, at) if name in _APPLY else found.filter(**{name: text})
        return found


NAMES = tuple(field.name for field in fields(Filters))


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    # Few digits: PostgreSQL's numbers end somewhere, and so do ours.
    return text.isascii() and text.isdecimal() and len(text) <= 9


_CHECKS: dict[str, Callable[[str], bool]] = {
    "status": lambda text: text in (*STATUS_GROUPS, *CONDITIONS, *Status.values),
    "period": lambda text: text in BEGINNINGS,
    "since": _is_day,
    "until": _is_day,
    "error_class": lambda text: text in ErrorClass.values,
    "client": _is_number,
    "telephone": lambda text: bool(phones.pieces(text)),
    "priority": lambda text: _is_number(text) and int(text) <= 5,
    "attempts": lambda text: _is_number(text) and int(text) <= 1000,
}


def _in_state(found: NotificationQuerySet, status: str, at: datetime) -> NotificationQuerySet:
    match status:
        case "silent":
            return found.without_receipt(at)
        case "late":
            return found.late(at)
        case "to_handle":
            return found.to_retry()
        case _:
            return found.filter(status__in=STATUS_GROUPS.get(status, [status]))


def _midnight(text: str) -> datetime:
    return timezone.make_aware(datetime.combine(date.fromisoformat(text), time.min))


def _until(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    last_day = date.fromisoformat(text)
    if last_day == date.max:
        return found
    return found.filter(created_at__lt=_midnight((last_day + timedelta(days=1)).isoformat()))


def _with_telephone(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    matches = Q()
    for piece in phones.pieces(text):
        matches |= Q(phone_number__contains=piece)
    return found.filter(matches)


def _about(found: NotificationQuerySet, name: str) -> NotificationQuerySet:
    return found.filter(Exists(WhatsAppSubject.objects.filter(notification=OuterRef("pk"), name=name)))


def _of_lot(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    name = f"{LOT}{text.upper()}"
    announced = WhatsAppAddressee.objects.filter(notification=OuterRef("pk"), announcement__subject=name)
    named = WhatsAppSubject.objects.filter(notification=OuterRef("pk"), name=name)
    return found.filter(Q(Exists(announced)) | Q(Exists(named)))


_APPLY: dict[str, Callable[[NotificationQuerySet, str, datetime], NotificationQuerySet]] = {
    "q": lambda found, text, at: found.matching(text),
    "status": _in_state,
    "period": lambda found, text, at: found.filter(created_at__gte=BEGINNINGS[text](at)),
    "since": lambda found, text, at: found.filter(created_at__gte=_midnight(text)),
    "until": _until,
    "sender": lambda found, text, at: found.filter(sender__code=text),
    "client": lambda found, text, at: found.filter(user=int(text)),
    "telephone": _with_telephone,
    "parcel": lambda found, text, at: _about(found, f"{PARCEL}{text.upper()}"),
    "lot": _of_lot,
    "attempts": lambda found, text, at: found.filter(attempt_count__gte=int(text)),
}
