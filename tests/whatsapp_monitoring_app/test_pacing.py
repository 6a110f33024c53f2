"""How fast an account goes: its rate in three lanes, and its people's, whatever happens to Redis."""

import subprocess
import sys
import time
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, cycle
from typing import Any, NamedTuple

import pytest

from tests.outages import redis_away
from tests.stack import ROOT, child_environment
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, at_once, post, refused
from whatsapp_monitoring_app.models import Status, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.services import delivery, pacing, retries, shared_memory
from whatsapp_monitoring_app.services.pacing import (
    ASK_AGAIN_AFTER,
    HORIZON,
    LANE_BURST,
    LANES,
    PAIR_BURST,
    RAMP,
    SLOT_TOLERANCE,
    brake,
    holds_slot,
    ramp,
    reserve,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)
URGENT, NORMAL, BULK = 1, 3, 5
# A wait is rounded up to a whole millisecond.
ROUNDING = 0.001


def voice(rate: float, account: str = "paced", **fields: Any) -> WhatsAppSender:
    return WhatsAppSender(**{"code": "paced", "account_id": account, "rate_per_second": rate, **fields})


def person(n: int) -> str:
    return f"+2237{n:07}"


class Departure(NamedTuple):
    """When a message may leave, in seconds since 1970: a reservation is made at some moment of the call."""

    earliest: float
    latest: float


def departure(sender: WhatsAppSender, n: int, priority: int = BULK) -> Departure:
    asked_at = time.time()
    wait = reserve(sender, person(n), NOW, priority).wait.total_seconds()
    return Departure(asked_at + wait, time.time() + wait)


def check_rate(departures: list[Departure], rate: float) -> None:
    """In no window more than the rate and one burst give, and one message of each lane."""
    moments = sorted(departures)
    for first, (start, _) in enumerate(moments):
        ends = accumulate((moment.latest for moment in moments[first:]), max)
        for count, end in enumerate(ends, 1):
            most = rate * (end - start + ROUNDING + LANE_BURST.total_seconds()) + len(LANES)
            assert count <= most, f"{count} in {end - start:.3f} s at {rate}/s"


@pytest.mark.parametrize("rate", [0.5, 3, 20, 80])
@pytest.mark.parametrize("priorities", [[URGENT], [NORMAL], [BULK], [BULK, URGENT, NORMAL, BULK, BULK]], ids=str)
def test_no_window_of_all_lanes_holds_more_than_the_rate_and_one_burst(priorities: list[int], rate: float):
    wishes = zip(range(min(round(rate * 5), 150) + 5), cycle(priorities), strict=False)
    check_rate([departure(voice(rate), n, priority) for n, priority in wishes], rate)


@pytest.mark.parametrize("rate", [15, 80, 300, 700])
def test_four_fifths_of_the_rate_are_kept_exactly_over_a_long_bulk(rate: float):
    started_at = time.time()
    slots = [reserve(voice(rate), person(n), NOW).wait.total_seconds() for n in range(1000)]
    elapsed = time.time() - started_at
    expected = 999 / (0.8 * rate) - LANE_BURST.total_seconds()
    assert expected - elapsed - 0.01 <= slots[-1] <= max(expected, 0) + 0.01


@pytest.mark.parametrize(("priority", "share"), [(URGENT, 1), (NORMAL, 0.9), (BULK, 0.8)])
def test_a_backlog_is_as_fast_as_its_lane_and_those_below(priority: int, share: float):
    moments = [departure(voice(50), n, priority) for n in range(round(50 * share * 8))]
    window = max(moment.latest for moment in moments) - min(moment.earliest for moment in moments)
    assert 8 - len(LANES) / (50 * share) - LANE_BURST.total_seconds() <= window <= 8 + ROUNDING


