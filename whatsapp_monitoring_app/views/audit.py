"""The log of who did what, for the offices that see every office."""

from datetime import datetime, time
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from whatsapp_monitoring_app.models import Action, WhatsAppAuditEntry
from whatsapp_monitoring_app.services import audit
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin

ROWS_PER_PAGE = 50


class AuditFilterForm(forms.Form):
    """What of the log is shown; the days are the reader's."""

    action = forms.ChoiceField(
        label=gettext_lazy("What"), required=False, choices=[("", gettext_lazy("Everything")), *Action.choices]
    )
    person = forms.ModelChoiceField(
        label=gettext_lazy("Who"), required=False, queryset=User.objects.none(), empty_label=gettext_lazy("Everybody")
    )
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["person"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = audit.people()


class AuditView(EveryOfficeMixin):
    """Who did what, the newest first; `before` is where the page before ended."""

    template_name = "whatsapp_audit.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = AuditFilterForm(request.GET)
        form.is_valid()
        found = WhatsAppAuditEntry.objects.visible_to(self.office).filter(**_wanted(form.cleaned_data))
        page = audit.page(found, request.GET.get("before", ""), ROWS_PER_PAGE)
        context = self.get_context_data(
            title=_("Audit log"),
            form=form,
            entries=page.entries,
            before=page.before,
            is_filtered=any(form.cleaned_data.values()) or "before" in request.GET,
        )
        return self.render_to_response(context)


def _wanted(given: dict[str, Any]) -> dict[str, Any]:
    """The filters in the words of the rows; what was misspelt filters nothing."""
    wanted = {
        "action": given.get("action"),
        "actor": given.get("person"),
        "at__gte": _moment(given.get("since"), time.min),
        "at__lte": _moment(given.get("until"), time.max),
    }
    return {name: value for name, value in wanted.items() if value}


def _moment(day: Any, clock: time) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, clock)) if day else None
