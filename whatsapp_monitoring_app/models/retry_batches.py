import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.senders import WhatsAppSender

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class RetryBatchQuerySet(models.QuerySet["WhatsAppRetryBatch"]):
    def visible_to(self, scope: "Scope") -> Self:
        """Those that this office may see: its own, or all of them for an office that sees every office."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)


class WhatsAppRetryBatch(models.Model):
    """A decision of a person to send many failed messages again: which ones is written down before the first leaves.

    A few go first (the canary); the others follow when somebody has seen what became of those.
    """

    class State(models.TextChoices):
        CANARY = "canary", _("Trying a few")
        RUNNING = "running", _("Sending again")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Stopped by a person")

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    source_app = models.CharField(_("office"), max_length=40, help_text=_("Where it was asked for."))
    query = models.TextField(_("filters"), blank=True, help_text=_("As they stood in the address of the list."))
    state = models.CharField(_("state"), max_length=10, choices=State)
    total = models.PositiveIntegerField(_("messages"))
    excluded = models.JSONField(
        _("left out"), default=dict, blank=True, help_text=_("How many messages are not sent again, by the reason.")
    )
    confirmed = models.JSONField(
        _("confirmed"), default=list, blank=True, help_text=_("What the person knew to speak against it.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    created_at = models.DateTimeField(_("created"))
    # A second press of the same form is the same decision.
    request_id = models.UUIDField(unique=True, editable=False)
    # By a run; between two runs, by the one that is rung for.
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = RetryBatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("retry batch")
        verbose_name_plural = _("retry batches")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="retry_batch_ends_once",
                condition=Q(state__in=["finished", "cancelled"], finished_at__isnull=False)
                | (~Q(state__in=["finished", "cancelled"]) & Q(finished_at__isnull=True)),
            ),
        ]
        indexes = [
            # The batches of one office, and of all.
            models.Index(name="retry_batch_by_office", fields=["source_app", "-created_at"]),
            # What a run has to go on with.
            models.Index(name="retry_batch_open", fields=["claimed_until"], condition=Q(finished_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return str(self.code)

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    @property
    def look(self) -> str:
        """The status of a message whose icon and colour this state has."""
        return LOOKS[self.State(self.state)]


LOOKS = {
    WhatsAppRetryBatch.State.CANARY: "unconfirmed",
    WhatsAppRetryBatch.State.RUNNING: "sending",
    WhatsAppRetryBatch.State.PAUSED: "paused",
    WhatsAppRetryBatch.State.FINISHED: "sent",
    WhatsAppRetryBatch.State.CANCELLED: "cancelled",
}


class RetryItemQuerySet(models.QuerySet["WhatsAppRetryItem"]):
    def open(self) -> Self:
        """Those that have neither been given their attempt nor been refused it."""
        # The condition of the index `retry_item_open`.
        return self.filter(queued_at__isnull=True, refusal="")


class WhatsAppRetryItem(models.Model):
    """One message of a retry batch, and whether it was given its new attempt."""

    batch = models.ForeignKey(WhatsAppRetryBatch, on_delete=models.CASCADE, related_name="items")
    notification = models.ForeignKey(WhatsAppNotification, on_delete=models.CASCADE, related_name="retry_items")
    sender = models.ForeignKey(
        WhatsAppSender,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("sender"),
        help_text=_("Whose pace it keeps."),
    )
    is_canary = models.BooleanField(_("one of the first"), default=False)
    queued_at = models.DateTimeField(_("queued"), null=True)
    leaves_at = models.DateTimeField(_("leaves"), null=True, help_text=_("The end of the night that it waits for."))
    refusal = models.CharField(_("why not"), max_length=20, blank=True, default="")

    objects = RetryItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("message of a retry batch")
        verbose_name_plural = _("messages of retry batches")
        constraints = [
            models.UniqueConstraint(name="a_message_is_once_in_a_batch", fields=["batch", "notification"]),
        ]
        indexes = [
            # What is still to be given its attempt.
            models.Index(
                name="retry_item_open", fields=["batch", "id"], condition=Q(queued_at__isnull=True, refusal="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.notification_id}"
