"""The China office's own home page, and the creation of clients by programs."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from agent_chine_app import client_async_utils
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Client, ClientCreation, Colis
from whatsapp_monitoring_app.services import statistics
from whatsapp_monitoring_app.views.scoped import ScopedJsonMixin, ScopedMixin

RECENT = 5
REQUIRED = ("telephone", "first_name", "last_name")


class HomeView(ScopedMixin):
    template_name = "home.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=self.office.label,
            client_count=Client.objects.count(),
            colis_count=Colis.objects.on_the_way().count(),
            messages_home=statistics.home(self.office, timezone.now()),
            recent_colis=Colis.objects.select_related("client__user")[:RECENT],
            creations=ClientCreation.objects.filter(requested_by=self.person, batch=None)[:RECENT],
        )
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
