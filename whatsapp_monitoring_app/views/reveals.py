"""Numbers that an office hides, and who asked to see one."""

from django.http import HttpRequest

from whatsapp_monitoring_app.models import WhatsAppNotification


def is_revealed(request: HttpRequest, notification: WhatsAppNotification) -> bool:
    """Whether this person may see this message's number now."""
    return False
