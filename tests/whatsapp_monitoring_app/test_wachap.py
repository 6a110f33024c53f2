"""The dialect of WaChap's V4: what is written, what its answers mean, and what a person writes through it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, TEXT, json_answer
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Health,
    HttpAnswer,
    InboundEvent,
    ProviderError,
    Refused,
    Uncertain,
)
from whatsapp_monitoring_app.providers.wachap import WaChap

ACCOUNT = base.Account("acc_7", "wch_secret")
LINK = "https://cargo.example/recu.pdf"
wachap = WaChap()


def body_of(what: content.Content) -> dict[str, Any]:
    return json.loads(wachap.build(ACCOUNT, base.Message(NUMBER, what, "4f2b")).body)


def error_of(answer: HttpAnswer) -> ProviderError:
    outcome = wachap.read(answer)
    assert isinstance(outcome, Refused), outcome
    return outcome.error


# --- Requests


@override_settings(WACHAP_API_URL="https://gateway.example/v9")
def test_a_text_is_what_the_gateway_takes():
    request = wachap.build(ACCOUNT, base.Message(NUMBER, content.Text(TEXT), "4f2b"))
    assert (request.method, request.url) == ("POST", "https://gateway.example/v9/whatsapp/messages/send")
    assert request.headers == {"Authorization": "Bearer wch_secret", "Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "data": {"accountId": "acc_7", "to": NUMBER, "type": "text", "content": TEXT},
    }


def test_the_address_is_that_of_version_4_unless_told_otherwise():
    assert settings.WACHAP_API_URL == "https://api.wachap.com/v1"


@pytest.mark.parametrize(
    ("what", "members"),
    [
        (content.Image(LINK, "Reçu"), {"type": "image", "imageUrl": LINK, "caption": "Reçu"}),
        (content.Image(LINK), {"type": "image", "imageUrl": LINK}),
        (
            content.Document(LINK, "reçu.pdf", "Voici"),
            {"type": "document", "documentUrl": LINK, "filename": "reçu.pdf", "caption": "Voici"},
        ),
        (content.Document(LINK), {"type": "document", "documentUrl": LINK}),
        (
            content.Template("colis_arrive", "fr", ("Awa", "à la\nligne"), text=TEXT),
            {"type": "text", "content": TEXT},
        ),
    ],
)
def test_every_content_becomes_what_the_gateway_knows(what: content.Content, members: dict[str, str]):
    assert body_of(what) == {"data": {"accountId": "acc_7", "to": NUMBER, **members}}


def test_a_template_that_says_nothing_is_not_sent():
    with pytest.raises(content.Unsendable) as refusal:
        body_of(content.Template("colis_arrive", "fr", ("Awa",)))
    assert refusal.value.field == "text"


# --- Answers


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_explicit_success_is_accepted(status: int):
    assert wachap.read(json_answer(status, {"success": True, "messageId": "m-1"})) == Accepted("m-1")


@pytest.mark.parametrize("message_id", ["absent", None, "", {}, []])
def test_a_success_needs_no_id(message_id: object):
    body = {"success": True} | ({} if message_id == "absent" else {"messageId": message_id})
    assert wachap.read(json_answer(200, body)) == Accepted("")


@pytest.mark.parametrize(
    "body",
    [{}, {"messageId": "m-1"}, {"success": None}, {"success": 1}, {"success": "true"}, [{"success": True}], "OK"],
)
def test_neither_yes_nor_no_is_uncertain(body: object):
    assert isinstance(wachap.read(json_answer(200, body)), Uncertain)


@pytest.mark.parametrize("body", [b"", b"OK", b"<html>", b"\xff"])
def test_a_success_that_is_no_json_is_uncertain(body: bytes):
    assert isinstance(wachap.read(HttpAnswer(200, body)), Uncertain)


CODES = [
    ("SEND_ERROR", ErrorClass.TRANSIENT_CAPPED),
    ("INVALID_PHONE", ErrorClass.RECIPIENT_PERMANENT),
    ("RECIPIENT_NOT_FOUND", ErrorClass.RECIPIENT_PERMANENT),
]


@pytest.mark.parametrize(("code", "error_class"), CODES)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 422, 429, 500])
def test_a_known_code_decides_whatever_the_http_status(code: str, error_class: ErrorClass, status: int):
    body = {"success": False, "error": {"code": code, "message": "Words"}}
    assert error_of(json_answer(status, body)) == ProviderError(error_class, code, "Words")


@pytest.mark.parametrize(
    "body", [{"error": "INVALID_PHONE"}, {"message": "INVALID_PHONE"}, {"error": {"message": "INVALID_PHONE"}}]
)
def test_a_code_may_stand_where_the_words_should(body: dict[str, Any]):
    error = error_of(json_answer(200, {"success": False, **body}))
    assert (error.error_class, error.code) == (ErrorClass.RECIPIENT_PERMANENT, "INVALID_PHONE")


@pytest.mark.parametrize("status", [200, 400, 422])
@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"message": "Something else"}, "", "Something else"),
        ({"error": "Something else"}, "", "Something else"),
        ({"error": {"code": "NEW_CODE", "message": "Hm"}}, "NEW_CODE", "Hm"),
        ({"error": {"code": 7}, "message": "Hm"}, "7", "Hm"),
        ({"error": {"code": "C" * 90, "message": "m\x00" * 3000}}, "C" * 40, "m" * 2000),
    ],
)
def test_an_unknown_refusal_fails_and_is_raised(status: int, body: dict[str, Any], code: str, message: str):
    error = error_of(json_answer(status, {"success": False, **body}))
    assert error == ProviderError(ErrorClass.UNKNOWN, code, message, is_classified=False)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":{"code":"X"}}', b'{"success":false,"message":"Bad key"}'])
def test_a_refused_key_stops_the_sender(status: int, body: bytes):
    error = error_of(HttpAnswer(status, body))
    assert (error.error_class, error.is_classified) == (ErrorClass.ACCOUNT_STOP, True)
    assert error.message == ("Bad key" if b"Bad key" in body else f"HTTP {status}")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success":false,"message":"Slow down"}'])
def test_too_fast_waits_as_long_as_it_is_told(body: bytes):
    error = error_of(HttpAnswer(429, body, timedelta(seconds=40)))
    assert (error.error_class, error.retry_after) == (ErrorClass.THROTTLE_SENDER, timedelta(seconds=40))
    assert error.is_classified


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message":"boom"}', b'{"error":{"code":"INTERNAL"}}'])
def test_trouble_that_nobody_knows_is_uncertain(status: int, body: bytes):
    assert isinstance(wachap.read(HttpAnswer(status, body)), Uncertain)


@pytest.mark.parametrize("status", [302, 404, 405])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"statusCode":404,"message":"Cannot POST /v2","error":"Not Found"}']
)
def test_somebody_else_at_this_address_waits_for_a_person(status: int, body: bytes):
    assert error_of(HttpAnswer(status, body)).error_class == ErrorClass.NOT_CONFIGURED


# --- Webhooks


@pytest.mark.parametrize("secret", ["", "chosen"])
@pytest.mark.parametrize(
    "query", ["", "?token=", "?token", "?secret=chosen", "?token=Chosen", "?token=chosen&token=x"]
)
def test_without_the_secret_in_the_address_nothing_is_authentic(secret: str, query: str):
    with override_settings(WACHAP_WEBHOOK_SECRET=secret):
        assert not wachap.is_authentic(b"{}", {"token": "chosen"}, url=f"https://cargo.example/w/{query}")
        assert not wachap.is_authentic(b"{}", {}, secrets=["wch_secret"])


def test_no_secret_is_chosen_unless_somebody_chooses_one():
    assert settings.WACHAP_WEBHOOK_SECRET == ""


@override_settings(WACHAP_WEBHOOK_SECRET="chosen")
@pytest.mark.parametrize("address", ["/w/?token=chosen", "https://cargo.example/w/?a=1&token=chosen#x"])
def test_the_secret_in_the_address_makes_it_authentic(address: str):
    assert wachap.is_authentic(b"anything", {}, url=address)


def inbound(**data: Any) -> list[InboundEvent]:
    given = {"from": NUMBER, "content": "Bonjour", "accountId": "acc_7", **data}
    payload = {
        "event": "message.received",
        "data": {name: value for name, value in given.items() if value != "absent"},
    }
    return wachap.inbound(json.loads(json.dumps(payload)))


def test_what_a_person_writes_is_understood():
    assert inbound(id="in-1", timestamp=1791187200) == [
        InboundEvent("in-1", NUMBER, "Bonjour", NOW, account_id="acc_7")
    ]


@pytest.mark.parametrize(
    "timestamp",
    [1791187200, "1791187200", 1791187200.0, 1791187200000, "2026-10-05T08:00:00Z", "2026-10-05T08:00:00",
     "2026-10-05 10:00:00+02:00"],
)  # fmt: skip
def test_a_time_may_be_written_in_many_ways(timestamp: object):
    assert inbound(timestamp=timestamp)[0].occurred_at == NOW


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    "timestamp",
    ["absent", None, "", "soon", [], {}, True, -5, 10**30, "nan", "inf", "0001-01-01T00:00:00+14:00", "9" * 5000],
)
def test_a_message_without_a_time_came_when_it_came(timestamp: object):
    assert inbound(timestamp=timestamp)[0].occurred_at == NOW


@pytest.mark.parametrize(
    ("author", "number"),
    [
        ("+22376123456", NUMBER),
        ("22376123456", NUMBER),
        ("22376123456@c.us", NUMBER),
        ("22376123456@s.whatsapp.net", NUMBER),
        ("+223 76-12-34-56", NUMBER),
        (22376123456, NUMBER),
        ("76123456", ""),
        ("0707070707", ""),
        ("120363043211234567@g.us", ""),
        ("22376123456-1600000000@g.us", ""),
        ("123456789012345@lid", ""),
        ("awa", ""),
        ("٢٢٣٧٦١٢٣٤٥٦", ""),
        ("9" * 400, ""),
    ],
)
def test_only_a_whole_number_is_a_persons_number(author: object, number: str):
    assert inbound(**{"from": author})[0].phone_number == number


def test_an_id_is_derived_where_none_is_given():
    (first,), (again,) = inbound(timestamp=1791187200), inbound(timestamp=1791187200)
    assert first.provider_message_id == again.provider_message_id
    assert first.provider_message_id.startswith("wachap:")
    others = [
        inbound(timestamp=1791187201), inbound(timestamp=1791187200, content="Bonsoir"),
        inbound(timestamp=1791187200, accountId="acc_8"), inbound(timestamp=1791187200, **{"from": "+22376123457"}),
    ]  # fmt: skip
    assert len({event.provider_message_id for (event,) in [[first], *others]}) == 5


def test_without_id_and_time_the_same_words_count_again_an_hour_later():
    ids = []
    for minutes in (0, 20, 70):
        with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
            ids.append(inbound()[0].provider_message_id)
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"event": "message.received"}, {"event": "message.received", "data": None},
        {"event": "message.received", "data": [1]}, {"event": "message.received", "data": {}},
        {"event": "message.received", "data": {"from": NUMBER}},
        {"event": "message.received", "data": {"from": NUMBER, "content": {"text": "x"}}},
        {"event": "message.received", "data": {"content": "x"}},
        {"event": "message.sent", "data": {"from": NUMBER, "content": "x"}},
        {"event": ["message.received"], "data": {"from": NUMBER, "content": "x"}},
    ],
)  # fmt: skip
def test_anything_else_is_left_out(payload: dict[str, Any]):
    assert wachap.inbound(payload) == []
    assert wachap.receipts(payload) == []


def test_a_long_text_is_cut():
    assert len(inbound(content="x" * 9000)[0].text) == 4096


# --- Health, and numbers


@override_settings(WACHAP_API_URL="https://gateway.example/v1")
def test_the_account_is_asked_for_without_sending_anything():
    request = wachap.health_request(ACCOUNT)
    assert (request.method, request.url) == ("GET", "https://gateway.example/v1/whatsapp/accounts")
    assert (request.headers, request.body) == ({"Authorization": "Bearer wch_secret"}, b"")


def accounts(*statuses: Any) -> HttpAnswer:
    rows = [{"id": f"acc_{number}", "status": status} for number, status in enumerate(statuses, start=7)]
    return json_answer(200, {"success": True, "accounts": rows})


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (accounts("connected", "disconnected"), Health(True, "connected")),
        (accounts("Connected"), Health(True, "Connected")),
        (accounts("disconnected", "connected"), Health(False, "disconnected")),
        (accounts("qr_required"), Health(False, "qr_required")),
        (accounts(None), Health(None, "")),
        (accounts(), Health(False, "WaChap does not know this account")),
        (json_answer(200, {"success": True}), Health(None, "HTTP 200")),
        (json_answer(200, {"success": False, "message": "Try later"}), Health(None, "Try later")),
        (
            json_answer(200, {"success": True, "accounts": [None, 7]}),
            Health(False, "WaChap does not know this account"),
        ),
        (HttpAnswer(401, b""), Health(False, "HTTP 401")),
        (HttpAnswer(403, b"<html>"), Health(False, "HTTP 403")),
        (HttpAnswer(502, b"<html>"), Health(None, "HTTP 502")),
    ],
)
def test_the_health_of_an_account_is_in_the_gateways_list(answer: HttpAnswer, health: Health):
    assert wachap.read_health(answer, ACCOUNT) == health


@override_settings(WACHAP_API_URL="https://gateway.example/v1")
def test_numbers_are_checked_without_sending_anything():
    request = wachap.number_check_request(ACCOUNT, [NUMBER, "+8613812345678"])
    assert (request.method, request.url) == ("POST", "https://gateway.example/v1/whatsapp/contacts/check")
    assert json.loads(request.body) == {"accountId": "acc_7", "phones": [NUMBER, "+8613812345678"]}
    assert "wch_secret" not in request.url + request.body.decode() + repr(request)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            json_answer(200, {"success": True, "results": [{"isOnWhatsApp": True}, {"isOnWhatsApp": False}]}),
            [True, False],
        ),
        (json_answer(200, {"success": True, "results": [{}, None, {"isOnWhatsApp": "yes"}]}), [None, None, None]),
        (json_answer(200, {"success": False, "results": [{"isOnWhatsApp": True}]}), []),
        (json_answer(200, {"success": True, "results": {}}), []),
        (HttpAnswer(502, b"<html>"), []),
    ],
)
def test_what_the_gateway_does_not_say_about_a_number_is_not_known(answer: HttpAnswer, found: list[bool | None]):
    assert wachap.read_number_check(answer) == found


def test_the_moment_of_these_tests_is_what_they_say():
    assert datetime.fromtimestamp(1791187200, UTC) == NOW
