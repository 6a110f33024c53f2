"""What Meta posts: which receipts are in a payload, and whether Meta wrote it."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers.base import Kind, PreferenceEvent, ProviderError, ReceiptEvent
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

cloud_api = CloudApi()

MINIMAL = {"id": "wamid.HBgL==", "status": "sent", "timestamp": "1750030073", "recipient_id": "22376123456"}
FAILED = {
    "id": "wamid.HBgM==",
    "status": "failed",
    "timestamp": "1751142888",
    "recipient_id": "22376123456",
    "biz_opaque_callback_data": "our code",
    "errors": [
        {
            "code": 131049,
            "title": "This message was not delivered.",
            "message": "This message was not delivered.",
            "error_data": {"details": "In order to maintain a healthy ecosystem engagement, it failed."},
            "href": "/documentation/business-messaging/whatsapp/support/error-codes",
        }
    ],
}


def value(*statuses: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    return {"messaging_product": "whatsapp", "metadata": metadata, "statuses": list(statuses)}


def payload(*values: Any) -> dict[str, Any]:
    changes = [{"value": value, "field": "messages"} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}


def receipts(*statuses: Any) -> list[ReceiptEvent]:
    # Through JSON, as a webhook comes.
    return cloud_api.receipts(json.loads(json.dumps(payload(value(*statuses)))))


def test_a_minimal_receipt_of_version_24_is_understood():
    assert receipts(MINIMAL) == [
        ReceiptEvent("wamid.HBgL==", Kind.SENT, "sent", datetime(2025, 6, 15, 23, 27, 53, tzinfo=UTC))
    ]


def test_a_failure_brings_its_reason_and_our_code():
    (receipt,) = receipts(FAILED)
    assert (receipt.status, receipt.tracking) == (Kind.FAILED, "our code")
    assert receipt.error == ProviderError(
        ErrorClass.RECIPIENT_TEMPORARY,
        "131049",
        "This message was not delivered. – In order to maintain a healthy ecosystem engagement, it failed.",
    )


@pytest.mark.parametrize(
    ("errors", "error_class"),
    [
        ([{"code": 131026}], ErrorClass.RECIPIENT_PERMANENT),
        ([{"code": "131026", "title": "x"}, {"code": 190}], ErrorClass.RECIPIENT_PERMANENT),
        ([{"code": 999_999}], ErrorClass.UNKNOWN),
        ([{}], ErrorClass.UNKNOWN),
    ],
)
def test_a_failure_may_say_little(errors: list[Any], error_class: ErrorClass):
    (receipt,) = receipts(FAILED | {"errors": errors})
    assert receipt.error
    assert receipt.error.error_class == error_class


@pytest.mark.parametrize("errors", [None, [], {}, "x", [None], [[]]])
def test_a_failure_without_a_reason_is_still_a_failure(errors: object):
    (receipt,) = receipts(FAILED | {"errors": errors})
    assert (receipt.status, receipt.error) == (Kind.FAILED, None)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("sent", Kind.SENT),
        ("delivered", Kind.DELIVERED),
        ("read", Kind.READ),
        ("played", Kind.READ),
        ("failed", Kind.FAILED),
        ("deleted", Kind.UNKNOWN),
        ("Sent", Kind.UNKNOWN),
        ("w" * 400, Kind.UNKNOWN),
        (7, Kind.UNKNOWN),
    ],
)
def test_metas_words_become_ours_and_the_word_is_kept(word: object, kind: Kind):
    (receipt,) = receipts(MINIMAL | {"status": word})
    assert (receipt.status, receipt.raw_status) == (kind, str(word)[:40])


def test_a_payload_may_hold_several_entries_changes_and_statuses():
    one, two = payload(value(MINIMAL, FAILED), value(MINIMAL | {"id": "3"})), payload(value(MINIMAL | {"id": "4"}))
    events = cloud_api.receipts({"entry": one["entry"] + two["entry"]})
    assert [event.provider_message_id for event in events] == ["wamid.HBgL==", "wamid.HBgM==", "3", "4"]


@pytest.mark.parametrize("word", ["accounts", "messages", "errors"])
def test_other_news_of_meta_holds_no_receipt(word: str):
    assert cloud_api.receipts(payload({"messaging_product": "whatsapp", word: [{"id": "x", "code": 1}]})) == []


@pytest.mark.parametrize("member", ["id", "status", "timestamp"])
@pytest.mark.parametrize("missing", ["absent", None, "", [], {}])
def test_a_receipt_without_id_word_or_time_is_left_out_alone(member: str, missing: object):
    broken = dict(MINIMAL, **{member: missing})
    if missing == "absent":
        del broken[member]
    assert [receipt.provider_message_id for receipt in receipts(broken, FAILED)] == ["wamid.HBgM=="]


@pytest.mark.parametrize("timestamp", [1750030073, "1750030073", 1750030073.9, " 1750030073 "])
def test_the_time_may_be_a_text_or_a_number(timestamp: object):
    assert receipts(MINIMAL | {"timestamp": timestamp}) == receipts(MINIMAL)


@pytest.mark.parametrize(
    "timestamp",
    ["soon", "1e9", 10**30, "9" * 5000, -(10**30), float("inf"), float("nan"), 1750030073000, [1], {"t": 1}],
)
def test_an_impossible_time_leaves_only_its_receipt_out(timestamp: object):
    assert [receipt.status for receipt in receipts(MINIMAL | {"timestamp": timestamp}, FAILED)] == [Kind.FAILED]


NO_STATUSES: list[Any] = [None, {}, "x", 7, [None, 7, "x", [], {}]]
HOSTILE: list[Any] = [
    {}, {"entry": None}, {"entry": {}}, {"entry": "x"}, {"entry": 7}, {"entry": [None, 7, "x", [], {}]},
    {"entry": [{"changes": None}, {"changes": {}}, {"changes": [None, 7, [], {}]}]},
    {"entry": [{"changes": [{"value": None}, {"value": []}, {"value": "x"}, {"value": {}}]}]},
    *[payload({"statuses": statuses}) for statuses in NO_STATUSES],
    *[payload({"user_preferences": choices}) for choices in NO_STATUSES],
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_payload_of_another_shape_holds_nothing(hostile: dict[str, Any]):
    assert cloud_api.receipts(hostile) == []
    assert cloud_api.inbound(hostile) == []
    assert cloud_api.preferences(hostile) == []


def test_a_hostile_neighbour_costs_no_receipt():
    entries = [entry for hostile in HOSTILE if isinstance(hostile.get("entry"), list) for entry in hostile["entry"]]
    assert len(cloud_api.receipts({"entry": [*entries, *payload(value(None, MINIMAL))["entry"]]})) == 1


def test_texts_are_cut_and_cleaned_until_postgresql_takes_them():
    (receipt,) = receipts(
        {
            "id": "wamid\x00" + "A" * 900 + "\ud800",
            "status": "s\x00ent",
            "timestamp": "1750030073",
            "biz_opaque_callback_data": "\ud800" + "t" * 900,
            "errors": [{"code": "1\x00" + "c" * 90, "message": "m\x00\udfff", "error_data": {"details": "d\x00"}}],
        }
    )
    assert receipt.error
    assert receipt.raw_status == "sent"
    assert [len(receipt.provider_message_id), len(receipt.tracking), len(receipt.error.code)] == [200, 512, 40]
    for text in (receipt.provider_message_id, receipt.tracking, receipt.error.code, receipt.error.message):
        assert "\x00" not in text
        assert text.encode()


# From Meta's page on the webhook field user_preferences.
STOP = {
    "wa_id": "22376123456",
    "detail": "User requested to stop marketing messages",
    "category": "marketing_messages",
    "value": "stop",
    "timestamp": 1731705721,
}
RESUME = STOP | {"detail": "User requested to resume marketing messages", "value": "resume", "timestamp": "1731705999"}


def preferences(*choices: Any, **members: Any) -> list[PreferenceEvent]:
    contacts = [{"profile": {"name": "Awa"}, "wa_id": "22376123456"}]
    held = {**value(), "contacts": contacts, "user_preferences": list(choices), **members}
    return cloud_api.preferences(json.loads(json.dumps(payload(held))))


def test_the_choices_of_a_person_are_understood():
    stop, resume = preferences(STOP, RESUME)
    assert stop == PreferenceEvent(
        phone_number="+22376123456",
        wants_messages=False,
        reason="User requested to stop marketing messages",
        occurred_at=datetime(2024, 11, 15, 21, 22, 1, tzinfo=UTC),
        profile_name="Awa",
        account_id="106540352242922",
    )
    assert (resume.wants_messages, resume.occurred_at.timestamp()) == (True, 1731705999)


def test_each_choice_has_an_id_of_its_own_which_is_the_same_every_time():
    events = preferences(STOP, RESUME, STOP | {"timestamp": 1731705722}, STOP | {"wa_id": "22376123457"}, STOP)
    ids = [event.provider_message_id for event in events]
    assert len(set(ids)) == 4
    assert ids[0] == ids[4]
    assert max(map(len, ids)) <= 200


@pytest.mark.parametrize("member", ["wa_id", "category", "value", "timestamp"])
@pytest.mark.parametrize("missing", ["absent", None, "", [], {}, "soon"], ids=repr)
def test_a_choice_that_is_not_understood_is_left_out_alone(member: str, missing: object):
    broken = dict(STOP, **{member: missing})
    if missing == "absent":
        del broken[member]
    assert [event.wants_messages for event in preferences(broken, RESUME)] == [True]


@pytest.mark.parametrize(
    "members", [{"contacts": None}, {"contacts": [None, {"profile": "x"}]}, {"metadata": []}], ids=repr
)
def test_a_choice_needs_neither_a_name_nor_our_number(members: dict[str, Any]):
    (event,) = preferences(STOP, **members)
    assert (event.phone_number, event.wants_messages) == ("+22376123456", False)
    assert (event.profile_name == "", event.account_id == "") == ("contacts" in members, "metadata" in members)


@pytest.mark.parametrize("detail", [None, [], 7, "x\x00" + "y" * 900], ids=["none", "list", "number", "too long"])
def test_the_reason_of_a_choice_is_cut_and_cleaned_until_postgresql_takes_it(detail: object):
    (event,) = preferences(STOP | {"detail": detail})
    assert len(event.reason) <= 200
    assert "\x00" not in event.reason


SECRET = "app secret"
# As Meta writes it: non-ASCII, "/" and "@" escaped, so that a parser and writer of ours would change the bytes.
BODY = b'{"entry":[],"note":"Traor\\u00e9 \\/ \\u0040"}'


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@override_settings(WHATSAPP_CLOUD_APP_SECRET=SECRET)
@pytest.mark.parametrize("body", [BODY, b"", "Traoré 📦".encode(), b"\xff\xfe\x00"])
def test_a_body_signed_with_the_app_secret_is_authentic(body: bytes):
    assert cloud_api.is_authentic(body, {"X-Hub-Signature-256": sign(body)})


@override_settings(WHATSAPP_CLOUD_APP_SECRET=SECRET)
@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        sign(BODY, "another secret"),
        sign(BODY, ""),
        sign(BODY + b" "),
        sign(json.dumps(json.loads(BODY)).encode()),
        sign(BODY).removeprefix("sha256="),
        sign(BODY).upper(),
        sign(BODY).replace("sha256", "sha1"),
        sign(BODY)[:-1],
        sign(BODY) + "0",
        "sha256=é\udcff",
    ],
)
def test_another_signature_is_not_authentic(signature: str):
    assert not cloud_api.is_authentic(BODY, {"X-Hub-Signature-256": signature})


@override_settings(WHATSAPP_CLOUD_APP_SECRET=SECRET)
def test_a_missing_or_older_signature_is_not_authentic():
    old = "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
    assert not cloud_api.is_authentic(BODY, {})
    assert not cloud_api.is_authentic(BODY, {"X-Hub-Signature": old})
