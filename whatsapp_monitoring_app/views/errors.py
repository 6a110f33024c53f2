"""The error catalogue: what each code of a provider means, for the offices that see every office."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import Action, ErrorClass, WhatsAppErrorCode, WhatsAppSender
from whatsapp_monitoring_app.services import audit, error_catalogue, explanations
from whatsapp_monitoring_app.services.template_states import LANGUAGE_NAMES
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin

ROWS_PER_PAGE = 25
LANGUAGES = {"fr": "fr", "en": "en", "zh_hans": "zh-hans"}


class ErrorFilterForm(forms.Form):
    """What the list shows; a word that there is not filters nothing."""

    q = forms.CharField(label=gettext_lazy("Code or words"), required=False)
    provider = forms.ChoiceField(label=gettext_lazy("Provider"), required=False)
    cause = forms.ChoiceField(
        label=gettext_lazy("Cause"), required=False, choices=[("", gettext_lazy("All causes")), *ErrorClass.choices]
    )
    only = forms.ChoiceField(
        label=gettext_lazy("Which"),
        required=False,
        choices=[
            ("", gettext_lazy("All codes")),
            ("seen", gettext_lazy("Seen in the last 30 days")),
            ("unclassified", gettext_lazy("Not classified")),
            ("edited", gettext_lazy("With words of our own")),
        ],
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        codes = [provider.code for provider in providers.all_providers()]
        labels = dict(WhatsAppSender.Provider.choices)
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All providers")), *((code, labels[code]) for code in codes)]


class ErrorForm(forms.ModelForm[WhatsAppErrorCode]):
    """Our own words for a code, and the class of one that the program does not know."""

    class Meta:
        model = WhatsAppErrorCode
        fields = ("error_class", *error_catalogue.WORDS)
        widgets = {
            name: forms.Textarea(attrs={"rows": 2, "maxlength": 600, "lang": name.split("_", 1)[1].replace("_", "-")})
            for name in error_catalogue.WORDS
        }
        help_texts = {
            "error_class": gettext_lazy("It decides what happens to messages that are refused so, from now on.")
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if error_catalogue.is_programs(self.instance):
            del self.fields["error_class"]
        else:
            field = self.fields["error_class"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [choice for choice in ErrorClass.choices if choice[0] not in error_catalogue.OURS]

    def save(self, commit: bool = True) -> Any:
        if "error_class" in self.fields:
            self.instance.is_classified = self.cleaned_data["error_class"] != ErrorClass.UNKNOWN
        return super().save(commit)


class ErrorListView(EveryOfficeMixin):
    """Every code that providers may answer with: those that nobody has classified first, then the frequent ones."""

    template_name = "whatsapp_errors.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ErrorFilterForm(request.GET)
        form.is_valid()
        chosen = {name: form.cleaned_data.get(name, "").replace("\x00", "") for name in form.fields}
        found = error_catalogue.find(error_catalogue.Search(**chosen), timezone.now())
        page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(
            title=_("Error catalogue"), page=page, form=form, is_filtered=any(chosen.values())
        )
        return self.render_to_response(context)


class ErrorView(EveryOfficeMixin):
    """One code: our words for it beside those of its class, and what an agent reads."""

    template_name = "whatsapp_error.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        code = get_object_or_404(WhatsAppErrorCode, pk=pk)
        return self._show(ErrorForm(instance=code), code)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = ErrorForm(request.POST, instance=get_object_or_404(WhatsAppErrorCode, pk=pk))
        if not form.is_valid():
            return self._show(form, get_object_or_404(WhatsAppErrorCode, pk=pk), status=422)
        code, now = form.instance, timezone.now()
        with transaction.atomic():
            form.save()
            audit.note_fields(
                Action.ERROR_TEXT_CHANGE, self.person, self.office, now, target=code, fields=form.changed_data
            )
        messages.success(request, _("The explanation of %(code)s is saved.") % {"code": code})
        return redirect(f"{self.office.office}:whatsapp_error", pk=pk)

    def _show(self, form: ErrorForm, code: WhatsAppErrorCode, status: int = 200) -> HttpResponse:
        context = self.get_context_data(
            title=_("Error %(code)s") % {"code": code.code},
            form=form,
            code=code,
            texts=[_texts(form, code, suffix) for suffix in LANGUAGES],
            explanation=explanations.of_code(code, ErrorClass(code.error_class)),
            seen_count=error_catalogue.counts(timezone.now())[code.provider, code.code],
        )
        return self.render_to_response(context, status=status)


def _texts(form: ErrorForm, code: WhatsAppErrorCode, suffix: str) -> dict[str, Any]:
    """The two fields of one language, and what is said there without them."""
    language = LANGUAGES[suffix]
    with translation.override(language):
        default = explanations.default(code, ErrorClass(code.error_class))
        words = {"meaning": str(default.meaning), "advice": str(default.advice)}
    fields = [(form[f"{part}_{suffix}"], words[part]) for part in ("meaning", "advice")]
    return {"language": language, "name": LANGUAGE_NAMES[language], "fields": fields}
