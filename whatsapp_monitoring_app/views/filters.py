"""The filters of the list of messages, as a form and as chips: the face of `services.search.Filters`."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.filter_choices import FilterChoices
from whatsapp_monitoring_app.services.search import LONGEST, NAMES, Filters

# Words for several statuses at once, and for more than a status, as the dashboard counts them.
GROUPS = [
    ("waiting", gettext_lazy("On their way")),
    ("overdue", gettext_lazy("Waiting for more than an hour")),
    ("reached", gettext_lazy("Delivered or read")),
    ("to_handle", gettext_lazy("Failed, to handle")),
    ("late", gettext_lazy("Accepted, not delivered for 12 h")),
    ("silent", gettext_lazy("Accepted, without receipt for 72 h")),
    ("tardy", gettext_lazy("First tried later than 10 s after being due")),
]
PERIODS = [
    ("today", gettext_lazy("Today")),
    ("day", gettext_lazy("Last 24 hours")),
    ("morning", gettext_lazy("Since the previous working day")),
    ("week", gettext_lazy("Last 7 days")),
    ("month", gettext_lazy("Last 30 days")),
]
PRIORITIES = [
    ("1", gettext_lazy("1, the most urgent")),
    ("2", "2"),
    ("3", gettext_lazy("3, usual")),
    ("4", "4"),
    ("5", gettext_lazy("5, the least urgent")),
]
EVERYTHING = ("", gettext_lazy("All"))


class AnyChoiceField(forms.ChoiceField):
    """A choice from a list that need not be whole: `Filters` says what can be understood."""

    def valid_value(self, value: Any) -> bool:
        return True


def _choice(label: Any, choices: Any = ()) -> AnyChoiceField:
    return AnyChoiceField(label=label, required=False, choices=[EVERYTHING, *choices])


def _text(label: Any, **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"maxlength": LONGEST, "autocomplete": "off", "spellcheck": "false", **attributes})
    return forms.CharField(label=label, required=False, widget=widget)


def _day(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))


@dataclass(frozen=True)
class Chip:
    """One filter in words, and the query of the address without it."""

    name: str
    label: str
    value: str
    query: str


class FilterForm(forms.Form):
    """The list's filters, as they stand in its address.

    `first` is a message that the filters find, if there is one: what it is can be chosen, however old it is.
    """

    q = forms.CharField(label=gettext_lazy("Search"), required=False, widget=forms.TextInput(attrs={"type": "search"}))
    status = _choice(gettext_lazy("Status"), [*GROUPS, *Status.choices])
    period = _choice(gettext_lazy("Period"), PERIODS)
    since = _day(gettext_lazy("First day"))
    until = _day(gettext_lazy("Last day"))
    error_code = _choice(gettext_lazy("Error code"))
    message_type = _choice(gettext_lazy("Type"))
    category = _choice(gettext_lazy("Category"))
    source_app = _choice(gettext_lazy("Office"))
    sender = _choice(gettext_lazy("Sender"))
    telephone = _text(gettext_lazy("Telephone"), inputmode="tel")
    parcel = _text(gettext_lazy("Parcel"), autocapitalize="characters")
    lot = _text(gettext_lazy("Lot"), autocapitalize="characters")
    priority = _choice(gettext_lazy("Priority"), PRIORITIES)
    language = _choice(gettext_lazy("Language"))
    attempts = _text(gettext_lazy("Attempts, at least"), inputmode="numeric")
    client = forms.CharField(label=gettext_lazy("Client"), required=False, widget=forms.HiddenInput)

    def __init__(
        self, filters: Filters, choices: FilterChoices, scope: Scope, first: WhatsAppNotification | None = None
    ) -> None:
        super().__init__(dict(filters.chosen()))
        self.filters, self.first = filters, first
        # Not declared above: Django's forms have an attribute of this name.
        self.fields["error_class"] = _choice(gettext_lazy("Cause"), ErrorClass.choices)
        self.order_fields(NAMES)
        self._offer(choices)
        if not scope.sees_every_office:
            del self.fields["source_app"]
        self._keep_what_was_typed()

    def _offer(self, choices: FilterChoices) -> None:
        offices = tuple((scope.office, str(scope.label)) for scope in scopes.all_scopes().values())
        languages = tuple((code, _language_name(code)) for code, _code in choices.language)
        offered = {**vars(choices), "source_app": offices, "language": languages}
        for name, known in offered.items():
            text = getattr(self.filters, name)
            is_old = bool(self.first and text) and text not in dict(known)
            self._field(name).choices = [EVERYTHING, *known, *([(text, text)] if is_old else [])]

    def _keep_what_was_typed(self) -> None:
        """A choice or a day that cannot be understood is shown as it stands in the address."""
        for name in self.filters.misread:
            field, text = self.fields[name], getattr(self.filters, name)
            if isinstance(field, AnyChoiceField):
                field.choices = [*dict(field.choices).items(), (text, text)]  # type: ignore[arg-type]
            elif field.widget.input_type == "date":
                field.widget.input_type = "text"

    def _field(self, name: str) -> AnyChoiceField:
        field = self.fields[name]
        assert isinstance(field, AnyChoiceField)
        return field

    def clean(self) -> None:
        for name in self.filters.misread:
            self.add_error(name, self._why_misread(name))
        for name, text in self.filters.chosen():
            if self.first is None and name not in self.errors and self._is_unheard_of(name, text):
                self.add_error(name, _("“%(text)s” is not among the latest messages.") % {"text": text})

    def _is_unheard_of(self, name: str, text: str) -> bool:
        field = self.fields.get(name)
        return isinstance(field, AnyChoiceField) and text not in dict(field.choices)  # type: ignore[arg-type]

    def _why_misread(self, name: str) -> str:
        text = getattr(self.filters, name)
        if len(text) > LONGEST:
            return _("At most %(count)d characters.") % {"count": LONGEST}
        if isinstance(self.fields[name], AnyChoiceField):
            return _("“%(text)s” is not one of the choices.") % {"text": text}
        return str(_WHY.get(name, _WHY["client"]))

    @property
    def chosen_count(self) -> int:
        """How many filters are chosen besides the free text."""
        return sum(name != "q" for name, _text in self.filters.chosen())

    @property
    def has_folded_errors(self) -> bool:
        return any(name != "q" for name in self.errors)

    def chips(self) -> list[Chip]:
        """Each filter that filters, in words."""
        return [
            Chip(name, str(self.fields[name].label), self._in_words(name, text), self.filters.without(name).write())
            for name, text in self.filters.chosen()
        ]

    def _in_words(self, name: str, text: str) -> str:
        if name in self.filters.misread:
            return f"“{text}”"
        if name in ("since", "until"):
            return date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")
        if name == "client":
            person = self.first.user if self.first else None
            return (person and person.get_full_name()) or text
        if isinstance(self.fields[name], AnyChoiceField):
            return str(dict(self._field(name).choices).get(text, text))  # type: ignore[arg-type]
        return f"“{text}”" if name == "q" else text


_WHY = {
    "since": gettext_lazy("Write the day like 2026-11-23."),
    "until": gettext_lazy("Write the day like 2026-11-23, not before the first day."),
    "telephone": gettext_lazy("A telephone number, or a part of it, has digits only."),
    "attempts": gettext_lazy("Write a whole number up to 1000."),
    "client": gettext_lazy("Write a whole number."),
}


def _language_name(code: str) -> str:
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code
