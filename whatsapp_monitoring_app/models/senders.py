from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.encryption import EncryptedTextField
from whatsapp_monitoring_app.models.error_classes import ErrorClass

# The providers that never tell what became of a message; each provider says it of itself.
WITHOUT_RECEIPTS: set[str] = set()
STOP_FIELDS = ["stopped_until", "stop_class", "stop_reason", "resumed_at"]


class WhatsAppSender(models.Model):
    """A WhatsApp identity of the company: who the client sees as the author of a message."""

    # Not a column: whether the holder of this object makes the call that finds out if a stopped account works again.
    is_probing = False

    class Provider(models.TextChoices):
        CLOUD_API = "cloud_api", "WhatsApp Cloud API"
        WACHAP = "wachap", "WaChap"
        TWILIO = "twilio", "Twilio"
        CONSOLE = "console", _("Console (sends nothing)")

    code = models.SlugField(_("code"), unique=True)
    label = models.CharField(_("label"), max_length=80)
    provider = models.CharField(_("provider"), max_length=20, choices=Provider, default=Provider.CLOUD_API)
    account_id = models.CharField(
        _("account"), max_length=80, blank=True, help_text=_("Phone number id at the provider.")
    )
    address = models.CharField(
        _("our number"), max_length=40, blank=True, help_text=_("For Twilio: +223…, or the id of a messaging service.")
    )
    business_account_id = models.CharField(
        _("business account"),
        max_length=80,
        blank=True,
        default="",
        db_default="",
        help_text=_("The id of the WhatsApp Business account, which owns the templates."),
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

    # What the provider said of the account when it was asked last, or told by itself; its own words.
    is_connected = models.BooleanField(_("connected"), null=True, editable=False)
    health_detail = models.CharField(
        _("provider’s words"), max_length=200, blank=True, default="", db_default="", editable=False
    )
    quality = models.CharField(_("quality"), max_length=40, blank=True, default="", db_default="", editable=False)
    limit = models.CharField(_("limit"), max_length=40, blank=True, default="", db_default="", editable=False)
    display_number = models.CharField(
        _("our number there"), max_length=20, blank=True, default="", db_default="", editable=False
    )
    token_expires_at = models.DateTimeField(_("token expires"), null=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), null=True, editable=False)
    templates_synced_at = models.DateTimeField(_("templates synchronised"), null=True, editable=False)

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

        None too while something else is missing that its provider asks for. A sender that has an account of its own
        never speaks through another one because its token is missing.
        """
        if self.provider == self.Provider.CONSOLE:
            # In production a message that is only printed would count as sent.
            return (self.code, "") if settings.DEBUG else None
        return None if self.missing_fields else (self.account, self._token)

    @property
    def missing_fields(self) -> list[str]:
        """The names of the fields without which its provider takes nothing."""
        if self.provider == self.Provider.CONSOLE:
            return []
        given = {"account_id": self.account, "token": self._token}
        if self.provider == self.Provider.TWILIO:
            given["address"] = self.address
        return [name for name, value in given.items() if not value]

    @property
    def _token(self) -> str:
        return str(self.token if self.account_id else settings.WHATSAPP_CLOUD_TOKEN)

    @property
    def has_receipts(self) -> bool:
        """Whether its provider ever tells what became of a message."""
        return self.provider not in WITHOUT_RECEIPTS

    @property
    def account(self) -> str:
        """The account that it speaks through: its own, else the one of the environment; "" when there is none."""
        return self.account_id or _account_of_environment(self.provider)

    @property
    def business_account(self) -> str:
        """The account that owns the templates: its own, or the environment's if its number is; "" when unknown."""
        if self.business_account_id or self.account != _account_of_environment(self.provider):
            return self.business_account_id
        is_cloud_api = self.provider == self.Provider.CLOUD_API
        return str(settings.WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID) if is_cloud_api else ""

    @property
    def template_account(self) -> str:
        """Where its templates are kept: by the company account, or by its own account while that is not known."""
        return self.business_account or self.account_key

    @property
    def account_key(self) -> str:
        """What the provider's limits count: two senders with the same account share them."""
        return f"{self.provider}:{self.account}"

    def same_account(self) -> "models.QuerySet[WhatsAppSender]":
        """Every sender that speaks through this one's account, itself included."""
        of_environment = self.account == _account_of_environment(self.provider)
        names = {self.account, ""} if of_environment else {self.account}
        return WhatsAppSender.objects.filter(provider=self.provider, account_id__in=names)

    def is_stopped(self, at: datetime) -> bool:
        return self.stopped_until is not None and self.stopped_until > at

    def stop(self, until: datetime, error_class: ErrorClass, reason: str) -> None:
        """Hold back what is queued for this account until then. One that holds back more, or longer, stays."""
        longer = models.Q(stopped_until__gt=until)
        # The one stop that lets essential messages through: it gives way to every other, and replaces none of them
        # unless it is what a probe was told.
        is_soft = models.Q(stop_class=ErrorClass.ACCOUNT_SLOW)
        if error_class is not ErrorClass.ACCOUNT_SLOW:
            stays = longer & ~is_soft
        elif self.is_probing:
            stays = longer
        else:
            stays = longer | models.Q(stopped_until__isnull=False) & ~is_soft
        self.same_account().exclude(stays).update(stopped_until=until, stop_class=error_class, stop_reason=reason)
        self.refresh_from_db(fields=STOP_FIELDS)

    def take_probe(self, until: datetime) -> bool:
        """Whether this caller is the one that may try until then whether the stopped account works again."""
        won = self.same_account().filter(stopped_until=self.stopped_until).update(stopped_until=until)
        if won:
            self.stopped_until, self.is_probing = until, True
        return bool(won)

    def resume(self, at: datetime) -> None:
        """Send again, slowly at first, unless the account has been stopped anew since this object was read."""
        if self.stopped_until is None:
            return
        self.same_account().filter(stopped_until=self.stopped_until).update(
            stopped_until=None, stop_class="", stop_reason="", resumed_at=at
        )
        self.refresh_from_db(fields=STOP_FIELDS)


def _account_of_environment(provider: str) -> str:
    """The account of every sender of this provider that has none of its own yet."""
    is_cloud_api = provider == WhatsAppSender.Provider.CLOUD_API
    return str(settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID) if is_cloud_api else ""
