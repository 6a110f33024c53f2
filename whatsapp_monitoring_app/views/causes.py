"""What failed, grouped by cause: one action for the group, and the word that somebody has seen to it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.services import causes, depth
from whatsapp_monitoring_app.services.cause_counts import SHOWN_AT_MOST, Key
from whatsapp_monitoring_app.services.causes import State
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next


class CauseForm(forms.Form):
    """Which cause, of which office; an agent's office is their own, whatever is posted."""

    source_app = forms.CharField(required=False, max_length=40)
    cause = forms.ChoiceField(required=False, choices=[("", ""), *ErrorClass.choices])
    code = forms.CharField(required=False, max_length=40)


class SeenCauseForm(CauseForm):
    """`seen_at` is when the page was made: what failed since, its reader has not seen."""

    seen_at = forms.DateTimeField()


class CausesView(ScopedMixin):
    """Why messages failed that wait for a person; the list's own filters narrow them down."""

    template_name = "whatsapp_groups.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now, filters = timezone.now(), Filters.read(request.GET).within(self.office)
        look = causes.look(self.notifications(), self.office, filters, now)
        of_the_cause = filters.without("status", "error_class", "error_code", "source_app")
        context = self.get_context_data(
            title=_("Failures by cause"),
            groups=[group for group in look.groups if group.state != State.HANDLED],
            handled=[group for group in look.groups if group.state == State.HANDLED],
            filters=filters,
            is_partial=of_the_cause.is_filtering,
            query=filters.without("status").write(),
            now=now,
            end=look.end,
            looked_through=depth.LOOKED_THROUGH,
            shown_at_most=SHOWN_AT_MOST if len(look.groups) == SHOWN_AT_MOST else None,
        )
        return self.render_to_response(context)


class CauseMixin(ScopedMixin):
    """Something is noted of one cause; then on to the page it was pressed on."""

    http_method_names = ["post"]

    def key(self, values: dict[str, Any]) -> Key:
        source_app = values["source_app"] if self.office.sees_every_office else self.office.office
        return Key(source_app, values["cause"], values["code"])

    def back(self) -> HttpResponse:
        return redirect(safe_next(self.request, f"{self.office.office}:whatsapp_groups"))

    def refuse(self) -> HttpResponse:
        messages.warning(self.request, _("Nothing was noted: nothing fails for this cause any more."))
        return self.back()


class HandledView(CauseMixin):
    """Somebody has seen to a cause."""

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SeenCauseForm(request.POST)
        if not form.is_valid():
            return self.refuse()
        values, now = form.cleaned_data, timezone.now()
        try:
            causes.mark(
                self.notifications(), self.key(values), self.person, self.office, now, seen_at=values["seen_at"]
            )
        except causes.NothingToMark:
            return self.refuse()
        messages.success(request, _("Noted as handled. It comes back by itself if messages fail for it again."))
        return self.back()


class ReopenView(CauseMixin):
    """A cause is not seen to after all."""

    def post(self, request: HttpRequest) -> HttpResponse:
        form = CauseForm(request.POST)
        if not form.is_valid() or not causes.reopen(
            self.key(form.cleaned_data), self.person, self.office, timezone.now()
        ):
            return self.refuse()
        messages.success(request, _("This cause is open again."))
        return self.back()
