"""The numbers that the screens show."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import ErrorClass, Status
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet, failed_to_handle
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import ledger

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


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
        """Reached among those whose fate is known. Accepted is not reached, nor is it failed."""
        return success_percent(self.reached, self.failed)


def success_percent(reached: int, failed: int) -> int | None:
    """The share that was reached among those whose fate is known; None while none is."""
    known = reached + failed
    return round(100 * reached / known) if known else None


@dataclass(frozen=True)
class Home:
    """What the first page of an office says of its messages: the share that was reached lately, and what to handle."""

    since: date
    success_percent: int | None
    to_handle: int


def home(scope: Scope, at: datetime) -> Home:
    """The last seven days, today included, and everything that waits for a person."""
    begin = start_of_day(at) - timedelta(days=6)
    percent = success_percent(*ledger.fates(scope, begin))
    return Home(begin.date(), percent, ledger.to_handle(scope))


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
    return begin_of(timezone.localtime(at).date())


def begin_of(day: date) -> datetime:
    """When this day begins in the current time zone.

    Messages are counted by the hours of UTC: where the clock is not whole hours from it, the first that begins.
    """
    midnight = timezone.make_aware(datetime.combine(day, time.min))
    return midnight + -_since_full_hour(midnight) % HOUR


def full_hour(at: datetime) -> datetime:
    """The last full hour of UTC, in the time zone of `at`."""
    return at - _since_full_hour(at)


def _since_full_hour(at: datetime) -> timedelta:
    """How long ago the last full hour of UTC began, without leaving the years that there are."""
    on_the_wall = timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)
    return (on_the_wall - (at.utcoffset() or timedelta())) % HOUR
