"""Which sender speaks: the office's own, the first fallback that can, or nobody for now."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    Provider,
    accepted,
    attempt,
    change,
    open_window,
    post,
    post_in,
)
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import preparation, recovery, routing
from whatsapp_monitoring_app.services.circumstances import Circumstances

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]


def choose(notification: WhatsAppNotification, at: datetime) -> routing.Route:
    """The sender for this message at this moment."""
    return routing.choose(notification, Circumstances([notification], at))


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
    given = {"account_id": f"account-of-{code}", "token": f"token of {code}", "fallback": fallback, **fields}
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
    route = choose(post(), NOW)
    assert (route.sender, route.obstacle) == (own, None)


@pytest.mark.parametrize("why", BROKEN)
def test_the_fallback_takes_over_with_its_own_account(why: str):
    _own, reserve = chain(BROKEN[why], {})
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert (notification.status, notification.sender) == (Status.SENT, reserve)
    assert notification.attempts.get().sender == reserve
    (request,) = provider.requests
    assert "account-of-reserve-1" in request.url
    assert request.headers["Authorization"] == "Bearer token of reserve-1"


@override_settings(WHATSAPP_CLOUD_TOKEN="")
def test_a_sender_without_a_token_is_replaced():
    _own, reserve = chain({"token": ""}, {})
    assert choose(post(), NOW).sender == reserve


def test_the_first_of_the_chain_that_can_send_is_taken():
    senders = chain(BROKEN["paused"], BROKEN["stopped"], BROKEN["at its daily limit"], {}, {})
    assert choose(post(), NOW).sender == senders[3]


def test_the_own_sender_takes_its_messages_back_when_it_can_again():
    own, reserve = chain(BROKEN["stopped"], {})
    notification = post()
    assert choose(notification, NOW).sender == reserve
    assert choose(notification, NOW + 3 * MINUTE).sender == own


@pytest.mark.parametrize(("length", "back_to"), [(1, 0), (2, 0), (3, 0), (3, 1), (3, 2)])
def test_a_chain_that_bites_its_tail_ends(length: int, back_to: int):
    senders = chain(*[BROKEN["paused"]] * length)
    WhatsAppSender.objects.filter(pk=senders[-1].pk).update(fallback=senders[back_to])
    route = choose(post(), NOW)
    assert route.sender == senders[0]
    assert route.obstacle
    assert route.obstacle.error_class == ErrorClass.NOT_CONFIGURED


def test_where_nobody_can_send_the_message_waits_for_its_own_sender_at_no_cost():
    chain(BROKEN["stopped"], BROKEN["paused"])
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert notification.error_message == "190"
    assert notification.next_attempt_at
    assert NOW + 3 * MINUTE <= notification.next_attempt_at <= NOW + 3 * MINUTE + preparation.SPREAD
    assert provider.requests == []
    assert not WhatsAppAttempt.objects.exists()


@pytest.mark.parametrize(("message_type", "code"), [("notification", "reserve-1"), ("payment", "mali")])
def test_a_restricted_sender_keeps_what_is_essential_and_leaves_the_rest_to_its_fallback(message_type: str, code: str):
    chain({**BROKEN["stopped"], "stop_class": ErrorClass.ACCOUNT_SLOW}, {})
    assert choose(post(message_type=message_type), NOW).sender.code == code


def rung(*messages: WhatsAppNotification) -> list[bool]:
    """Which of these the sweep rings."""
    WhatsAppNotification.objects.update(rung_at=None)
    bells = {bell.code for bell in recovery.to_ring(NOW)}
    return [message.pk in bells for message in messages]


IDLE = {why: BROKEN[why] for why in ("paused", "stopped")}


@pytest.mark.parametrize("why", IDLE)
def test_what_cannot_leave_is_not_rung(why: str):
    make("mali", **IDLE[why])
    assert rung(post(), post(source_app="agent_chine")) == [False, True]
    WhatsAppSender.objects.update(is_active=True, stopped_until=None)
    assert rung(*WhatsAppNotification.objects.all()) == [True, True]


@override_settings(WHATSAPP_CLOUD_TOKEN="")
def test_what_has_no_token_is_not_rung():
    make("chine")
    assert rung(post(), post(source_app="agent_chine")) == [False, True]


@pytest.mark.parametrize("message_type", ["payment", "opt_out_confirmation", "otp", "credentials", "account_creation"])
def test_what_another_sender_may_send_or_a_restricted_one_is_rung_all_the_same(message_type: str):
    make("mali", **BROKEN["paused"])
    assert rung(post(message_type=message_type)) == [True]


@pytest.mark.parametrize(("last", "is_rung"), [({}, True), (BROKEN["stopped"], False)], ids=["works", "stopped"])
def test_what_the_last_of_the_fallbacks_can_send_is_rung(last: dict[str, Any], is_rung: bool):
    chain(BROKEN["stopped"], BROKEN["paused"], last)
    assert rung(post()) == [is_rung]


def test_a_circle_of_idle_senders_ends_and_rings_nothing():
    senders = chain(BROKEN["paused"], BROKEN["stopped"], BROKEN["paused"])
    WhatsAppSender.objects.filter(pk=senders[-1].pk).update(fallback=senders[1])
    assert rung(post()) == [False]


def test_what_waits_only_for_the_daily_limit_is_rung():
    make("mali", **BROKEN["at its daily limit"])
    assert rung(post()) == [True]


def test_what_an_office_that_is_gone_still_owes_is_rung():
    make("systeme")
    notification = post()
    change(notification, source_app="agent_dakar")
    assert rung(notification) == [True]


def test_a_fallback_that_was_deleted_leaves_its_sender_alone():
    own, reserve = chain(BROKEN["paused"], {})
    reserve.delete()
    assert choose(post(), NOW).sender == own


def test_the_company_speaks_for_accounts_with_a_fallback_of_its_own():
    system = make("systeme", make("reserve-1"), **BROKEN["paused"])
    notification = post(message_type="credentials")
    assert routing.own_sender_without_token(notification) == system
    assert choose(notification, NOW).sender.code == "reserve-1"


def limited(limit: int, *told: tuple[str, timedelta]) -> WhatsAppSender:
    """Mali's sender with this daily limit, which wrote to these people so long ago."""
    sender = make("mali", daily_limit=limit)
    for number, ago in told:
        change(post_in(Status.SENT), sender=sender, sent_at=NOW - ago, phone_number=number)
    return sender


