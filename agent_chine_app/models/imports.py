import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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
    lines = models.JSONField(_("lines"), default=list, help_text=_("What can be brought in."))
    errors = models.JSONField(_("bad lines"), default=list, help_text=_("Line number, text and reason of each."))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    rung_at = models.DateTimeField(null=True, editable=False, help_text="When a worker was last told of it.")
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("import of clients")
        verbose_name_plural = _("imports of clients")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="import_status_is_known",
                condition=models.Q(status__in=["checked", "started", "finished", "discarded"]),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name
