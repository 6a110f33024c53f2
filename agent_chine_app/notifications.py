"""What the China office tells its clients about their parcels."""

from celery.result import AsyncResult
from django.utils import translation
from django.utils.translation import gettext as _

from agent_chine_app.models import Colis
from whatsapp_monitoring_app.tasks import send_whatsapp_async


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
