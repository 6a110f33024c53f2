"""What the China office tells its clients about their parcels."""

from collections.abc import Callable

from celery.result import AsyncResult
from django.utils import translation
from django.utils.translation import gettext as _

from agent_chine_app.models import Colis
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.tasks import send_whatsapp_async


def tell(colis: Colis, notify: Callable[[Colis], "AsyncResult[str]"]) -> str:
    """Tell the client of this parcel; why no message can leave, in words, or "" when one does."""
    try:
        notification = WhatsAppNotification.objects.get(pk=notify(colis).id)
    except ValueError as error:  # nothing was written: the number is no good any more, for example
        return str(error)
    return notification.get_cancel_reason_display() if notification.status == Status.CANCELLED else ""


def notify_colis_created(colis: Colis) -> "AsyncResult[str]":
    """Tell the client that the parcel was registered, once per parcel."""
    user = colis.client.user
    with translation.override(user.language):
        message = _("📦 New parcel %(number)s registered for %(name)s.") % {
            "number": colis.numero_suivi,
            "name": user.get_full_name(),
        }
        title = _("New parcel registered")
    return send_whatsapp_async(
        user=user,
        message_content=message,
        source_app="agent_chine",
        message_type="colis_creation",
        category="colis_management",
        title=title,
        priority=3,
        subject=colis.subject,
        fact_rank=colis.Rank.RECEIVED,
        idempotency_key=f"colis_creation:{colis.numero_suivi}",
    )
