"""What sending many messages again would do, before anything is done: how many, why not the others, how long."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, IntegerField, Min, Value, When
from django.db.models.functions import Left

from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import circuit, pacing, quiet_hours, retry_reasons, routing
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.services.statistics import Cause

# The part of an account's rate that is left to what is not urgent.
SHARE = pacing.LANES[-1].share
# How many digits tell where a number is at home, nearly always.
PREFIX = 4


@dataclass(frozen=True)
class Load:
    """What one account would have to send, and how long that takes; `is_stopped`: it cannot send now."""

    sender: WhatsAppSender | None
    count: int
    is_stopped: bool = False

    @property
    def duration(self) -> timedelta:
        rate = self.sender.rate_per_second if self.sender else 1
        return timedelta(seconds=self.count / (rate * SHARE))


@dataclass(frozen=True)
class Plan:
    """`count` messages would be sent again; `excluded` are left out, by the reason."""

    count: int
    causes: list[Cause]
    excluded: list[tuple[Reason, int]]
    oldest: datetime | None
    asleep_count: int
    loads: list[Load]

    @property
    def excluded_count(self) -> int:
        return sum(count for _reason, count in self.excluded)

    @property
    def matching(self) -> int:
        return self.count + self.excluded_count

    @property
    def stale_count(self) -> int:
        return dict(self.excluded).get(Reason.STALE, 0)

    @property
    def duration(self) -> timedelta:
        """Accounts send at the same time: as long as the slowest of them."""
        return max((load.duration for load in self.loads), default=timedelta())


def judged(notifications: NotificationQuerySet, at: datetime, confirmed: frozenset[Reason]) -> NotificationQuerySet:
    """The same with two columns more: `reason`, "" for what would be sent again, and `voice`, the sender's key."""
    senders = WhatsAppSender.objects.defer("token")
    voices = (When(routing.owned_by(sender), then=Value(sender.pk)) for sender in senders)
    return notifications.annotate(
        reason=retry_reasons.of_each(at, confirmed),
        voice=Case(*voices, default=Value(None), output_field=IntegerField()),
    )


def plan(notifications: NotificationQuerySet, at: datetime, confirmed: frozenset[Reason] = frozenset()) -> Plan:
    """What would become of these messages; `confirmed` are the doubts that do not count. Nothing is written.

    Counted in the database: its groups are a few hundred at most, however many messages there are.
    """
    groups: list[Mapping[str, Any]] = list(_groups(judged(notifications, at, confirmed)))
    sent, excluded = [one for one in groups if not one["reason"]], Counter[Reason]()
    for group in groups:
        if group["reason"]:
            excluded[Reason(group["reason"])] += group["count"]
    return Plan(
        count=sum(group["count"] for group in sent),
        causes=_causes(sent),
        excluded=excluded.most_common(),
        oldest=min((group["oldest"] for group in sent), default=None),
        asleep_count=sum(group["count"] for group in sent if _is_asleep(group, at)),
        loads=_loads(sent, at),
    )


def count(notifications: NotificationQuerySet, at: datetime, confirmed: frozenset[Reason] = frozenset()) -> int:
    """How many of these would be sent again."""
    rows: Any = judged(notifications, at, confirmed)
    return int(rows.filter(reason="").count())


def _groups(rows: Any) -> Any:
    keys = ("reason", "error_class", "voice", "message_type", "prefix", "zone")
    prefixed = rows.annotate(prefix=Left("phone_number", PREFIX), zone=F("user__time_zone"))
    counts = {"count": Count("pk"), "oldest": Min("created_at"), "number": Min("phone_number")}
    return prefixed.order_by().values(*keys).annotate(**counts)


def _causes(groups: Iterable[Mapping[str, Any]]) -> list[Cause]:
    counts = Counter[str]()
    for group in groups:
        counts[group["error_class"]] += group["count"]
    return [Cause(error_class, count) for error_class, count in counts.most_common()]


def _is_asleep(group: Mapping[str, Any], at: datetime) -> bool:
    person = User(time_zone=group["zone"]) if group["zone"] else None
    return quiet_hours.first_moment(group["message_type"], group["number"], person, at) > at


def _loads(groups: Iterable[Mapping[str, Any]], at: datetime) -> list[Load]:
    """By account, the longest first: senders that share one share its rate."""
    senders = {sender.pk: sender for sender in WhatsAppSender.objects.select_related("fallback")}
    counts, speakers = Counter[str](), dict[str, WhatsAppSender | None]()
    for group in groups:
        sender = senders.get(group["voice"])
        key = sender.account_key if sender else ""
        speakers.setdefault(key, sender)
        counts[key] += group["count"]
    loads = [Load(speakers[key], count, _is_stopped(speakers[key], at)) for key, count in counts.items()]
    return sorted(loads, key=lambda load: load.duration, reverse=True)


def _is_stopped(sender: WhatsAppSender | None, at: datetime) -> bool:
    return sender is not None and circuit.obstacle(sender, at) is not None and routing.stand_in(sender, at) is None
