"""What a file of messages tells of each of them: its columns, for who may read what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import phones, time_zones
from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import CancelReason, ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import labels, rendering

# Not get_…_display(), which puts all the choices together anew for each of a hundred thousand rows.
_STATUSES: dict[str, str | Promise] = dict(Status.choices)
_CAUSES: dict[str, str | Promise] = dict(ErrorClass.choices)
_CANCEL_REASONS: dict[str, str | Promise] = dict(CancelReason.choices)

Value = Callable[[WhatsAppNotification], str]


@dataclass(frozen=True)
class Column:
    """A heading, how wide it is in a workbook (in characters), and what stands below it."""

    heading: str
    width: int
    value: Value


def columns(scope: Scope, *, with_texts: bool) -> list[Column]:
    """The columns in the current language and time zone, which the headings of the moments name."""
    hides = scope.masks_numbers
    words = [
        *(Column(str(heading), width, value) for heading, width, value in _BEFORE_TELEPHONE),
        Column(_("Telephone"), 20, lambda owed: _telephone(owed.phone_number, hides)),
        *(Column(str(heading), width, value) for heading, width, value in _AFTER_TELEPHONE),
    ]
    place = time_zones.place(timezone.get_current_timezone_name())
    moments = [Column(f"{heading} ({place})", 27, _moment_of(name)) for name, heading in _MOMENTS.items()]
    told_by = Column(_("Told by"), 22, lambda owed: _name(owed.informed_by))
    return [
        *words,
        *moments,
        told_by,
        *([Column(_("Text"), 80, lambda owed: _text(owed, hides))] if with_texts else []),
    ]


def _name(person: User | None) -> str:
    # Not str(): somebody without a name is called by their number, which this office may not see.
    return person.get_full_name() if person else ""


def _telephone(number: str, hides: bool) -> str:
    return phones.masked(number) if hides else number


def _office(owed: WhatsAppNotification) -> str:
    scope = scopes.all_scopes().get(owed.source_app)
    return str(scope.label) if scope else owed.source_app


def _cause(owed: WhatsAppNotification) -> str:
    words = _CAUSES.get(owed.error_class) or _CANCEL_REASONS.get(owed.cancel_reason, "")
    return str(words)


def _subjects(owed: WhatsAppNotification) -> str:
    names = sorted(subject.name for subject in owed.subjects.all())
    return ", ".join(names) or owed.subject


def _text(owed: WhatsAppNotification, hides: bool) -> str:
    if owed.is_secret:
        return _("[secret text, never exported]")
    text = rendering.without_link(owed.message_content)
    return phones.without_number(text, owed.phone_number) if hides else text


def _moment_of(name: str) -> Value:
    def value(owed: WhatsAppNotification) -> str:
        at: datetime | None = getattr(owed, name)
        return timezone.localtime(at).isoformat(timespec="seconds") if at else ""

    return value


_Words = list[tuple[str | Promise, int, Value]]
_BEFORE_TELEPHONE: _Words = [
    (gettext_lazy("Reference"), 38, lambda owed: str(owed.code)),
    (gettext_lazy("Office"), 16, _office),
    (gettext_lazy("Person"), 26, lambda owed: _name(owed.user)),
]
_AFTER_TELEPHONE: _Words = [
    (gettext_lazy("Language"), 12, lambda owed: labels.language_name(owed.language)),
    (gettext_lazy("Type"), 24, lambda owed: labels.type_label(owed.message_type)),
    (gettext_lazy("Category"), 24, lambda owed: labels.category_label(owed.category)),
    (gettext_lazy("Title"), 34, lambda owed: owed.title),
    (gettext_lazy("Status"), 22, lambda owed: str(_STATUSES[owed.status])),
    (gettext_lazy("Cause"), 34, _cause),
    (gettext_lazy("Error code"), 12, lambda owed: owed.error_code),
    (gettext_lazy("Priority"), 9, lambda owed: str(owed.priority)),
    (gettext_lazy("Attempts"), 10, lambda owed: str(owed.attempt_count)),
    (gettext_lazy("Sender"), 20, lambda owed: str(owed.sender or "")),
    (gettext_lazy("Subjects"), 26, _subjects),
]
_MOMENTS: dict[str, str | Promise] = {
    "created_at": gettext_lazy("Created"),
    "sent_at": gettext_lazy("Accepted"),
    "delivered_at": gettext_lazy("Delivered"),
    "read_at": gettext_lazy("Read"),
    "failed_at": gettext_lazy("Failed"),
    "informed_at": gettext_lazy("Told by a person"),
}
