from django.conf import settings
from django.contrib.auth import views as auth_views
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.views import i18n
from django.views.decorators.http import require_POST

from accounts import first_password
from accounts.forms import LoginForm
from accounts.models import User


class LoginView(auth_views.LoginView):
    authentication_form = LoginForm
    redirect_authenticated_user = True


class FirstPasswordView(auth_views.PasswordResetConfirmView):
    """Opened from the link in the client's message: choose a password, and be logged in."""

    template_name = "registration/first_password.html"
    token_generator = first_password.tokens
    reset_url_token = "choose"  # noqa: S105 - a word in the address
    post_reset_login = True
    success_url = "/"
    title = _("Choose your password")

    def get_user(self, uidb64: str) -> User | None:
        """Who the link is for; nobody once they have a password: this link gives a first one, and changes none."""
        user = super().get_user(uidb64)
        return user if isinstance(user, User) and not user.has_usable_password() else None


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's choice of language, kept on the account too: there it wins over the cookie."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        request.user.language = language
        request.user.save(update_fields=["language"])
    return i18n.set_language(request)
