"""Which sender speaks: the office's own, the first fallback that can, or nobody for now."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, attempt, change, post, post_in
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import routing

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
OTHER = "+22376123457"
BROKEN: dict[str, dict[str, Any]] = {
    "paused": {"is_active": False},
    "stopped": {"stopped_until": NOW + 3 * MINUTE, "stop_reason": "190"},
    "at its daily limit": {"daily_limit": 0},
}


def make(code: str, fallback: WhatsAppSender | None = None, **fields: Any) -> WhatsAppSender:
    """A sender with an account and token of its own."""
    sender, _created = WhatsAppSender.objects.get_or_create(code=code, defaults={"label": code})
    given = {"account_id": f"account of {code}", "token": f"token of {code}", "fallback": fallback, **fields}
    for name, value in given.items():
        setattr(sender, name, value)
    sender.save()
    return sender


def chain(*fields: dict[str, Any]) -> list[WhatsAppSender]:
    """Mali's sender, and the ones behind it, each with these fields."""
    codes = ["mali", *(f"reserve-{n}" for n in range(1, len(fields)))]
    senders: list[WhatsAppSender] = []
    for code, more in reversed(list(zip(codes, fields, strict=True))):
        senders.insert(0, make(code, senders[0] if senders else None, **more))
    return senders


def test_the_own_sender_speaks_while_it_can():
    own, _reserve = chain({}, {})
    route = routing.choose(post(), NOW)
    assert (route.sender, route.obstacle) == (own, None)


@pytest.mark.parametrize("why", BROKEN)
def test_the_fallback_takes_over_with_its_own_account(why: str):
    _own, reserve = chain(BROKEN[why], {})
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert (notification.status, notification.sender) == (Status.SENT, reserve)
    assert notification.attempts.get().sender == reserve
    (request,) = provider.requests
    assert "account of reserve-1" in request.url
    assert request.headers["Authorization"] == "Bearer token of reserve-1"


@override_settings(WHATSAPP_CLOUD_TOKEN="")
def test_a_sender_without_a_token_is_replaced():
    _own, reserve = chain({"token": ""}, {})
    assert routing.choose(post(), NOW).sender == reserve


def test_the_first_of_the_chain_that_can_send_is_taken():
    senders = chain(BROKEN["paused"], BROKEN["stopped"], BROKEN["at its daily limit"], {}, {})
    assert routing.choose(post(), NOW).sender == senders[3]


def test_the_own_sender_takes_its_messages_back_when_it_can_again():
    own, reserve = chain(BROKEN["stopped"], {})
    notification = post()
    assert routing.choose(notification, NOW).sender == reserve
    assert routing.choose(notification, NOW + 3 * MINUTE).sender == own


@pytest.mark.parametrize(("length", "back_to"), [(1, 0), (2, 0), (3, 0), (3, 1), (3, 2)])
def test_a_chain_that_bites_its_tail_ends(length: int, back_to: int):
    senders = chain(*[BROKEN["paused"]] * length)
    WhatsAppSender.objects.filter(pk=senders[-1].pk).update(fallback=senders[back_to])
    route = routing.choose(post(), NOW)
    assert route.sender == senders[0]
    assert route.obstacle
    assert route.obstacle.error_class == ErrorClass.NOT_CONFIGURED


def test_where_nobody_can_send_the_message_waits_for_its_own_sender_at_no_cost():
    chain(BROKEN["stopped"], BROKEN["paused"])
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert (notification.next_attempt_at, notification.error_message) == (NOW + 3 * MINUTE, "190")
    assert provider.requests == []
    assert not WhatsAppAttempt.objects.exists()


def test_a_fallback_that_was_deleted_leaves_its_sender_alone():
    own, reserve = chain(BROKEN["paused"], {})
    reserve.delete()
    assert routing.choose(post(), NOW).sender == own


def test_the_company_speaks_for_accounts_with_a_fallback_of_its_own():
    system = make("systeme", make("reserve-1"), **BROKEN["paused"])
    notification = post(message_type="credentials")
    assert routing.own_sender(notification) == system
    assert routing.choose(notification, NOW).sender.code == "reserve-1"


def limited(limit: int, *told: tuple[str, timedelta]) -> WhatsAppSender:
    """Mali's sender with this daily limit, which wrote to these people so long ago."""
    sender = make("mali", daily_limit=limit)
    for number, ago in told:
        change(post_in(Status.SENT), sender=sender, sent_at=NOW - ago, phone_number=number)
    return sender


def is_held(**fields: Any) -> bool:
    obstacle = routing.choose(post(**fields), NOW).obstacle
    return obstacle is not None and obstacle.error_class == ErrorClass.DAILY_LIMIT


def test_the_daily_limit_counts_people_of_the_last_24_hours():
    limited(2, (NUMBER, SECOND), (OTHER, DAY - SECOND))
    assert is_held(phone_number="+22376000001")
    WhatsAppNotification.objects.filter(phone_number=OTHER).update(sent_at=NOW - DAY)
    assert not is_held(phone_number="+22376000001")


def test_many_messages_to_one_person_count_once():
    limited(2, (NUMBER, SECOND), (NUMBER, MINUTE), (NUMBER, 2 * MINUTE))
    assert not is_held(phone_number=OTHER)


def test_one_more_message_to_somebody_who_was_told_today_is_free():
    limited(1, (NUMBER, MINUTE))
    assert not is_held(phone_number=NUMBER)
    assert is_held(phone_number=OTHER)


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED])
def test_whoever_was_written_to_counts_whatever_came_of_it(status: Status):
    sender = limited(1, (NUMBER, MINUTE))
    WhatsAppNotification.objects.filter(sender=sender).update(status=status, failed_at=NOW)
    assert is_held(phone_number=OTHER)


def test_each_sender_counts_for_itself():
    limited(1, (NUMBER, MINUTE))
    make("chine", daily_limit=1)
    assert not is_held(phone_number="+22376000001", source_app="agent_chine")


def test_no_limit_is_no_limit():
    limited(1, (NUMBER, MINUTE))
    WhatsAppSender.objects.filter(code="mali").update(daily_limit=None)
    assert not is_held(phone_number=OTHER)


def test_beyond_the_limit_a_message_waits_at_no_cost_and_goes_when_the_count_falls():
    limited(1, (NUMBER, DAY - MINUTE))
    notification, provider = post(phone_number=OTHER), Provider(accepted())
    attempt(notification, provider)
    assert (notification.status, notification.attempt_count, provider.requests) == (Status.PENDING, 0, [])
    assert (notification.error_class, notification.next_attempt_at) == (ErrorClass.DAILY_LIMIT, NOW + 15 * MINUTE)
    attempt(notification, provider, NOW + 15 * MINUTE)
    assert (notification.status, notification.error_class) == (Status.SENT, "")


def test_the_people_beyond_the_limit_go_through_the_fallback():
    limited(1, (NUMBER, MINUTE))
    reserve = make("reserve-1")
    WhatsAppSender.objects.filter(code="mali").update(fallback=reserve)
    assert attempt(post(phone_number=OTHER), Provider(accepted())).sender == reserve
