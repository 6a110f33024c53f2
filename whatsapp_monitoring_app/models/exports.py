import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User
    from whatsapp_monitoring_app.scopes import Scope


class ExportQuerySet(models.QuerySet["WhatsAppExport"]):
    def visible_to(self, scope: "Scope", person: "User") -> Self:
        """This person's own in this office: what somebody may read is not what everybody may."""
        return self.filter(source_app=scope.office, requested_by=person)

    def unheld(self, at: datetime) -> Self:
        """The unfinished ones that no living run works on, the oldest first."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=at)
        return self.filter(free, finished_at=None).order_by("created_at")


class WhatsAppExport(models.Model):
    """A file with the messages that passed some filters, for the person who asked for it, for some days."""

    class Format(models.TextChoices):
        XLSX = "xlsx", _("Excel (XLSX)")
        CSV = "csv", _("CSV")

    class Failure(models.TextChoices):
        NOT_THEIRS = "not_theirs", _("You do not work in this office any more: no file was written.")
        NOT_WRITTEN = (
            "not_written",
            _("The file could not be written. Ask for it again later, or tell an administrator."),
        )

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    source_app = models.CharField(_("office"), max_length=40)
    query = models.TextField(_("filters"), blank=True, help_text=_("As they stood in the address of the list."))
    format = models.CharField(_("format"), max_length=4, choices=Format)
    with_texts = models.BooleanField(_("with the texts"), default=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"), help_text=_("Relative periods of the filters end here."))
    # A second press of the same form is the same wish.
    request_id = models.UUIDField(unique=True, editable=False)
    total = models.PositiveIntegerField(_("messages"), default=0)
    done = models.PositiveIntegerField(_("written"), default=0)
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)
    error = models.CharField(_("error"), max_length=12, choices=Failure, blank=True, default="")
    # Below MEDIA_ROOT; "" before it is written and after it was deleted.
    file = models.CharField(_("file"), max_length=200, blank=True, default="", editable=False)
    expires_at = models.DateTimeField(_("kept until"))

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ("-created_at",)
        permissions = [("export_texts", "Can export the texts of messages")]
        indexes = [
            # What a run has to go on with.
            models.Index(name="export_open", fields=["created_at"], condition=Q(finished_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return str(self.code)
