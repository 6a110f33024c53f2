from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.encryption import EncryptedTextField
from whatsapp_monitoring_app.models.error_classes import ErrorClass


class WhatsAppSender(models.Model):
    """A WhatsApp identity of the company: who the client sees as the author of a message."""

    class Provider(models.TextChoices):
        CLOUD_API = "cloud_api", "WhatsApp Cloud API"

    code = models.SlugField(_("code"), unique=True)
    label = models.CharField(_("label"), max_length=80)
    provider = models.CharField(_("provider"), max_length=20, choices=Provider, default=Provider.CLOUD_API)
    account_id = models.CharField(
        _("account"), max_length=80, blank=True, help_text=_("Phone number id at the provider.")
    )
    token = EncryptedTextField(_("token"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    rate_per_second = models.FloatField(
        _("messages per second"), default=70, help_text=_("At most; WhatsApp allows 80 for one number.")
    )
    daily_limit = models.PositiveIntegerField(
        _("people per day"),
        null=True,
        blank=True,
        help_text=_("At most this many people in 24 hours; empty: no limit."),
    )
    fallback = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("replaced by"),
        help_text=_("The sender that takes over when this one cannot send."),
    )
    stopped_until = models.DateTimeField(_("stopped until"), null=True, blank=True)
    stop_class = models.CharField(_("cause of the stop"), max_length=30, choices=ErrorClass, blank=True)
    stop_reason = models.TextField(_("why stopped"), blank=True)
    resumed_at = models.DateTimeField(_("resumed"), null=True, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ("code",)
        constraints = [
            models.CheckConstraint(name="rate_is_positive", condition=models.Q(rate_per_second__gt=0)),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Account id and token: the sender's own, else the ones of the environment, else None.

        A sender that has an account of its own never speaks through another one because its token is missing.
        """
        if self.account_id:
            return (self.account_id, self.token) if self.token else None
        if settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID and settings.WHATSAPP_CLOUD_TOKEN:
            return settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID, settings.WHATSAPP_CLOUD_TOKEN
        return None

    def is_stopped(self, at: datetime) -> bool:
        return self.stopped_until is not None and self.stopped_until > at

    def stop(self, until: datetime, reason: str) -> None:
        """Hold back everything queued for this sender until then, because the provider refuses the account itself."""
        self.stopped_until, self.stop_reason = until, reason
        self.save(update_fields=["stopped_until", "stop_reason"])

    def resume(self, at: datetime) -> None:
        """Send again, slowly at first."""
        self.stopped_until, self.stop_reason, self.resumed_at = None, "", at
        self.save(update_fields=["stopped_until", "stop_reason", "resumed_at"])
