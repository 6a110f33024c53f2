"""What a client sees of their own parcels."""

from datetime import date
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic.base import ContextMixin, TemplateResponseMixin, View

from accounts.models import User
from agent_chine_app.colis_views import photo_of
from agent_chine_app.models import Client
from client_app import parcels, tracking

HANDED_OVER_PER_PAGE = 10


class ClientMixin(LoginRequiredMixin, TemplateResponseMixin, ContextMixin, View):
    """A page for clients, about whoever is logged in. People of an office who ship nothing get 403."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if user.is_authenticated and not user.is_client and not Client.objects.filter(user=user).exists():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def person(self) -> User:
        """Who is logged in."""
        return cast(User, self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(is_account=True, **kwargs)


class HomeView(ClientMixin):
    """My parcels: what can be fetched before what is on its way, and what was fetched last."""

    template_name = "client_app/home.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        page_number = request.GET.get("page")
        page = Paginator(parcels.handed_over(self.person), HANDED_OVER_PER_PAGE).get_page(page_number)
        context = self.get_context_data(
            title=_("My parcels"),
            underway=parcels.underway(self.person),
            page=page,
            is_unfolded=page_number is not None,
            today=_today(),
            pickup_note=settings.PICKUP_NOTE,
        )
        return self.render_to_response(context)


class ColisView(ClientMixin):
    """One parcel of theirs: what it is, what happened to it, what we told them of it."""

    template_name = "client_app/colis.html"

    def get(self, request: HttpRequest, numero_suivi: str) -> HttpResponse:
        colis = get_object_or_404(parcels.of(self.person), numero_suivi=numero_suivi.replace("\x00", ""))
        context = self.get_context_data(
            title=_("Parcel %(number)s") % {"number": colis.numero_suivi},
            colis=colis,
            steps=colis.steps.all(),
            told=parcels.told_about(colis, self.person),
            today=_today(),
            pickup_note=settings.PICKUP_NOTE,
        )
        return self.render_to_response(context)


class PhotoView(ClientMixin):
    """The photo of a parcel of theirs."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return photo_of(get_object_or_404(parcels.of(self.person).exclude(photo=""), pk=pk))


def _today() -> date:
    """The date where parcels are fetched."""
    return timezone.localdate(timezone=tracking.BAMAKO)
