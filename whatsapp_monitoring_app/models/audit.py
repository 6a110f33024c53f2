from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class Action(models.TextChoices):
    """What people do that somebody may have to answer for."""

    RETRY = "retry", _("Sent a message again")
    CANCEL = "cancel", _("Cancelled a message")
    CONFIRM_ARRIVAL = "confirm_arrival", _("Noted that a message arrived")
    GIVE_UP = "give_up", _("Gave a message up")
    REVEAL = "reveal", _("Looked at a hidden number")
    CORRECT_NUMBER = "correct_number", _("Corrected a number")
    BATCH_CREATE = "batch_create", _("Began a retry batch")
    BATCH_RUN = "batch_run", _("Let a retry batch go on")
    BATCH_PAUSE = "batch_pause", _("Paused a retry batch")
    BATCH_CANCEL = "batch_cancel", _("Stopped a retry batch")
    CAUSE_HANDLED = "cause_handled", _("Marked a cause as handled")
    EXPORT = "export", _("Exported messages")
    ALERT_TAKE = "alert_take", _("Took an alert in hand")
    SENDER_CHANGE = "sender_change", _("Changed a sender")
    SENDER_TOKEN = "sender_token", _("Gave a sender a new token")
    SENDER_PAUSE = "sender_pause", _("Paused a sender")
    SENDER_RESUME = "sender_resume", _("Let a sender go on")
    TEMPLATE_CHANGE = "template_change", _("Changed a message template")
    ERROR_TEXT_CHANGE = "error_text_change", _("Changed the explanation of an error")
    OPT_OUT_ADD = "opt_out_add", _("Noted that a person refuses messages")
    OPT_OUT_REMOVE = "opt_out_remove", _("Noted that a person accepts messages again")


class AuditQuerySet(models.QuerySet["WhatsAppAuditEntry"]):
    def visible_to(self, scope: "Scope") -> Self:
        """What was done in this office, or anywhere for an office that sees every office."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)


class WhatsAppAuditEntry(models.Model):
    """Who did what, when. Written in the transaction of what was done, and never changed."""

    at = models.DateTimeField(_("when"))
    source_app = models.CharField(_("office"), max_length=40, help_text=_("Where the person worked."))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    action = models.CharField(_("what"), max_length=20, choices=Action)
    target = models.CharField(
        _("on what"), max_length=120, blank=True, help_text=_("The code of a message or a batch, or a name.")
    )
    detail = models.CharField(
        _("detail"), max_length=300, blank=True, help_text=_("Never a text, a number or a token.")
    )

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ("-at", "-pk")
        constraints = [models.CheckConstraint(name="action_is_known", condition=models.Q(action__in=Action.values))]
        indexes = [
            # The log, whole and of one office, newest first; what was done to one thing.
            models.Index(name="audit_by_date", fields=["-at"]),
            models.Index(name="audit_by_office", fields=["source_app", "-at"]),
            models.Index(name="audit_by_target", fields=["target", "-at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.get_action_display()}"
