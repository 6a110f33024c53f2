"""The filters of the list of messages, as a form and as chips: the face of `services.search.Filters`."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.filter_choices import FilterChoices
from whatsapp_monitoring_app.services.labels import language_name
from whatsapp_monitoring_app.services.search import LONGEST, NAMES, Filters
from whatsapp_monitoring_app.views import filter_words
from whatsapp_monitoring_app.views.filter_words import (
    CAUSES,
    GROUPS,
    LABELS,
    PERIODS,
    PRIORITIES,
    Chip,
)

FIELDS = "whatsapp_monitoring_app/_filter_fields.html"
# Fields that look the same for everybody are drawn once: so many of the latest are kept.
DRAWN_AT_MOST = 100
_DRAWN: dict[tuple[Any, ...], SafeString] = {}
EVERYTHING = ("", gettext_lazy("All"))


class PlainSelect(forms.Select):
    """Django's own, drawn without a template for each option: this page has a hundred of them."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            (
                (key, mark_safe(" selected") if str(key) == str(value or "") else "", label)
                for key, label in self.choices
            ),
        )
        attributes = flatatt({"name": name, **self.build_attrs(self.attrs, attrs)})
        return format_html("<select{}>\n{}\n</select>", attributes, options)


class AnyChoiceField(forms.ChoiceField):
    """A choice from a list that need not be whole: `Filters` says what can be understood."""

    widget = PlainSelect

    def valid_value(self, value: Any) -> bool:
        return True


def _choice(label: Any, choices: Any = ()) -> AnyChoiceField:
    return AnyChoiceField(label=label, required=False, choices=[EVERYTHING, *choices])


def _text(label: Any, **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"maxlength": LONGEST, "autocomplete": "off", "spellcheck": "false", **attributes})
    return forms.CharField(label=label, required=False, widget=widget)


def _day(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))


class FilterForm(forms.Form):
    """The list's filters, as they stand in its address.

    `first` is a message that the filters find, if there is one: what it is can be chosen, however old it is.
    """

    q = forms.CharField(label=LABELS["q"], required=False, widget=forms.TextInput(attrs={"type": "search"}))
    status = _choice(LABELS["status"], [*GROUPS, *Status.choices])
    period = _choice(LABELS["period"], PERIODS)
    since = _day(LABELS["since"])
    until = _day(LABELS["until"])
    error_code = _choice(LABELS["error_code"])
    message_type = _choice(LABELS["message_type"])
    category = _choice(LABELS["category"])
    source_app = _choice(LABELS["source_app"])
    sender = _choice(LABELS["sender"])
    template = _choice(LABELS["template"])
    telephone = _text(LABELS["telephone"], inputmode="tel")
    parcel = _text(LABELS["parcel"], autocapitalize="characters")
    lot = _text(LABELS["lot"], autocapitalize="characters")
    priority = _choice(LABELS["priority"], PRIORITIES)
    language = _choice(LABELS["language"])
    attempts = _text(LABELS["attempts"], inputmode="numeric")
    client = forms.CharField(label=LABELS["client"], required=False, widget=forms.HiddenInput)
    bulk = forms.CharField(label=LABELS["bulk"], required=False, widget=forms.HiddenInput)

    def __init__(
        self, filters: Filters, choices: FilterChoices, scope: Scope, first: WhatsAppNotification | None = None
    ) -> None:
        super().__init__(dict(filters.chosen()))
        self.filters, self.choices, self.office, self.first = filters, choices, scope.office, first
        # Not declared above: Django's forms have an attribute of this name.
        self.fields["error_class"] = _choice(LABELS["error_class"], CAUSES)
        self.order_fields(NAMES)
        self._offer(choices)
        if not scope.sees_every_office:
            del self.fields["source_app"]
        self._keep_what_was_typed()

    def _offer(self, choices: FilterChoices) -> None:
        offices = tuple((scope.office, str(scope.label)) for scope in scopes.all_scopes().values())
        languages = tuple((code, language_name(code)) for code, _code in choices.language)
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
        if name == "telephone" and self.filters.hides_numbers:
            return _("Numbers are hidden here: write the telephone in full.")
        if isinstance(self.fields[name], AnyChoiceField):
            return _("“%(text)s” is not one of the choices.") % {"text": text}
        return str(_WHY.get(name, _WHY["client"]))

    def drawn_fields(self) -> SafeString:
        """The fields that are folded away. Drawing them takes longer than everything else on the page."""
        drawn = (self.filters, self.choices, self.office, self.first is None, get_language())
        if drawn not in _DRAWN:
            # Two threads may draw the same; a list is made because the other one may forget something meanwhile.
            for oldest in list(_DRAWN)[:-DRAWN_AT_MOST]:
                _DRAWN.pop(oldest, None)
            _DRAWN[drawn] = render_to_string(FIELDS, {"form": self})
        return _DRAWN[drawn]

    @property
    def chosen_count(self) -> int:
        """How many filters are chosen besides the free text."""
        return sum(name != "q" for name, _text in self.filters.chosen())

    @property
    def has_folded_errors(self) -> bool:
        return any(name != "q" for name in self.errors)

    def chips(self) -> list[Chip]:
        """Each filter that filters, in words."""
        person = self.first.user if self.first else None
        return filter_words.chips(self.filters, person.get_full_name() if person else "")


_WHY = {
    "since": gettext_lazy("Write the day like 2026-11-23."),
    "until": gettext_lazy("Write the day like 2026-11-23, not before the first day."),
    "telephone": gettext_lazy("A telephone number, or a part of it, has digits only."),
    "attempts": gettext_lazy("Write a whole number up to 1000."),
    "client": gettext_lazy("Write a whole number."),
}
