import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ClientImportQuerySet(models.QuerySet["ClientImport"]):
    def light(self) -> Self:
        """Without the lines themselves, which may be thousands."""
        return self.defer("lines", "errors")

    def lost(self, at: datetime, since: datetime) -> Self:
        """Under way, but no run works on them, and no worker was told of them after `since`."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=at)
        return self.filter(free, status=ClientImport.Status.STARTED, rung_at__lt=since)

    def forgettable(self, before: datetime) -> Self:
        """Made before this moment, and no run works on them."""
        return self.filter(created_at__lt=before).exclude(status=ClientImport.Status.STARTED)


class ClientImport(models.Model):
    """A file of clients: read and judged line by line first, brought in when somebody says so."""

    class Status(models.TextChoices):
        CHECKED = "checked", _("Checked, nothing brought in yet")
        STARTED = "started", _("Being brought in")
        FINISHED = "finished", _("Brought in")
        DISCARDED = "discarded", _("Discarded")

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(_("file"), max_length=200)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.CHECKED)
    new_count = models.PositiveIntegerField(_("new clients"), default=0)
    known_count = models.PositiveIntegerField(_("clients already"), default=0)
    double_count = models.PositiveIntegerField(_("doubles"), default=0)
    bad_count = models.PositiveIntegerField(_("bad lines"), default=0)
    lines = models.JSONField(_("lines"), default=list, help_text=_("What can be brought in, until a worker has it."))
    errors = models.JSONField(_("lines left out"), default=list, help_text=_("Line number, text and reason of each."))
    tells = models.BooleanField(
        _("tells the clients"), default=False, help_text=_("Each new client gets the link to choose a password.")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    claimed_until = models.DateTimeField(null=True, editable=False, help_text="Until when one run works on it.")
    rung_at = models.DateTimeField(null=True, editable=False, help_text="When a worker was last told of it.")
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = ClientImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import of clients")
        verbose_name_plural = _("imports of clients")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="import_status_is_known",
                condition=Q(status__in=["checked", "started", "finished", "discarded"]),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name
