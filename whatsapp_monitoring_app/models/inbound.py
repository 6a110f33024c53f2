from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.senders import WhatsAppSender

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class InboundQuerySet(models.QuerySet["WhatsAppInbound"]):
    def visible_to(self, scope: "Scope") -> Self:
        """What people working in this office may read: what was written to a number that it speaks through.

        Where the number of ours is not known, everybody may.
        """
        if scope.sees_every_office:
            return self.all()
        senders = WhatsAppSender.objects.only("account_id", "provider").filter(code__in=scope.voices)
        return self.filter(account_id__in={"", *(sender.account for sender in senders)})


class WhatsAppInbound(models.Model):
    """What somebody wrote to one of our numbers, or chose in WhatsApp's own settings instead of writing it."""

    class Choice(models.TextChoices):
        """The text of what was chosen."""

        STOP = "[stop]", _("Stopped our messages in WhatsApp’s settings")
        RESUME = "[resume]", _("Allowed our messages again in WhatsApp’s settings")

    CHOICE_PREFIX = "preference:"  # of the id of what was chosen; the provider's own begin otherwise

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

    objects = InboundQuerySet.as_manager()

    class Meta:
        verbose_name = _("message of a client")
        verbose_name_plural = _("messages of clients")
        ordering = ("-occurred_at", "-pk")
        indexes = [
            # What one person wrote, beside what they were told.
            models.Index(name="inbound_by_number", fields=["phone_number", "-occurred_at"]),
            # The cleanup of old ones, a batch at a time.
            models.Index(name="inbound_by_date", fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number}: {self.text[:40]}"

    @property
    def is_choice(self) -> bool:
        return self.provider_message_id.startswith(self.CHOICE_PREFIX)

    @property
    def said(self) -> str:
        """What to show: the person's words, or what they chose."""
        return str(self.Choice(self.text).label) if self.is_choice else self.text


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


class WhatsAppFormerNumber(models.Model):
    """A number that a person no longer has, or never had: what was meant for them does not go there any more."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    phone_number = models.CharField(_("telephone"), max_length=16, help_text=_("E.164"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("former number")
        verbose_name_plural = _("former numbers")
        constraints = [
            models.UniqueConstraint(name="a_number_is_left_once", fields=["user", "phone_number"]),
        ]

    def __str__(self) -> str:
        return self.phone_number


class WhatsAppWrongNumber(models.Model):
    """A number at which somebody else answers than the person we meant: nothing is written to it any more."""

    phone_number = models.CharField(_("telephone"), max_length=16, unique=True, help_text=_("E.164"))
    noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("noted by")
    )
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("wrong number")
        verbose_name_plural = _("wrong numbers")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.phone_number
