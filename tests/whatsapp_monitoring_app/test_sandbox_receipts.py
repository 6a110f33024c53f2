"""The sandbox's webhooks: receipts as Meta sends them, over real HTTP."""

import hashlib
import hmac
import time
from dataclasses import replace

import pytest
import requests

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, CUSTOMER, SENDER, Client, Receiver, statuses_of
from whatsapp_monitoring_app.sandbox import running

RECENT_SECONDS = 30


def test_receipts_follow_in_order_and_carry_the_tracking_string(talking: Client, receiver: Receiver) -> None:
    wamid = talking.say(CUSTOMER, biz_opaque_callback_data="n-1").json()["messages"][0]["id"]

    assert statuses_of(receiver, 3) == ["sent", "delivered", "read"]
    for status in receiver.statuses:
        assert (status["id"], status["recipient_id"]) == (wamid, "22376123456")
        assert status["biz_opaque_callback_data"] == "n-1"
        assert abs(int(status["timestamp"]) - time.time()) < RECENT_SECONDS
    assert ["pricing" in status for status in receiver.statuses] == [False, True, False]
    assert receiver.values[0]["metadata"]["phone_number_id"] == SENDER
    assert talking.messages[0]["status"] == "read"


@pytest.mark.parametrize(
    ("to", "receipts"),
    [
        ("+22370000004", ["sent"]),
        ("+22370000008", ["failed"]),
        ("+22370000009", ["sent", "delivered"]),
        ("+22370000010", ["sent", "read"]),
        ("+22370000013", ["sent", "delivered", "read"]),
    ],
)
def test_magic_numbers_choose_their_receipts(
    talking: Client, receiver: Receiver, to: str, receipts: list[str]
) -> None:
    talking.say(to)
    # A message that is read shows that no receipt of the other one is still under way.
    eventually(lambda: len(receiver.statuses) >= len(receipts))
    talking.say(CUSTOMER)
    eventually(lambda: receiver.statuses[-1]["status"] == "read" and is_for(receiver.statuses[-1], CUSTOMER))

    assert [status["status"] for status in receiver.statuses if is_for(status, to)] == receipts


def is_for(status: dict, to: str) -> bool:
    return f"+{status['recipient_id']}" == to


def test_a_failure_says_why(talking: Client, receiver: Receiver) -> None:
    talking.say("+22370000008")

    assert statuses_of(receiver, 1) == ["failed"]
    (error,) = receiver.statuses[0]["errors"]
    assert error["code"] == 131026
    assert error["error_data"]["details"]


@pytest.mark.parametrize("to", ["+22370000005", "+22370000011"])
def test_receipts_follow_even_when_the_answer_was_lost(talking: Client, receiver: Receiver, to: str) -> None:
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        talking.say(to, timeout=0.3, biz_opaque_callback_data="n-1")

    assert statuses_of(receiver, 3) == ["sent", "delivered", "read"]
    assert {status["biz_opaque_callback_data"] for status in receiver.statuses} == {"n-1"}


def test_webhooks_are_signed_over_the_bytes_that_meta_would_send(talking: Client, receiver: Receiver) -> None:
    talking.say(CUSTOMER, biz_opaque_callback_data="n/1@é")
    statuses_of(receiver, 3)

    for signature, body in receiver.posts:
        digest = hmac.new(b"app secret", body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={digest}"
        assert body.isascii()
        assert b"n\\/1\\u0040\\u00e9" in body


def test_a_webhook_that_fails_is_posted_again_unchanged(talking: Client, receiver: Receiver) -> None:
    receiver.answers.put(500)
    receiver.answers.put(302)
    talking.say("+22370000004")

    eventually(lambda: len(receiver.posts) == 3)
    assert len({body for _, body in receiver.posts}) == 1


def test_receipts_go_on_after_a_webhook_was_given_up(talking: Client, receiver: Receiver) -> None:
    for _ in range(3):
        receiver.answers.put(500)
    talking.say("+22370000009")

    assert statuses_of(receiver, 4) == ["sent", "sent", "sent", "delivered"]


def test_forgetting_stops_the_receipts(receiver: Receiver) -> None:
    with running(replace(CONFIG, webhook_url=receiver.url, delivered_delay=(0.2, 0.2))) as sandbox:
        client = Client(sandbox.url)
        client.say(CUSTOMER)
        statuses_of(receiver, 1)
        assert requests.delete(f"{sandbox.url}/_sandbox/messages", timeout=5).status_code == 204
        assert client.messages == client.requests == []
        client.say("+22370000009")
        assert statuses_of(receiver, 3) == ["sent", "sent", "delivered"]


@pytest.mark.parametrize(
    ("token", "verdict"), [(CONFIG.verify_token, "verified"), ("other", "not verified: HTTP 403")]
)
def test_the_webhook_can_be_verified(talking: Client, receiver: Receiver, token: str, verdict: str) -> None:
    receiver.verify_token = token
    page = requests.post(f"{talking.url}/webhook/verify", timeout=5)

    assert f"<small>{verdict}</small>" in page.text
