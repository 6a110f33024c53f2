import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Concat
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.attempts import Form, Trigger
from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.notification_queries import LEASE, NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import WAITING, CancelReason, InformedHow, Status

MEDIA = [(form.value, form.label) for form in (Form.IMAGE, Form.DOCUMENT)]
NO_ERROR = {"error_code": "", "error_class": "", "error_message": ""}
# The question `calls.given_up` without the clock. What nobody is called about would stand in the way for ever.
MAY_NEED_A_CALL = (
    Q(informed_at__isnull=True, resent_as__isnull=True)
    & ~Q(message_type__in=["otp", "alert", "opt_out_confirmation", "sender_test"])
    & (
        Q(status="failed")
        | Q(status="unconfirmed")
        | Q(status="cancelled", cancel_reason="opt_out", message_type__in=["delivery", "delay"])
        | Q(status="cancelled", cancel_reason="wrong_number")
    )
)


class WhatsAppNotification(models.Model):
    """One message that the company owes one person."""

    code = models.UUIDField(_("code"), primary_key=True, default=uuid.uuid4, editable=False)
    source_app = models.CharField(_("office"), max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="whatsapp_notifications",
        verbose_name=_("person"),
    )
    phone_number = models.CharField(_("telephone"), max_length=16, help_text=_("E.164"))
    language = models.CharField(_("language"), max_length=10, default="fr")
    message_type = models.CharField(_("type"), max_length=60)
    category = models.CharField(_("category"), max_length=60)
    title = models.CharField(_("title"), max_length=200, blank=True)
    message_content = models.TextField(_("text"))
    template = models.ForeignKey(
        "WhatsAppTemplate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="notifications",
        db_index=False,
        verbose_name=_("message template"),
    )
    template_params = models.JSONField(_("values of the template"), default=dict, db_default={}, blank=True)
    media = models.CharField(_("media"), max_length=10, choices=MEDIA, blank=True, default="", db_default="")
    media_link = models.URLField(_("link of the media"), max_length=2000, blank=True, default="", db_default="")
    media_name = models.CharField(_("file name"), max_length=240, blank=True, default="", db_default="")
    reply_to = models.CharField(
        _("answers"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("The provider’s id of the client’s message."),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=3, help_text=_("1 is the most urgent, 5 the least.")
    )
    subject = models.CharField(
        _("subject"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        help_text=_("For example colis:TS1A2B3C4D."),
    )
    context_data = models.JSONField(_("context"), default=dict, db_default={}, blank=True)
    is_secret = models.BooleanField(_("carries a secret"), default=False, db_default=False)
    fact_rank = models.PositiveSmallIntegerField(
        _("rank"),
        default=0,
        db_default=0,
        help_text=_("A higher rank about the same subject replaces what still waits; 0: nothing."),
    )
    idempotency_key = models.CharField(_("idempotency key"), max_length=200, null=True, blank=True)  # noqa: DJ001 - unique when given

    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.PENDING)
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    max_attempts = models.PositiveSmallIntegerField(_("attempts at most"), default=5)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    next_trigger = models.CharField(
        max_length=10, choices=Trigger, default=Trigger.AUTO, db_default=Trigger.AUTO, editable=False
    )
    next_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    rung_at = models.DateTimeField(null=True, editable=False, help_text="When a worker was last told of this row.")
    expires_at = models.DateTimeField(_("useful until"), null=True, blank=True)

    slot_at = models.DateTimeField(null=True, editable=False, help_text="Its place in the sender's pace.")

    claim_id = models.UUIDField(null=True, editable=False, help_text="The last claim; it stays when the lease ends.")
    claimed_until = models.DateTimeField(_("held until"), null=True, editable=False)
    confirm_by = models.DateTimeField(_("to be confirmed by"), null=True, editable=False)

    asked_sender = models.ForeignKey(
        "WhatsAppSender",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("sender asked for"),
    )
    sender = models.ForeignKey(
        "WhatsAppSender",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="notifications",
        db_index=False,
        verbose_name=_("sender"),
    )
    provider_message_id = models.CharField(_("provider's id"), max_length=200, null=True, blank=True)  # noqa: DJ001 - unique when known
    wa_id = models.CharField(_("WhatsApp id"), max_length=40, blank=True, default="", db_default="")
    error_code = models.CharField(_("error code"), max_length=40, blank=True, default="", db_default="")
    error_class = models.CharField(
        _("cause"), max_length=30, choices=ErrorClass, blank=True, default="", db_default=""
    )
    error_message = models.TextField(_("error"), blank=True, default="", db_default="")

    bulk = models.ForeignKey(
        "WhatsAppBulk",
        # Its page tells what became of them. No constraint: it would be asked of each of a hundred thousand rows.
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        editable=False,
        related_name="notifications",
        db_index=False,
        verbose_name=_("bulk message"),
    )

    created_at = models.DateTimeField(_("created"))
    held_until = models.DateTimeField(
        null=True, editable=False, help_text="When it was first to leave, if that was not at once: a night, a wish."
    )
    first_attempt_at = models.DateTimeField(_("first attempt"), null=True, blank=True)
    sent_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    cancel_reason = models.CharField(_("why cancelled"), max_length=12, choices=CancelReason, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("settled by"),
        help_text=_("Who found out what became of it, when no receipt told."),
    )
    informed_at = models.DateTimeField(_("told by a person"), null=True, blank=True)
    informed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("told by"),
    )
    informed_how = models.CharField(
        _("how they were told"), max_length=12, choices=InformedHow, blank=True, default="", db_default=""
    )
    resent_as = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="resends",
        db_index=False,
        verbose_name=_("sent again as"),
        help_text=_("The same message to the person’s corrected number."),
    )

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-created_at", "-code")
        constraints = [
            models.CheckConstraint(name="status_is_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="priority_from_1_to_5", condition=Q(priority__range=(1, 5))),
            models.CheckConstraint(
                name="media_has_a_link",
                condition=Q(media="", media_link="") | Q(media__in=["image", "document"]) & ~Q(media_link=""),
            ),
            models.CheckConstraint(name="error_class_is_known", condition=Q(error_class__in=["", *ErrorClass.values])),
            models.CheckConstraint(
                name="waiting_has_a_next_attempt",
                condition=Q(status__in=sorted(WAITING), next_attempt_at__isnull=False)
                | (~Q(status__in=sorted(WAITING)) & Q(next_attempt_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="sending_has_a_claim",
                condition=~Q(status=Status.SENDING) | Q(claim_id__isnull=False, claimed_until__isnull=False),
            ),
            models.CheckConstraint(
                name="unconfirmed_has_a_deadline",
                condition=~Q(status=Status.UNCONFIRMED) | Q(confirm_by__isnull=False),
            ),
            models.CheckConstraint(
                name="failed_has_a_moment", condition=~Q(status=Status.FAILED) | Q(failed_at__isnull=False)
            ),
            models.CheckConstraint(
                name="informed_has_a_way",
                condition=Q(informed_at__isnull=True, informed_how="")
                | Q(informed_at__isnull=False, informed_how__in=InformedHow.values),
            ),
            models.CheckConstraint(
                name="attempts_within_the_maximum", condition=Q(attempt_count__lte=F("max_attempts"))
            ),
            # Only of rows that have one: a message gets its provider's id after two of its updates.
            models.UniqueConstraint(
                name="one_per_idempotency_key",
                fields=["source_app", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
            ),
            models.UniqueConstraint(
                name="one_per_provider_message",
                fields=["provider_message_id"],
                condition=Q(provider_message_id__isnull=False),
            ),
        ]
        # Each insert and each of a message's five updates writes an entry into every index whose condition it meets
        # (none is HOT: each changes the status), so what few rows have is indexed for those rows only.
        indexes = [
            # The lists and dashboards of one office, newest first.
            models.Index(name="notification_by_office", fields=["source_app", "-created_at", "-code"]),
            # The lists and dashboards of the admin offices, newest first.
            models.Index(name="notification_by_date", fields=["-created_at", "-code"]),
            # Lists filtered by a status other than the common ones, and the counts of what waits.
            models.Index(
                name="notification_to_handle",
                fields=["status", "source_app", "-created_at"],
                condition=~Q(status__in=["sent", "delivered", "read"]),
            ),
            # Lists filtered by a cause or a code, whatever became of the message since: few have one.
            models.Index(
                name="notification_by_cause",
                fields=["error_class", "error_code", "-created_at"],
                include=["source_app"],
                condition=~Q(error_class=""),
            ),
            # The sweep for due and expired rows.
            models.Index(name="notification_due", fields=["next_attempt_at"], condition=Q(status__in=sorted(WAITING))),
            # What waits for a person, by cause, newest first; how many they are is counted without reading a message.
            models.Index(
                name="notification_failed",
                fields=["source_app", "error_class", "error_code", "-failed_at"],
                include=["phone_number", "created_at"],
                condition=Q(
                    status=Status.FAILED, settled_by__isnull=True, informed_at__isnull=True, resent_as__isnull=True
                ),
            ),
            # Deleting an account: whether one of them is this person's doing.
            models.Index(name="notification_next_actor", fields=["next_actor"], condition=Q(next_actor__isnull=False)),
            models.Index(name="notification_settled_by", fields=["settled_by"], condition=Q(settled_by__isnull=False)),
            models.Index(
                name="notification_informed_by", fields=["informed_by"], condition=Q(informed_by__isnull=False)
            ),
            # What a worker with a free place takes next, among a hundred thousand that others were told of.
            models.Index(
                name="notification_unrung",
                fields=["next_attempt_at"],
                condition=Q(status__in=sorted(WAITING), rung_at__isnull=True),
            ),
            # Deleting old rows: whether one of them is what another was sent again as.
            models.Index(name="notification_resent_as", fields=["resent_as"], condition=Q(resent_as__isnull=False)),
            # Recovery of what a dead worker held, and of what nobody confirmed.
            models.Index(name="notification_held", fields=["claimed_until"], condition=Q(status=Status.SENDING)),
            # The call list, and how many people are on it: what may need a call, the most urgent first. Of one office,
            models.Index(
                name="notification_call_by_office",
                fields=["source_app", "priority", "-created_at", "-code"],
                condition=MAY_NEED_A_CALL,
            ),
            # and of all.
            models.Index(
                name="notification_call_by_urgency",
                fields=["priority", "-created_at", "-code"],
                condition=MAY_NEED_A_CALL,
            ),
            # A client's messages; what an opt-out cancels.
            models.Index(name="notification_by_number", fields=["phone_number", "-created_at"]),
            # Whose messages a provider's id speaks of, where it is not the number itself.
            models.Index(
                name="notification_by_wa_id",
                fields=["wa_id"],
                condition=~Q(wa_id="") & ~Q(phone_number=Concat(models.Value("+"), "wa_id")),
            ),
            # How far a bulk message is: most messages belong to none.
            models.Index(name="notification_by_bulk", fields=["bulk", "status"], condition=Q(bulk__isnull=False)),
            # The daily limit of a sender.
            models.Index(
                name="notification_by_sender", fields=["sender", "sent_at"], condition=Q(sent_at__isnull=False)
            ),
            # What was accepted long ago by a sender and not confirmed since: few, where the provider tells.
            models.Index(
                name="notification_accepted",
                fields=["sender", "-created_at"],
                include=["code", "sent_at", "source_app"],
                condition=Q(status="sent"),
            ),
            # How often somebody was missed since a moment.
            models.Index(
                name="notification_missed",
                fields=["user", "-created_at"],
                include=["source_app"],
                condition=Q(status="failed"),
            ),
            models.Index(
                name="notification_unconfirmed", fields=["confirm_by"], condition=Q(status=Status.UNCONFIRMED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title or self.message_type} → {self.phone_number}"

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    def is_due(self, at: datetime) -> bool:
        """Whether it waits, and its time has come."""
        return self.next_attempt_at is not None and self.next_attempt_at <= at

    @property
    def has_attempts_left(self) -> bool:
        return self.attempt_count < self.max_attempts

    @property
    def is_at_its_first_call(self) -> bool:
        """Whether it is claimed, and never was put to a provider before this claim."""
        return self.claimed_until is not None and self.first_attempt_at == self.claimed_until - LEASE

    @property
    def can_retry(self) -> bool:
        """Whether a person may ask for a new attempt: it failed, waits for its next one, or nobody knows.

        Not of what was sent again to the person's corrected number.
        """
        return self.resent_as_id is None and self.status in (
            Status.FAILED,
            Status.UNCONFIRMED,
            Status.RETRY_SCHEDULED,
        )

    @property
    def is_delivery_unknown(self) -> bool:
        """Whether it was accepted by a provider that never tells what became of a message."""
        return self.status == Status.SENT and self.sender is not None and not self.sender.has_receipts

    @property
    def understood_number(self) -> str:
        """The number that WhatsApp took ours for, where it is another one; "" otherwise.

        Right for some countries, whose ids there differ by a digit; elsewhere a stranger has got the message.
        """
        if settings.WHATSAPP_TEST_PHONE or not self.wa_id.isdecimal() or f"+{self.wa_id}" == self.phone_number:
            return ""
        return f"+{self.wa_id}"

    def move(self, to: Status, **changes: Any) -> bool:
        """Move this notification to `to`, and say whether this call did it. The object then shows what is stored."""
        # With the claim that this object was read with: a worker that slept must not move what another one holds now.
        moved = type(self).objects.filter(pk=self.pk, claim_id=self.claim_id).move(to, **changes)
        self.refresh_from_db()
        return bool(moved)

    def delivered(self, at: datetime) -> bool:
        return self.move(Status.DELIVERED, sent_at=Coalesce("sent_at", models.Value(at)), delivered_at=at, **NO_ERROR)

    def read(self, at: datetime) -> bool:
        """The client opened it, which implies that it was delivered: providers may skip that receipt."""
        return self.move(
            Status.READ,
            sent_at=Coalesce("sent_at", models.Value(at)),
            delivered_at=Coalesce("delivered_at", models.Value(at)),
            read_at=at,
            **NO_ERROR,
        )