@pytest.mark.parametrize(("priority", "lanes"), [(1, 3), (2, 3), (3, 2), (4, 1), (5, 1)])
def test_a_message_takes_the_first_slot_of_its_lane_or_of_one_below(priority: int, lanes: int):
    waits = [reserve(voice(0.1), person(n), NOW, priority).wait for n in range(lanes + 1)]
    assert waits[:lanes] == [timedelta()] * lanes
    assert 10 * SECOND < waits[lanes] <= 12.5 * SECOND - LANE_BURST


@pytest.mark.parametrize("count", [1000, 8000], ids=["a backlog", "more than the horizon holds"])
def test_an_urgent_message_does_not_wait_for_bulk_messages(count: int):
    for n in range(count):
        reserve(voice(60), person(n), NOW)
    assert reserve(voice(60), person(count), NOW, BULK).wait > 10 * SECOND
    assert [reserve(voice(60), NUMBER, NOW, priority).wait for priority in (URGENT, NORMAL)] == [timedelta()] * 2


def test_eight_threads_share_one_rate():
    def reserve_some(thread: int) -> list[Departure]:
        return [departure(voice(40), thread * 100 + n) for n in range(25)]

    moments = [moment for part in at_once(*[partial(reserve_some, n) for n in range(8)]) for moment in part]
    check_rate(moments, 40)
    assert max(moments).latest - min(moments).earliest >= 199 / 32 - LANE_BURST.total_seconds() - ROUNDING


PROCESS = """
import sys, django; django.setup()
from tests.whatsapp_monitoring_app.test_pacing import departure, voice
for n in range(100): print(*departure(voice(40), int(sys.argv[1]) + n))
"""


def test_two_processes_share_one_rate():
    environment = child_environment(DJANGO_SETTINGS_MODULE="ts_air_cargo.settings")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, first], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        for first in ("0", "1000")
    ]
    printed = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]
    departures = [Departure(*map(float, line.split())) for line in printed]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(departures) == 200
    # Whichever came first may have used its slots before the other started: the windows say it all.
    check_rate(departures, 40)


def test_two_senders_of_one_account_share_its_pace():
    for n in range(10):
        reserve(voice(1), person(n), NOW)
    assert reserve(voice(1, code="other"), person(99), NOW).wait > 5 * SECOND


def test_two_accounts_do_not_slow_each_other():
    for n in range(10):
        reserve(voice(1), person(n), NOW)
    assert reserve(voice(1, account="another"), person(99), NOW).wait == timedelta()


def test_one_person_gets_a_burst_and_then_one_in_six_seconds():
    waits = [reserve(voice(2000), NUMBER, NOW).wait.total_seconds() for _ in range(PAIR_BURST + 10)]
    assert max(waits[:PAIR_BURST]) <= PAIR_BURST / 1600
    for count, wait in enumerate(waits[PAIR_BURST:], 1):
        assert 6 * count - 2 <= wait <= 6 * count
    assert waits[PAIR_BURST:] == sorted(waits[PAIR_BURST:])


def test_a_person_who_gets_many_does_not_hold_up_the_others():
    for _ in range(PAIR_BURST + 5):
        reserve(voice(1000), NUMBER, NOW)
    assert reserve(voice(1000), person(1), NOW).wait < SECOND


@pytest.mark.parametrize(("account", "is_shared"), [("paced", True), ("another", False)])
def test_one_persons_pace_is_each_accounts_own(account: str, is_shared: bool):
    for _ in range(PAIR_BURST + 5):
        reserve(voice(1000), NUMBER, NOW)
    assert (reserve(voice(1000, account, code="other"), NUMBER, NOW).wait > SECOND) == is_shared


def remembered() -> dict[bytes, Any]:
    client = shared_memory.client()
    return {key: client.get(key) for key in client.scan_iter("pace:*")}


def test_beyond_the_horizon_nothing_is_reserved_and_one_asks_again():
    slots = [reserve(voice(1000), NUMBER, NOW) for _ in range(PAIR_BURST + 25)]
    assert [slot.is_reserved for slot in slots] == sorted([slot.is_reserved for slot in slots], reverse=True)
    assert all(slot.wait <= HORIZON for slot in slots if slot.is_reserved)
    assert len([slot for slot in slots if slot.is_reserved]) in (PAIR_BURST + 20, PAIR_BURST + 21)
    before = remembered()
    assert reserve(voice(1000), NUMBER, NOW) == pacing.Slot(ASK_AGAIN_AFTER, is_reserved=False)
    assert remembered() == before


