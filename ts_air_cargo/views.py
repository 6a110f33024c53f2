from typing import Any, cast

from django.contrib.auth.mixins import LoginRequiredMixin
from django.urls import reverse
from django.views.generic import RedirectView

from accounts.models import User
from whatsapp_monitoring_app import scopes


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
