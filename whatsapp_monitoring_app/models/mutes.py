from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class WhatsAppMute(models.Model):
    """Somebody who does without one type of message, and wants the others: what they chose on their own page."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="whatsapp_mutes", verbose_name=_("person")
    )
    message_type = models.CharField(_("type"), max_length=60)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("muted type")
        verbose_name_plural = _("muted types")
        constraints = [
            models.UniqueConstraint(name="a_type_is_muted_once", fields=["user", "message_type"]),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.message_type}"
