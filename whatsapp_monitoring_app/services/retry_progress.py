"""How far a retry batch is, and what has become of its messages: read from the messages themselves."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Case, Count, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import (
    Status,
    Trigger,
    WhatsAppRetryBatch,
    WhatsAppRetryItem,
)
from whatsapp_monitoring_app.models.statuses import REACHED, WAITING
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.services.statistics import Cause


class Stage(models.TextChoices):
    """Where a message of a batch is; in the order in which the page tells them."""

    REACHED = "reached", _("Delivered or read")
    ACCEPTED = "accepted", _("Accepted by WhatsApp")
    FAILED = "failed", _("Failed again")
    UNCONFIRMED = "unconfirmed", _("Result unknown")
    PLANNED = "planned", _("Tried again by itself")
    WAITING = "waiting", _("Waiting to be sent")
    ASLEEP = "asleep", _("Waiting for the morning")
    CANCELLED = "cancelled", _("Cancelled")
    REFUSED = "refused", _("Not sent again")
    OPEN = "open", _("Not queued yet")


@dataclass(frozen=True)
class Progress:
    """How many messages of a batch are where; `failed` by cause, `refused` by reason."""

    counts: Mapping[Stage, int]
    failed: list[Cause]
    refused: list[tuple[Reason, int]]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def open_count(self) -> int:
        return self.counts.get(Stage.OPEN, 0)

    @property
    def failed_count(self) -> int:
        return self.counts.get(Stage.FAILED, 0)

    @property
    def done_count(self) -> int:
        """Those that have had their attempt, or will have none."""
        return self.total - self.open_count - self.counts.get(Stage.WAITING, 0) - self.counts.get(Stage.ASLEEP, 0)

    @property
    def is_moving(self) -> bool:
        """Whether messages are about to leave."""
        return bool(self.counts.get(Stage.WAITING))

    @property
    def lines(self) -> list[tuple[Stage, int]]:
        """Every stage that a message is in."""
        return [(stage, self.counts[stage]) for stage in Stage if self.counts.get(stage)]


def of(items: models.QuerySet[WhatsAppRetryItem], at: datetime) -> Progress:
    """How far these items are, in one query."""
    rows = items.order_by().annotate(stage=_stage(at), cause=F("notification__error_class"))
    counts, failed, refused = Counter[Stage](), Counter[str](), Counter[Reason]()
    for row in rows.values("stage", "refusal", "cause").annotate(count=Count("pk")):
        stage = Stage(row["stage"])
        counts[stage] += row["count"]
        if stage == Stage.FAILED:
            failed[row["cause"]] += row["count"]
        elif stage == Stage.REFUSED:
            refused[Reason(row["refusal"])] += row["count"]
    return Progress(counts, [Cause(cause, count) for cause, count in failed.most_common()], refused.most_common())


def waiting_by_sender(batch: WhatsAppRetryBatch, at: datetime) -> dict[int | None, int]:
    """How many of its messages are queued and have not left, by the sender's key; without those that sleep."""
    waiting = batch.items.filter(_is_waiting(), queued_at__isnull=False).exclude(leaves_at__gt=at)
    return dict(waiting.order_by().values_list("sender").annotate(count=Count("pk")))


def _is_waiting() -> Q:
    """Queued by a bulk, and not tried since."""
    waits = Q(notification__status__in=WAITING, notification__next_trigger=Trigger.BULK)
    return waits | Q(notification__status=Status.SENDING)


def _stage(at: datetime) -> Case:
    status = "notification__status"
    return Case(
        When(~Q(refusal=""), then=Value(Stage.REFUSED)),
        When(queued_at=None, then=Value(Stage.OPEN)),
        When(_is_waiting() & Q(leaves_at__gt=at), then=Value(Stage.ASLEEP)),
        When(_is_waiting(), then=Value(Stage.WAITING)),
        When(**{f"{status}__in": WAITING}, then=Value(Stage.PLANNED)),
        When(**{f"{status}__in": REACHED}, then=Value(Stage.REACHED)),
        When(**{status: Status.SENT}, then=Value(Stage.ACCEPTED)),
        When(**{status: Status.UNCONFIRMED}, then=Value(Stage.UNCONFIRMED)),
        When(**{status: Status.CANCELLED}, then=Value(Stage.CANCELLED)),
        default=Value(Stage.FAILED),
        output_field=models.CharField(),
    )
