from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.error_classes import ErrorClass


class WhatsAppErrorCode(models.Model):
    """One error code of a provider: the class that decides what happens, and words that administrators may improve.

    An empty text means that the words of the class are used. Codes that nobody has classified yet are added when they
    are first seen.
    """

    provider = models.CharField(_("provider"), max_length=20)
    code = models.CharField(_("error code"), max_length=40)
    error_class = models.CharField(_("cause"), max_length=30, choices=ErrorClass)
    is_classified = models.BooleanField(_("classified"), default=True)
    example = models.TextField(_("provider's words"), blank=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True)
    meaning_fr = models.TextField(_("meaning (French)"), blank=True)
    advice_fr = models.TextField(_("what to do (French)"), blank=True)
    meaning_en = models.TextField(_("meaning (English)"), blank=True)
    advice_en = models.TextField(_("what to do (English)"), blank=True)
    meaning_zh_hans = models.TextField(_("meaning (Chinese)"), blank=True)
    advice_zh_hans = models.TextField(_("what to do (Chinese)"), blank=True)

    class Meta:
        verbose_name = _("error code")
        verbose_name_plural = _("error codes")
        ordering = ("provider", "code")
        constraints = [models.UniqueConstraint(name="one_entry_per_code", fields=["provider", "code"])]

    def __str__(self) -> str:
        return f"{self.provider} {self.code}"

    def text(self, name: str, language: str) -> str:
        """The administrators' text (`meaning` or `advice`) in this language, or ""."""
        return str(getattr(self, f"{name}_{language.replace('-', '_')}", ""))
