from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.scopes import Scope


class AdminMaliConfig(AppConfig):
    name = "admin_mali_app"
    verbose_name = _("Mali administration")
    scope = Scope(
        office="admin_mali", label=_("Mali administration"), country="ML", sender="systeme", sees_every_office=True
    )
