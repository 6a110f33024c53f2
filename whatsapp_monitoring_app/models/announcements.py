import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import REACHED, CancelReason, Status

if TYPE_CHECKING:
    from whatsapp_monitoring_app.scopes import Scope


class Standing(models.TextChoices):
    """How far somebody who is to be told has been told."""

    READ = "read", _("Read")
    DELIVERED = "delivered", _("Delivered")
    ACCEPTED = "accepted", _("Accepted by WhatsApp")
    INFORMED = "informed", _("Told by a person")
    WAITING = "waiting", _("On their way")
    UNCONFIRMED = "unconfirmed", _("Result unknown")
    FAILED = "failed", _("Failed for good")
    REFUSED = "refused", _("Does not want messages")
    WRONG_NUMBER = "wrong_number", _("The number is somebody else’s")
    REPLACED = "replaced", _("A newer message says more")
    CANCELLED = "cancelled", _("Cancelled by a person")
    NEVER_CREATED = "never_created", _("No message was made")


# These people know.
TOLD = (Standing.READ, Standing.DELIVERED, Standing.INFORMED)
# For a person to handle.
GAPS = (
    Standing.NEVER_CREATED,
    Standing.FAILED,
    Standing.WRONG_NUMBER,
    Standing.UNCONFIRMED,
    Standing.REFUSED,
    Standing.CANCELLED,
)


class AnnouncementQuerySet(models.QuerySet["WhatsAppAnnouncement"]):
    def visible_to(self, scope: "Scope") -> Self:
        """Those that this office may see: its own, or all of them for an office that sees every office."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)


class WhatsAppAnnouncement(models.Model):
    """One event that a number of people are to be told of. Who they are is written down before they are told."""

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    source_app = models.CharField(_("office"), max_length=40)
    idempotency_key = models.CharField(_("idempotency key"), max_length=200)
    subject = models.CharField(_("subject"), max_length=120, blank=True, help_text=_("For example lot:GZ-0412."))
    message_type = models.CharField(_("type"), max_length=60)
    category = models.CharField(_("category"), max_length=60)
    priority = models.PositiveSmallIntegerField(_("priority"), default=3)
    title = models.CharField(_("title"), max_length=200)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("announced by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        ordering = ("-created_at",)
        constraints = [
            # The same event announced twice, by a double click or by two people, is announced once.
            models.UniqueConstraint(name="an_event_is_announced_once", fields=["source_app", "idempotency_key"]),
        ]
        indexes = [
            # What was announced about one thing, for its page.
            models.Index(name="announcement_by_subject", fields=["subject", "-created_at"]),
        ]

    def __str__(self) -> str:
        return self.title


class AddresseeQuerySet(models.QuerySet["WhatsAppAddressee"]):
    def visible_to(self, scope: "Scope") -> Self:
        """Those whom people working in this office may see."""
        return self.all() if scope.sees_every_office else self.filter(announcement__source_app=scope.office)

    def standing(self, standing: Standing) -> Self:
        """Those who have been told so far."""
        return self.alias(found=_standing()).filter(found=standing)

    def count_by_standing(self) -> dict[Standing, int]:
        """How many have been told how far."""
        rows = self.order_by().values_list(_standing()).annotate(count=Count("pk"))
        return {Standing(standing): count for standing, count in rows}

    def count_by_announcement(self) -> dict[uuid.UUID, dict[Standing, int]]:
        """The same for each announcement, in one query."""
        found: dict[uuid.UUID, dict[Standing, int]] = {}
        rows = self.order_by().values_list("announcement", _standing()).annotate(count=Count("pk"))
        for announcement, standing, count in rows:
            found.setdefault(announcement, {})[Standing(standing)] = count
        return found

    def never_told(self) -> Self:
        """Those for whom no message was made, and to whom nobody has spoken."""
        return self.filter(notification=None, informed_at=None)


# What became of a message that has this status, and what became of those that were cancelled.
_BY_STATUS = {
    Status.READ: Standing.READ,
    Status.DELIVERED: Standing.DELIVERED,
    Status.SENT: Standing.ACCEPTED,
    Status.PENDING: Standing.WAITING,
    Status.RETRY_SCHEDULED: Standing.WAITING,
    Status.SENDING: Standing.WAITING,
    Status.UNCONFIRMED: Standing.UNCONFIRMED,
    Status.FAILED: Standing.FAILED,
}
_BY_REASON = {
    CancelReason.SUPERSEDED: Standing.REPLACED,
    CancelReason.OPT_OUT: Standing.REFUSED,
    CancelReason.WRONG_NUMBER: Standing.WRONG_NUMBER,
}


def _standing() -> Case:
    informed = Q(informed_at__isnull=False) | Q(notification__informed_at__isnull=False)
    unheard = ~Q(notification__status__in=REACHED) | Q(notification=None)
    return Case(
        When(informed & unheard, then=Value(Standing.INFORMED)),
        When(notification=None, then=Value(Standing.NEVER_CREATED)),
        *(When(notification__status=status, then=Value(standing)) for status, standing in _BY_STATUS.items()),
        *(When(notification__cancel_reason=reason, then=Value(standing)) for reason, standing in _BY_REASON.items()),
        default=Value(Standing.CANCELLED),
        output_field=models.CharField(),
    )


class WhatsAppAddressee(models.Model):
    """Somebody who is to be told of an announcement, in which words, and what became of it."""

    announcement = models.ForeignKey(
        WhatsAppAnnouncement, on_delete=models.CASCADE, related_name="addressees", verbose_name=_("announcement")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    template = models.CharField(_("message template"), max_length=60)
    params = models.JSONField(_("values of the template"), default=dict)
    about = models.JSONField(_("subjects"), default=dict, help_text=_("The rank of each subject, by its name."))
    notification = models.OneToOneField(
        WhatsAppNotification,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="addressee",
        verbose_name=_("notification"),
    )
    obstacle = models.TextField(_("why there is no message"), blank=True)
    informed_at = models.DateTimeField(_("told by a person"), null=True, blank=True)
    informed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = AddresseeQuerySet.as_manager()

    class Meta:
        verbose_name = _("addressee")
        verbose_name_plural = _("addressees")
        constraints = [
            models.UniqueConstraint(name="a_person_is_told_once_of_an_event", fields=["announcement", "user"]),
        ]
        indexes = [
            # The call list: those for whom no message could be made.
            models.Index(
                name="addressee_never_told",
                fields=["announcement"],
                condition=Q(notification__isnull=True, informed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.announcement} → {self.user}"

    @property
    def standing(self) -> Standing:
        """How far the person has been told; what `AddresseeQuerySet.standing` finds by."""
        owed = self.notification
        if owed is None:
            return Standing.INFORMED if self.informed_at else Standing.NEVER_CREATED
        if (self.informed_at or owed.informed_at) and owed.status not in REACHED:
            return Standing.INFORMED
        if owed.status == Status.CANCELLED:
            return _BY_REASON.get(CancelReason(owed.cancel_reason), Standing.CANCELLED)
        return _BY_STATUS[Status(owed.status)]
