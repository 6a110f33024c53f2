from typing import Any, cast

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.views.scoped import page_with_form

YEAR = 365 * 24 * 3600  # seconds


class HomeView(LoginRequiredMixin, RedirectView):
    """Send each person to where they work; clients to their account."""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str:
        user = cast(User, self.request.user)
        for scope in _own_office_first(user):
            if user.has_perm(scope.permission):
                return reverse(f"{scope.office}:home")
        return reverse("client_home")


def _own_office_first(user: User) -> list[scopes.Scope]:
    return sorted(scopes.all_scopes().values(), key=lambda scope: scope.office != user.role)


def refused_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What answers a form without the site's own token: most often it was open for too long."""
    page = page_with_form(request, reverse("home"))
    return render(request, "403_csrf.html", {"page": page}, status=403)


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep in this browser whether pages are light or dark, or forget it: then they are as the device has it."""
    answer = HttpResponseRedirect(page_with_form(request, reverse("home")))
    theme = request.POST.get("theme")
    if theme in ("light", "dark"):
        secure = settings.SESSION_COOKIE_SECURE
        answer.set_cookie("theme", theme, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie("theme", samesite="Lax")
    return answer
