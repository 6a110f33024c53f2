"""Following a parcel by its number, without an account."""

import math
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.generic.base import ContextMixin, TemplateResponseMixin, View

from accounts import addresses
from client_app import tracking, visits
from client_app.forms import TrackingForm


class PublicMixin(TemplateResponseMixin, ContextMixin, View):
    """A page for everybody, that no search engine keeps; who asks too often has to wait."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wait = visits.wait_of(addresses.of(request), timezone.now())
        response = self.ask_to_wait(wait) if wait else super().dispatch(request, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex"
        # No other site hears of the number; without any referrer, browsers could not post the choice of a language.
        response["Referrer-Policy"] = "same-origin"
        patch_cache_control(response, private=True, no_cache=True)
        return response

    def ask_to_wait(self, wait: timedelta) -> HttpResponse:
        seconds = math.ceil(wait.total_seconds())
        self.template_name = "client_app/tracking_wait.html"
        context = self.get_context_data(title=_("Too many searches"), minutes=math.ceil(seconds / 60))
        return self.render_to_response(context, status=429, headers={"Retry-After": str(seconds)})

    def miss(self, typed: str) -> HttpResponse:
        """The one answer to numbers of nobody, and to what is no number; after many of them, to wait."""
        wait = visits.wait_of_miss(addresses.of(self.request), timezone.now())
        if wait:
            return self.ask_to_wait(wait)
        self.template_name = "client_app/tracking_missing.html"
        context = self.get_context_data(
            title=_("No parcel has this number"), form=TrackingForm(initial={"number": typed[: tracking.LONGEST]})
        )
        return self.render_to_response(context, status=404)


class SearchView(PublicMixin):
    """The form; with a number typed into it, the way to its page."""

    template_name = "client_app/tracking_search.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        if "number" not in request.GET:
            return self.render_to_response(self.get_context_data(title=_("Follow a parcel"), form=TrackingForm()))
        typed = request.GET["number"]
        number = tracking.understand(typed)
        return redirect("tracking", numero_suivi=number) if number else self.miss(typed)


class TrackingView(PublicMixin):
    """Where one parcel is."""

    template_name = "client_app/tracking.html"

    def get(self, request: HttpRequest, numero_suivi: str) -> HttpResponse:
        try:
            colis = tracking.find(numero_suivi)
        except tracking.NotFound:
            return self.miss(numero_suivi)
        title = _("Parcel %(number)s") % {"number": colis.numero_suivi}
        return self.render_to_response(self.get_context_data(title=title, colis=colis))
