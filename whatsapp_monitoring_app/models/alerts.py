import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class AlertKind(models.TextChoices):
    """What may go wrong with the whole, rather than with one message."""

    FAILURE_RATE = "failure_rate", _("Many messages fail")
    QUEUE_AGE = "queue_age", _("Messages wait for too long")
    CIRCUIT_OPEN = "circuit_open", _("A sender is stopped")
    TOKEN_EXPIRY = "token_expiry", _("A token ends soon")
    TEMPLATE_HELD = "template_held", _("A template holds messages back")
    BEAT_SILENT = "beat_silent", _("The scheduler is silent")
    WORKERS_SILENT = "workers_silent", _("The workers are silent")
    WEBHOOK_SILENT = "webhook_silent", _("No receipts come in")


class AlertQuerySet(models.QuerySet["WhatsAppAlert"]):
    def visible_to(self, scope: "Scope") -> Self:
        """What concerns this office: its own alerts, and those of the whole company."""
        return self.all() if scope.sees_every_office else self.filter(source_app__in=["", scope.office])

    def open(self) -> Self:
        return self.filter(resolved_at=None)


class WhatsAppAlert(models.Model):
    """One incident: it opens, is seen again as long as it lasts, and is resolved. One is open at a time per scope."""

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=20, choices=AlertKind)
    key = models.CharField(
        _("scope"), max_length=120, blank=True, help_text=_("What it is about: an office, an account, or nothing.")
    )
    source_app = models.CharField(_("office"), max_length=40, blank=True, help_text=_("Empty: the whole company."))
    facts = models.JSONField(_("facts"), default=dict, help_text=_("What its sentence is made of."))
    opened_at = models.DateTimeField(_("opened"))
    last_seen_at = models.DateTimeField(_("last seen"))
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("taken by")
    )
    taken_at = models.DateTimeField(_("taken"), null=True)
    # Who writes the e-mails holds it until then, so that others do not write them too.
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    # When people were told that it opened, and that it is over; tried again until it succeeds.
    mailed_at = models.DateTimeField(_("sent by e-mail"), null=True)
    mail_error = models.TextField(_("why not by e-mail"), blank=True, default="")
    messaged_at = models.DateTimeField(_("sent by WhatsApp"), null=True)
    end_mailed_at = models.DateTimeField(_("end sent by e-mail"), null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-opened_at",)
        constraints = [
            models.CheckConstraint(name="alert_kind_is_known", condition=Q(kind__in=AlertKind.values)),
            models.UniqueConstraint(
                name="one_open_alert_per_scope", fields=["kind", "key"], condition=Q(resolved_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key}".strip()


class WhatsAppAlertChoice(models.Model):
    """How one person wants to hear of alerts; without a row, in every way there is."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    by_email = models.BooleanField(_("by e-mail"), default=True)
    by_whatsapp = models.BooleanField(_("by WhatsApp"), default=True)

    class Meta:
        verbose_name = _("choice of alerts")
        verbose_name_plural = _("choices of alerts")

    def __str__(self) -> str:
        return str(self.user)


class WhatsAppPulse(models.Model):
    """When a part of the system was last known to live: the workers by themselves, beat by what it publishes."""

    class Part(models.TextChoices):
        WORKER = "worker", _("workers")
        BEAT = "beat", _("scheduler")

    part = models.CharField(_("part"), max_length=10, primary_key=True, choices=Part)
    at = models.DateTimeField(_("last sign of life"))

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.part
