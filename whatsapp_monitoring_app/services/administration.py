"""How everything is that an administration sees to, in a few cheap counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Value

from whatsapp_monitoring_app.models import (
    WhatsAppAlert,
    WhatsAppAuditEntry,
    WhatsAppErrorCode,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppRetryBatch,
    WhatsAppSender,
    WhatsAppTemplate,
)
from whatsapp_monitoring_app.models.notification_queries import waits_for_template
from whatsapp_monitoring_app.services import statistics


@dataclass(frozen=True)
class State:
    """The counts of the page; each names what it counts."""

    senders: int
    stopped_senders: int
    waiting: int
    templates: int
    waiting_for_template: int
    unclassified_codes: int
    opt_outs: int
    open_batches: int
    open_alerts: int
    audited_today: int


def state(at: datetime) -> State:
    """The counts as they are now, in one query."""
    senders, waiting = WhatsAppSender.objects.all(), WhatsAppNotification.objects.waiting()
    return State(
        **_counts(
            senders=senders,
            stopped_senders=senders.filter(Q(is_active=False) | Q(stopped_until__gt=at)),
            waiting=waiting,
            templates=WhatsAppTemplate.objects.filter(is_active=True),
            waiting_for_template=waiting.filter(waits_for_template()),
            unclassified_codes=WhatsAppErrorCode.objects.filter(is_classified=False),
            opt_outs=WhatsAppOptOut.objects.all(),
            open_batches=WhatsAppRetryBatch.objects.filter(finished_at=None),
            open_alerts=WhatsAppAlert.objects.open(),
            audited_today=WhatsAppAuditEntry.objects.filter(at__gte=statistics.start_of_day(at)),
        )
    )


def _counts(**rows: QuerySet[Any]) -> dict[str, int]:
    parts = [
        of.order_by()
        .annotate(what=Value(name))
        .values("what")
        .annotate(count=Count("pk"))
        .values_list("what", "count")
        for name, of in rows.items()
    ]
    found = dict(parts[0].union(*parts[1:], all=True))
    return {name: found.get(name, 0) for name in rows}
