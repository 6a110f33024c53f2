import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class CallQuerySet(models.QuerySet["WhatsAppCall"]):
    def visible_to(self, scope: "Scope") -> Self:
        """The calls that people working in this office may see."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)

    def in_vain(self) -> Self:
        return self.filter(outcome=WhatsAppCall.Outcome.NOT_REACHED)


class WhatsAppCall(models.Model):
    """Somebody of ours called a person whom no message could tell. Calls are only ever added."""

    class Outcome(models.TextChoices):
        TOLD = "told", _("Told")
        NOT_REACHED = "not_reached", _("Not reached")
        WRONG_PERSON = "wrong_person", _("Somebody else answered")

    phone_number = models.CharField(_("telephone"), max_length=16, help_text=_("E.164"))
    source_app = models.CharField(_("office"), max_length=40, help_text=_("Whose message the call was about."))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("called by")
    )
    at = models.DateTimeField(_("when"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    request_id = models.UUIDField(
        default=uuid.uuid4,
        editable=False,
        help_text="Made by the form: the same form twice is one call to each office's client.",
    )

    objects = CallQuerySet.as_manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ("-at", "-pk")
        constraints = [
            models.UniqueConstraint(name="one_call_per_request", fields=["request_id", "phone_number", "source_app"]),
            models.CheckConstraint(
                name="call_outcome_is_known",
                condition=models.Q(outcome__in=["told", "not_reached", "wrong_person"]),
            ),
        ]
        indexes = [
            # The tries at one person, and whom somebody has tried today.
            models.Index(name="call_by_number", fields=["phone_number", "-at"]),
            models.Index(name="call_by_date", fields=["-at"]),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number}: {self.get_outcome_display()}"
