"""What the list of messages is filtered by: read from an address, applied to rows, written back into an address.

The same filters choose what is shown, exported, grouped by cause and sent again.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils import timezone

from accounts import phones
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppAddressee,
    WhatsAppNotification,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet, is_tardy
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY, REACHED
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import morning, statistics, telephones

# Words for several statuses at once.
STATUS_GROUPS = {"waiting": tuple(ON_THE_WAY), "reached": tuple(REACHED)}
# Words for more than a status.
CONDITIONS = ("to_handle", "overdue", "late", "silent", "tardy")
# A message that waits for so long is overdue.
LONG_WAIT = timedelta(hours=1)
BEGINNINGS: dict[str, Callable[[datetime], datetime]] = {
    "today": statistics.start_of_day,
    # From a full hour on: so the dashboard counts them.
    "day": lambda at: statistics.full_hour(timezone.localtime(at)) - timedelta(days=1),
    "morning": morning.since,
    "week": lambda at: at - statistics.WEEK,
    "month": lambda at: at - timedelta(days=30),
}
# How a parcel and a lot are named among the subjects of messages.
PARCEL, LOT = "colis:", "lot:"
# Characters of one filter; nobody types more, and a whole text would be looked for in every message.
LONGEST = 100
MOST_ATTEMPTS = 1000
# A lot is what thousands of messages are about.
MOST_NAMED = 10_000
# The word, in an address, for messages without a cause, or without a code.
NONE = "none"


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
    template: str = ""  # its code
    client: str = ""  # the key of an account
    telephone: str = ""  # in any spelling, or a part of it
    parcel: str = ""  # its tracking number
    lot: str = ""  # its number
    priority: str = ""
    language: str = ""
    attempts: str = ""  # at least so many
    bulk: str = ""  # the code of a bulk message
    # Where an office sees no numbers, a part of one finds nothing: counting what is found would tell its digits.
    hides_numbers: bool = field(default=False, compare=False)

    @classmethod
    def read(cls, query: str | Mapping[str, str]) -> Self:
        """The filters of an address's query; what is none of them is left out."""
        values = QueryDict(query) if isinstance(query, str) else query
        texts: Any = {name: _clean(values.get(name) or "") for name in NAMES}
        return cls(**texts)

    def write(self) -> str:
        """The query of an address, which `read` understands; always the same for the same filters."""
        return urlencode(list(self.chosen()))

    def without(self, *names: str) -> Self:
        """The same filters, apart from these."""
        nothing: Any = dict.fromkeys(names, "")
        others = replace(self, **nothing)
        if others.q == self.q and "named" in vars(self):
            vars(others)["named"] = self.named
        return others

    def within(self, scope: Scope) -> Self:
        """The same filters as this office may use them: who sees one office chooses none."""
        own = self if scope.sees_every_office or not self.source_app else self.without("source_app")
        is_same = own.hides_numbers == scope.masks_numbers
        return own if is_same else replace(own, hides_numbers=scope.masks_numbers)

    def chosen(self) -> Iterator[tuple[str, str]]:
        """The name and the text of each filter that filters."""
        return ((name, text) for name in NAMES if (text := getattr(self, name)))

    @property
    def is_filtering(self) -> bool:
        return any(self.chosen())

    @property
    def misread(self) -> list[str]:
        """The names of those that cannot be understood; such a filter finds nothing."""
        return [name for name, text in self.chosen() if not self._understands(name, text)]

    @property
    def finds_few(self) -> bool:
        """Whether one of them is of few messages, to which an index leads: a person's, a parcel's, a number's."""
        is_number = any(telephones.whole(text) for text in (self.telephone, self.q) if text)
        return is_number or bool(self.client or self.parcel or self.lot or self.named)

    @cached_property
    def named(self) -> list[uuid.UUID]:
        """The messages that the free text names by a number or an id: then it is not looked for among the words."""
        return [] if not self.q or len(self.q) > LONGEST or telephones.whole(self.q) else _keys_named(self.q)

    def begins_at(self, at: datetime) -> datetime | None:
        """The moment before which nothing passes that was created then, if there is one."""
        begins = [BEGINNINGS[self.period](at)] if self.period in BEGINNINGS else []
        begins += [_midnight(self.since)] if _is_day(self.since) else []
        return max(begins, default=None)

    def _understands(self, name: str, text: str) -> bool:
        if len(text) > LONGEST or (name in _CHECKS and not _CHECKS[name](text)):
            return False
        if name == "telephone" and self.hides_numbers:
            return bool(telephones.whole(text))
        return name != "until" or not _is_day(self.since) or self.since <= text

    def apply(self, notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
        """Those of the notifications that pass every filter, as it is meant at this moment.

        Days begin and end in the current time zone. A filter that cannot be understood lets nothing pass: acting on
        everything would be worse.
        """
        if self.misread:
            return notifications.none()
        found, steps = notifications, _APPLY | _WITHOUT_DIGITS if self.hides_numbers else _APPLY
        for name, text in self.chosen():
            if name == "q" and self.named:
                found = found.filter(pk__in=self.named)
                continue
            found = steps[name](found, text, at) if name in steps else found.filter(**{name: text})
        return found


NAMES = tuple(each.name for each in fields(Filters) if each.name != "hides_numbers")


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()


def _is_day(text: str) -> bool:
    try:
        # ISO has other spellings, which no field of a form shows.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_code(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    # Few digits: PostgreSQL's numbers end somewhere, and so do ours.
    return text.isascii() and text.isdecimal() and len(text) <= 9


_CHECKS: dict[str, Callable[[str], bool]] = {
    "status": lambda text: text in (*STATUS_GROUPS, *CONDITIONS, *Status.values),
    "period": lambda text: text in BEGINNINGS,
    "since": _is_day,
    "until": _is_day,
    "error_class": lambda text: text in (NONE, *ErrorClass.values),
    "client": _is_number,
    "bulk": _is_code,
    "telephone": lambda text: bool(phones.pieces(text)),
    "priority": lambda text: _is_number(text) and 1 <= int(text) <= 5,
    "attempts": lambda text: _is_number(text) and int(text) <= MOST_ATTEMPTS,
}


def _with_text(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    """Those in whose words, subjects, telephone or person's name this text stands, or whose own code it is.

    A whole telephone number is looked for as such: reading every text takes seconds.
    """
    if telephones.whole(text):
        return _with_telephone(found, text, at)
    matches = _has_words(text)
    for piece in phones.pieces(text):
        matches |= Q(phone_number__contains=piece)
    return found.filter(matches)


def _with_text_or_whole_number(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    """The same, without what only a part of a telephone would find."""
    if telephones.whole(text):
        return _with_telephone(found, text, at)
    return found.filter(_has_words(text))


def _has_words(text: str) -> Q:
    return (
        Q(title__icontains=text)
        | Q(message_content__icontains=text)
        | Q(subject__icontains=text)
        | Q(user__first_name__icontains=text)
        | Q(user__last_name__icontains=text)
    )


def _keys_named(text: str) -> list[uuid.UUID]:
    """The messages about the parcel or lot of this number, or whose own code or provider's id this is.

    Only what looks like one is looked up: numbers and ids have digits in them, and no space.
    """
    if " " in text or not any(character.isdigit() for character in text):
        return []
    about = WhatsAppSubject.objects.filter(name__in=(text, f"{PARCEL}{text.upper()}", f"{LOT}{text.upper()}"))
    own = WhatsAppNotification.objects.filter(provider_message_id=text).order_by()
    found = about.values_list("notification").union(own.values_list("pk"))
    with suppress(ValueError):
        found = found.union(WhatsAppNotification.objects.filter(pk=uuid.UUID(text)).order_by().values_list("pk"))
    return [key for (key,) in found[:MOST_NAMED]]


def _in_state(found: NotificationQuerySet, status: str, at: datetime) -> NotificationQuerySet:
    match status:
        case "silent":
            return found.without_receipt(at)
        case "late":
            return found.late(at)
        case "overdue":
            return found.filter(status__in=ON_THE_WAY, created_at__lt=at - LONG_WAIT)
        case "to_handle":
            return found.to_retry()
        case "tardy":
            return found.filter(is_tardy(at))
        case _:
            return found.filter(status__in=STATUS_GROUPS.get(status, [status]))


def _midnight(text: str) -> datetime:
    return statistics.begin_of(date.fromisoformat(text))


def _until(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    last_day = date.fromisoformat(text)
    if last_day == date.max:
        return found
    return found.filter(created_at__lt=_midnight((last_day + timedelta(days=1)).isoformat()))


def _with_telephone(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    """Those to this number, which is read by every office's plan; else those to whose number it belongs as a part."""
    if whole := telephones.whole(text):
        return found.filter(phone_number__in=whole)
    matches = Q()
    for piece in phones.pieces(text):
        matches |= Q(phone_number__contains=piece)
    return found.filter(matches)


def _named(prefix: str, text: str) -> str:
    """The subject of this number, which people also write as the subject itself."""
    return f"{prefix}{text.lower().removeprefix(prefix).strip().upper()}"


def _about(name: str) -> Exists:
    return Exists(WhatsAppSubject.objects.filter(notification=OuterRef("pk"), name=name))


def _of_lot(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    name = _named(LOT, text)
    announced = WhatsAppAddressee.objects.filter(announcement__subject=name).values("notification")
    named = WhatsAppSubject.objects.filter(name=name).values("notification")
    # One list of keys from two small indexes: with “or” between two questions every row would be asked.
    return found.filter(pk__in=announced.union(named))


def _with_code(found: NotificationQuerySet, text: str, at: datetime) -> NotificationQuerySet:
    if text == NONE:
        return found.filter(error_code="")
    # Without a cause there is no code, and the index knows those that have one.
    return found.filter(error_code=text).exclude(error_class="")


_APPLY: dict[str, Callable[[NotificationQuerySet, str, datetime], NotificationQuerySet]] = {
    "q": _with_text,
    "status": _in_state,
    "period": lambda found, text, at: found.filter(created_at__gte=BEGINNINGS[text](at)),
    "since": lambda found, text, at: found.filter(created_at__gte=_midnight(text)),
    "until": _until,
    "error_class": lambda found, text, at: found.filter(error_class="" if text == NONE else text),
    "error_code": _with_code,
    "sender": lambda found, text, at: found.filter(sender__code=text),
    "template": lambda found, text, at: found.filter(template__code=text),
    "client": lambda found, text, at: found.filter(user=int(text)),
    "telephone": _with_telephone,
    "parcel": lambda found, text, at: found.filter(_about(_named(PARCEL, text))),
    "lot": _of_lot,
    "attempts": lambda found, text, at: found.filter(attempt_count__gte=int(text)),
}
_WITHOUT_DIGITS = {"q": _with_text_or_whole_number}
