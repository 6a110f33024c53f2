"""The forms of the message templates, for the admin offices and for Django's admin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import WhatsAppTemplate, WhatsAppTemplateName, languages
from whatsapp_monitoring_app.models.templates import NAME
from whatsapp_monitoring_app.services.template_states import LANGUAGE_NAMES, written_in

SAMPLE = "sample_"
# More would be a mistake, and a field for the sample value of each.
VARIABLES_AT_MOST = 20
TWILIO_ID = "HX"


class VariablesField(forms.CharField):
    """Names separated by commas or spaces; a list in that order. Braces around a name do no harm."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"})
        super().__init__(**{"max_length": 1000, "required": False, "widget": widget, **options})

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(name) for name in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        names = names_in(super().clean(value))
        if len(names) > VARIABLES_AT_MOST:
            raise ValidationError(_("At most %(count)d variables.") % {"count": VARIABLES_AT_MOST})
        return names

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != names_in(str(data or ""))


def names_in(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,;、，；{}]+", text) if name]


class MessageField(forms.CharField):
    """A text of several lines, with the line ends that WhatsApp knows: browsers post others."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")


@dataclass(frozen=True)
class Preview:
    """What the client would read in one language. `problems` says what is wrong with the text."""

    language: str
    text: str
    problems: Sequence[Any]

    @property
    def language_name(self) -> str:
        return LANGUAGE_NAMES[self.language]


class TemplateForm(forms.ModelForm[WhatsAppTemplate]):
    """A template with a field for the sample value of each variable. Its code is given once, when it is made."""

    variables = VariablesField(
        label=gettext_lazy("Variables"),
        help_text=gettext_lazy(
            "Names separated by commas, for example nom, numero_suivi. In each text they stand in braces: {nom}."
        ),
    )

    class Meta:
        model = WhatsAppTemplate
        fields = ("label", "code", "message_type", "variables", "text_fr", "text_en", "text_zh_hans", "is_active")
        field_classes = {f"text_{name}": MessageField for name in ("fr", "en", "zh_hans")}
        widgets = {
            "message_type": forms.TextInput(attrs={"list": "message-types", "autocomplete": "off"}),
            **{
                f"text_{name}": forms.Textarea(attrs={"rows": 4, "data-counted": "", "lang": name.replace("_", "-")})
                for name in ("fr", "en", "zh_hans")
            },
        }
        labels = {"is_active": gettext_lazy("In use")}
        help_texts = {
            "code": gettext_lazy(
                "Small letters, digits and _; the template’s name at Meta. It cannot be changed later."
            ),
            "is_active": gettext_lazy(
                "A template is never deleted: messages refer to it. Without this tick it is no longer used."
            ),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            del self.fields["code"]
        for name in self._sample_names():
            self.fields[f"{SAMPLE}{name}"] = forms.CharField(
                label=f"{{{name}}}",
                required=False,
                max_length=500,
                initial=self.instance.samples.get(name, ""),
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )

    def _sample_names(self) -> list[str]:
        typed = self.data.get(self.add_prefix("variables")) if self.is_bound else None
        names = self.instance.variables if typed is None else names_in(str(typed))
        return [name for name in dict.fromkeys(names[:VARIABLES_AT_MOST]) if NAME.fullmatch(name)]

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if not NAME.fullmatch(code):
            raise ValidationError(_("A code has small letters, digits and _ only, and begins with a letter."))
        return code

    def clean_message_type(self) -> str:
        wanted = str(self.cleaned_data["message_type"])
        others = WhatsAppTemplate.objects.exclude(pk=self.instance.pk).filter(message_type=wanted)
        other = others.first() if wanted else None
        if other:
            raise ValidationError(_("“%(label)s” stands in for this type already.") % {"label": other.label})
        return wanted

    def clean_variables(self) -> list[str]:
        names: list[str] = self.cleaned_data["variables"]
        given = self.instance.names.select_related("sender") if self.instance.pk else []
        for name in given:
            unheard = sorted(name.used_variables - set(names))
            if unheard:
                raise ValidationError(
                    _("“%(name)s” of the sender %(sender)s still uses %(variables)s: change that first.")
                    % {"name": name, "sender": name.sender, "variables": ", ".join(unheard)}
                )
        return names

    def clean(self) -> None:
        super().clean()
        given = {name: self.cleaned_data.get(f"{SAMPLE}{name}", "") for name in self._sample_names()}
        self.instance.samples = {name: value for name, value in given.items() if value}

    def add_error(self, field: str | None, error: Any) -> None:
        """As Django does, but of what is wrong already the model says nothing more, nor of texts without variables."""
        if field is None and hasattr(error, "error_dict"):
            said = set(self.errors)
            if "variables" in said:
                said |= {f"text_{name}" for name in ("fr", "en", "zh_hans")}
            error = ValidationError({name: each for name, each in error.error_dict.items() if name not in said})
        super().add_error(field, error)

    @property
    def samples(self) -> list[forms.BoundField]:
        """The fields of the sample values, in the order of the variables."""
        return [self[f"{SAMPLE}{name}"] for name in self._sample_names()]

    @property
    def has_other_samples(self) -> bool:
        """Whether the variables were changed since the fields of their samples were shown."""
        shown = {name.removeprefix(SAMPLE) for name in self.data if name.startswith(SAMPLE)}
        return shown != set(self._sample_names())

    @property
    def changes_the_approved_text(self) -> bool:
        """Whether what the provider has approved is another text now."""
        return any(name == "variables" or name.startswith("text_") for name in self.changed_data)

    def previews(self) -> list[Preview]:
        """One per language that has a text, as it was typed."""
        errors = self.errors if self.is_bound else {}
        return [
            Preview(language, self.instance.preview(language), errors.get(f"text_{language.replace('-', '_')}", []))
            for language in written_in(self.instance)
        ]


class TemplateNameForm(forms.ModelForm[WhatsAppTemplateName]):
    """What a template is called at one sender's provider in one language."""

    body_variables = VariablesField(
        label=gettext_lazy("Variables of the body, in order"),
        help_text=gettext_lazy("Empty: all that stand neither in the header nor in a button, in our order."),
    )
    button_variables = VariablesField(
        label=gettext_lazy("Variables of the buttons, in order"),
        help_text=gettext_lazy("One for each button whose address has a variable end."),
    )

    class Meta:
        model = WhatsAppTemplateName
        fields = ("name", "provider_language", "body_variables", "header_variable", "button_variables")
        widgets = {
            name: forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"})
            for name in ("name", "provider_language")
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        none = ("", gettext_lazy("none"))
        names = self.instance.template.variables
        self.fields["header_variable"].widget = forms.Select(choices=[none, *((name, name) for name in names)])
        self.fields["provider_language"].help_text = _("Empty: %(language)s.") % {
            "language": languages.WHATSAPP_LANGUAGES[self.instance.language]
        }
        if self._gives_ids:
            self.fields["name"].label = _("ContentSid")
            self.fields["name"].help_text = _("Twilio shows it beside the template; it begins with HX.")
        else:
            self.fields["name"].help_text = ""

    @property
    def _gives_ids(self) -> bool:
        return not providers.get(self.instance.sender.provider).has_templates

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self._gives_ids and not name.startswith(TWILIO_ID):
            raise ValidationError(_("Twilio’s ContentSid begins with HX."))
        return name
