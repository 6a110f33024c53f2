from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User
    from whatsapp_monitoring_app.scopes import Scope


class SavedViewQuerySet(models.QuerySet["WhatsAppSavedView"]):
    def visible_to(self, scope: "Scope", person: "User") -> Self:
        """This person's own in this office, and those that its people share."""
        return self.filter(Q(owner=person) | Q(is_shared=True), source_app=scope.office)

    def owned_by(self, person: "User", scope: "Scope") -> Self:
        """This person's own in this office, which nobody else may delete."""
        return self.filter(owner=person, source_app=scope.office)


class WhatsAppSavedView(models.Model):
    """Filters of the list of messages under a name, for one person or for a whole office."""

    source_app = models.CharField(_("office"), max_length=40)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("saved by")
    )
    name = models.CharField(_("name"), max_length=60)
    query = models.TextField(_("filters"), help_text=_("As they stand in the address of the list."))
    is_shared = models.BooleanField(_("for the whole office"), default=False)
    created_at = models.DateTimeField(_("created"))

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ("name", "pk")
        constraints = [
            models.UniqueConstraint(name="a_view_is_named_once", fields=["source_app", "owner", "name"]),
        ]

    def __str__(self) -> str:
        return self.name
