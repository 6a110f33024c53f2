"""The numbers that the screens show."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import ErrorClass, Status
from whatsapp_monitoring_app.models.notification_queries import (
    NotificationQuerySet,
    delivery_unknown,
    failed_to_handle,
)

WEEK = timedelta(days=7)
ON_THE_WAY = (Status.PENDING, Status.SENDING, Status.RETRY_SCHEDULED)


@dataclass(frozen=True)
class Summary:
    """How many notifications are where. `reached` are those that the client certainly has.

    `accepted` may still be confirmed; `unknown` never will: their provider does not tell. Of those that `failed`,
    `to_handle` wait for a person.
    """

    total: int
    waiting: int
    unconfirmed: int
    accepted: int
    unknown: int
    delivered: int
    read: int
    failed: int
    to_handle: int

    @property
    def reached(self) -> int:
        return self.delivered + self.read

    @property
    def cancelled(self) -> int:
        known = self.waiting + self.unconfirmed + self.accepted + self.unknown + self.reached + self.failed
        return self.total - known

    @property
    def success_percent(self) -> int | None:
        """Reached among those whose fate is known; None while none is. Accepted is not reached, nor is it failed."""
        known = self.reached + self.failed
        return round(100 * self.reached / known) if known else None


def summary(notifications: NotificationQuerySet) -> Summary:
    """Count them, in one query."""
    return Summary(**notifications.order_by().aggregate(**counts()))


def counts() -> dict[str, Count]:
    """The aggregates of which a Summary is made."""
    return {
        "total": Count("pk"),
        "waiting": Count("pk", filter=Q(status__in=ON_THE_WAY)),
        "unconfirmed": Count("pk", filter=Q(status=Status.UNCONFIRMED)),
        "accepted": Count("pk", filter=Q(status=Status.SENT) & ~delivery_unknown()),
        "unknown": Count("pk", filter=delivery_unknown()),
        "delivered": Count("pk", filter=Q(status=Status.DELIVERED)),
        "read": Count("pk", filter=Q(status=Status.READ)),
        "failed": Count("pk", filter=Q(status=Status.FAILED)),
        "to_handle": Count("pk", filter=failed_to_handle()),
    }


@dataclass(frozen=True)
class Home:
    """What the first page of an office says of its messages: the share that was reached lately, and what to handle."""

    since: date
    success_percent: int | None
    to_handle: int


def home(notifications: NotificationQuerySet, at: datetime) -> Home:
    """The last seven days, today included, and everything that waits for a person; in two queries."""
    begin = start_of_day(at) - timedelta(days=6)
    week = summary(notifications.filter(created_at__gte=begin))
    return Home(begin.date(), week.success_percent, notifications.to_retry().count())


@dataclass(frozen=True)
class Cause:
    """How many messages failed for one cause; `error_class` is "" where nothing was said."""

    error_class: str
    count: int

    @property
    def label(self) -> str | Promise:
        return cause_label(self.error_class)


def cause_label(error_class: str) -> str | Promise:
    """What a cause is called, and that there is none."""
    return ErrorClass(error_class).label if error_class else _("No reason given")


def to_handle(notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
    """What waits for a person: failed for good and not settled since, or never confirmed in time; newest first."""
    doubtful = Q(status=Status.UNCONFIRMED, confirm_by__lte=at, informed_at=None, resent_as=None)
    return notifications.filter(failed_to_handle() | doubtful)


def distinct(notifications: NotificationQuerySet, column: str) -> Iterable[str]:
    """The values of a column, in order."""
    return notifications.order_by(column).values_list(column, flat=True).distinct()


def start_of_day(at: datetime) -> datetime:
    """Midnight before `at`, in the current time zone."""
    return timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
