import secrets
import uuid
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from agent_chine_app.models.clients import Client
from agent_chine_app.models.lots import Lot
from agent_chine_app.models.transports import Transport

# Crockford's alphabet: no I, L, O or U, so that a number survives being read aloud over the telephone.
TRACKING_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# The divisor of the air-freight carriers: so many cubic centimetres are charged as one kilogram.
CM3_PER_KG = 5000


def new_numero_suivi() -> str:
    """A random tracking number: 32^8 of them, so that nobody finds one by counting."""
    return "TS" + "".join(secrets.choice(TRACKING_ALPHABET) for _ in range(8))


def photo_path(colis: "Colis", file_name: str) -> str:
    """Where a parcel's photo is kept: under a name that nobody guesses."""
    return f"colis/{uuid.uuid4()}.jpg"


class ColisQuerySet(models.QuerySet["Colis"]):
    def matching(self, text: str) -> Self:
        """Parcels whose number, description, client or lot contain `text`."""
        return self.filter(
            Q(numero_suivi__icontains=text)
            | Q(description__icontains=text)
            | Q(lot__number__icontains=text)
            | Q(client__user__first_name__icontains=text)
            | Q(client__user__last_name__icontains=text)
            | Q(client__user__telephone__contains=text.replace(" ", ""))
        )

    def on_the_way(self) -> Self:
        return self.filter(status__in=[Colis.Status.RECEIVED, Colis.Status.SHIPPED])

    def in_storage(self) -> Self:
        """In Mali, and nobody has fetched them yet."""
        return self.filter(status__in=[Colis.Status.ARRIVED, Colis.Status.READY])

    def without_lot(self) -> Self:
        """In China, and to be put into a lot."""
        return self.filter(status=Colis.Status.RECEIVED, lot=None)

    @transaction.atomic
    def move(self, to: "Colis.Status", by: User | None, at: datetime, note: str = "", **facts: Any) -> list["Colis"]:
        """Move to `to` those that may go there, with a step in the history of each; those that this call moved.

        Twice, or by two people at the same moment, is once. `facts` are columns that go with the new state.
        """
        movable = self.filter(status__in=ORIGINS[to]).select_for_update(of=("self",)).order_by("pk")
        codes = list(movable.values_list("pk", flat=True))
        Colis.objects.filter(pk__in=codes).update(status=to, **facts)
        ColisStep.objects.bulk_create(ColisStep(colis_id=pk, kind=to, at=at, by=by, note=note) for pk in codes)
        return list(Colis.objects.filter(pk__in=codes).select_related("client__user", "lot").order_by("pk"))


