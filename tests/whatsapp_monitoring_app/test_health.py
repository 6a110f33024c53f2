"""How the senders are: what their providers answer when they are asked, and what waits for them."""

from datetime import timedelta
from typing import Any

import pytest

from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, change, json_answer, post, post_in, refused
from whatsapp_monitoring_app.models import Status, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.sandbox import RunningSandbox
from whatsapp_monitoring_app.services import health, routing

pytestmark = pytest.mark.django_db

WELL = {
    "verified_name": "TS Air Cargo",
    "display_phone_number": "+223 20 00 00 00",
    "quality_rating": "GREEN",
    "status": "CONNECTED",
    "messaging_limit_tier": "TIER_2K",
    "id": "100000000000001",
}
EXPIRES = NOW + timedelta(days=3)


def token(**facts: Any) -> HttpAnswer:
    return json_answer(200, {"data": {"is_valid": True, "expires_at": int(EXPIRES.timestamp())} | facts})


def sender(code: str = "mali", **fields: Any) -> WhatsAppSender:
    found = WhatsAppSender.objects.get(code=code)
    for name, value in fields.items():
        setattr(found, name, value)
    found.save()
    return found


def test_what_the_provider_says_of_number_and_token_is_kept():
    mali = sender()
    assert health.check(mali, NOW, Provider(json_answer(200, WELL), token()))
    mali.refresh_from_db()
    assert (mali.is_connected, mali.quality, mali.limit) == (True, "GREEN", "TIER_2K")
    assert (mali.display_number, mali.token_expires_at, mali.checked_at) == ("+22320000000", EXPIRES, NOW)


def test_a_token_that_never_expires_has_no_date():
    mali = sender(token_expires_at=NOW)
    health.check(mali, NOW, Provider(json_answer(200, WELL), token(expires_at=0)))
    assert mali.token_expires_at is None


def test_a_token_that_is_no_longer_valid_counts_as_not_connected():
    mali = sender()
    health.check(mali, NOW, Provider(refused(190, 401), token(is_valid=False, expires_at=int(NOW.timestamp()))))
    assert mali.is_connected is False
    assert "190" in mali.health_detail


@pytest.mark.parametrize(
    "answer", [NotSent("no connection"), NoAnswer("ReadTimeout"), HttpAnswer(502, b"Bad Gateway")], ids=repr
)
def test_without_an_answer_nothing_is_known_and_what_was_known_stays(answer: Any):
    mali = sender(is_connected=True, quality="GREEN", limit="TIER_2K", token_expires_at=EXPIRES)
    assert not health.check(mali, NOW, Provider(answer))
    mali.refresh_from_db()
    assert (mali.is_connected, mali.checked_at) == (None, NOW)
    assert (mali.quality, mali.limit, mali.token_expires_at) == ("GREEN", "TIER_2K", EXPIRES)


def test_a_provider_that_repeats_the_token_does_not_bring_it_into_our_rows():
    mali = sender(account_id="777", token="EAAG-very-secret-token")
    answer = refused(190, 401)
    body = answer.body.replace(b"Some detail.", b"bad EAAG-very-secret-token")
    health.check(mali, NOW, Provider(HttpAnswer(401, body), token(is_valid=False)))
    assert "secret" not in mali.health_detail


def test_a_long_token_that_is_repeated_is_hidden_before_it_is_cut():
    token_text = "EAAG" + "x9Y7" * 55
    mali = sender(account_id="777", token=token_text)
    error = {"message": f"Malformed access token {token_text}", "type": "OAuthException", "code": 190}
    health.check(mali, NOW, Provider(json_answer(401, {"error": error})))
    assert token_text[:40] not in mali.health_detail


def test_every_sender_that_can_be_asked_is_and_a_paused_one_is_not():
    sender("chine", is_active=False)
    sender("systeme", account_id="777", token="")
    provider = Provider(json_answer(200, WELL))
    assert health.check_all(NOW, provider) == 1
    assert sender("mali").checked_at == NOW
    assert (sender("chine").checked_at, sender("systeme").checked_at) == (None, None)


def test_wachap_says_whether_its_account_is_linked_and_who_has_whatsapp():
    mali = sender(provider="wachap", account_id="acc", token="key")
    accounts = {"success": True, "accounts": [{"id": "acc", "status": "disconnected"}]}
    health.check(mali, NOW, Provider(json_answer(200, accounts)))
    assert mali.is_connected is False
    for found in (True, False):
        answer = json_answer(200, {"success": True, "results": [{"isOnWhatsApp": found}]})
        assert health.is_on_whatsapp(mali, NUMBER, Provider(answer)) is found
    assert health.is_on_whatsapp(mali, NUMBER, Provider(json_answer(200, {"success": True, "results": []}))) is None


def test_a_provider_that_cannot_check_numbers_is_not_asked():
    provider = Provider(json_answer(200, {}))
    assert health.is_on_whatsapp(sender(), NUMBER, provider) is None
    assert provider.requests == []


@pytest.mark.django_db(transaction=True)
def test_a_running_server_is_asked(sandbox: RunningSandbox):
    mali = sender()
    assert health.check(mali, NOW)
    assert (mali.is_connected, mali.quality, mali.token_expires_at) == (True, "GREEN", None)


class TestQueues:
    def test_each_message_waits_in_the_queue_of_its_own_sender(self):
        post()
        change(post(), created_at=NOW - timedelta(hours=2))
        post(message_type="otp")
        post(sender="chine")
        post(source_app="agent_chine", message_type="credentials")
        post_in(Status.FAILED)
        found = {code: health.queue_of(sender(code)) for code in ("mali", "chine", "systeme")}
        assert {code: queue.count for code, queue in found.items()} == {"mali": 2, "chine": 1, "systeme": 2}
        assert found["mali"].oldest == NOW - timedelta(hours=2)

    def test_the_database_and_the_engine_agree_whose_message_it_is(self):
        messages = [
            post(source_app=office, message_type=kind, sender=asked)
            for office in ("agent_mali", "agent_chine", "admin_mali")
            for kind in ("notification", "otp", "payment")
            for asked in ("", "chine", "systeme")
        ]
        messages.append(post())
        change(messages[-1], source_app="agent_lune")
        for one in WhatsAppSender.objects.all():
            owned = {message.pk for message in messages if routing.own_sender_without_token(message) == one}
            found = type(messages[0]).objects.filter(routing.owned_by(one))
            assert set(found.values_list("pk", flat=True)) == owned
