"""The China office's own pages: home and clients."""

import json
import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from agent_chine_app import client_async_utils, client_creation
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.forms import ClientForm, NewLinkForm
from agent_chine_app.models import Client, ClientCreation, Colis
from whatsapp_monitoring_app.models import WhatsAppInbound, WhatsAppOptOut
from whatsapp_monitoring_app.services import statistics
from whatsapp_monitoring_app.views.scoped import ScopedJsonMixin, ScopedMixin

ROWS_PER_PAGE = 25
RECENT = 5
REQUIRED = ("telephone", "first_name", "last_name")


class HomeView(ScopedMixin):
    template_name = "home.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=self.office.label,
            client_count=Client.objects.count(),
            colis_count=Colis.objects.on_the_way().count(),
            summary=statistics.summary(self.notifications()),
            recent_colis=Colis.objects.select_related("client__user")[:RECENT],
            creations=ClientCreation.objects.filter(requested_by=self.person)[:RECENT],
        )
        return self.render_to_response(context)


class ClientListView(ScopedMixin):
    template_name = "client_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = self.searched_text()
        # Counting groups the rows, which drops the model's own order.
        clients = Client.objects.select_related("user").annotate(colis_count=Count("colis"))
        clients = clients.order_by("-created_at", "-pk")
        found = clients.matching(text) if text else clients
        page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response(self.get_context_data(title=_("Clients"), page=page, q=text))


class ClientDetailsView(ScopedMixin):
    """One client: who they are, what they ship, what they were told, what they wrote."""

    template_name = "client_details.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = get_object_or_404(Client.objects.select_related("user"), pk=pk)
        told = list(self.notifications().told_to(client.user)[: RECENT + 1])
        number = client.user.telephone
        context = self.get_context_data(
            title=str(client),
            client=client,
            colis_list=client.colis.all()[:RECENT],
            colis_count=client.colis.count(),
            notifications=told[:RECENT],
            has_more_messages=len(told) > RECENT,
            replies=WhatsAppInbound.objects.visible_to(self.office).filter(phone_number=number)[:RECENT],
            opt_out=WhatsAppOptOut.objects.filter(phone_number=number).first(),
            link_form=None if client.user.has_usable_password() else NewLinkForm(initial={"request_id": uuid.uuid4()}),
        )
        return self.render_to_response(context)


class NewLinkView(ScopedMixin):
    """Send the client another first-password link: the one that they had is too old, or lost."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = get_object_or_404(Client.objects.select_related("user"), pk=pk)
        form = NewLinkForm(request.POST)
        if not form.is_valid():
            messages.warning(request, _("Nothing was sent. Press the button again."))
            return redirect(f"{self.office.office}:client_details", pk=pk)
        try:
            code = client_creation.tell_again(client, form.cleaned_data["request_id"])
        except ValueError as error:
            messages.warning(request, str(error))
            return redirect(f"{self.office.office}:client_details", pk=pk)
        text = _("A new link is on its way to %(client)s. Its result will show here.")
        messages.success(request, text % {"client": client})
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


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


class ClientApiView(ScopedJsonMixin):
    """Create a client from JSON: `telephone`, `first_name`, `last_name`, and perhaps `email`."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            data = _client_in(request.body)
        except ValueError as error:
            return JsonResponse({"success": False, "error": str(error)}, status=400)
        result = client_async_utils.create_client_for_view(request, **data)
        return JsonResponse(result, status=200 if result["success"] else 400)


create_client_api = ClientApiView.as_view(scope=AgentChineConfig.scope)


class ClientCreationApiView(ScopedJsonMixin):
    """How far a creation is, in JSON; an unknown id is UNKNOWN, with status 404."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, task_id: str) -> HttpResponse:
        status = client_async_utils.get_client_creation_status(task_id)
        return JsonResponse(status, status=404 if status["status"] == "UNKNOWN" else 200)


def _client_in(body: bytes) -> dict[str, Any]:
    """The client that a JSON body describes. Raises ValueError with a sentence for people."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:  # the latter: brackets in brackets in brackets
        raise ValueError(_("The body is not JSON.")) from error
    if not isinstance(data, dict):
        raise ValueError(_("The body is not a JSON object."))
    for name in REQUIRED:
        if not isinstance(data.get(name), str) or not data[name].strip():
            raise ValueError(_("The field “%(field)s” is missing.") % {"field": name})
    return {name: data[name] for name in REQUIRED} | {"email": data.get("email")}
