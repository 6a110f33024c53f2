"""One try to send: what becomes of the notification, its sender and its record after each kind of answer."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NEEDS,
    NOW,
    NUMBER,
    TEXT,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    json_answer,
    open_window,
    post,
    refused,
    snapshot,
)
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent, Unsendable
from whatsapp_monitoring_app.services import delivery, preparation, recovery
from whatsapp_monitoring_app.services.retry_policy import EFFECTS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

MINUTE = timedelta(minutes=1)
AWAY = NotSent("no connection")
GATEWAY = HttpAnswer(403, b"<h1>Forbidden</h1>")


def sender(code: str = "mali", **fields: Any) -> WhatsAppSender:
    WhatsAppSender.objects.filter(code=code).update(**fields)
    return WhatsAppSender.objects.get(code=code)


def separate(code: str) -> WhatsAppSender:
    """A sender with an account of its own."""
    own = WhatsAppSender.objects.get(code=code)
    own.account_id, own.token = "777", "own token"
    own.save()
    return own


def is_about(notification: WhatsAppNotification, moment: datetime) -> bool:
    """Whether the next attempt is planned for the moment when a stop ends, or soon after."""
    return moment <= (notification.next_attempt_at or NOW) <= moment + preparation.SPREAD


def test_an_accepted_message_is_sent_and_recorded():
    provider = Provider(accepted("wamid.A", "22376123457"))
    open_window()
    notification = attempt(post(), provider)

    assert notification.status == Status.SENT
    assert (notification.provider_message_id, notification.wa_id) == ("wamid.A", "22376123457")
    assert (notification.attempt_count, notification.sent_at, notification.first_attempt_at) == (1, NOW, NOW)
    assert (notification.next_attempt_at, notification.claimed_until, notification.delivered_at) == (None, None, None)
    assert notification.sender == sender()
    (record,) = notification.attempts.all()
    assert (record.number, record.trigger, record.outcome, record.http_status) == (1, "auto", "accepted", 200)
    assert (record.error_class, record.sender, record.next_attempt_at) == ("", sender(), None)
    assert (record.route, record.route_reason, record.form, record.text) == ("office", "", "text", "")
    assert "wamid.A" in record.provider_response
    (body,) = provider.bodies
    assert (body["to"], body["text"]["body"]) == (NUMBER, TEXT)
    assert body["biz_opaque_callback_data"] == str(notification.pk)


def test_the_record_says_how_long_the_call_took():
    moments = iter([NOW, NOW, NOW + MINUTE, NOW + MINUTE + timedelta(seconds=3)])
    notification = post()
    delivery.deliver(notification.pk, send=Provider(accepted()), now=lambda: next(moments))
    (record,) = notification.attempts.all()
    assert (record.started_at, record.duration) == (NOW + MINUTE, timedelta(seconds=3))


def test_the_row_says_that_it_is_being_sent_while_the_provider_is_called():
    seen = []

    def send(_request: object) -> HttpAnswer:
        seen.append(WhatsAppNotification.objects.values_list("status", flat=True).get())
        return accepted()

    attempt(post(), send)
    assert seen == [Status.SENDING]


@pytest.mark.parametrize("code", [131026, 131050, 100, 999_999], ids=lambda code: f"refused with {code}")
def test_what_trying_again_cannot_help_fails_at_once(code: int):
    notification = attempt(post(), Provider(refused(code)))
    assert (notification.status, notification.attempt_count, notification.failed_at) == (Status.FAILED, 1, NOW)
    assert (notification.error_code, notification.next_attempt_at) == (str(code), None)
    assert "Some detail." in notification.error_message
    (record,) = notification.attempts.all()
    assert (record.outcome, record.http_status, record.error_code) == ("refused", 400, str(code))
    assert record.error_class == notification.error_class
    assert sender().stopped_until is None


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        (refused(131016), timedelta(seconds=24), timedelta(seconds=36)),
        (refused(131000, 500), timedelta(seconds=24), timedelta(seconds=36)),
        (refused(131049), timedelta(days=1), timedelta(days=1)),
    ],
)
def test_passing_trouble_is_tried_again_later(answer: HttpAnswer | Exception, least: timedelta, most: timedelta):
    notification = attempt(post(), Provider(answer))
    assert (notification.status, notification.attempt_count) == (Status.RETRY_SCHEDULED, 1)
    assert notification.next_attempt_at
    assert least <= notification.next_attempt_at - NOW <= most
    assert (notification.next_trigger, notification.rung_at, notification.failed_at) == ("retry", None, None)
    (record,) = notification.attempts.all()
    assert (record.outcome, record.next_attempt_at) == ("refused", notification.next_attempt_at)
    assert sender().stopped_until is None


@pytest.mark.parametrize("code", [130429, 131056, 131048, 190])
def test_what_is_not_the_messages_fault_costs_no_attempt(code: int):
    notification = attempt(post(), Provider(refused(code)))
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert notification.next_attempt_at
    assert notification.next_attempt_at >= NOW + EFFECTS[ErrorClass(notification.error_class)].min_delay
    assert (notification.next_trigger, notification.rung_at) == ("auto", None)
    assert notification.attempts.count() == 1  # the call was made, and is on record


NO_FAULT = {
    "throttled": refused(130429),
    "no connection": AWAY,
    "unsendable": Unsendable("InvalidHeader"),
    "wrong address": HttpAnswer(404, b"Not found"),
}


@pytest.mark.parametrize("answer", NO_FAULT.values(), ids=NO_FAULT)
def test_a_message_without_a_fault_waits_as_often_as_it_must(answer: HttpAnswer | Exception):
    notification, at = post(), NOW
    refusing, accepting = Provider(answer), Provider(accepted())
    for _ in range(12):
        attempt(notification, refusing, at)
        at = notification.next_attempt_at or at
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    attempt(notification, accepting, at)
    assert (notification.status, notification.attempt_count, notification.attempts.count()) == (Status.SENT, 1, 13)


def test_the_wait_for_a_connection_grows_to_ten_minutes():
    notification, at, waits = post(), NOW, []
    for _ in range(8):
        attempt(notification, Provider(AWAY), at)
        assert notification.next_attempt_at
        waits.append((notification.next_attempt_at - at).total_seconds())
        at = notification.next_attempt_at
    for wait, seconds in zip(waits, [30, 60, 120, 240, 480, 600, 600, 600], strict=True):
        assert 0.8 * seconds <= wait <= 1.2 * seconds


def after(*answers: HttpAnswer | Exception) -> WhatsAppNotification:
    """A message whose calls ended like this."""
    notification, at = post(), NOW
    for answer in answers:
        attempt(notification, Provider(answer), at)
        at = notification.next_attempt_at or at
    return notification


def test_a_message_that_no_gateway_lets_through_fails_the_third_time_at_no_cost():
    notification = after(GATEWAY, GATEWAY)
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    attempt(notification, Provider(GATEWAY), notification.next_attempt_at or NOW)
    assert (notification.status, notification.attempt_count) == (Status.FAILED, 0)
    assert (notification.error_class, notification.attempts.count()) == (ErrorClass.GATEWAY_REFUSAL, 3)


def test_only_the_gateways_own_refusals_count_against_it():
    notification = after(AWAY, refused(131016), refused(131016), AWAY, GATEWAY, refused(130429), GATEWAY)
    assert (notification.status, notification.attempt_count) == (Status.RETRY_SCHEDULED, 2)
    at = notification.next_attempt_at or NOW
    assert attempt(notification, Provider(GATEWAY), at).status == Status.FAILED


def test_the_others_go_on_when_a_message_that_no_gateway_lets_through_has_failed():
    notification = after(GATEWAY, GATEWAY, GATEWAY)
    assert notification.failed_at
    other = attempt(post(), Provider(accepted()), notification.failed_at + 5 * MINUTE)
    assert (other.status, sender().stopped_until) == (Status.SENT, None)


def test_the_pair_rate_waits_four_to_the_power_of_the_refusals():
    notification, at, waits = post(), NOW, []
    for _ in range(6):
        attempt(notification, Provider(refused(131056)), at)
        assert notification.next_attempt_at
        waits.append((notification.next_attempt_at - at).total_seconds())
        at = notification.next_attempt_at
    assert waits == [4, 16, 64, 256, 1024, 1024]


@pytest.mark.parametrize("code", [130429, 131056, 131016, 190])
def test_retry_after_is_honoured(code: int):
    notification = attempt(post(), Provider(refused(code, 429, timedelta(hours=7))))
    assert notification.next_attempt_at == NOW + timedelta(hours=7)


def test_the_last_attempt_fails_for_good():
    notification, at = post(), NOW
    for count in range(1, 11):
        attempt(notification, Provider(refused(131016)), at)
        assert notification.attempt_count == count
        at = notification.next_attempt_at or at
    assert (notification.status, notification.failed_at) == (Status.FAILED, at)
    assert [record.trigger for record in notification.attempts.all()] == ["auto"] + ["retry"] * 9


@pytest.mark.parametrize(("code", "most"), [(131000, 3), (131049, 2)])
def test_a_doubtful_class_is_tried_less_often(code: int, most: int):
    notification, at = post(), NOW
    while notification.status != Status.FAILED:
        attempt(notification, Provider(refused(code)), at)
        at = notification.next_attempt_at or at
    assert notification.attempt_count == most


@pytest.mark.parametrize("answer", [refused(131016), refused(131048), AWAY, refused(131016, 503, timedelta(hours=80))])
def test_a_next_attempt_past_its_usefulness_is_not_planned(answer: HttpAnswer):
    notification = attempt(post(expires_at=NOW + timedelta(seconds=15)), Provider(answer))
    assert (notification.status, notification.failed_at, notification.next_attempt_at) == (Status.FAILED, NOW, None)


def test_a_blocked_account_stops_its_sender_and_nobody_elses():
    separate("chine")
    first, second, other = post(), post(), post(source_app="agent_chine")
    provider = Provider(refused(190, 401), accepted())
    attempt(first, provider)

    assert sender().stopped_until == NOW + 5 * MINUTE
    assert "190" in sender().stop_reason
    attempt(second, provider)
    assert (second.status, second.attempt_count) == (Status.PENDING, 0)
    assert is_about(second, NOW + 5 * MINUTE)
    assert len(provider.requests) == second.attempts.count() + 1 == 1
    assert attempt(other, provider).status == Status.SENT
    assert attempt(second, Provider(accepted("wamid.2")), second.next_attempt_at or NOW).status == Status.SENT


@pytest.mark.parametrize(
    ("settings", "fields", "wait"),
    [
        ({}, {"stopped_until": NOW + 3 * MINUTE, "stop_reason": "190"}, 3 * MINUTE),
        ({}, {"is_active": False}, MINUTE),
        # Stopped and working again long ago, and now paused: the old moment is no time to wait for.
        ({}, {"is_active": False, "stopped_until": NOW - timedelta(days=30)}, MINUTE),
        ({"WHATSAPP_CLOUD_TOKEN": ""}, {}, MINUTE),
        ({"WHATSAPP_CLOUD_PHONE_NUMBER_ID": ""}, {}, MINUTE),
    ],
    ids=["stopped", "paused", "paused after a stop", "no token", "no account"],
)
def test_a_sender_that_cannot_send_gives_back_without_a_call(
    settings: dict[str, str], fields: dict[str, Any], wait: timedelta
):
    sender(**fields)
    provider, notification = Provider(accepted()), post()
    with override_settings(**settings):
        attempt(notification, provider)
    assert provider.requests == []
    assert not WhatsAppAttempt.objects.exists()
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert is_about(notification, NOW + wait)
    assert notification.error_class in ("account_stop", "not_configured")
    assert notification.next_trigger == "auto"


@pytest.mark.parametrize(
    "answer",
    [
        NoAnswer("ReadTimeout"),
        json_answer(200, {}),
        HttpAnswer(408, b""),
        HttpAnswer(502, b"Bad Gateway"),
        HttpAnswer(500, b""),
    ],
)
def test_no_clear_answer_leaves_it_unconfirmed(answer: HttpAnswer | Exception):
    notification = attempt(post(), Provider(answer))
    assert (notification.status, notification.attempt_count) == (Status.UNCONFIRMED, 1)
    assert (notification.confirm_by, notification.next_attempt_at) == (NOW + 5 * MINUTE, None)
    assert (notification.error_class, notification.sender) == ("unconfirmed", sender())
    (record,) = notification.attempts.all()
    assert (record.outcome, record.error_class) == ("uncertain", "unconfirmed")
    assert record.error_message == notification.error_message != ""
    # And nothing but time, a receipt or a person moves it: it is not due.
    assert delivery.deliver(notification.pk, send=Provider(accepted()), now=lambda: NOW + timedelta(hours=1)) is None


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PENDING, Status.RETRY_SCHEDULED}))
def test_what_does_not_wait_is_not_sent(status: Status):
    notification, provider = post(), Provider(accepted())
    change(notification, **{"status": status, "next_attempt_at": None, **NEEDS.get(status, {})})
    before = snapshot(WhatsAppNotification, WhatsAppAttempt)
    assert delivery.deliver(notification.pk, send=provider, now=lambda: NOW) is None
    assert provider.requests == []
    assert snapshot(WhatsAppNotification, WhatsAppAttempt) == before


@override_settings(WHATSAPP_TEST_PHONE="+22370000099")
def test_while_a_test_phone_is_set_nobody_else_is_called():
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert [body["to"] for body in provider.bodies] == ["+22370000099"]
    assert notification.phone_number == NUMBER


def test_a_secret_link_is_sent_and_kept_nowhere(make_user: Callable[..., User]):
    user, provider = make_user(), Provider(accepted())
    open_window()
    text = "Choisissez votre mot de passe: {first_password_link}"
    notification = attempt(post(user=user, message_content=text, is_secret=True), provider)

    sent = provider.bodies[0]["text"]["body"]
    link = sent.removeprefix("Choisissez votre mot de passe: ")
    assert link.startswith("http")
    assert "{" not in link
    assert notification.message_content == text
    assert notification.status == Status.SENT
    token = link.rstrip("/").rpartition("/")[2]
    assert token not in repr(snapshot(WhatsAppNotification, WhatsAppAttempt))
    assert token not in repr(provider.requests)


def test_a_link_goes_only_into_a_message_that_carries_a_secret(make_user: Callable[..., User]):
    provider = Provider(accepted())
    open_window()
    attempt(post(user=make_user(), message_content="{first_password_link}"), provider)
    assert provider.bodies[0]["text"]["body"] == "{first_password_link}"


@pytest.mark.parametrize(
    ("office", "message_type", "voice"),
    [
        ("agent_mali", "notification", "mali"),
        ("agent_chine", "colis_created", "chine"),
        ("agent_mali", "payment", "mali"),
        ("agent_chine", "credentials", "systeme"),
        ("agent_mali", "account_creation", "systeme"),
        ("agent_mali", "otp", "systeme"),
    ],
)
def test_each_message_goes_out_through_its_own_sender(office: str, message_type: str, voice: str):
    own, provider = separate(voice), Provider(accepted())
    notification = attempt(post(source_app=office, message_type=message_type), provider)
    assert notification.sender == own
    (request,) = provider.requests
    assert "/777/" in request.url
    assert request.headers["Authorization"] == "Bearer own token"


def late(notification: WhatsAppNotification, answer: HttpAnswer, meanwhile: Callable[[], Any]) -> None:
    """Send, and let something happen before the answer comes, long after the lease has run out."""
    moments = iter([NOW, NOW, NOW])

    def send(_request: object) -> HttpAnswer:
        meanwhile()
        return answer

    delivery.deliver(notification.pk, send=send, now=lambda: next(moments, NOW + 3 * MINUTE))
    notification.refresh_from_db()


def test_an_answer_after_the_lease_ran_out_still_counts():
    notification = post()
    late(notification, accepted("wamid.late"), lambda: None)
    assert (notification.status, notification.provider_message_id) == (Status.SENT, "wamid.late")
    assert notification.attempts.count() == 1


def test_an_answer_after_recovery_gave_up_waiting_still_counts():
    notification = post()
    late(notification, accepted("wamid.late"), lambda: recovery.release_abandoned(NOW + 2 * MINUTE))
    assert (notification.status, notification.attempt_count) == (Status.SENT, 1)
    assert (notification.provider_message_id, notification.error_class) == ("wamid.late", "")
    assert [record.outcome for record in notification.attempts.all()] == ["uncertain", "accepted"]


def test_an_answer_is_ignored_when_somebody_else_has_claimed_since():
    notification = post()
    before: list[Any] = []

    def somebody_else() -> None:
        change(notification, status=Status.PENDING, next_attempt_at=NOW, claimed_until=None)
        assert WhatsAppNotification.objects.claim(notification.pk, NOW + 2 * MINUTE)
        before.extend(snapshot(WhatsAppNotification))

    late(notification, accepted("wamid.late"), somebody_else)
    assert snapshot(WhatsAppNotification) == before
    assert not WhatsAppAttempt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_eight_threads_that_deliver_the_same_code_call_the_provider_once():
    notification, provider = post(), Provider(accepted())
    results = at_once(*[partial(delivery.deliver, notification.pk, send=provider, now=lambda: NOW)] * 8)
    assert len(provider.requests) == len([result for result in results if result]) == 1
    assert notification.attempts.count() == 1


def test_an_id_that_another_message_has_already_is_left_out():
    first, second = [attempt(post(), Provider(accepted("wamid.same"))) for _ in range(2)]
    first.refresh_from_db()
    assert (first.status, first.provider_message_id) == (Status.SENT, "wamid.same")
    assert (second.status, second.provider_message_id) == (Status.SENT, None)
    assert (second.attempt_count, second.wa_id, second.sender) == (1, "22376123456", sender())
    assert [record.outcome for record in second.attempts.all()] == ["accepted"]


def test_a_late_answer_with_another_messages_id_does_not_undo_a_receipt():
    attempt(post(), Provider(accepted("wamid.same")))
    notification = post()

    def send(_request: object) -> HttpAnswer:
        change(notification, status=Status.DELIVERED, next_attempt_at=None, delivered_at=NOW)
        return accepted("wamid.same")

    attempt(notification, send)
    assert (notification.status, notification.provider_message_id) == (Status.DELIVERED, None)
