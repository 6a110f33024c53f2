from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.scopes import Scope


class AdminChineConfig(AppConfig):
    name = "admin_chine_app"
    verbose_name = _("China administration")
    scope = Scope(
        office="admin_chine", label=_("China administration"), country="CN", sender="systeme", sees_every_office=True
    )
