import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class BulkQuerySet(models.QuerySet["WhatsAppBulk"]):
    def visible_to(self, scope: "Scope") -> Self:
        """Those that this office may see: its own, or all of them for an office that sees every office."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)


class WhatsAppBulk(models.Model):
    """One text for many people, as a row: a worker that dies, or a task that runs twice, loses and doubles nothing."""

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    source_app = models.CharField(_("office"), max_length=40)
    message_content = models.TextField(_("text"))
    message_type = models.CharField(_("type"), max_length=60)
    category = models.CharField(_("category"), max_length=60)
    title = models.CharField(_("title"), max_length=200, blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=5)
    user_ids = models.JSONField(_("people"), help_text=_("The ids of the accounts to be told."))
    # Counted as they happen: the people are too many to be read for a page.
    people_count = models.PositiveIntegerField(_("people in all"), default=0)
    written_count = models.PositiveIntegerField(_("messages written"), default=0)
    refused_count = models.PositiveIntegerField(_("people not told"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"))
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)
    refusals = models.JSONField(
        _("not told"), default=dict, blank=True, help_text=_("Why, by account id, for those who cannot be told.")
    )

    objects = BulkQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk message")
        verbose_name_plural = _("bulk messages")
        ordering = ("-created_at",)
        indexes = [models.Index(name="bulk_by_office", fields=["source_app", "-created_at"])]

    def __str__(self) -> str:
        return self.title or str(self.code)

    @property
    def handled_count(self) -> int:
        """The people whose message is written, or will never be."""
        return self.written_count + self.refused_count
