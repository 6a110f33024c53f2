from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.error_classes import ErrorClass


class Trigger(models.TextChoices):
    """What made an attempt happen."""

    AUTO = "auto", _("First sending")
    RETRY = "retry", _("Automatic retry")
    MANUAL = "manual", _("Retry by a person")
    BULK = "bulk", _("Bulk retry by a person")
    RECOVERY = "recovery", _("Recovery")


class Outcome(models.TextChoices):
    """What is known when the call to the provider is over."""

    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused")
    UNCERTAIN = "uncertain", _("No clear answer")


class RouteChoice(models.TextChoices):
    """Why it was this sender that spoke."""

    OFFICE = "office", _("The office’s sender")
    SYSTEM = "system", _("The company’s sender, for accounts and codes")
    ASKED = "asked", _("Asked for by the caller")
    FALLBACK = "fallback", _("Stands in for another sender")


class Form(models.TextChoices):
    """In which form the message was put to the provider."""

    TEXT = "text", _("Free text")
    IMAGE = "image", _("Image")
    DOCUMENT = "document", _("Document")
    TEMPLATE = "template", _("Template")


class WhatsAppAttempt(models.Model):
    """One try to hand a notification to a provider. Written once, when the try is over, and never changed."""

    notification = models.ForeignKey(
        "WhatsAppNotification",
        on_delete=models.CASCADE,
        related_name="attempts",
        # The constraint begins with it.
        db_index=False,
        verbose_name=_("notification"),
    )
    number = models.PositiveIntegerField(_("number"))
    trigger = models.CharField(_("trigger"), max_length=10, choices=Trigger)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"))
    duration = models.DurationField(_("duration"))
    sender = models.ForeignKey(
        "WhatsAppSender",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        # Nobody asks for the attempts of a sender.
        db_index=False,
        verbose_name=_("sender"),
    )
    route = models.CharField(
        _("why this sender"), max_length=10, choices=RouteChoice, blank=True, default="", db_default=""
    )
    route_reason = models.TextField(_("why not the message’s own"), blank=True, default="", db_default="")
    form = models.CharField(_("form"), max_length=10, choices=Form, blank=True, default="", db_default="")
    template_name = models.CharField(_("provider’s template"), max_length=512, blank=True, default="", db_default="")
    template_language = models.CharField(_("its language"), max_length=20, blank=True, default="", db_default="")
    text = models.TextField(
        _("text"),
        blank=True,
        default="",
        db_default="",
        help_text=_("What was said, where it is not the notification’s own text."),
    )
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_class = models.CharField(_("cause"), max_length=30, choices=ErrorClass, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    provider_response = models.TextField(_("provider's answer"), blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("asked by"),
    )

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("notification", "number")
        constraints = [
            models.UniqueConstraint(name="one_attempt_per_number", fields=["notification", "number"]),
            models.CheckConstraint(name="trigger_is_known", condition=models.Q(trigger__in=Trigger.values)),
            models.CheckConstraint(name="outcome_is_known", condition=models.Q(outcome__in=Outcome.values)),
            models.CheckConstraint(name="route_is_known", condition=models.Q(route__in=["", *RouteChoice.values])),
            models.CheckConstraint(name="form_is_known", condition=models.Q(form__in=["", *Form.values])),
        ]

        indexes = [
            # Deleting an account: whether one of them is this person's doing.
            models.Index(name="attempt_by_actor", fields=["actor"], condition=models.Q(actor__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.outcome}"
