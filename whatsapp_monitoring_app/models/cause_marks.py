from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class WhatsAppCauseMark(models.Model):
    """A person has seen to what made messages of one office fail: what fails for it later has come back."""

    source_app = models.CharField(_("office"), max_length=40)
    error_class = models.CharField(_("cause"), max_length=30)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("handled by")
    )
    handled_at = models.DateTimeField(_("handled"))

    class Meta:
        verbose_name = _("handled cause")
        verbose_name_plural = _("handled causes")
        constraints = [
            models.UniqueConstraint(name="a_cause_is_marked_once", fields=["source_app", "error_class", "error_code"]),
        ]

    def __str__(self) -> str:
        return f"{self.source_app}: {self.error_class} {self.error_code}".strip()