def test_no_telephone_number_is_in_redis():
    reserve(voice(20), NUMBER, NOW)
    (pair, lane) = sorted(remembered(), key=len, reverse=True)
    assert lane == b"pace:cloud_api:paced:bulk"
    kept = repr(remembered())
    assert NUMBER[1:] not in kept
    assert NUMBER[4:] not in kept
    assert len(pair) == len(b"pace:cloud_api:paced:") + 24


def test_redis_forgets_a_pace_that_is_over():
    brake(voice(2), SECOND)
    for n in range(12):
        reserve(voice(2), NUMBER, NOW, URGENT if n % 2 else NORMAL)
    assert len(remembered()) == 5
    for key in remembered():
        assert 0 < shared_memory.client().pttl(key) <= (HORIZON + MINUTE) / MILLISECOND


@pytest.mark.parametrize(
    ("since", "part"), [(-MINUTE, 0.1), (timedelta(), 0.1), (RAMP / 2, 0.55), (RAMP, 1), (10 * RAMP, 1)]
)
def test_after_an_outage_the_rate_grows_to_all_of_it(since: timedelta, part: float):
    assert ramp(voice(20, resumed_at=NOW), NOW + since) == pytest.approx(part)


def test_a_sender_without_an_outage_goes_at_all_of_its_rate():
    assert ramp(voice(20), NOW) == 1


def test_the_ramp_slows_the_slots_down():
    resumed = voice(20, resumed_at=NOW)
    waits = [reserve(resumed, person(n), NOW).wait.total_seconds() for n in range(12)]
    expected = 11 / 1.6 - LANE_BURST.total_seconds()
    assert expected - 0.5 <= waits[-1] <= expected + ROUNDING


@pytest.mark.parametrize(
    ("late", "held"),
    [(-SECOND, False), (timedelta(), True), (SLOT_TOLERANCE, True), (SLOT_TOLERANCE + SECOND, False)],
)
def test_a_slot_is_held_from_its_moment_for_a_little_while(late: timedelta, held: bool):
    assert holds_slot(voice(20), NOW, NOW + late) is held


def test_no_slot_is_not_held():
    assert holds_slot(voice(20), None, NOW) is False


def slow(code: str = "mali", rate: float = 1) -> WhatsAppSender:
    """A sender with an account of its own."""
    sender = WhatsAppSender.objects.get(code=code)
    sender.account_id, sender.token, sender.rate_per_second = f"account of {code}", "token", rate
    sender.save()
    return sender


def deliver(notification: WhatsAppNotification, send: delivery.Send, at: datetime = NOW) -> WhatsAppNotification:
    """Like `attempt`, at the pace that what was sent before leaves."""
    delivery.deliver(notification.pk, send=send, now=lambda: at)
    notification.refresh_from_db()
    return notification


def queue(sender: WhatsAppSender, count: int = 5, priority: int = NORMAL) -> None:
    for n in range(count):
        reserve(sender, person(n), NOW, priority)


def given_a_slot(**fields: Any) -> WhatsAppNotification:
    """A message that had to wait for its turn behind five others."""
    queue(slow())
    notification, provider = deliver(post(**fields), Provider(accepted())), Provider(accepted())
    assert provider.requests == []
    assert notification.next_attempt_at
    return notification


def test_a_message_that_must_wait_is_given_its_slot_at_no_cost():
    notification = given_a_slot()
    assert notification.slot_at
    assert notification.next_attempt_at == notification.slot_at
    # The first of five went in the lane of its own; the others, and this one, 1.25 s after one another in the bulk's.
    assert NOW + 4 * SECOND < notification.slot_at <= NOW + 5 * SECOND
    assert (notification.status, notification.attempt_count, notification.error_class) == (Status.PENDING, 0, "")
    assert not WhatsAppAttempt.objects.exists()


