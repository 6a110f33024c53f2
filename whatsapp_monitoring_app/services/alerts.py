"""Incidents of the whole: each opens once, is seen as long as it lasts, and is over when its trouble is.

Any number of evaluations may run at once: an open alert is unique in the database, its end is a conditional update.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists

from accounts.models import User
from whatsapp_monitoring_app.models import Action, AlertKind, WhatsAppAlert, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.alerts import AlertQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import audit, incidents, pulses, stops, template_stops
from whatsapp_monitoring_app.services.incidents import Incident
from whatsapp_monitoring_app.services.pulses import Pulse
from whatsapp_monitoring_app.services.stops import Expiry, Stop
from whatsapp_monitoring_app.services.template_stops import Hold

REMEMBERED = timedelta(days=30)
# What the banner learns from the rows themselves, fresher than from the last evaluation.
SEEN_LIVE = (
    AlertKind.WORKERS_SILENT,
    AlertKind.BEAT_SILENT,
    AlertKind.CIRCUIT_OPEN,
    AlertKind.TOKEN_EXPIRY,
    AlertKind.TEMPLATE_HELD,
)


def evaluate(at: datetime) -> int:
    """Compare what is wrong now with the open alerts; how many opened or ended. Safe to run twice at once."""
    # Read first: what somebody else opens meanwhile is not ended by what was found before.
    known = {(alert.kind, alert.key): alert for alert in WhatsAppAlert.objects.open()}
    found = {(incident.kind, incident.key): incident for incident in incidents.find(at)}
    opening = [incident for key, incident in found.items() if key not in known and incident.opens]
    ending = [alert for key, alert in known.items() if key not in found]
    _touch([(alert, found[key]) for key, alert in known.items() if key in found], at)
    _open(opening, at)
    return len(opening) + _end(ending, at)


def _open(opening: Collection[Incident], at: datetime) -> None:
    rows = [
        WhatsAppAlert(
            kind=incident.kind,
            key=incident.key,
            source_app=incident.office,
            facts=incident.facts,
            opened_at=at,
            last_seen_at=at,
        )
        for incident in opening
    ]
    # Whoever is first opens it.
    WhatsAppAlert.objects.bulk_create(rows, ignore_conflicts=True)


def _touch(lasting: Collection[tuple[WhatsAppAlert, Incident]], at: datetime) -> None:
    for alert, incident in lasting:
        alert.facts, alert.source_app, alert.last_seen_at = incident.facts, incident.office, at
    seen = [alert for alert, _incident in lasting]
    WhatsAppAlert.objects.open().bulk_update(seen, ["facts", "source_app", "last_seen_at"])


def _end(ending: Collection[WhatsAppAlert], at: datetime) -> int:
    if not ending:
        return 0
    return WhatsAppAlert.objects.open().filter(pk__in=[alert.pk for alert in ending]).update(resolved_at=at)


class NothingToTake(Exception):
    """The alert is over, or somebody else takes care of it: `alert` says which."""

    def __init__(self, alert: WhatsAppAlert) -> None:
        super().__init__()
        self.alert = alert


@transaction.atomic
def take(code: uuid.UUID, person: User, scope: Scope, at: datetime) -> None:
    """This person takes care of an open alert that their office sees. Twice is once.

    Raises NothingToTake; WhatsAppAlert.DoesNotExist when their office sees no such alert.
    """
    alert = WhatsAppAlert.objects.visible_to(scope).select_for_update(of=("self",)).get(pk=code)
    if alert.resolved_at or (alert.taken_by_id and alert.taken_by_id != person.pk):
        raise NothingToTake(alert)
    if alert.taken_by_id is None:
        alert.taken_by, alert.taken_at = person, at
        alert.save(update_fields=["taken_by", "taken_at"])
        audit.note(Action.ALERT_TAKE, person, scope, at, target=alert.pk, detail=alert.kind)


def open_ones(scope: Scope) -> AlertQuerySet:
    """What is wrong now, the latest first, with who takes care of it."""
    return WhatsAppAlert.objects.visible_to(scope).open().select_related("taken_by")


def unnoticed(life: pulses.Pulses, noticed: Collection[WhatsAppAlert]) -> list[Pulse]:
    """The parts without a sign of life of which there is no open alert: nobody has looked yet, or can."""
    known = {alert.kind for alert in noticed}
    return [pulse for pulse in life.all if not pulse.is_alive and pulse.kind_of_alert not in known]


def past_ones(scope: Scope, at: datetime) -> AlertQuerySet:
    """What was wrong in the last 30 days, and is over."""
    over = WhatsAppAlert.objects.visible_to(scope).filter(resolved_at__gt=at - REMEMBERED)
    return over.select_related("taken_by").order_by("-resolved_at")


@dataclass(frozen=True)
class Banner:
    """What is wrong now, for everybody to know. `quiet_parts` give no sign of life."""

    quiet_parts: list[Pulse]
    stops: list[Stop]
    expiries: list[Expiry]
    holds: list[Hold]
    alerts: list[WhatsAppAlert]

    @property
    def is_well(self) -> bool:
        return not (self.quiet_parts or self.stops or self.expiries or self.holds or self.alerts)


def banner(scope: Scope, at: datetime) -> Banner:
    """What this office should know, in one query while all is well.

    What can be read off the rows is, so that it is true although nobody evaluates any more.
    """
    senders = _senders(scope)
    troubles = stops.troubles_of(senders, at)
    visible = WhatsAppNotification.objects.visible_to(scope)
    return Banner(
        _quiet_parts(senders, at),
        troubles.stops,
        troubles.expiries,
        template_stops.held(visible) if any(sender.holds for sender in senders) else [],
        list(_remembered(scope)) if any(sender.has_alerts for sender in senders) else [],
    )


def is_well(scope: Scope, at: datetime) -> bool:
    """Whether there is nothing that this office should know; in one query."""
    senders = _senders(scope)
    troubles = stops.troubles_of(senders, at)
    held_or_remembered = any(sender.holds or sender.has_alerts for sender in senders)
    return not (_quiet_parts(senders, at) or troubles.stops or troubles.expiries or held_or_remembered)


def _senders(scope: Scope) -> list[Any]:
    """The senders. One question instead of four: the system's own is always there to carry the other answers."""
    return list(
        WhatsAppSender.objects.defer("token").annotate(
            holds=Exists(WhatsAppNotification.objects.visible_to(scope).waiting_for_template()),
            has_alerts=Exists(_remembered(scope)),
            worker_at=pulses.last(pulses.Part.WORKER),
            beat_at=pulses.last(pulses.Part.BEAT),
        )
    )


def _quiet_parts(senders: list[Any], at: datetime) -> list[Pulse]:
    seen = [(sender.worker_at, sender.beat_at) for sender in senders[:1]] or [(None, None)]
    return [pulse for pulse in pulses.of(*seen[0], at).all if not pulse.is_alive]


def _remembered(scope: Scope) -> AlertQuerySet:
    """The open alerts about what the rows themselves do not show."""
    return open_ones(scope).exclude(kind__in=SEEN_LIVE)
