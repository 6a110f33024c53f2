"""What is wrong with the whole at this moment, as numbers and names; `alerts` remembers it, `alert_words` says it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q

from whatsapp_monitoring_app.models import (
    AlertKind,
    ErrorClass,
    Status,
    WhatsAppNotification,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import message_types, pulses, routing, stops, template_stops

HOUR = timedelta(hours=1)
# So many of the messages that were decided within the hour, and at least so many of them, make an incident; it is over
# when fewer than the second share fail.
FAILURE_PERCENT, FAILURE_PERCENT_OVER = 20, 10
DECIDED_AT_LEAST = 20
# No message is useful for longer, so none fails that was created earlier, unless a person took it up again.
FAILS_WITHIN = timedelta(days=4)
# How long the oldest message may wait when its time has come: what is in a hurry, and what goes to many at once.
QUEUE_PATIENCE, BULK_PATIENCE = timedelta(minutes=15), timedelta(hours=2)
# An incident of the queue is over when the oldest waits for less than this part of that.
QUEUE_OVER = 3
NORMAL = 3  # the priority; a greater number is less urgent
# A circuit that is half open is asked by one message at a time: it is over when nothing was stopped for this long.
CIRCUIT_OVER = timedelta(minutes=10)
# Receipts come within seconds: so many messages without one within the hour, the oldest waiting for so long.
RECEIPTS_DUE, RECEIPTS_LATE, RECEIPTS_AT_LEAST = timedelta(minutes=10), timedelta(minutes=30), 5


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong. `opens` is false when it only keeps an incident open that there is already."""

    kind: AlertKind
    key: str = ""
    office: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    opens: bool = True


def find(at: datetime) -> list[Incident]:
    """Everything that is wrong now, one entry per kind and key, in about eight queries."""
    senders = list(WhatsAppSender.objects.defer("token"))
    life = pulses.look(at)
    return [
        *_silences(life),
        *_circuits(senders, at),
        *_tokens(stops.troubles_of(senders, at).expiries),
        *_held_templates(),
        *_failures(senders, at),
        # When nothing is sent at all, that is the incident, not each office's queue.
        *_queues(senders, at, opens=life.worker.life is not pulses.Life.SILENT),
        *_missing_receipts(senders, at),
    ]


def _silences(life: pulses.Pulses) -> Iterator[Incident]:
    """What was never seen is no incident: it may have been installed a minute ago. The screens say it."""
    for pulse in life.all:
        if pulse.life is pulses.Life.SILENT and pulse.at:
            yield Incident(pulse.kind_of_alert, facts={"since": pulse.at.isoformat()})


def _circuits(senders: Iterable[WhatsAppSender], at: datetime) -> list[Incident]:
    found: dict[str, Incident] = {}
    for stop in stops.troubles_of(senders, at - CIRCUIT_OVER).stops:
        first = stop.senders[0]
        facts = {**_names(stop.senders), "error_class": stop.error_class.value, "until": stop.until.isoformat()}
        key = first.account_key
        found[key] = Incident(AlertKind.CIRCUIT_OPEN, key, facts=facts, opens=first.is_stopped(at))
    return list(found.values())


def _tokens(expiries: Iterable[stops.Expiry]) -> list[Incident]:
    """By account, the most urgent one."""
    found: dict[str, Incident] = {}
    for expiry in expiries:
        key = expiry.senders[0].account_key
        facts = {**_names(expiry.senders), "ends": expiry.expires_at.isoformat(), "is_past": expiry.is_past}
        found.setdefault(key, Incident(AlertKind.TOKEN_EXPIRY, key, facts=facts))
    return list(found.values())


def _names(senders: list[WhatsAppSender]) -> dict[str, Any]:
    return {"senders": [sender.label for sender in senders], "sender": senders[0].pk}


def _held_templates() -> Iterator[Incident]:
    for hold in template_stops.held(WhatsAppNotification.objects.all()):
        key = str(hold.template.pk) if hold.template else ""
        office = next(iter(hold.offices)) if len(hold.offices) == 1 else ""
        facts = {"count": hold.count, "template": hold.template.label if hold.template else ""}
        yield Incident(AlertKind.TEMPLATE_HELD, key, office, facts)