@pytest.mark.parametrize("priority", range(1, 6))
def test_a_message_goes_in_the_lane_of_its_priority(priority: int):
    queue(slow(), count=20, priority=BULK)
    provider = Provider(accepted())
    assert (deliver(post(priority=priority), provider).status == Status.SENT) == (priority <= NORMAL)
    assert len(provider.requests) == (priority <= NORMAL)


def test_the_slot_is_honoured_without_asking_again():
    notification, before = given_a_slot(), remembered()
    assert notification.slot_at
    deliver(notification, Provider(accepted()), notification.slot_at + SLOT_TOLERANCE)
    assert notification.status == Status.SENT
    assert remembered() == before


def test_a_slot_that_was_missed_is_lost_and_a_new_one_is_given():
    notification, provider = given_a_slot(), Provider(accepted())
    missed = notification.slot_at
    assert missed
    deliver(notification, provider, missed + SLOT_TOLERANCE + SECOND)
    assert (notification.status, notification.attempt_count, provider.requests) == (Status.PENDING, 0, [])
    assert notification.slot_at
    assert notification.slot_at > missed + SLOT_TOLERANCE


def test_a_slot_is_good_for_one_call():
    notification, provider = given_a_slot(), Provider(accepted())
    assert notification.slot_at
    deliver(notification, Provider(refused(131056)), notification.slot_at)
    assert notification.next_attempt_at
    deliver(notification, provider, notification.next_attempt_at)
    # Its turn is over: it waits for another.
    assert (notification.status, provider.requests) == (Status.PENDING, [])


def test_a_slot_is_worth_nothing_at_the_sender_that_takes_over():
    notification, provider = given_a_slot(), Provider(accepted())
    reserve_sender = slow("chine")
    WhatsAppSender.objects.filter(code="mali").update(is_active=False, fallback=reserve_sender)
    queue(reserve_sender)
    assert notification.slot_at
    deliver(notification, provider, notification.slot_at)
    assert provider.requests == []
    assert (notification.status, notification.sender) == (Status.PENDING, reserve_sender)


def test_a_persons_retry_asks_for_a_slot_of_its_own():
    notification = given_a_slot()
    assert notification.slot_at
    WhatsAppNotification.objects.filter(pk=notification.pk).update(status=Status.RETRY_SCHEDULED)
    retries.retry(notification, None, NOW)
    provider = Provider(accepted())
    deliver(notification, provider)
    assert provider.requests == []


def test_beyond_the_horizon_a_message_waits_without_a_slot():
    queue(slow(rate=0.01), count=3)
    notification = deliver(post(), Provider(accepted()))
    assert (notification.status, notification.next_attempt_at) == (Status.PENDING, NOW + ASK_AGAIN_AFTER)
    assert notification.slot_at is None


def test_without_redis_sending_goes_on_slowly():
    with redis_away():
        departures = []
        for n in range(4):
            slot = reserve(voice(80), person(n), NOW)
            departures.append(time.monotonic() + slot.wait.total_seconds())
            assert slot.is_reserved
    gaps = [later - sooner for sooner, later in zip(departures, departures[1:], strict=False)]
    assert all(0.8 <= gap <= 1.2 for gap in gaps)


def test_without_redis_messages_leave_all_the_same():
    with redis_away():
        messages, provider = [post(phone_number=f"+2237612340{n}") for n in range(3)], Provider(accepted())
        provider.answers = [accepted(f"wamid.{n}") for n in range(3)]
        for message in messages:
            deliver(message, provider)
            if message.next_attempt_at:
                deliver(message, provider, message.next_attempt_at)
    assert [message.status for message in messages] == [Status.SENT] * 3


def test_when_redis_is_back_the_pace_is_shared_again():
    with redis_away():
        reserve(voice(20), NUMBER, NOW)
    assert remembered() == {}
    reserve(voice(20), NUMBER, NOW)
    assert len(remembered()) == 2
