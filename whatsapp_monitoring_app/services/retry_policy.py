"""When to try again, and what an error does: pure functions and one table."""

import enum
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from django.conf import settings

from whatsapp_monitoring_app.models import ErrorClass

FIRST_DELAY = timedelta(seconds=settings.WHATSAPP_FIRST_RETRY_SECONDS)
LONGEST_DELAY = timedelta(hours=1)
JITTER = 0.2
PAIR_DELAYS_AT_MOST = 5  # 4^5 s, 17 minutes: Meta's own advice ends there


class Fate(enum.Enum):
    """What becomes of a notification that was refused."""

    RETRY = "retry"  # costs an attempt, waits, tries again while attempts are left
    GIVE_BACK = "give back"  # not the message's fault: costs no attempt, waits
    FAIL = "fail"  # trying again cannot help


@dataclass(frozen=True)
class Effect:
    """What an error class does to the notification and to its sender.

    `max_attempts` is how many calls may end so: of all the message's calls, or of this class where they cost nothing.
    """

    fate: Fate
    min_delay: timedelta = timedelta()
    max_delay: timedelta = LONGEST_DELAY
    max_attempts: int | None = None
    stops_sender: bool = False
    slows_sender: bool = False


EFFECTS: dict[ErrorClass, Effect] = {
    ErrorClass.UNREACHABLE: Effect(Fate.GIVE_BACK, max_delay=timedelta(minutes=10)),
    # Either nothing gets through, or this message does not: in the end it must not stop the others again.
    ErrorClass.GATEWAY_REFUSAL: Effect(
        Fate.GIVE_BACK, min_delay=timedelta(minutes=5), max_attempts=3, stops_sender=True
    ),
    ErrorClass.TRANSIENT: Effect(Fate.RETRY),
    ErrorClass.TRANSIENT_CAPPED: Effect(Fate.RETRY, max_attempts=3),
    ErrorClass.UNCONFIRMED: Effect(Fate.RETRY),
    # Meta says for these people: not before a day has passed.
    ErrorClass.RECIPIENT_TEMPORARY: Effect(Fate.RETRY, min_delay=timedelta(hours=24), max_attempts=2),
    ErrorClass.THROTTLE_SENDER: Effect(Fate.GIVE_BACK, min_delay=timedelta(seconds=5), slows_sender=True),
    ErrorClass.THROTTLE_PAIR: Effect(Fate.GIVE_BACK),
    ErrorClass.ACCOUNT_STOP: Effect(Fate.GIVE_BACK, min_delay=timedelta(minutes=5), stops_sender=True),
    ErrorClass.ACCOUNT_SLOW: Effect(Fate.GIVE_BACK, min_delay=timedelta(minutes=30), stops_sender=True),
    ErrorClass.DAILY_LIMIT: Effect(Fate.GIVE_BACK, min_delay=timedelta(minutes=15)),
    # Free text came too late: once more, as a template.
    ErrorClass.WINDOW_CLOSED: Effect(Fate.GIVE_BACK, min_delay=timedelta(seconds=5), max_attempts=2),
    # The template's own stop holds the others of it; a person, or the provider, makes it usable again.
    ErrorClass.TEMPLATE_STOP: Effect(Fate.GIVE_BACK, min_delay=timedelta(minutes=15)),
    ErrorClass.NOT_CONFIGURED: Effect(Fate.GIVE_BACK, min_delay=timedelta(minutes=1), stops_sender=True),
    ErrorClass.RECIPIENT_PERMANENT: Effect(Fate.FAIL),
    ErrorClass.OPT_OUT: Effect(Fate.FAIL),
    ErrorClass.MESSAGE_PERMANENT: Effect(Fate.FAIL),
    ErrorClass.EXPIRED: Effect(Fate.FAIL),
    ErrorClass.UNKNOWN: Effect(Fate.FAIL),
}


def backoff(attempt_count: int, random: Random, longest: timedelta = LONGEST_DELAY) -> timedelta:
    """The wait after the `attempt_count`-th attempt (1 or more): doubling up to `longest`, give or take 20 %."""
    exponent = min(max(attempt_count, 1) - 1, 20)
    delay: timedelta = min(FIRST_DELAY * 2**exponent, longest)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)


def pair_backoff(throttled_count: int) -> timedelta:
    """The wait of one recipient after `throttled_count` pair-rate refusals: 4^n seconds (Meta, code 131056)."""
    return timedelta(seconds=4 ** min(max(throttled_count, 1), PAIR_DELAYS_AT_MOST))


def delay(error_class: ErrorClass, tries: int, random: Random, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait before the next try.

    `tries` counts the attempts so far, this one included; of this class only when they cost none. Never shorter than
    the provider's Retry-After.
    """
    effect = EFFECTS[error_class]
    is_pair = error_class is ErrorClass.THROTTLE_PAIR
    wait = pair_backoff(tries) if is_pair else backoff(tries, random, effect.max_delay)
    if effect.fate is Fate.GIVE_BACK and effect.min_delay:
        wait = effect.min_delay * random.uniform(1, 1 + JITTER)
    return max(wait, effect.min_delay, retry_after or timedelta())
