"""What stops an account, what only slows it down, and what leaves all the same."""

from datetime import timedelta
from typing import Any

import pytest

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, attempt, post, refused
from tests.whatsapp_monitoring_app.test_circuit import (
    BLOCKED,
    MINUTE,
    OPEN_UNTIL,
    SECOND,
    SLOW,
    STOP,
    note,
    opened,
    sender,
    separate,
    stop_of,
)
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer, Outcome, ProviderError, Refused
from whatsapp_monitoring_app.providers.transport import Unsendable
from whatsapp_monitoring_app.services import circuit, delivery, pacing, preparation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

RESTRICTED = Refused(ProviderError(ErrorClass.ACCOUNT_SLOW, "131048", "spam"))


def throttled(retry_after: timedelta | None = None) -> Refused:
    return Refused(ProviderError(ErrorClass.THROTTLE_SENDER, "130429", "too fast", retry_after))


@pytest.mark.parametrize(
    ("answer", "error_class", "wait"),
    [
        (refused(190, 401), ErrorClass.ACCOUNT_STOP, 5 * MINUTE),
        (refused(190, 401, 7 * MINUTE), ErrorClass.ACCOUNT_STOP, 7 * MINUTE),
        (refused(131048), ErrorClass.ACCOUNT_SLOW, 30 * MINUTE),
        (HttpAnswer(403, b"Forbidden"), ErrorClass.GATEWAY_REFUSAL, 5 * MINUTE),
        (HttpAnswer(404, b"Not found"), ErrorClass.NOT_CONFIGURED, MINUTE),
        (HttpAnswer(302, b""), ErrorClass.NOT_CONFIGURED, MINUTE),
        (Unsendable("InvalidHeader"), ErrorClass.NOT_CONFIGURED, MINUTE),
    ],
    ids=["blocked", "blocked for longer", "restricted", "gateway", "wrong address", "redirect", "unsendable"],
)
def test_what_concerns_every_message_stops_the_account(
    answer: HttpAnswer | Exception, error_class: ErrorClass, wait: timedelta
):
    notification = attempt(post(), Provider(answer))
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert notification.error_class == error_class
    assert stop_of()[:2] == (NOW + wait, error_class)


def test_all_senders_of_an_account_stop_together_and_no_other():
    separate("chine")
    note(BLOCKED)
    assert stop_of() == stop_of("systeme") == (OPEN_UNTIL, STOP, "190 expired")
    assert stop_of("chine") == (None, "", "")


def test_a_sender_that_names_the_account_of_the_environment_shares_it(settings: Any):
    named = sender("chine")
    named.account_id, named.token = settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID, "token"
    named.save()
    assert named.account == sender().account != separate("systeme").account
    assert set(named.same_account()) == set(sender().same_account()) == {named, sender()}
    assert list(sender("systeme").same_account()) == [sender("systeme")]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ((STOP, 10), (STOP, 5), (STOP, 10)),
        ((STOP, 5), (STOP, 10), (STOP, 10)),
        ((STOP, 10), (SLOW, 5), (STOP, 10)),
        ((SLOW, 30), (SLOW, 10), (SLOW, 30)),
        ((SLOW, 30), (STOP, 5), (STOP, 5)),
        ((STOP, 5), (SLOW, 30), (STOP, 5)),
    ],
    ids=["shorter", "longer", "softer and shorter", "soft and shorter", "harder and shorter", "softer and longer"],
)
def test_a_stop_that_holds_back_as_much_for_longer_stays(
    first: tuple[ErrorClass, int], second: tuple[ErrorClass, int], kept: tuple[ErrorClass, int]
):
    for error_class, minutes in (first, second):
        opened(NOW + minutes * MINUTE, error_class)
    assert stop_of()[:2] == (NOW + kept[1] * MINUTE, kept[0])


def test_whoever_stops_an_account_knows_of_the_longer_stop_of_another():
    before = sender()
    opened(NOW + 10 * MINUTE)
    before.stop(NOW + MINUTE, STOP, "shorter")
    assert (before.stopped_until, before.stop_reason) == (NOW + 10 * MINUTE, "190 expired")


@pytest.mark.parametrize(
    ("message_type", "stopped_by", "leaves"),
    [("notification", RESTRICTED, False), ("payment", RESTRICTED, True), ("payment", BLOCKED, False)],
    ids=["a notice, restricted", "a payment, restricted", "a payment, blocked"],
)
def test_a_restricted_account_sends_what_is_essential(message_type: str, stopped_by: Outcome, leaves: bool):
    note(stopped_by)
    before = stop_of()
    notification, provider = post(message_type=message_type), Provider(accepted())
    attempt(notification, provider, NOW + MINUTE)
    assert (notification.status == Status.SENT) == bool(provider.requests) == leaves
    assert stop_of() == before  # nobody probed


def test_a_restricted_account_says_why_the_others_wait():
    notification = attempt(post(), Provider(refused(131048)))
    other = attempt(post(), Provider(accepted()), NOW + MINUTE)
    assert (notification.error_class, other.error_class) == (SLOW, SLOW)
    assert (other.status, other.attempt_count) == (Status.PENDING, 0)
    assert other.next_attempt_at
    assert NOW + 30 * MINUTE <= other.next_attempt_at <= NOW + 30 * MINUTE + preparation.SPREAD


@pytest.mark.parametrize(("retry_after", "brake"), [(None, circuit.FIRST_BRAKE), (40 * SECOND, 40 * SECOND)], ids=str)
def test_an_account_that_goes_too_fast_is_slowed_down_and_not_stopped(retry_after: timedelta | None, brake: timedelta):
    separate("chine")
    slowed = note(throttled(retry_after))
    assert stop_of() == (None, "", "")
    assert slowed.resumed_at == sender("systeme").resumed_at == NOW + brake
    assert sender("chine").resumed_at is None
    assert brake - SECOND < pacing.reserve(slowed, NUMBER, NOW).wait <= brake
    assert pacing.reserve(sender("chine"), NUMBER, NOW).wait == timedelta()
    assert pacing.ramp(slowed, NOW + brake) == pacing.RAMP_START


def test_while_the_brake_is_on_other_messages_wait_at_no_cost():
    attempt(post(), Provider(refused(130429, 429, 40 * SECOND)))
    other, provider = post(), Provider(accepted())
    delivery.deliver(other.pk, send=provider, now=lambda: NOW)
    other.refresh_from_db()
    assert (other.status, other.attempt_count, other.error_class, provider.requests) == (Status.PENDING, 0, "", [])
    assert other.next_attempt_at
    assert NOW + 30 * SECOND < other.next_attempt_at <= NOW + 40 * SECOND


def test_slots_that_were_given_before_a_throttle_do_not_go_on_at_the_full_rate():
    WhatsAppSender.objects.update(rate_per_second=10)
    slots = [NOW + pacing.reserve(sender(), f"+2237{n:07}", NOW).wait for n in range(80)]
    slowed = note(throttled(timedelta(milliseconds=1)))
    eventually(lambda: pacing.holds_slot(slowed, NOW, NOW), "the brake is over")
    afterwards = [slot for slot in slots if slot > NOW + SECOND]
    assert sum(pacing.holds_slot(slowed, slot, slot) for slot in afterwards) <= len(afterwards) / 5
