"""Quiet hours: what is not urgent does not wake people up. The clock is the one where they are."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts import phones, time_zones
from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import message_types


@dataclass(frozen=True)
class Hold:
    """A message that waits for the end of the quiet hours: until when, by the clock of that place."""

    until: datetime
    place: str


@lru_cache(maxsize=256)  # one answer for all of a bulk message's people in a zone
def end_of_quiet(at: datetime, zone: ZoneInfo, hours: tuple[time, time]) -> datetime:
    """`at` itself, or the end of the quiet hours that it falls into in this zone; the end is not quiet any more."""
    start, end = hours
    local = at.astimezone(zone)
    clock = local.time()
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    if not is_quiet:
        return at
    day = local.date() + timedelta(days=clock >= end)
    # An hour that comes twice, when the clocks go back, ends twice too.
    return datetime.combine(day, end, zone).replace(fold=local.fold).astimezone(UTC)


def zone_of(phone_number: str, user: User | None) -> ZoneInfo:
    """The time zone of whoever has this number: the one where it is at home, else the person's own."""
    try:
        return ZoneInfo(phones.home_zone(phone_number) or (user.time_zone if user else phones.COMPANY_TIME_ZONE))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # somebody has typed it
        return ZoneInfo(phones.COMPANY_TIME_ZONE)


def first_moment(message_type: str, phone_number: str, user: User | None, at: datetime) -> datetime:
    """When a message of this type that is wanted at `at` may leave: `at` itself, or when the night is over."""
    hours = settings.WHATSAPP_QUIET_HOURS
    if hours is None or message_types.get(message_type).is_urgent:
        return at
    return end_of_quiet(at, zone_of(phone_number, user), hours)


def first_moment_of(notification: WhatsAppNotification, at: datetime) -> datetime:
    """When this notification may leave, if not at `at`."""
    return first_moment(notification.message_type, notification.phone_number, notification.user, at)


def hold_on(notification: WhatsAppNotification, at: datetime) -> Hold | None:
    """The hold, if it is night where its person is and that is what the notification waits for."""
    if notification.next_attempt_at is None or notification.is_due(at):
        return None
    until = first_moment_of(notification, at)
    if until == at or until != notification.next_attempt_at:
        return None
    zone = zone_of(notification.phone_number, notification.user)
    return Hold(until.astimezone(zone), time_zones.place(zone.key))


def in_words(hold: Hold, at: datetime) -> str:
    """“08:00, Bamako time”, with the day where that is not today for whoever reads it."""
    words = {"time": f"{hold.until:%H:%M}", "place": hold.place}
    if hold.until.date() == timezone.localdate(at):
        return _("%(time)s, %(place)s time") % words
    return _("%(time)s, %(place)s time, on %(day)s") % {
        **words,
        "day": date_format(hold.until, "MONTH_DAY_FORMAT"),
    }
