from django.db import models
from django.utils.translation import gettext_lazy as _


class WhatsAppInbound(models.Model):
    """What somebody wrote to one of our numbers."""

    provider = models.CharField(_("provider"), max_length=20)
    provider_message_id = models.CharField(_("provider's id"), max_length=200, unique=True)
    account_id = models.CharField(
        _("account"), max_length=80, blank=True, help_text=_("The number of ours that was written to.")
    )
    phone_number = models.CharField(_("telephone"), max_length=16, help_text=_("E.164"))
    profile_name = models.CharField(_("name on WhatsApp"), max_length=200, blank=True)
    text = models.TextField(_("text"), blank=True)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("message of a client")
        verbose_name_plural = _("messages of clients")
        ordering = ("-occurred_at", "-pk")
        indexes = [
            # What one person wrote, beside what they were told.
            models.Index(name="inbound_by_number", fields=["phone_number", "-occurred_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number}: {self.text[:40]}"


class WhatsAppOptOut(models.Model):
    """Somebody who asked not to be written to, except for what they need (accounts, codes, payments)."""

    phone_number = models.CharField(_("telephone"), max_length=16, unique=True, help_text=_("E.164"))
    reason = models.CharField(_("reason"), max_length=200)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.phone_number
