"""When to try again: the bounds hold whatever the dice say."""

from datetime import timedelta
from random import Random

import pytest

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS
from whatsapp_monitoring_app.services.retry_policy import EFFECTS, Fate, backoff, delay, pair_backoff

SEEDS = range(300)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("attempt_count", "seconds"),
    [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (7, 1920), (8, 3600), (9, 3600), (50, 3600), (5000, 3600)],
)
def test_the_wait_doubles_up_to_an_hour_give_or_take_20_percent(attempt_count: int, seconds: int):
    waits = [backoff(attempt_count, Random(seed)).total_seconds() for seed in SEEDS]

    assert min(waits) >= 0.8 * seconds
    assert max(waits) <= 1.2 * seconds
    # Spread over the whole range, or a burst that failed together would come back together.
    assert min(waits) < 0.85 * seconds
    assert max(waits) > 1.15 * seconds


@pytest.mark.parametrize("attempt_count", [0, -1])
def test_a_count_below_one_waits_as_the_first_attempt(attempt_count: int):
    assert backoff(attempt_count, Random(1)) == backoff(1, Random(1))


@pytest.mark.parametrize(
    ("throttled_count", "seconds"), [(0, 4), (1, 4), (2, 16), (3, 64), (4, 256), (5, 1024), (6, 1024), (999, 1024)]
)
def test_the_wait_of_one_recipient_grows_by_four(throttled_count: int, seconds: int):
    assert pair_backoff(throttled_count) == timedelta(seconds=seconds)


@pytest.mark.parametrize("error_class", ErrorClass)
@pytest.mark.parametrize("retry_after", [timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=30)])
def test_no_wait_undercuts_retry_after(error_class: ErrorClass, retry_after: timedelta):
    for seed in SEEDS:
        for tries in (1, 3, 12):
            assert delay(error_class, tries, Random(seed), retry_after) >= retry_after


@pytest.mark.parametrize("error_class", ErrorClass)
def test_no_wait_undercuts_the_least_one_of_its_class(error_class: ErrorClass):
    for seed in SEEDS:
        assert delay(error_class, 1, Random(seed)) >= EFFECTS[error_class].min_delay


@pytest.mark.parametrize("error_class", [c for c in ErrorClass if EFFECTS[c].fate is not Fate.FAIL])
def test_a_retry_after_of_nothing_changes_nothing(error_class: ErrorClass):
    assert delay(error_class, 2, Random(5), timedelta()) == delay(error_class, 2, Random(5)) > timedelta()


def test_a_recipient_who_is_out_of_reach_waits_a_whole_day():
    assert delay(ErrorClass.RECIPIENT_TEMPORARY, 1, Random(0)) >= timedelta(hours=24)


@pytest.mark.parametrize(
    "error_class", [c for c in ErrorClass if EFFECTS[c].fate is Fate.GIVE_BACK and EFFECTS[c].min_delay]
)
def test_what_is_given_back_does_not_wait_longer_with_each_try(error_class: ErrorClass):
    least = EFFECTS[error_class].min_delay
    for seed in SEEDS:
        assert least <= delay(error_class, 12, Random(seed)) <= 1.2 * least


@pytest.mark.parametrize(("tries", "seconds"), [(1, 30), (2, 60), (4, 240), (5, 480), (6, 600), (5000, 600)])
def test_the_wait_for_a_connection_grows_to_ten_minutes(tries: int, seconds: int):
    waits = [delay(ErrorClass.UNREACHABLE, tries, Random(seed)).total_seconds() for seed in SEEDS]
    assert 0.8 * seconds <= min(waits) < 0.85 * seconds
    assert 1.15 * seconds < max(waits) <= 1.2 * seconds


def test_the_same_dice_give_the_same_wait():
    assert delay(ErrorClass.TRANSIENT, 3, Random(7)) == delay(ErrorClass.TRANSIENT, 3, Random(7))
    assert delay(ErrorClass.TRANSIENT, 3, Random(7)) != delay(ErrorClass.TRANSIENT, 3, Random(8))


def test_every_error_class_has_an_effect_and_an_explanation():
    assert set(EFFECTS) == set(EXPLANATIONS) == set(ErrorClass)
    for explanation in EXPLANATIONS.values():
        assert str(explanation.meaning)
        assert str(explanation.advice)


INTENDED_FATES = {
    Fate.RETRY: {"transient", "transient_capped", "unconfirmed", "recipient_temporary"},
    Fate.GIVE_BACK: {
        "unreachable", "gateway_refusal", "throttle_sender", "throttle_pair", "account_stop", "account_slow",
        "not_configured", "daily_limit", "window_closed", "template_stop",
    },
    Fate.FAIL: {
        "recipient_permanent", "opt_out", "message_permanent", "expired", "unknown",
    },
}  # fmt: skip


@pytest.mark.parametrize("fate", Fate)
def test_each_class_has_the_intended_fate(fate: Fate):
    assert {error_class.value for error_class in ErrorClass if EFFECTS[error_class].fate is fate} == INTENDED_FATES[
        fate
    ]


def test_what_concerns_every_message_stops_or_slows_the_sender():
    stopping = {error_class.value for error_class in ErrorClass if EFFECTS[error_class].stops_sender}
    assert stopping == {"account_stop", "account_slow", "gateway_refusal", "not_configured"}
    slowing = [error_class for error_class in ErrorClass if EFFECTS[error_class].slows_sender]
    assert slowing == [ErrorClass.THROTTLE_SENDER]


@pytest.mark.parametrize(
    ("error_class", "most"),
    [(ErrorClass.TRANSIENT_CAPPED, 3), (ErrorClass.RECIPIENT_TEMPORARY, 2), (ErrorClass.GATEWAY_REFUSAL, 3)],
)
def test_doubtful_classes_are_tried_less_often(error_class: ErrorClass, most: int):
    assert EFFECTS[error_class].max_attempts == most
    assert EFFECTS[ErrorClass.TRANSIENT].max_attempts is None
