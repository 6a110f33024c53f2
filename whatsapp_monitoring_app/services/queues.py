"""What waits for each sender, for the people who watch over the whole."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery

from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.services import daily_limits, pacing, routing, senders
from whatsapp_monitoring_app.services.senders import Overview


@dataclass(frozen=True)
class Lane:
    """What waits in one lane of a sender. `name` is that of `pacing.LANES`."""

    name: str
    count: int


@dataclass(frozen=True)
class Queue:
    """One sender, how fast it may go, and what waits for it and why."""

    overview: Overview
    lanes: Sequence[Lane]
    retry_count: int
    template_count: int
    later_count: int
    reached_today: int
    last_accepted_at: datetime | None

    @property
    def sender(self) -> WhatsAppSender:
        return self.overview.sender

    @property
    def speed(self) -> float:
        """Messages a second that it may send now: less while it comes back from an outage."""
        return self.sender.rate_per_second * pacing.ramp(self.sender, self.overview.at)

    @property
    def speed_percent(self) -> int:
        return round(100 * pacing.ramp(self.sender, self.overview.at))


def queues(at: datetime) -> list[Queue]:
    """The queue of every sender, in a few queries whatever waits."""
    everybody = list(WhatsAppSender.objects.select_related("fallback").defer("fallback__token"))
    waiting, reached, accepted = _waiting(everybody, at), _reached_today(everybody, at), _last_accepted()
    return [
        Queue(
            overview,
            lanes=[Lane(lane.name, waiting[f"{lane.name}_{pk}"]) for lane in pacing.LANES],
            retry_count=waiting[f"retry_{pk}"],
            template_count=waiting[f"template_{pk}"],
            later_count=waiting[f"later_{pk}"],
            reached_today=reached[overview.sender.account_key],
            last_accepted_at=accepted.get(pk),
        )
        for overview in senders.overviews(everybody, at)
        for pk in [overview.sender.pk]
    ]


def _waiting(everybody: Iterable[WhatsAppSender], at: datetime) -> dict[str, int]:
    """How much waits for each sender: by lane, and by what it waits for."""
    kinds = {
        "retry": Q(status=Status.RETRY_SCHEDULED),
        "template": Q(error_class=ErrorClass.TEMPLATE_STOP),
        # Nothing is wrong, and it is not for the pace, whose slots are never as far away: the night at the client's.
        "later": Q(error_class="", next_attempt_at__gt=at + pacing.ASK_AGAIN_AFTER),
        **_lanes(),
    }
    counts = {
        f"{name}_{sender.pk}": Count("pk", filter=routing.owned_by(sender) & condition)
        for sender in everybody
        for name, condition in kinds.items()
    }
    return WhatsAppNotification.objects.waiting().order_by().aggregate(**counts)


def _lanes() -> dict[str, Q]:
    above, lanes = 0, {}
    for lane in pacing.LANES:
        lanes[lane.name] = Q(priority__gt=above, priority__lte=lane.lowest_priority)
        above = lane.lowest_priority
    return lanes


def _reached_today(everybody: Iterable[WhatsAppSender], at: datetime) -> dict[str, int]:
    """To how many people each account wrote in the last 24 hours, which is what the provider's limit counts."""
    by_account: dict[str, list[int]] = defaultdict(list)
    for sender in everybody:
        by_account[sender.account_key].append(sender.pk)
    keys = list(by_account)
    counts: dict[str, Any] = {
        f"account_{number}": Count("phone_number", distinct=True, filter=Q(sender__in=by_account[key]))
        for number, key in enumerate(keys)
    }
    today = WhatsAppNotification.objects.filter(sent_at__gt=at - daily_limits.DAY, sender__isnull=False).order_by()
    found = today.aggregate(**counts)
    return {key: found[f"account_{number}"] for number, key in enumerate(keys)}


def _last_accepted() -> dict[int, datetime | None]:
    """When each sender's provider last took a message."""
    theirs = WhatsAppNotification.objects.filter(sender=OuterRef("pk"), sent_at__isnull=False).order_by("-sent_at")
    found = WhatsAppSender.objects.annotate(last=Subquery(theirs.values("sent_at")[:1]))
    return dict(found.values_list("pk", "last"))
