"""Registering clients: the form, the live progress, and another first-password link."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from agent_chine_app import client_async_utils, client_corrections, client_creation
from agent_chine_app.client_forms import ClientForm, NewLinkForm
from agent_chine_app.models import Client, ClientCreation
from whatsapp_monitoring_app.views.scoped import ScopedMixin


class ClientCreateView(ScopedMixin):
    template_name = "client_create.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(ClientForm(initial={"request_id": uuid.uuid4()}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ClientForm(request.POST)
        if not form.is_valid():
            return self._show(form, status=422)
        values = dict(form.cleaned_data)
        result = client_async_utils.create_client_for_view(request, code=values.pop("request_id"), **values)
        if not result["success"]:
            form.add_error(None, result["error"])
            return self._show(form, status=422)
        return redirect(f"{self.office.office}:client_creation", code=result["task_id"])

    def _show(self, form: forms.Form, status: int = 200) -> HttpResponse:
        return self.render_to_response(self.get_context_data(title=_("New client"), form=form), status=status)


class ClientCreationView(ScopedMixin):
    """The live progress of one creation; the piece that refreshes itself stops when the creation is over."""

    template_name = "client_creation.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        creation = get_object_or_404(ClientCreation.objects.select_related("client__user"), pk=code)
        context = self.get_context_data(title=_("New client"), creation=creation)
        if request.headers.get("HX-Request"):
            return render(request, "agent_chine_app/_client_creation.html", context)
        return self.render_to_response(context)


class NewLinkView(ScopedMixin):
    """Send the client another first-password link: the one that they had is too old, or lost."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = get_object_or_404(Client.objects.select_related("user"), pk=pk)
        form = NewLinkForm(client, request.POST)
        refusal = self._refusal(client, form)
        if refusal:
            messages.warning(request, refusal)
            return redirect(f"{self.office.office}:client_details", pk=pk)
        try:
            code = client_creation.tell_again(client, form.cleaned_data["request_id"])
        except ValueError as error:
            messages.warning(request, str(error))
            return redirect(f"{self.office.office}:client_details", pk=pk)
        text = _("A new link is on its way to %(client)s. Its result will show here.")
        messages.success(request, text % {"client": client})
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)

    def _refusal(self, client: Client, form: NewLinkForm) -> str:
        """Why nothing is sent; "" when it is."""
        if client_corrections.is_strangers(client.user.telephone):
            return _("Nothing was sent. Somebody else answers at this number.")
        if "is_in_hand" in form.errors:
            return _("Nothing was sent. Others use this telephone: say first that the client has it in hand.")
        return "" if form.is_valid() else _("Nothing was sent. Press the button again.")
