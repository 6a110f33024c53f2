import secrets
import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import phones

# Crockford's alphabet: no I, L, O or U, so that a number survives being read aloud over the telephone.
TRACKING_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_numero_suivi() -> str:
    """A random tracking number: 32^8 of them, so that nobody finds one by counting."""
    return "TS" + "".join(secrets.choice(TRACKING_ALPHABET) for _ in range(8))


class ClientQuerySet(models.QuerySet["Client"]):
    def matching(self, text: str) -> Self:
        """Clients whose name, telephone or e-mail contain `text`."""
        return self.filter(
            Q(user__first_name__icontains=text)
            | Q(user__last_name__icontains=text)
            | Q(user__telephone__contains=text.replace(" ", ""))
            | Q(user__email__icontains=text)
        )


class Client(models.Model):
    """Somebody whom the company ships for. Who they are is on their account; this says that they are a client."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="client", verbose_name=_("account")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = ClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return str(self.user)

    @property
    def choice_label(self) -> str:
        """The client where one is chosen among many: two people may have one name."""
        return f"{self} · {phones.for_people(self.user.telephone)}"


class Lot(models.Model):
    """Parcels that travel together."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")
        SHIPPED = "shipped", _("Shipped")

    number = models.CharField(_("number"), max_length=20, unique=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.number


class ColisQuerySet(models.QuerySet["Colis"]):
    def matching(self, text: str) -> Self:
        """Parcels whose number, description or client contain `text`."""
        return self.filter(
            Q(numero_suivi__icontains=text)
            | Q(description__icontains=text)
            | Q(client__user__first_name__icontains=text)
            | Q(client__user__last_name__icontains=text)
            | Q(client__user__telephone__contains=text.replace(" ", ""))
        )

    def on_the_way(self) -> Self:
        return self.exclude(status=Colis.Status.ARRIVED)

    def arrive(self, pk: int, at: datetime) -> bool:
        """Note that the parcel is in Mali; whether this call did it."""
        return bool(self.on_the_way().filter(pk=pk).update(status=Colis.Status.ARRIVED, arrived_at=at))


class Colis(models.Model):
    """A parcel."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received in China")
        SHIPPED = "shipped", _("On the way")
        ARRIVED = "arrived", _("Arrived in Mali")

    class Rank(models.IntegerChoices):
        """How much a message says of where the parcel is: more makes less obsolete."""

        RECEIVED = 10
        SHIPPED = 20
        ARRIVED = 30

    numero_suivi = models.CharField(_("tracking number"), max_length=20, unique=True, default=new_numero_suivi)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="colis", verbose_name=_("client"))
    lot = models.ForeignKey(
        Lot, on_delete=models.PROTECT, null=True, blank=True, related_name="colis", verbose_name=_("lot")
    )
    description = models.CharField(_("description"), max_length=200, blank=True)
    weight_kg = models.DecimalField(_("weight (kg)"), max_digits=8, decimal_places=2, null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.RECEIVED)
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

    objects = ColisQuerySet.as_manager()

    class Meta:
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        ordering = ("-created_at", "-pk")
        constraints = [
            models.CheckConstraint(
                name="weight_is_positive", condition=Q(weight_kg__isnull=True) | Q(weight_kg__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.numero_suivi

    @property
    def subject(self) -> str:
        """What notifications about this parcel say that they are about."""
        return f"colis:{self.numero_suivi}"


class ClientCreationQuerySet(models.QuerySet["ClientCreation"]):
    def unfinished(self, since: datetime) -> Self:
        """Asked for before `since` and not finished: their task was lost, or their worker died."""
        return self.filter(status__in=ClientCreation.UNFINISHED, rung_at__lt=since)


class ClientCreation(models.Model):
    """One asked-for creation of a client, with its progress: what became of it never depends on Celery's memory."""

    class Status(models.TextChoices):
        PENDING = "PENDING", _("Waiting")
        STARTED = "STARTED", _("In progress")
        SUCCESS = "SUCCESS", _("Done")
        FAILURE = "FAILURE", _("Failed")

    class Step(models.TextChoices):
        QUEUED = "queued", _("Waiting for its turn")
        ACCOUNT = "account", _("Creating the account")
        NOTIFICATION = "notification", _("Telling the client")
        DONE = "done", _("The client exists and will be told")

    UNFINISHED = (Status.PENDING, Status.STARTED)
    PROGRESS = {Step.QUEUED: 10, Step.ACCOUNT: 40, Step.NOTIFICATION: 70, Step.DONE: 100}  # percent

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    telephone = models.CharField(_("telephone"), max_length=16)
    first_name = models.CharField(_("first name"), max_length=150)
    last_name = models.CharField(_("last name"), max_length=150)
    email = models.EmailField(_("e-mail"), blank=True)
    language = models.CharField(_("language"), max_length=10, default="fr")
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    step = models.CharField(_("step"), max_length=20, choices=Step, default=Step.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.TextField(_("error"), blank=True)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, related_name="creations", verbose_name=_("client")
    )
    was_new = models.BooleanField(_("was new"), null=True)
    notification_code = models.UUIDField(_("notification"), null=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    rung_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = ClientCreationQuerySet.as_manager()

    class Meta:
        verbose_name = _("client creation")
        verbose_name_plural = _("client creations")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="creation_status_is_known", condition=Q(status__in=["PENDING", "STARTED", "SUCCESS", "FAILURE"])
            ),
        ]
        indexes = [
            # Recovery of creations whose task was lost.
            models.Index(
                name="creation_unfinished", fields=["rung_at"], condition=Q(status__in=["PENDING", "STARTED"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name} {self.telephone}"

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED

    @property
    def progress(self) -> int:
        """Percent done."""
        return self.PROGRESS[self.Step(self.step)]

    def reach(self, step: Step, **facts: Any) -> None:
        """Note that this step is under way, and what the one before has found out."""
        self._move(status=self.Status.STARTED, step=step, **facts)

    def succeed(self, at: datetime) -> None:
        self.status, self.step, self.finished_at = self.Status.SUCCESS, self.Step.DONE, at
        self.save(update_fields=["status", "step", "finished_at", "notification_code", "error"])

    def fail(self, error: str, at: datetime) -> None:
        self._move(status=self.Status.FAILURE, error=error, finished_at=at)

    def _move(self, **changes: Any) -> None:
        # What another worker has finished meanwhile stays finished.
        ClientCreation.objects.filter(pk=self.pk, status__in=self.UNFINISHED).update(**changes)
        self.refresh_from_db()