class Colis(models.Model):
    """A parcel."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received in China")
        SHIPPED = "shipped", _("On the way")
        ARRIVED = "arrived", _("Arrived in Mali")
        READY = "ready", _("Ready to be fetched")
        HANDED_OVER = "handed_over", _("Handed over")
        LOST = "lost", _("Being searched for")

    class Rank(models.IntegerChoices):
        """How much a message says of where the parcel is: more makes less obsolete.

        Between two of them there is room for what is said again, of the same parcel and lot, a little later.
        """

        RECEIVED = 10
        SHIPPED = 20
        ARRIVED = 30
        REMINDER = 40
        HANDED_OVER = 50

    numero_suivi = models.CharField(_("tracking number"), max_length=20, unique=True, default=new_numero_suivi)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="colis", verbose_name=_("client"))
    lot = models.ForeignKey(
        Lot, on_delete=models.PROTECT, null=True, blank=True, related_name="colis", verbose_name=_("lot")
    )
    description = models.CharField(_("description"), max_length=200, blank=True)
    pieces = models.PositiveSmallIntegerField(_("pieces"), default=1, validators=[MinValueValidator(1)])
    weight_kg = models.DecimalField(_("weight (kg)"), max_digits=8, decimal_places=2, null=True, blank=True)
    length_cm = models.PositiveSmallIntegerField(_("length (cm)"), null=True, blank=True)
    width_cm = models.PositiveSmallIntegerField(_("width (cm)"), null=True, blank=True)
    height_cm = models.PositiveSmallIntegerField(_("height (cm)"), null=True, blank=True)
    transport = models.CharField(_("transport"), max_length=10, choices=Transport, default=Transport.CARGO)
    fee_fcfa = models.PositiveIntegerField(_("to pay (FCFA)"), null=True, blank=True)
    photo = models.ImageField(_("photo"), upload_to=photo_path, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.RECEIVED)
    shelf = models.CharField(_("shelf"), max_length=30, blank=True)
    request_id = models.UUIDField(
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text="Made by the form: the same form twice is one parcel.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    arrived_at = models.DateTimeField(_("arrived"), null=True, blank=True)
    arrival_told_at = models.DateTimeField(_("arrival announced"), null=True, blank=True)
    reminded_at = models.DateTimeField(_("last reminder"), null=True, blank=True)
    handed_over_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    handed_over_to = models.CharField(_("handed over to"), max_length=150, blank=True)

    objects = ColisQuerySet.as_manager()

    class Meta:
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        ordering = ("-created_at", "-pk")
        constraints = [
            models.CheckConstraint(
                name="weight_is_positive", condition=Q(weight_kg__isnull=True) | Q(weight_kg__gt=0)
            ),
            models.CheckConstraint(name="pieces_are_positive", condition=Q(pieces__gt=0)),
            models.CheckConstraint(
                name="colis_status_is_known",
                condition=Q(status__in=["received", "shipped", "arrived", "ready", "handed_over", "lost"]),
            ),
            models.CheckConstraint(
                name="handed_over_says_to_whom",
                condition=~Q(status="handed_over") | Q(handed_over_at__isnull=False) & ~Q(handed_over_to=""),
            ),
        ]
        indexes = [
            # Reminders, the pick-up desk, and what arrived and is not announced yet.
            models.Index(name="colis_in_storage", fields=["arrived_at"], condition=Q(status__in=["arrived", "ready"])),
        ]

    def __str__(self) -> str:
        return self.numero_suivi

    @property
    def subject(self) -> str:
        """What notifications about this parcel say that they are about."""
        return f"colis:{self.numero_suivi}"

    @property
    def is_in_storage(self) -> bool:
        return self.status in (self.Status.ARRIVED, self.Status.READY)

    @property
    def may_arrive(self) -> bool:
        return self.status in ORIGINS[Status.ARRIVED]

    @property
    def volumetric_kg(self) -> Decimal | None:
        """What airlines count for the room that it takes, where that is more than it weighs."""
        if self.transport == Transport.BATEAU or not (self.length_cm and self.width_cm and self.height_cm):
            return None
        volume = Decimal(self.length_cm * self.width_cm * self.height_cm) / CM3_PER_KG
        return volume if volume > (self.weight_kg or 0) else None


Status = Colis.Status
# From where a parcel may come to each state. What was lost may be found; what was handed over is gone.
ORIGINS: dict[Colis.Status, Collection[Colis.Status]] = {
    Status.RECEIVED: (),
    Status.SHIPPED: (Status.RECEIVED,),
    Status.ARRIVED: (Status.RECEIVED, Status.SHIPPED, Status.LOST),
    Status.READY: (Status.ARRIVED,),
    Status.HANDED_OVER: (Status.ARRIVED, Status.READY),
    Status.LOST: (Status.RECEIVED, Status.SHIPPED, Status.ARRIVED, Status.READY),
}


class ColisStep(models.Model):
    """Something that happened to a parcel. Steps are only ever added."""

    class Kind(models.TextChoices):
        RECEIVED = "received", _("Received in China")
        SHIPPED = "shipped", _("Left China")
        DELAYED = "delayed", _("Delayed")
        ARRIVED = "arrived", _("Arrived in Mali")
        READY = "ready", _("Ready to be fetched")
        HANDED_OVER = "handed_over", _("Handed over")
        LOST = "lost", _("Being searched for")

    colis = models.ForeignKey(Colis, on_delete=models.CASCADE, related_name="steps", verbose_name=_("parcel"))
    kind = models.CharField(_("step"), max_length=12, choices=Kind)
    at = models.DateTimeField(_("when"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("noted by")
    )
    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("For the agents; clients never see it.")
    )

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("at", "pk")
        indexes = [
            # A parcel's history, in order.
            models.Index(name="steps_of_a_colis", fields=["colis", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.colis}: {self.get_kind_display()}"
