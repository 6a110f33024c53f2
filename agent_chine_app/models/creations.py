import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agent_chine_app.models.clients import Client
from agent_chine_app.models.imports import ClientImport


class ClientCreationQuerySet(models.QuerySet["ClientCreation"]):
    def unfinished(self, since: datetime) -> Self:
        """Asked for before `since` and not finished: their task was lost, or their worker died.

        Those of an import are its own run's to finish.
        """
        return self.filter(status__in=ClientCreation.UNFINISHED, rung_at__lt=since, batch=None)

    def forgettable(self, before: datetime) -> Self:
        """Finished before this moment."""
        return self.filter(finished_at__lt=before).exclude(status__in=ClientCreation.UNFINISHED)


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
    country = models.CharField(
        _("country"), max_length=2, choices=Client.Country, blank=True, help_text=_("Unless it is the number’s own.")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    step = models.CharField(_("step"), max_length=20, choices=Step, default=Step.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.TextField(_("error"), blank=True)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, related_name="creations", verbose_name=_("client")
    )
    was_new = models.BooleanField(_("was new"), null=True)
    notification_code = models.UUIDField(_("notification"), null=True)
    batch = models.ForeignKey(
        ClientImport,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="creations",
        verbose_name=_("import"),
    )
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
