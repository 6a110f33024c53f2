from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClientConfig(AppConfig):
    """What clients see. It is no office, and so has no scope."""

    name = "client_app"
    verbose_name = _("Clients’ pages")
