"""The providers' error codes as rows: classified by the providers' tables, explained by administrators."""

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import WhatsAppErrorCode, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import ProviderError

logger = logging.getLogger(__name__)


def provision() -> None:
    """Give every code of every provider its row, with the class of the provider's table; texts stay as they are."""
    for provider in providers.all_providers():
        rows = [
            WhatsAppErrorCode(provider=provider.code, code=code, error_class=error_class)
            for code, error_class in provider.error_codes.items()
        ]
        WhatsAppErrorCode.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["provider", "code"],
            update_fields=["error_class", "is_classified"],
        )


def entry(notification: WhatsAppNotification) -> WhatsAppErrorCode | None:
    """What the catalogue knows of the notification's error code."""
    return entries([notification]).get(notification.pk)


def entries(notifications: Iterable[WhatsAppNotification]) -> dict[UUID, WhatsAppErrorCode]:
    """What the catalogue knows of the error codes of these notifications, by their codes, in one query."""
    keys = {notification.pk: _key(notification) for notification in notifications if notification.error_code}
    if not keys:
        return {}
    rows = WhatsAppErrorCode.objects.filter(code__in={code for _provider, code in keys.values()})
    known = {(row.provider, row.code): row for row in rows}
    return {pk: known[key] for pk, key in keys.items() if key in known}


def _key(notification: WhatsAppNotification) -> tuple[str, str]:
    provider = notification.sender.provider if notification.sender else WhatsAppSender.Provider.CLOUD_API
    return str(provider), providers.get(provider).catalogue_code(notification.error_code)


def note_unclassified(provider: str, error: ProviderError | None, at: datetime) -> None:
    """Remember a code that no table knows, so that somebody classifies it."""
    if error is None or error.is_classified:
        return
    logger.error("The error code %s of %s is not classified", error.code, provider)
    WhatsAppErrorCode.objects.update_or_create(
        provider=provider,
        code=error.code,
        defaults={"last_seen_at": at, "example": error.message},
        create_defaults={
            "error_class": error.error_class,
            "is_classified": False,
            "last_seen_at": at,
            "example": error.message,
        },
    )