def is_held(**fields: Any) -> bool:
    obstacle = choose(post(**fields), NOW).obstacle
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


@pytest.mark.parametrize(("account", "is_shared"), [("account-of-mali", True), ("account-of-chine", False)])
def test_the_people_of_all_senders_of_an_account_count(account: str, is_shared: bool):
    limited(1, (NUMBER, MINUTE))
    make("chine", account_id=account, daily_limit=1)
    assert is_held(phone_number=OTHER, source_app="agent_chine") == is_shared
    assert not is_held(phone_number=NUMBER)


@pytest.mark.parametrize(("ago", "counts"), [(DAY - SECOND, True), (DAY, False)], ids=["today", "yesterday"])
def test_whoever_may_have_been_written_to_counts(ago: timedelta, counts: bool):
    limited(1)
    notification = attempt(post(NOW - ago), Provider(NoAnswer("ReadTimeout")), NOW - ago)
    assert notification.status == Status.UNCONFIRMED
    assert is_held(phone_number=OTHER) == counts
    assert not is_held(phone_number=NUMBER)


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


TOO_LONG_FOR_TWILIO = "x" * 2000


def test_a_message_that_the_fallback_cannot_carry_waits_for_its_own_sender():
    own, _reserve = chain(
        {"stopped_until": NOW + 3 * MINUTE, "stop_reason": "190"}, {"provider": "twilio", "address": "+1"}
    )
    notification, provider = post(message_content=TOO_LONG_FOR_TWILIO), Provider(accepted())
    open_window()
    attempt(notification, provider)
    assert (notification.status, notification.attempt_count, provider.requests) == (Status.PENDING, 0, [])
    own.stopped_until = None
    own.save()
    assert attempt(notification, provider, notification.next_attempt_at or NOW).status == Status.SENT


def test_a_message_that_its_own_sender_cannot_carry_fails_at_once_with_the_reason():
    chain({"provider": "twilio", "address": "+1"})
    open_window()
    notification = attempt(post(message_content=TOO_LONG_FOR_TWILIO), Provider(accepted()))
    assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.MESSAGE_PERMANENT)
    assert "text" in notification.error_message


def test_a_twilio_sender_without_its_number_is_not_ready_and_fails_nothing():
    (own,) = chain({"provider": "twilio"})
    notification = attempt(post(), Provider(accepted()))
    assert own.credentials is None
    assert (notification.status, notification.error_class) == (Status.PENDING, ErrorClass.NOT_CONFIGURED)
