"""The waits between attempts, for every class, count, dice and Retry-After that Hypothesis can think of."""

from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers.transport import LONGEST_RETRY_AFTER
from whatsapp_monitoring_app.services.retry_policy import (
    EFFECTS,
    JITTER,
    LONGEST_DELAY,
    PAIR_DELAYS_AT_MOST,
    Fate,
    backoff,
    delay,
    pair_backoff,
)

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=300)
CLASSES = st.sampled_from(list(ErrorClass))
TRIES = st.integers(-5, 100_000)
DICE = st.integers(0, 2**32).map(Random)
RETRY_AFTERS = st.none() | st.timedeltas(timedelta(), LONGEST_RETRY_AFTER)
LONGEST_PAIR_DELAY = timedelta(seconds=4**PAIR_DELAYS_AT_MOST)
MOST = 1 + JITTER


@FIXED
@given(CLASSES, TRIES, DICE, RETRY_AFTERS)
def test_a_wait_lies_between_what_is_asked_for_and_what_people_bear(
    error_class: ErrorClass, tries: int, dice: Random, retry_after: timedelta | None
):
    least = max(EFFECTS[error_class].min_delay, retry_after or timedelta())
    wait = delay(error_class, tries, dice, retry_after)
    assert timedelta() < wait
    assert least <= wait <= max(least, MOST * EFFECTS[error_class].min_delay, MOST * LONGEST_DELAY)


@FIXED
@given(CLASSES, TRIES, DICE, RETRY_AFTERS)
def test_retry_after_only_ever_lengthens_a_wait(
    error_class: ErrorClass, tries: int, dice: Random, retry_after: timedelta | None
):
    again = Random()
    again.setstate(dice.getstate())
    without, with_it = delay(error_class, tries, again), delay(error_class, tries, dice, retry_after)
    assert with_it == max(without, retry_after or timedelta())


@FIXED
@given(st.integers(1, 60), DICE, DICE)
def test_a_later_attempt_never_waits_less_than_the_dice_allow(attempt_count: int, dice: Random, other: Random):
    sooner, later = backoff(attempt_count, dice), backoff(attempt_count + 1, other)
    assert later >= sooner * (1 - JITTER) / (1 + JITTER)
    assert later <= 2 * sooner * (1 + JITTER) / (1 - JITTER)


@FIXED
@given(TRIES, TRIES)
def test_the_pair_wait_grows_and_stays_within_metas_bounds(one: int, other: int):
    fewer, more = sorted((one, other))
    assert timedelta(seconds=4) <= pair_backoff(fewer) <= pair_backoff(more) <= LONGEST_PAIR_DELAY


@FIXED
@given(st.sampled_from([c for c in ErrorClass if EFFECTS[c].fate is Fate.GIVE_BACK]), TRIES, TRIES, DICE, DICE)
def test_what_is_not_the_messages_fault_is_never_punished_for_its_count(
    error_class: ErrorClass, one: int, other: int, dice: Random, other_dice: Random
):
    waits = [delay(error_class, one, dice), delay(error_class, other, other_dice)]
    if error_class is ErrorClass.THROTTLE_PAIR:
        assert max(waits) <= LONGEST_PAIR_DELAY
    elif error_class is ErrorClass.UNREACHABLE:
        assert max(waits) <= timedelta(minutes=10) * MOST
    else:
        assert max(waits) <= min(waits) * MOST
