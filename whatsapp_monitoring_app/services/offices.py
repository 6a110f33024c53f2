"""What every installed office needs in the database: its permission, its group, its sender, its templates."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import default_templates, error_catalogue

SYSTEM_SENDER = scopes.SYSTEM_SENDER
SYSTEM_SENDER_LABEL = "Système"


def provision(apps: Any = None, **signal: Any) -> None:
    """Create what is missing, after each migration; safe to repeat.

    Not a data migration: a new office comes without one, and a flushed database gets its offices back.
    """
    if apps and "whatsapptemplate" not in apps.all_models["whatsapp_monitoring_app"]:
        return  # the app was migrated back, to before what is provided here
    # First, because an office may speak through it.
    _provide_sender(SYSTEM_SENDER, SYSTEM_SENDER_LABEL)
    for scope in scopes.all_scopes().values():
        _provide_permission(scope)
        _provide_sender(scope.sender, scope.sender_label)
    error_catalogue.provision()
    default_templates.provision()


def _provide_permission(scope: scopes.Scope) -> None:
    permission, _ = Permission.objects.get_or_create(
        content_type=ContentType.objects.get_for_model(User),
        codename=scope.codename,
        defaults={"name": f"Can work in {scope.office}"},
    )
    group, _ = Group.objects.get_or_create(name=scope.office)
    group.permissions.add(permission)


def _provide_sender(code: str, label: str) -> None:
    WhatsAppSender.objects.get_or_create(code=code, defaults={"label": label or code.capitalize()})