def _failures(senders: list[WhatsAppSender], at: datetime) -> Iterator[Incident]:
    """By office: how much failed of what was decided within the hour. What a provider accepted has gone well."""
    ours = WhatsAppNotification.objects.exclude(message_type=message_types.ALERT).order_by()
    failed = _by_office(
        ours.filter(status=Status.FAILED, created_at__gt=at - FAILS_WITHIN, failed_at__gt=at - HOUR, settled_by=None)
    )
    if not failed:
        return
    well = _by_office(
        ours.filter(status__in=[Status.SENT, Status.DELIVERED, Status.READ], sender__in=senders, sent_at__gt=at - HOUR)
    )
    for office, count in failed.items():
        total = count + well.get(office, 0)
        percent = 100 * count // total
        opens = percent >= FAILURE_PERCENT and total >= DECIDED_AT_LEAST
        if opens or percent >= FAILURE_PERCENT_OVER:
            facts = {"failed": count, "total": total, "percent": percent}
            yield Incident(AlertKind.FAILURE_RATE, office, office, facts, opens)


def _by_office(notifications: NotificationQuerySet) -> dict[str, int]:
    return dict(notifications.values_list("source_app").annotate(count=Count("pk")))


def _queues(senders: Iterable[WhatsAppSender], at: datetime, *, opens: bool) -> Iterator[Incident]:
    """By office: what should have left and has not, apart from what waits for something that has its own alert.

    A planned retry, the quiet hours and a later wish are no delay: their time has not come.
    """
    due = WhatsAppNotification.objects.due(at - QUEUE_PATIENCE / QUEUE_OVER).order_by()
    for sender in senders:
        if sender.is_active and sender.is_stopped(at - CIRCUIT_OVER):
            due = due.exclude(routing.owned_by(sender))
    in_a_hurry = Q(priority__lte=NORMAL)
    waiting = due.exclude(error_class=ErrorClass.TEMPLATE_STOP).values_list("source_app")
    groups = waiting.annotate(
        count=Count("pk"),
        oldest=Min("next_attempt_at", filter=in_a_hurry),
        oldest_bulk=Min("next_attempt_at", filter=~in_a_hurry),
    )
    for office, count, oldest, oldest_bulk in groups:
        share, since = max(_share(oldest, QUEUE_PATIENCE, at), _share(oldest_bulk, BULK_PATIENCE, at))
        if share >= 1 / QUEUE_OVER:
            facts = {"count": count, "since": since.isoformat()}
            yield Incident(AlertKind.QUEUE_AGE, office, office, facts, opens=opens and share >= 1)


def _share(oldest: datetime | None, patience: timedelta, at: datetime) -> tuple[float, datetime]:
    """How much of the patience with it is used up, and since when it waits."""
    return (0, at) if oldest is None else ((at - oldest) / patience, oldest)


def _missing_receipts(senders: Iterable[WhatsAppSender], at: datetime) -> Iterator[Incident]:
    """By provider: messages were accepted and should be delivered by now, and it has not posted anything since."""
    by_provider: dict[str, list[WhatsAppSender]] = {}
    for sender in senders:
        if sender.has_receipts and sender.provider != WhatsAppSender.Provider.CONSOLE:
            by_provider.setdefault(sender.provider, []).append(sender)
    for provider, speaking in by_provider.items():
        posted = WhatsAppWebhookLog.objects.filter(provider=provider, received_at__gt=at - HOUR)
        last = posted.order_by("-received_at").values_list("received_at", flat=True).first()
        accepted = WhatsAppNotification.objects.filter(
            sender__in=speaking, sent_at__gt=last or at - HOUR, sent_at__lte=at - RECEIPTS_DUE
        )
        found = accepted.order_by().aggregate(count=Count("pk"), first=Min("sent_at"))
        is_late = found["first"] is not None and found["first"] <= at - RECEIPTS_LATE
        # What keeps it open is that nothing came, even when nothing is sent any more.
        if last is None or is_late:
            facts = {"provider": speaking[0].get_provider_display(), "count": found["count"]}
            opens = is_late and found["count"] >= RECEIPTS_AT_LEAST
            yield Incident(AlertKind.WEBHOOK_SILENT, provider, facts=facts, opens=opens)
