from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.scopes import Scope


class AgentMaliConfig(AppConfig):
    name = "agent_mali_app"
    verbose_name = _("Mali office")
    scope = Scope(office="agent_mali", label=_("Mali office"), country="ML", sender="mali", sender_label="Mali")
