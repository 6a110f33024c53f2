"""The tenancy guard: every page of an office inherits it, and none can run without a scope."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic.base import ContextMixin, TemplateResponseMixin, View

from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import call_queue, changes
from whatsapp_monitoring_app.services.search import Filters


def safe_next(request: HttpRequest, default: str) -> str:
    """Where the form asked to go on to (its `next`), if that is on this site; else `default`, an address or a name."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url(default)


def page_with_form(request: HttpRequest, default: str) -> str:
    """The address of the page of ours from which this request was made; `default` when it is not known."""
    for address in (request.headers.get("HX-Current-URL", ""), request.headers.get("Referer", "")):
        is_ours = url_has_allowed_host_and_scheme(
            address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
        if is_ours:
            parts = urlsplit(address)
            # One slash: two would name another host.
            return f"/{parts.path.lstrip('/')}" + (f"?{parts.query}" if parts.query else "")
    return default


@dataclass(frozen=True)
class NewerBar:
    """Where a page asks whether it is still true, and where its newest state is."""

    address: str
    page: str


class ScopedMixin(TemplateResponseMixin, ContextMixin, View):
    """A page of one office: who may open it, which rows it shows, which template it takes.

    `scope` comes through `as_view(scope=…)`. Somebody who is not logged in goes to the login page; somebody of another
    office gets 403. The office's own template wins over the shared one of the same name.
    """

    scope: Scope | None = None
    template_name = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.ask_to_log_in(request)
        if not request.user.has_perm(self.office.permission):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def office(self) -> Scope:
        """The view's scope. Raises ImproperlyConfigured when it was bound to none."""
        if self.scope is None:
            raise ImproperlyConfigured(f"{type(self).__name__} needs a scope: as_view(scope=…)")
        return self.scope

    @property
    def person(self) -> User:
        """Who is logged in."""
        return cast(User, self.request.user)

    def ask_to_log_in(self, request: HttpRequest) -> HttpResponse:
        if request.headers.get("HX-Request"):
            # A login page must not be swapped into a piece of the page.
            page = page_with_form(request, request.path)
            return HttpResponse(status=401, headers={"HX-Redirect": redirect_to_login(page).url})
        return redirect_to_login(self._page_to_come_back_to(request))

    def _page_to_come_back_to(self, request: HttpRequest) -> str:
        """This address; where it only takes what forms send, the page with the form."""
        if hasattr(self, "get") and "get" in self.http_method_names:
            return request.get_full_path()
        return page_with_form(request, reverse(f"{self.office.office}:home"))

    def notifications(self) -> NotificationQuerySet:
        """The notifications that this office may see."""
        return WhatsAppNotification.objects.visible_to(self.office)

    def searched_text(self) -> str:
        """What the person looks for, without the character that PostgreSQL cannot hold."""
        return self.request.GET.get("q", "").replace("\x00", "").strip()

    def get_template_names(self) -> list[str]:
        return [f"{self.office.app}/{self.template_name}", f"whatsapp_monitoring_app/{self.template_name}"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            scope=self.office,
            base_template=self.office.base_template,
            call_count=self.call_count,
            newer_bar=self.newer_bar,
            **kwargs,
        )

    @cached_property
    def filters(self) -> Filters:
        """What this page's address filters by, as its office may."""
        return Filters.read(self.request.GET).within(self.office)

    def call_count(self) -> int:
        """How many people wait for a call. The menu asks when it is shown, which pieces of a page are not."""
        return call_queue.count(self.office, timezone.now())

    def newer_bar(self) -> NewerBar:
        """What the bar about newer messages needs. Only the pages that show it ask."""
        token = changes.token(self.filters, self.office, timezone.now())
        query = self.filters.write()
        address = reverse(f"{self.office.office}:whatsapp_changes")
        return NewerBar(
            f"{address}?token={token}" + (f"&{query}" if query else ""),
            self.request.path + (f"?{query}" if query else ""),
        )


class EveryOfficeMixin(ScopedMixin):
    """A page about what all offices share, for the offices that see every office."""

    @property
    def office(self) -> Scope:
        """The view's scope. Raises ImproperlyConfigured when it was bound to none, or to one that sees only itself."""
        scope = super().office
        if not scope.sees_every_office:
            raise ImproperlyConfigured(f"{type(self).__name__} needs a scope that sees every office.")
        return scope


class ScopedJsonMixin(ScopedMixin):
    """A JSON endpoint of one office: 401 and 403 in JSON instead of pages."""

    def ask_to_log_in(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"success": False, "error": _("Log in first.")}, status=401)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except PermissionDenied:
            return JsonResponse({"success": False, "error": _("This office is not yours.")}, status=403)
