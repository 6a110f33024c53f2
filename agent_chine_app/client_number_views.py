"""Only a client's number is put right, from the message that it kept from them; and that one is said again."""

import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import phones
from agent_chine_app import client_corrections
from agent_chine_app.client_forms import OtherNumberForm
from agent_chine_app.client_views import ClientMixin
from agent_chine_app.models import Client
from whatsapp_monitoring_app.bells import ring_for_all_after_commit
from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import corrections


class ClientNumberView(ClientMixin):
    """The right number of a client. What else the wrong one kept from them is asked about next."""

    template_name = "client_number.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        number = client.user.telephone
        initial = {"opened_with": number, "telephone": phones.for_people(number)}
        return self._show(client, OtherNumberForm(self.office.country, initial=initial))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        form = OtherNumberForm(self.office.country, request.POST)
        if not form.is_valid() or not self._is_stored(client, form):
            return self._show(client, form, status=422)
        opened_with, message = form.cleaned_data["opened_with"], form.cleaned_data["message"]
        return self._say_again(self.client(pk), opened_with, message)

    def _is_stored(self, client: Client, form: OtherNumberForm) -> bool:
        values: dict[str, Any] = form.cleaned_data
        details = replace(client_corrections.details_of(client), telephone=values["telephone"])
        return self.is_corrected(
            client, form, details, values["opened_with"], old_is_strangers=values["old_is_strangers"]
        )

    def _say_again(self, client: Client, old: str, message: uuid.UUID | None) -> HttpResponse:
        number = phones.for_people(client.user.telephone)
        messages.success(
            self.request, _("%(client)s has the number %(number)s now.") % {"client": client, "number": number}
        )
        again = self._again(client, old, message)
        at = timezone.now()
        if again is None or client_corrections.missed(client, old, at).exists():
            if again is not None:
                messages.success(self.request, _("The message is sent again to the new number."))
            return self.to_what_was_missed(client, old)
        messages.success(self.request, _("The message is sent again to the new number. Its result will show here."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=again.pk)

    def _again(self, client: Client, old: str, message: uuid.UUID | None) -> WhatsAppNotification | None:
        """The message that says it again, on its way; None where there is none to say again."""
        if message is None or client_corrections.is_strangers(client.user.telephone):
            return None
        at = timezone.now()
        missed = client_corrections.missed(client, old, at).filter(pk=message)
        said = corrections.say_again(missed.filter(pk__in=self.notifications().filter(pk=message)), at)
        ring_for_all_after_commit(said.new)
        for refusal in said.refusals:
            messages.error(self.request, refusal)
        return said.new[0] if said.new else None

    def _show(self, client: Client, form: OtherNumberForm, status: int = 200) -> HttpResponse:
        context = self.get_context_data(title=_("Correct the number"), client=client, form=form)
        return self.render_to_response(context, status=status)
