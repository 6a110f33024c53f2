from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.scopes import Scope


class AgentChineConfig(AppConfig):
    name = "agent_chine_app"
    verbose_name = _("China office")
    scope = Scope(office="agent_chine", label=_("China office"), country="CN", sender="chine", sender_label="Chine")
