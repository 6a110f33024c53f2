from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class WhatsAppMonitoringConfig(AppConfig):
    name = "whatsapp_monitoring_app"
    verbose_name = _("WhatsApp monitoring")

    def ready(self) -> None:
        from whatsapp_monitoring_app import checks  # noqa: F401 - registers itself
        from whatsapp_monitoring_app.services import offices

        post_migrate.connect(offices.provision, dispatch_uid="whatsapp_monitoring_app.offices.provision")
