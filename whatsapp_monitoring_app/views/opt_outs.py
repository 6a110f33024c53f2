"""Those who are not written to, for the offices that see every office."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import phones
from accounts.forms import TelephoneField
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Action, WhatsAppOptOut
from whatsapp_monitoring_app.services import audit, inbound
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin

ROWS_PER_PAGE = 25


class OptOutForm(forms.Form):
    """Who refuses, and how we know. A number is refused once, however often the form comes."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, help_text=gettext_lazy("For example: asked for it by telephone.")
    )

    def __init__(self, *args: Any, country: str) -> None:
        super().__init__(*args)
        widget = forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"})
        self.fields = {"telephone": TelephoneField(country=country, widget=widget), **self.fields}


class OptOutListView(EveryOfficeMixin):
    """Everybody who refuses; `q` finds one by their number, in full and in any spelling."""

    template_name = "whatsapp_opt_outs.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(OptOutForm(country=self.office.country))

    def post(self, request: HttpRequest) -> HttpResponse:
        form, now = OptOutForm(request.POST, country=self.office.country), timezone.now()
        if not form.is_valid():
            return self._show(form, status=422)
        number = form.cleaned_data["telephone"]
        with transaction.atomic():
            is_new = inbound.opt_out(number, form.cleaned_data["reason"], now)
            if is_new:
                audit.note(Action.OPT_OUT_ADD, self.person, self.office, now, target=phones.masked(number))
        if is_new:
            messages.success(request, _("Noted: this number gets only what is essential. What waited is cancelled."))
        else:
            messages.info(request, _("This number was on the list already."))
        return redirect(f"{self.office.office}:whatsapp_opt_outs")

    def _show(self, form: OptOutForm, status: int = 200) -> HttpResponse:
        text = self.searched_text()
        rows = WhatsAppOptOut.objects.all()
        if text:
            rows = rows.filter(phone_number__in=phones.spellings(text, scopes.countries()))
        page = Paginator(rows, ROWS_PER_PAGE).get_page(self.request.GET.get("page"))
        context = self.get_context_data(title=_("Opt-outs"), page=page, q=text, form=form)
        return self.render_to_response(context, status=status)


class OptOutDeleteView(EveryOfficeMixin):
    """Write to somebody again as to anybody else."""

    template_name = "whatsapp_opt_out_delete.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        opt_out = get_object_or_404(WhatsAppOptOut, pk=pk)
        return self.render_to_response(self.get_context_data(title=_("Write to them again?"), opt_out=opt_out))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        number, now = get_object_or_404(WhatsAppOptOut, pk=pk).phone_number, timezone.now()
        with transaction.atomic():
            if inbound.opt_in(number):
                audit.note(Action.OPT_OUT_REMOVE, self.person, self.office, now, target=phones.masked(number))
        messages.success(request, _("This number is written to again. What was cancelled stays cancelled."))
        return redirect(f"{self.office.office}:whatsapp_opt_outs")
