"""The Mali office's WhatsApp: its messages, and the monitoring screens bound to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celery.result import AsyncResult
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app.models import Colis
from agent_mali_app.apps import AgentMaliConfig
from whatsapp_monitoring_app.tasks import send_whatsapp_async
from whatsapp_monitoring_app.views import dashboard, details, listing, retries

scope = AgentMaliConfig.scope

whatsapp_monitoring_dashboard = dashboard.DashboardView.as_view(scope=scope)
whatsapp_monitoring_list = listing.NotificationListView.as_view(scope=scope)
whatsapp_attempt_details = details.DetailsView.as_view(scope=scope)
retry_failed_notifications = retries.RetryFailedView.as_view(scope=scope)


def send_whatsapp_notification_mali(
    user: User | None = None,
    message_content: str = "",
    message_type: str = "notification",
    category: str = "general",
    title: str = "",
    priority: int = 3,
    *,
    template: str = "",
    params: Mapping[str, object] | None = None,
    image_url: str = "",
    document_url: str = "",
    document_name: str = "",
    reply_to: str = "",
    sender: str = "",
    phone_number: str = "",
    language: str = "",
    subject: str = "",
    fact_rank: int = 0,
    about: Mapping[str, int] | None = None,
    context_data: dict[str, Any] | None = None,
    is_secret: bool = False,
    idempotency_key: str | None = None,
    expires_at: datetime | None = None,
    not_before: datetime | None = None,
) -> "AsyncResult[str]":
    """send_whatsapp_async in the name of the Mali office."""
    return send_whatsapp_async(
        user=user,
        message_content=message_content,
        source_app=scope.office,
        message_type=message_type,
        category=category,
        title=title,
        priority=priority,
        template=template,
        params=params,
        image_url=image_url,
        document_url=document_url,
        document_name=document_name,
        reply_to=reply_to,
        sender=sender,
        phone_number=phone_number,
        language=language,
        subject=subject,
        fact_rank=fact_rank,
        about=about,
        context_data=context_data,
        is_secret=is_secret,
        idempotency_key=idempotency_key,
        expires_at=expires_at,
        not_before=not_before,
    )


def notify_colis_arrival_mali(colis: Colis) -> "AsyncResult[str]":
    """Tell the client that the parcel can be fetched, once per parcel."""
    user = colis.client.user
    with translation.override(user.language):
        message = _("🎉 Your parcel %(number)s has arrived in Mali! Come and fetch it.") % {
            "number": colis.numero_suivi
        }
        title = _("Arrival in Mali")
    return send_whatsapp_notification_mali(
        user=user,
        message_content=message,
        message_type="delivery",
        category="colis_arrival",
        title=title,
        priority=1,
        subject=colis.subject,
        fact_rank=colis.Rank.ARRIVED,
        idempotency_key=f"colis_arrival:{colis.numero_suivi}",
    )
