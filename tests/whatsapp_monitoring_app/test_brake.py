"""An account that went too fast: nothing of it goes for a while, whatever had its slot already."""

import time
from datetime import timedelta
from functools import partial
from itertools import cycle

import pytest

from tests.outages import redis_away
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, at_once
from tests.whatsapp_monitoring_app.test_pacing import check_rate, deliver, departure, given_a_slot, person, voice
from whatsapp_monitoring_app.models import Status, WhatsAppSender
from whatsapp_monitoring_app.services import pacing
from whatsapp_monitoring_app.services.pacing import ASK_AGAIN_AFTER, HORIZON, brake, holds_slot, reserve

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)
URGENT = 1


@pytest.mark.parametrize("priority", range(1, 6))
def test_a_brake_lets_nothing_go_before_it_is_over(priority: int):
    brake(voice(20), 30 * SECOND)
    waits = [reserve(voice(20), person(n), NOW, priority).wait for n in range(20)]
    assert 25 * SECOND < min(waits) <= 30 * SECOND
    assert max(waits) > min(waits) + SECOND / 2


def test_the_rate_is_kept_when_a_brake_is_over():
    sender = voice(20)
    queued = [departure(sender, n) for n in range(60)]
    brake(sender, 2 * SECOND)
    over_at = time.time() + 2
    held = [departure(sender, n, priority) for n, priority in zip(range(60, 140), cycle([5, 5, 3, 1]), strict=False)]
    still_good = [slot for slot in queued if slot.earliest > over_at]
    assert still_good
    check_rate([*still_good, *held], 20)


def test_a_brake_voids_the_slots_before_its_end_and_no_later_one():
    sender = voice(20)
    assert holds_slot(sender, NOW, NOW)
    brake(sender, 50 * MILLISECOND)
    assert not holds_slot(sender, NOW, NOW)
    assert eventually(lambda: holds_slot(sender, NOW, NOW), "the brake is over")


@pytest.mark.parametrize("seconds", [(60, 2), (2, 60)], ids=str)
def test_a_longer_brake_is_not_shortened(seconds: tuple[int, int]):
    for wait in seconds:
        brake(voice(20), wait * SECOND)
    assert 50 * SECOND < reserve(voice(20), NUMBER, NOW).wait <= MINUTE


def test_of_many_brakes_at_the_same_moment_the_longest_counts():
    for n in range(20):
        sender = voice(20, account=f"account {n}")
        at_once(*[partial(brake, sender, wait * SECOND) for wait in (60, 2, 2, 2)])
        assert reserve(sender, NUMBER, NOW).wait > 50 * SECOND


def test_a_brake_longer_than_the_horizon_makes_everybody_ask_again():
    brake(voice(20), HORIZON + MINUTE)
    assert reserve(voice(20), NUMBER, NOW, URGENT) == pacing.Slot(ASK_AGAIN_AFTER, is_reserved=False)


def test_a_brake_is_its_accounts():
    brake(voice(20), MINUTE)
    assert reserve(voice(20, code="other"), NUMBER, NOW).wait > 50 * SECOND
    assert not holds_slot(voice(20, code="other"), NOW, NOW)
    assert reserve(voice(20, account="another"), NUMBER, NOW).wait == timedelta()
    assert holds_slot(voice(20, account="another"), NOW, NOW)


def test_without_redis_nobody_brakes_and_a_slot_is_still_good():
    brake(voice(20), MINUTE)
    with redis_away():
        brake(voice(20), MINUTE)
        assert holds_slot(voice(20), NOW, NOW)
        assert not holds_slot(voice(20), NOW, NOW + MINUTE)


def test_a_brake_takes_the_slot_away_and_a_new_one_is_given():
    notification, provider = given_a_slot(), Provider(accepted())
    slot_at = notification.slot_at
    assert slot_at
    brake(WhatsAppSender.objects.get(code="mali"), MINUTE)
    deliver(notification, provider, slot_at)
    assert (notification.status, notification.attempt_count, provider.requests) == (Status.PENDING, 0, [])
    assert notification.slot_at
    assert notification.slot_at > slot_at + 50 * SECOND
