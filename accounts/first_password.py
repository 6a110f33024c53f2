"""The first-password link: how a new client chooses a password that nobody else ever saw.

The link is signed and works once: its token depends on the password that it replaces. It lives for
settings.PASSWORD_RESET_TIMEOUT seconds (72 h). It can be made again at any time, so it is never stored.
"""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User


class _TokenGenerator(PasswordResetTokenGenerator):
    key_salt = "accounts.first_password"


tokens = _TokenGenerator()


def link_for(user: User) -> str:
    """A fresh absolute link with which `user` chooses a password."""
    uidb64 = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("first_password", kwargs={"uidb64": uidb64, "token": tokens.make_token(user)})
    return f"{settings.PUBLIC_BASE_URL}{path}"
