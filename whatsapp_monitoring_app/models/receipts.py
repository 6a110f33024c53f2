from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.error_classes import ErrorClass


class ReceiptQuerySet(models.QuerySet["WhatsAppReceipt"]):
    def waiting_for_their_notification(self, since: datetime) -> Self:
        """Came before the message's id was known, and not older than `since`."""
        return self.filter(applied_at=None, received_at__gte=since)


class WhatsAppReceipt(models.Model):
    """What the provider says of a message after accepting it. Append-only; `applied_at` says that it took effect."""

    class Kind(models.TextChoices):
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown word")

    provider = models.CharField(_("provider"), max_length=20)
    provider_message_id = models.CharField(_("provider's id"), max_length=200)
    status = models.CharField(_("status"), max_length=20, choices=Kind)
    raw_status = models.CharField(_("provider's word"), max_length=40)
    occurred_at = models.DateTimeField(_("occurred"))
    tracking = models.CharField(_("our code, echoed"), max_length=512, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_class = models.CharField(_("cause"), max_length=30, choices=ErrorClass, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    notification = models.ForeignKey(
        "WhatsAppNotification",
        on_delete=models.CASCADE,
        null=True,
        related_name="receipts",
        verbose_name=_("notification"),
    )
    received_at = models.DateTimeField(_("received"))
    applied_at = models.DateTimeField(_("applied"), null=True)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ("occurred_at", "id")
        constraints = [
            # Providers deliver at least once: the second delivery of a receipt is no row.
            models.UniqueConstraint(
                name="one_receipt_per_fact",
                fields=["provider", "provider_message_id", "raw_status", "occurred_at"],
            ),
        ]
        indexes = [
            # Receipts that wait for their message's id.
            models.Index(name="receipt_to_apply", fields=["received_at"], condition=Q(applied_at=None)),
            # The receipts that a message finds waiting when its answer is stored.
            models.Index(name="receipt_waiting_by_id", fields=["provider_message_id"], condition=Q(applied_at=None)),
            models.Index(name="receipt_waiting_by_code", fields=["tracking"], condition=Q(applied_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.provider_message_id} {self.status}"


class OctetLength(models.Func):
    """How many bytes a text has. PostgreSQL knows it without unpacking the text."""

    function = "OCTET_LENGTH"
    output_field = models.IntegerField()


class WebhookQuerySet(models.QuerySet["WhatsAppWebhookLog"]):
    def unread(self, at: datetime) -> Self:
        """Not applied yet, and not in the hands of a worker."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lte=at), processed_at=None)


class WhatsAppWebhookLog(models.Model):
    """One payload as a provider posted it, kept for some days so that nothing is lost between arrival and effect."""

    provider = models.CharField(_("provider"), max_length=20)
    payload = models.TextField(_("payload"))
    received_at = models.DateTimeField(_("received"))
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    processed_at = models.DateTimeField(_("processed"), null=True)
    error = models.TextField(_("error"), blank=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook payload")
        verbose_name_plural = _("webhook payloads")
        ordering = ("-received_at",)
        indexes = [
            # The cleanup of old payloads.
            models.Index(name="webhook_by_date", fields=["received_at"]),
            # Payloads whose task was lost.
            models.Index(name="webhook_to_process", fields=["received_at"], condition=Q(processed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.received_at:%Y-%m-%d %H:%M:%S}"
