"""The dialect of Twilio: what is written, what is understood, and who signed it."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from django.test import override_settings
from django.urls import resolve

from tests.whatsapp_monitoring_app.scripts import TEXT, json_answer
from tests.whatsapp_monitoring_app.twilio_says import (
    ACCOUNT_SID,
    INBOUND,
    SID,
    STATUS,
    TOKEN,
    answered,
    refused,
    sign,
)
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.base import Accepted, HttpAnswer, Kind, Refused, Uncertain
from whatsapp_monitoring_app.providers.twilio import CODES_BY_CLASS, WEBHOOK_PATH, Twilio

ACCOUNT = base.Account(ACCOUNT_SID, TOKEN, "+22370000000")
SERVICE = base.Account(ACCOUNT_SID, TOKEN, "MG" + "b" * 32)
LINK = "https://cargo.example/facture.pdf"
twilio = Twilio()


def build(what: content.Content, account: base.Account = ACCOUNT) -> dict[str, str]:
    """The fields of the request that says this."""
    request = twilio.build(account, base.Message("+22376123456", what, "4f2b"))
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def error_of(answer: HttpAnswer) -> base.ProviderError:
    outcome = twilio.read(answer)
    assert isinstance(outcome, Refused), outcome
    return outcome.error


# --- What is written


@override_settings(TWILIO_API_URL="https://twilio.example", PUBLIC_BASE_URL="https://cargo.example")
def test_the_request_is_what_twilio_documents():
    request = twilio.build(ACCOUNT, base.Message("+22376123456", content.Text(TEXT), "4f2b"))
    credentials = base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()

    assert (request.method, request.url) == (
        "POST",
        f"https://twilio.example/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
    )
    assert request.headers == {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "To": ["whatsapp:+22376123456"],
        "From": ["whatsapp:+22370000000"],
        "Body": [TEXT],
        "StatusCallback": ["https://cargo.example/webhooks/whatsapp/twilio/?code=4f2b"],
    }


def test_the_status_callback_is_an_address_of_ours():
    assert resolve(WEBHOOK_PATH).url_name == "whatsapp_twilio_webhook"


def test_a_messaging_service_takes_the_place_of_our_number():
    fields = build(content.Text(TEXT), SERVICE)
    assert fields["MessagingServiceSid"] == SERVICE.address
    assert "From" not in fields


def test_a_sender_without_an_address_cannot_send():
    with pytest.raises(content.Unsendable) as refusal:
        build(content.Text(TEXT), base.Account(ACCOUNT_SID, TOKEN))
    assert refusal.value.field == "sender.address"


@pytest.mark.parametrize("make", [content.Image, content.Document])
def test_a_file_is_fetched_from_its_link(make: type[content.Image] | type[content.Document]):
    bare = build(make(LINK))
    assert bare["MediaUrl"] == LINK
    assert "Body" not in bare
    assert build(make(LINK, caption="Facture n° 7"))["Body"] == "Facture n° 7"


def test_a_template_goes_by_its_id_and_numbered_values():
    fields = build(content.Template("HX1", "fr", ("Awa Traoré", "TS-1"), text=TEXT))
    assert fields["ContentSid"] == "HX1"
    assert json.loads(fields["ContentVariables"]) == {"1": "Awa Traoré", "2": "TS-1"}
    assert "Body" not in fields


def test_a_template_may_name_its_values_or_have_none():
    named = build(content.Template("HX1", "fr", {"client": "Awa", "3": "TS-1"}))
    assert json.loads(named["ContentVariables"]) == {"client": "Awa", "3": "TS-1"}
    assert "ContentVariables" not in build(content.Template("HX1", "fr"))


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (content.Text("x" * 1601), "text"),
        (content.Text(" "), "text"),
        (content.Image("http://cargo.example/a.png"), "image.link"),
        (content.Template("", "fr"), "template.name"),
        (content.Template("HX1", "fr", header=content.Text("Colis")), "template.header"),
        (content.Template("HX1", "fr", buttons=(content.UrlButton(0, "TS-1"),)), "template.buttons"),
    ],
)
def test_what_twilio_would_refuse_is_found_before(what: content.Content, field: str):
    with pytest.raises(content.Unsendable) as refusal:
        build(what)
    assert refusal.value.field == field


def test_the_longest_text_is_sent():
    assert build(content.Text("é" * 1600))["Body"] == "é" * 1600


def test_an_account_id_cannot_lead_to_another_address():
    hostile = base.Account("AC1/../AC2?x=", TOKEN, "+22370000000")
    request = twilio.build(hostile, base.Message("+22376123456", content.Text(TEXT), "4f2b"))
    assert request.url.endswith("/Accounts/AC1%2F..%2FAC2%3Fx%3D/Messages.json")
    assert "/Messages/SM%2F1.json" in twilio.build_status_request(ACCOUNT, "SM/1").url


# --- What is understood of the answers


@pytest.mark.parametrize("word", ["queued", "accepted", "sent", "something new", None])
def test_an_accepted_message_has_an_id(word: object):
    assert twilio.read(answered(status=word)) == Accepted(SID)


@pytest.mark.parametrize("sid", [None, "", 7, {}, ["SM"]])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_without_an_id_is_uncertain(status: int, sid: object):
    assert isinstance(twilio.read(json_answer(status, {"sid": sid})), Uncertain)
    assert isinstance(twilio.read(HttpAnswer(status, b"OK")), Uncertain)


@pytest.mark.parametrize("word", ["failed", "undelivered", "canceled"])
def test_a_message_that_failed_at_once_is_refused(word: str):
    error = error_of(answered(status=word, error_code=63016, error_message="Outside the window"))
    assert (error.error_class, error.code, error.message) == (
        ErrorClass.WINDOW_CLOSED, "63016", "Outside the window",
    )  # fmt: skip
    silent = error_of(answered(status=word))
    assert (silent.error_class, silent.code, silent.is_classified) == (ErrorClass.UNKNOWN, "", True)


# A copy of the intended table, by code.
INTENDED: dict[str, list[int]] = {
    "transient": [63010, 63012],
    "transient_capped": [63019],
    "throttle_sender": [20429, 30001, 30022, 63017, 63018],
    "recipient_permanent": [21211, 21614, 63003, 63015, 63024],
    "recipient_temporary": [63032, 63049],
    "opt_out": [21610, 63014, 63033],
    "window_closed": [63016],
    "message_permanent": [21654, 21656, 63005, 63013, 63021, 63028, 63030, 63034, 63037],
    "template_stop": [21655, 63027, 63040, 63041],
    "account_stop": [20003, 63001, 63007, 63020, 63062],
    "daily_limit": [63038],
}
CODES = [(code, error_class) for error_class, codes in INTENDED.items() for code in codes]


@pytest.mark.parametrize(("code", "error_class"), CODES)
def test_a_known_code_decides_wherever_it_stands(code: int, error_class: str):
    for status in (400, 401, 403, 404, 429, 500, 503):
        assert error_of(refused(code, status)).error_class == error_class
    assert error_of(refused(str(code))).error_class == error_class
    assert error_of(answered(status="failed", error_code=code)).error_class == error_class
    (receipt,) = receipts({**STATUS, "MessageStatus": "undelivered", "ErrorCode": str(code)})
    assert receipt.error
    assert (receipt.error.error_class, receipt.error.is_classified) == (error_class, True)


def test_the_table_names_every_code_once_and_no_other():
    codes = [code for codes in CODES_BY_CLASS.values() for code in codes]
    assert sorted(codes) == sorted(code for code, _ in CODES)
    assert len(codes) == len(set(codes)) == len(twilio.error_codes)


@pytest.mark.parametrize("code", [99_999, "something", True, -1, "9" * 90])
@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, ErrorClass.UNKNOWN),
        (401, ErrorClass.ACCOUNT_STOP),
        (403, ErrorClass.ACCOUNT_STOP),
        (404, ErrorClass.UNKNOWN),
        (429, ErrorClass.THROTTLE_SENDER),
        (500, ErrorClass.TRANSIENT_CAPPED),
    ],
)
def test_an_unknown_code_is_judged_by_its_http_status(code: object, status: int, error_class: ErrorClass):
    error = error_of(refused(code, status))
    assert (error.error_class, error.is_classified) == (error_class, False)
    assert len(error.code) <= 40


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code": null}', b'{"code": {}}', b"[" * 200_000])
def test_an_error_of_nobody_is_not_taken_for_twilios(body: bytes):
    assert isinstance(twilio.read(HttpAnswer(502, body)), Uncertain)
    assert error_of(HttpAnswer(403, body)).error_class == ErrorClass.GATEWAY_REFUSAL
    assert error_of(HttpAnswer(404, body)).error_class == ErrorClass.NOT_CONFIGURED


def test_retry_after_and_twilios_own_words_go_with_the_error():
    error = error_of(refused(20429, 429, timedelta(seconds=7)))
    assert (error.code, error.message, error.retry_after) == ("20429", "No", timedelta(seconds=7))


# --- Receipts

URL = "https://cargo.example/webhooks/whatsapp/twilio/?code=4f2b"


def payload(form: dict[str, str], url: str = URL) -> dict[str, Any]:
    """The payload as it is stored and read again."""
    return json.loads(twilio.payload_text(urlencode(form).encode(), url=url))


def receipts(form: dict[str, str], url: str = URL) -> list[base.ReceiptEvent]:
    return twilio.receipts(payload(form, url))


def inbound(**form: str) -> list[base.InboundEvent]:
    return twilio.inbound(payload(INBOUND | form))


def test_a_form_is_stored_with_the_query_of_its_address():
    assert payload(STATUS) == {"form": STATUS, "query": {"code": "4f2b"}}


def test_empty_fields_are_stored_too():
    assert payload({"Body": "", "From": "x"}, "") == {"form": {"Body": "", "From": "x"}, "query": {}}


def test_a_json_body_is_stored_as_the_form_that_it_stands_for():
    body = b'{"MessageSid": "SM1", "MessageStatus": "read"}'
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    (receipt,) = twilio.receipts(twilio.payload(body, url=url))
    assert (receipt.provider_message_id, receipt.status, receipt.tracking) == ("SM1", Kind.READ, "4f2b")
    for no_object in (b"[]", b"null", b"{", b"\xff", b"[" * 200_000):
        with pytest.raises(ValueError, match="."):
            twilio.payload(no_object, url=url)


def test_a_form_with_too_many_fields_is_not_read():
    with pytest.raises(ValueError, match="fields"):
        twilio.payload(b"a&" * 1001)


def test_a_receipt_brings_our_code_and_no_moment():
    assert receipts(STATUS) == [base.ReceiptEvent(SID, Kind.DELIVERED, "delivered", None, tracking="4f2b")]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("sent", Kind.SENT),
        ("delivered", Kind.DELIVERED),
        ("read", Kind.READ),
        ("failed", Kind.FAILED),
        ("undelivered", Kind.FAILED),
        ("canceled", Kind.FAILED),
        ("partially_delivered", Kind.UNKNOWN),
        ("Sent", Kind.UNKNOWN),
        ("w" * 400, Kind.UNKNOWN),
    ],
)
def test_twilios_words_become_ours_and_the_word_is_kept(word: str, kind: Kind):
    (receipt,) = receipts(STATUS | {"MessageStatus": word})
    assert (receipt.status, receipt.raw_status) == (kind, word[:40])


@pytest.mark.parametrize("word", ["", "accepted", "scheduled", "queued", "sending", "receiving", "received"])
def test_what_is_on_its_way_is_no_news(word: str):
    assert receipts(STATUS | {"MessageStatus": word}) == []


def test_a_failure_brings_its_reason():
    failed = STATUS | {"MessageStatus": "undelivered", "ErrorCode": "63024", "ChannelStatusMessage": "Invalid"}
    (receipt,) = receipts(failed)
    assert receipt.error == base.ProviderError(ErrorClass.RECIPIENT_PERMANENT, "63024", "Invalid")
    (receipt,) = receipts(failed | {"ErrorMessage": "No such person", "ErrorCode": "99999"})
    assert receipt.error == base.ProviderError(ErrorClass.UNKNOWN, "99999", "No such person", is_classified=False)


@pytest.mark.parametrize("form", [{"ErrorCode": ""}, {}, {"ErrorMessage": "No"}])
def test_a_failure_without_a_code_is_still_a_failure(form: dict[str, str]):
    (receipt,) = receipts(STATUS | {"MessageStatus": "failed"} | form)
    assert (receipt.status, receipt.error) == (Kind.FAILED, None)


def test_the_last_words_of_a_message_that_arrived_are_no_error():
    (receipt,) = receipts(STATUS | {"ErrorCode": "63016"})
    assert receipt.error is None


def test_a_receipt_without_an_id_is_left_out():
    assert receipts({"MessageStatus": "sent"}) == []
    (receipt,) = receipts({"MessageStatus": "sent", "SmsSid": SID}, "")
    assert (receipt.provider_message_id, receipt.tracking) == (SID, "")


def test_what_is_said_of_our_messages_is_nothing_that_people_wrote_and_the_other_way_round():
    assert twilio.inbound(payload(STATUS)) == []
    assert receipts(INBOUND) == []
    assert twilio.inbound(payload(STATUS | {"Body": "echo", "SmsStatus": "received"})) == []


def test_what_a_person_wrote_is_understood():
    said = base.InboundEvent(
        INBOUND["MessageSid"], "+22376123456", "ARRÊT", None, profile_name="Awa", account_id=INBOUND["AccountSid"]
    )
    assert inbound() == [said]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"ButtonText": "REPRENDRE"}, "ARRÊT"),
        ({"Body": "", "ButtonText": "REPRENDRE"}, "REPRENDRE"),
        ({"Body": "", "MessageType": "image", "NumMedia": "1", "MediaContentType0": "image/jpeg"}, "[image]"),
        ({"Body": "", "MessageType": "", "MediaContentType0": "audio/ogg"}, "[audio]"),
        ({"Body": "Voilà", "MessageType": "image", "MediaContentType0": "image/jpeg"}, "Voilà"),
        ({"Body": "x" * 5000}, "x" * 4096),
    ],
)
def test_what_was_said_is_found_wherever_it_stands(form: dict[str, str], text: str):
    assert [message.text for message in inbound(**form)] == [text]


@pytest.mark.parametrize("sender", ["whatsapp:ML.4711", "", "whatsapp:", "whatsapp:+1234567890123456", "messenger:1"])
def test_a_person_without_a_number_is_heard_too(sender: str):
    assert [message.phone_number for message in inbound(From=sender)] == [""]


HOSTILE: list[Any] = [
    {}, {"form": None}, {"form": []}, {"form": {}, "query": 7}, {"form": "x", "query": None},
    {"form": {"MessageStatus": {}, "MessageSid": []}}, {"form": {"SmsStatus": ["received"], "MessageSid": 7}},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_payload_of_another_shape_says_nothing(hostile: dict[str, Any]):
    assert twilio.receipts(hostile) == []
    assert twilio.inbound(hostile) == []


def test_texts_are_cut_and_cleaned_until_postgresql_takes_them():
    odd = {
        "MessageSid": "S\x00" + "A" * 900,
        "MessageStatus": "f\x00ailed",
        "ErrorCode": "\x009",
        "ErrorMessage": "m\x00",
    }
    (receipt,) = receipts(odd, "https://cargo.example/?code=%00" + "t" * 900)
    assert (receipt.raw_status, len(receipt.provider_message_id), len(receipt.tracking)) == ("failed", 200, 512)
    assert receipt.error
    assert (receipt.error.code, receipt.error.message) == ("9", "m")
    assert "\x00" not in twilio.payload_text(urlencode(odd).encode())


# --- Asking


@override_settings(TWILIO_API_URL="https://twilio.example")
def test_a_message_can_be_asked_about():
    request = twilio.build_status_request(ACCOUNT, SID)
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == f"https://twilio.example/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{SID}.json"
    assert set(request.headers) == {"Authorization"}


def test_the_answer_is_a_receipt_with_its_moment():
    event = twilio.read_status(answered(200, status="delivered"))
    assert event == base.ReceiptEvent(SID, Kind.DELIVERED, "delivered", datetime(2026, 10, 5, 8, 0, 1, tzinfo=UTC))


def test_the_answer_may_tell_of_a_failure():
    event = twilio.read_status(answered(200, status="undelivered", error_code=63003, error_message="No"))
    assert event
    assert event.error == base.ProviderError(ErrorClass.RECIPIENT_PERMANENT, "63003", "No")


@pytest.mark.parametrize("date", [None, "", "soon", "2026-10-05T08:00:00Z", "Mon, 99 Oct 2026 08:00:00 +0000", 7, {}])
def test_an_answer_without_a_date_says_the_rest(date: object):
    event = twilio.read_status(answered(200, status="read", date_updated=date))
    assert event
    assert (event.status, event.occurred_at) == (Kind.READ, None)


def test_a_date_without_a_zone_is_in_utc():
    event = twilio.read_status(answered(200, status="read", date_updated="Mon, 05 Oct 2026 08:00:01 -0000"))
    assert event
    assert event.occurred_at == datetime(2026, 10, 5, 8, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        answered(200, status="queued"), answered(200, status=None), answered(200, sid=None, status="read"),
        answered(404, status="read"), refused(20404, 404), HttpAnswer(200, b"<html>"), HttpAnswer(200, b"[]"),
        HttpAnswer(502, b""),
    ],
)  # fmt: skip
def test_an_answer_that_says_nothing_new_is_no_receipt(answer: HttpAnswer):
    assert twilio.read_status(answer) is None


# --- Signatures: those with a source were computed by Twilio

EXAMPLE_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
EXAMPLE = {
    "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
    "To": "+18005551212",
}  # fmt: skip
DUPLICATES = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
JSON_BODY = b'{"property": "value", "boolean": true}'
JSON_URL = f"{EXAMPLE_URL}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
WITH_USER = EXAMPLE_URL.replace("mycompany", "user:pass@mycompany")
PUBLISHED = {
    # twilio.com/docs/usage/security; the others: unit tests of Twilio's own libraries.
    "example": (EXAMPLE_URL, EXAMPLE, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    "port that was not signed": (EXAMPLE_URL.replace(".com", ".com:1234"), EXAMPLE, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    "signed with its standard port": (EXAMPLE_URL, EXAMPLE, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    "http, standard port": (EXAMPLE_URL.replace("https", "http"), EXAMPLE, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    "user and password": (WITH_USER, EXAMPLE, "CukzLTc1tT5dXEDIHm/tKBanW10="),
    "user, password, standard port": (WITH_USER, EXAMPLE, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
    "duplicate values": (EXAMPLE_URL, DUPLICATES, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    "json": (JSON_URL, JSON_BODY, "a9nBmqA0ju/hNViExpshrM61xv4="),
}


def is_authentic(body: bytes, signature: str, url: str = EXAMPLE_URL, *secrets: str) -> bool:
    return twilio.is_authentic(body, {"X-Twilio-Signature": signature}, url=url, secrets=secrets or [TOKEN])


def encoded(fields: Any) -> bytes:
    return fields if isinstance(fields, bytes) else urlencode(fields).encode()


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_twilio_signed_is_authentic(name: str):
    url, fields, signature = PUBLISHED[name]
    body = encoded(fields)
    assert is_authentic(body, signature, url)
    assert not is_authentic(body, signature, url, "54321")
    assert not is_authentic(body, signature, f"{url}&x=1")
    assert not is_authentic(body + b"&Digits=9", signature, url)


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://cargo.example/x/", "https://cargo.example/x/"),
        ("https://cargo.example/x/", "https://cargo.example:443/x/"),
        ("https://cargo.example:443/x/", "https://cargo.example/x/"),
        ("https://cargo.example:8443/x/", "https://cargo.example:8443/x/"),
        ("https://cargo.example:8443/x/", "https://cargo.example/x/"),
        ("http://https:80/x/", "http://https/x/"),
        ("https://[::1]:443/x/", "https://[::1]/x/"),
        ("https://[::1]/x/", "https://[::1]:443/x/"),
    ],
)
def test_the_port_may_be_signed_or_not(url: str, signed: str):
    assert is_authentic(b"a=1", sign(f"{signed}a1"), url)
    assert not is_authentic(b"a=1", sign(f"{signed}a1").lower(), url)


@pytest.mark.parametrize(
    "signed", ["http://cargo.example/x/", "https://cargo.example:80/x/", "https://cargo.example/x"]
)
def test_another_address_is_not_ours(signed: str):
    assert not is_authentic(b"a=1", sign(f"{signed}a1"), "https://cargo.example/x/")


def test_a_body_without_fields_is_signed_by_its_address():
    assert is_authentic(b"", sign(EXAMPLE_URL))


def test_empty_values_and_other_alphabets_are_signed_too():
    fields = {"Zoé": "", "Body": "Colis arrivé 📦 & « + » 北京", "a": " "}
    signed = f"{EXAMPLE_URL}BodyColis arrivé 📦 & « + » 北京Zoéa "
    assert is_authentic(encoded(fields), sign(signed))
    assert not is_authentic(encoded({**fields, "Zoé": "x"}), sign(signed))


def test_values_of_one_name_are_sorted_and_counted_once():
    assert is_authentic(b"b=2&a=9&b=10&a=9&b=2", sign(f"{EXAMPLE_URL}a9b10b2"))


@pytest.mark.parametrize("secrets", [["other", TOKEN], [TOKEN, "other"], ["", TOKEN], ["é", TOKEN]])
def test_any_of_our_tokens_will_do(secrets: list[str]):
    assert is_authentic(encoded(EXAMPLE), PUBLISHED["example"][2], EXAMPLE_URL, *secrets)


@pytest.mark.parametrize("secrets", [[], [""], ["other"]])
def test_no_token_makes_nothing_authentic(secrets: list[str]):
    body = encoded(EXAMPLE)
    for signature in (PUBLISHED["example"][2], sign(EXAMPLE_URL + "".join(map("".join, EXAMPLE.items())), "")):
        assert not twilio.is_authentic(body, {"X-Twilio-Signature": signature}, url=EXAMPLE_URL, secrets=secrets)


@pytest.mark.parametrize("signature", ["", "=", "é\udcff", PUBLISHED["example"][2][:-1], "x" * 10_000])
def test_another_signature_is_not_authentic(signature: str):
    assert not is_authentic(encoded(EXAMPLE), signature)


def test_a_missing_header_is_not_authentic():
    assert not twilio.is_authentic(b"", {}, url=EXAMPLE_URL, secrets=[TOKEN])
    assert not twilio.is_authentic(b"", {"X-Twilio-Signature": sign("")}, secrets=["another"])


def test_a_json_body_is_believed_only_with_its_own_hash():
    signature = PUBLISHED["json"][2]
    assert not is_authentic(JSON_BODY.replace(b"true", b"false"), signature, JSON_URL)
    assert not is_authentic(JSON_BODY, sign(EXAMPLE_URL), EXAMPLE_URL)
    assert not is_authentic(JSON_BODY, sign(f"{EXAMPLE_URL}&bodySHA256="), f"{EXAMPLE_URL}&bodySHA256=")


@pytest.mark.parametrize("url", ["", "x", "https://[::1", "https://cargo.example:99999/", "https://cargo.example:x/"])
def test_no_address_is_no_reason_to_fail(url: str):
    assert not is_authentic(b"a=1", sign(f"{url}a2"), url)


def test_a_million_fields_are_refused_without_being_sorted():
    assert not is_authentic(b"a&" * 1_000_000, sign(f"{EXAMPLE_URL}a"))


# --- Among the providers


def test_twilio_is_spoken_and_can_be_chosen_for_a_sender():
    assert isinstance(providers.get("twilio"), Twilio)
    assert Twilio.code == WhatsAppSender.Provider.TWILIO
    assert (twilio.has_receipts, twilio.has_window, twilio.can_be_asked, twilio.text_limit) == (True, True, True, 1600)
