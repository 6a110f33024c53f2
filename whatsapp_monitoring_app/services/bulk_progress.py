"""How far a bulk message is: how many messages are written, and what has become of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app.models import Status, WhatsAppBulk
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY, REACHED

# What the page tells, by the word that the list of messages filters by, and the statuses that it stands for.
STAGES: dict[str, tuple[str | Promise, tuple[str, ...]]] = {
    "waiting": (_("On their way"), tuple(ON_THE_WAY)),
    "sent": (_("Accepted by WhatsApp"), (Status.SENT,)),
    "reached": (_("Delivered or read"), tuple(REACHED)),
    "unconfirmed": (_("Result unknown"), (Status.UNCONFIRMED,)),
    "failed": (_("Failed"), (Status.FAILED,)),
    "cancelled": (_("Cancelled"), (Status.CANCELLED,)),
}


@dataclass(frozen=True)
class Stage:
    """Messages of a bulk message that are equally far; `query` finds them in the list of messages."""

    label: str | Promise
    count: int
    query: str


@dataclass(frozen=True)
class Refusal:
    """Somebody who cannot be told, and why; without an account that is gone."""

    user: User | None
    reason: str


def of(bulk: WhatsAppBulk, notifications: NotificationQuerySet) -> list[Stage]:
    """Every stage that one of its messages is in, counted by an index in one query."""
    rows = notifications.filter(bulk=bulk).order_by().values_list("status").annotate(count=Count("pk"))
    counts = dict(rows)
    return list(_stages(bulk, counts))


def _stages(bulk: WhatsAppBulk, counts: dict[str, int]) -> Iterator[Stage]:
    for word, (label, statuses) in STAGES.items():
        count = sum(counts.get(status, 0) for status in statuses)
        if count:
            yield Stage(label, count, f"bulk={bulk.pk}&status={word}")


def refusals(noted: list[tuple[str, str]]) -> list[Refusal]:
    """These refusals, as a bulk message notes them by the keys of accounts, with the people."""
    people = User.objects.in_bulk([int(key) for key, _reason in noted])
    return [Refusal(people.get(int(key)), reason) for key, reason in noted]
