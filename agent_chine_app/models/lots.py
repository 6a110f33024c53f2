from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agent_chine_app.models.transports import Transport


@dataclass(frozen=True)
class Totals:
    """What a lot holds: parcels, pieces, and kilograms of those that were weighed."""

    colis: int
    pieces: int
    weight_kg: Decimal
    clients: int
    unweighed: int


class LotQuerySet(models.QuerySet["Lot"]):
    def in_transit(self) -> Self:
        """On the way to Mali, or there in part."""
        return self.filter(status=Lot.Status.SHIPPED)

    def matching(self, text: str) -> Self:
        """Lots whose number, or that of a parcel in them, contains `text`."""
        holding = Lot.objects.filter(colis__numero_suivi__icontains=text).values("pk")
        return self.filter(Q(number__icontains=text) | Q(pk__in=holding))

    def with_totals(self) -> Self:
        """Each with `colis_count`, `piece_count` and `weight_sum`, the newest first."""
        # Counting groups the rows, which drops the model's own order.
        return self.annotate(
            colis_count=Count("colis"),
            piece_count=Sum("colis__pieces", default=0),
            weight_sum=Sum("colis__weight_kg", default=Decimal(0)),
        ).order_by("-created_at", "-pk")


class Lot(models.Model):
    """Parcels that travel together."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")
        SHIPPED = "shipped", _("Shipped")
        RECEIVED = "received", _("Received")

    number = models.CharField(
        _("number"),
        max_length=20,
        unique=True,
        error_messages={"unique": _("There is a lot with this number already.")},
    )
    transport = models.CharField(_("transport"), max_length=10, choices=Transport, default=Transport.CARGO)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    request_id = models.UUIDField(
        null=True, unique=True, editable=False, help_text="Made by the form: the same form twice is one lot."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    shipped_at = models.DateTimeField(_("shipped"), null=True, blank=True)
    received_at = models.DateTimeField(_("received"), null=True, blank=True)
    expected_on = models.DateField(_("expected in Bamako"), null=True, blank=True)

    objects = LotQuerySet.as_manager()

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="lot_status_is_known", condition=Q(status__in=["open", "closed", "shipped", "received"])
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def subject(self) -> str:
        """What announcements about this lot say that they are about."""
        return f"lot:{self.number}"

    @property
    def last_step_at(self) -> datetime:
        """When it came to be as it is."""
        return self.received_at or self.shipped_at or self.closed_at or self.created_at

    @property
    def totals(self) -> Totals:
        return Totals(
            **self.colis.aggregate(
                # First: a name that an aggregate has taken is no column any more.
                unweighed=Count("pk", filter=Q(weight_kg=None)),
                colis=Count("pk"),
                pieces=Sum("pieces", default=0),
                weight_kg=Sum("weight_kg", default=Decimal(0)),
                clients=Count("client", distinct=True),
            )
        )
