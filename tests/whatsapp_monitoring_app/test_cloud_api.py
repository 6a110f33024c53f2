"""The dialect of WhatsApp Cloud API: what is written, and what is understood of the answers."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import TEXT, accepted, json_answer, refused
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.base import Accepted, HttpAnswer, Refused, Uncertain
from whatsapp_monitoring_app.providers.cloud_api import CODES_BY_CLASS, CloudApi

ACCOUNT = base.Account("106540352242922", "EAAsecret")
MESSAGE = base.Message(to="+22376123456", content=content.Text(TEXT), tracking="4f2b")
LINK = "https://cargo.example/recu.pdf"
cloud_api = CloudApi()


def error_of(answer: HttpAnswer) -> base.ProviderError:
    outcome = cloud_api.read(answer)
    assert isinstance(outcome, Refused), outcome
    return outcome.error


@override_settings(WHATSAPP_CLOUD_API_URL="https://graph.example", WHATSAPP_CLOUD_API_VERSION="v26.0")
def test_the_request_is_what_meta_documents():
    request = cloud_api.build(ACCOUNT, MESSAGE)

    assert request.url == "https://graph.example/v26.0/106540352242922/messages"
    assert request.headers == {"Authorization": "Bearer EAAsecret", "Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+22376123456",
        "type": "text",
        "text": {"body": TEXT, "preview_url": False},
        "biz_opaque_callback_data": "4f2b",
    }


def body_of(what: content.Content, **more: str) -> dict[str, Any]:
    return json.loads(cloud_api.build(ACCOUNT, replace(MESSAGE, content=what, **more)).body)


@pytest.mark.parametrize(
    ("what", "kind", "members"),
    [
        (content.Image(LINK), "image", {"link": LINK}),
        (content.Image(LINK, "Reçu 📦"), "image", {"link": LINK, "caption": "Reçu 📦"}),
        (content.Document(LINK), "document", {"link": LINK}),
        (
            content.Document(LINK, "reçu.pdf", "Voici"),
            "document",
            {"link": LINK, "filename": "reçu.pdf", "caption": "Voici"},
        ),
    ],
)
def test_an_image_and_a_document_are_what_meta_documents(what: content.Content, kind: str, members: dict[str, str]):
    assert body_of(what) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+22376123456",
        "type": kind,
        kind: members,
        "biz_opaque_callback_data": "4f2b",
    }


def test_an_answer_names_the_message_that_it_answers():
    assert body_of(content.Text("Oui"), reply_to="wamid.HBgL==")["context"] == {"message_id": "wamid.HBgL=="}
    assert "context" not in body_of(content.Text("Oui"))


def template(name: str = "colis_arrive", **parts: Any) -> dict[str, Any]:
    body = body_of(content.Template(name, "fr_FR", text=TEXT, **parts))
    assert (body["type"], body["to"], body["biz_opaque_callback_data"]) == ("template", "+22376123456", "4f2b")
    assert "text" not in body
    return body["template"]


def test_a_template_without_variables_has_no_components():
    assert template() == {"name": "colis_arrive", "language": {"policy": "deterministic", "code": "fr_FR"}}
    assert template(body={}) == template()


def test_the_values_of_a_template_stand_in_order():
    assert template(body=("Awa", "TS1A2B3C4D")) == {
        "name": "colis_arrive",
        "language": {"policy": "deterministic", "code": "fr_FR"},
        "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "Awa"}, {"type": "text", "text": "TS1A2B3C4D"}]}
        ],
    }


def test_the_values_of_a_template_may_have_names():
    parameters = [
        {"type": "text", "parameter_name": "prenom", "text": "Awa"},
        {"type": "text", "parameter_name": "colis", "text": "TS1A2B3C4D"},
    ]
    components = template(body={"prenom": "Awa", "colis": "TS1A2B3C4D"})["components"]
    assert components == [{"type": "body", "parameters": parameters}]


@pytest.mark.parametrize(
    ("header", "parameter"),
    [
        (content.Text("Bamako"), {"type": "text", "text": "Bamako"}),
        (content.Image(LINK, "left out"), {"type": "image", "image": {"link": LINK}}),
        (content.Document(LINK), {"type": "document", "document": {"link": LINK}}),
        (
            content.Document(LINK, "reçu.pdf", "left out"),
            {"type": "document", "document": {"link": LINK, "filename": "reçu.pdf"}},
        ),
    ],
)
def test_a_template_may_have_a_header_whose_media_bear_no_caption(
    header: content.Text | content.Image | content.Document, parameter: dict[str, Any]
):
    assert template(header=header)["components"] == [{"type": "header", "parameters": [parameter]}]


def test_the_variable_of_a_header_may_have_a_name():
    (component,) = template(header=content.Text("Bamako"), header_name="ville")["components"]
    assert component["parameters"] == [{"type": "text", "parameter_name": "ville", "text": "Bamako"}]


def test_a_templates_buttons_carry_what_varies_in_them():
    components = template(buttons=(content.UrlButton(0, "TS1A2B3C4D"), content.QuickReply(2, "stop")))["components"]
    assert components == [
        {
            "type": "button",
            "sub_type": "url",
            "index": "0",
            "parameters": [{"type": "text", "text": "TS1A2B3C4D"}],
        },
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "2",
            "parameters": [{"type": "payload", "payload": "stop"}],
        },
    ]


def test_the_components_come_in_the_order_of_the_template():
    parts = template(header=content.Text("Bamako"), body=("Awa",), buttons=(content.UrlButton(1, "x"),))
    assert [component["type"] for component in parts["components"]] == ["header", "body", "button"]


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (content.Template("", "fr"), "template.name"),
        (content.Template("t", ""), "template.language"),
        (content.Template("t", "fr", ("Awa", " ")), "template.body"),
        (content.Template("t", "fr", {"prenom": ""}), "template.body"),
        (content.Template("t", "fr", ("two\nlines",)), "template.body"),
        (content.Template("t", "fr", ("a\ttab",)), "template.body"),
        (content.Template("t", "fr", ("five     spaces",)), "template.body"),
        (content.Template("t", "fr", header=content.Text("")), "template.header"),
        (content.Template("t", "fr", header=content.Image("http://cargo.example/a.png")), "template.header.link"),
        (content.Template("t", "fr", header=content.Document(LINK, "a.docx")), "template.header.filename"),
        (content.Template("t", "fr", header=content.Text("x" * 61)), "template.header"),
        (content.Template("t", "fr", header=content.Text("two\nlines")), "template.header"),
        (content.Template("t" * 513, "fr"), "template.name"),
        (content.Template("t", "fr", {"": "Awa"}), "template.body"),
        (content.Template("t", "fr", ("x" * 32769,)), "template.body"),
        (content.Template("t", "fr", ("x" * 1025,), header=content.Text("Bamako")), "template.body"),
        (content.Template("t", "fr", ("x" * 1025,), buttons=(content.UrlButton(0, "x"),)), "template.body"),
        (content.Template("t", "fr", buttons=(content.UrlButton(0, ""),)), "template.buttons"),
        (content.Template("t", "fr", buttons=(content.UrlButton(0, "x" * 2001),)), "template.buttons"),
        (content.Template("t", "fr", buttons=(content.UrlButton(10, "x"),)), "template.buttons"),
        (content.Template("t", "fr", buttons=(content.UrlButton(-1, "x"),)), "template.buttons"),
        (content.Template("t", "fr", buttons=(content.QuickReply(0, " "),)), "template.buttons"),
        (
            content.Template("t", "fr", buttons=(content.QuickReply(1, "stop"), content.UrlButton(1, "x"))),
            "template.buttons",
        ),
        (content.Image("https://"), "image.link"),
        (content.Image("https://[::1"), "image.link"),
        (content.Document(LINK, caption="x" * 1025), "document.caption"),
    ],
)
def test_what_meta_would_refuse_is_refused_here(what: content.Content, field: str):
    with pytest.raises(content.Unsendable) as refusal:
        body_of(what)
    assert refusal.value.field == field
    assert str(refusal.value).startswith(f"{field}: ")


def test_what_meta_just_takes_is_sent():
    template(
        name="t" * 512,
        header=content.Text("x" * 60),
        body=("x" * 1024, "four    spaces"),
        buttons=(content.UrlButton(0, "x" * 2000), content.QuickReply(9, "stop")),
    )
    template(body=("x" * 32768,))


@override_settings(WHATSAPP_CLOUD_API_VERSION="v99.0")
def test_the_version_is_configuration():
    assert "/v99.0/" in cloud_api.build(ACCOUNT, MESSAGE).url


def test_the_token_is_in_one_header_and_nowhere_else():
    request = cloud_api.build(ACCOUNT, MESSAGE)
    assert [name for name, value in request.headers.items() if "EAAsecret" in value] == ["Authorization"]
    assert "EAAsecret" not in request.url
    assert b"EAAsecret" not in request.body


def test_what_is_printed_shows_neither_token_nor_text():
    for thing in (ACCOUNT, MESSAGE, cloud_api.build(ACCOUNT, MESSAGE)):
        assert "EAAsecret" not in repr(thing)
        assert TEXT not in repr(thing)
        assert "Bamako" not in repr(thing)


def test_an_accepted_message_has_an_id_and_perhaps_another_number():
    assert cloud_api.read(accepted("wamid.A==", "22376123457")) == Accepted("wamid.A==", "22376123457")


@pytest.mark.parametrize(
    "contacts", [None, [], [{}], [None], {}, [{"user_id": "ML.123"}], [{"wa_id": None}], [{"wa_id": {"a": 1}}], "x"]
)
def test_a_message_is_accepted_without_a_whatsapp_number(contacts: object):
    answer = json_answer(200, {"contacts": contacts, "messages": [{"id": "wamid.A"}]})
    assert cloud_api.read(answer) == Accepted("wamid.A", "")


def test_an_accepted_id_fits_into_its_column():
    outcome = cloud_api.read(accepted("wamid." + "A" * 500, "2" * 500))
    assert isinstance(outcome, Accepted)
    assert len(outcome.provider_message_id) == 200
    assert len(outcome.wa_id) == 40


NO_ID: list[Any] = [
    None,
    [],
    {},
    "wamid.A",
    [None],
    ["wamid.A"],
    [{}],
    [{"id": None}],
    [{"id": ""}],
    [{"id": 7}],
    [{"id": {}}],
]
WITHOUT_ID = [
    b"", b"OK", b"<html>", b"null", b"[]", b"7", b'"wamid.A"', b"{}", b"\xff\xfe", b"{" * 50, b"[" * 200_000,
    *[json.dumps({"messages": messages}).encode() for messages in NO_ID],
]  # fmt: skip


@pytest.mark.parametrize("body", WITHOUT_ID, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_without_a_message_id_is_uncertain(status: int, body: bytes):
    assert isinstance(cloud_api.read(HttpAnswer(status, body)), Uncertain)


# A copy of the intended table, by code.
INTENDED: dict[str, list[int]] = {
    "transient": [2, 131016, 131057, 133004],
    "transient_capped": [1, 131000, 131053],
    "throttle_sender": [4, 613, 80007, 80008, 130429],
    "throttle_pair": [131056],
    "recipient_permanent": [130403, 130472, 130497, 131021, 131026, 131030, 131062],
    "recipient_temporary": [131036, 131049, 137000],
    "opt_out": [131050],
    "window_closed": [131047],
    "message_permanent": [
        100, 131008, 131009, 131014, 131043, 131051, 131055, 132000, 132005, 132008, 132012, 132018, 135000,
    ],
    "template_stop": [131063, 132001, 132007, 132015, 132016, 132068, 132069],
    "account_stop": [
        0, 3, 10, 33, 104, 190, 200, 210, 299, 368, 131005, 131031, 131037, 131042, 131044, 131045, 133010, 134011,
    ],
    "account_slow": [131048, 131064],
}  # fmt: skip
CODES = [(code, error_class) for error_class, codes in INTENDED.items() for code in codes]


@pytest.mark.parametrize("http_status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(("code", "error_class"), CODES)
def test_a_known_code_decides_whatever_the_http_status(code: int, error_class: str, http_status: int):
    assert error_of(refused(code, http_status)).error_class == error_class
    assert error_of(refused(str(code), http_status)).error_class == error_class


def test_the_table_names_every_code_once_and_no_other():
    codes = [code for codes in CODES_BY_CLASS.values() for code in codes]
    assert len(codes) == len(set(codes))
    assert {code for code in codes if not 200 <= code < 300} == {code for code, _ in CODES if not 200 <= code < 300}


def test_a_refusal_keeps_the_providers_own_words():
    error = error_of(refused(131026))
    assert (error.code, error.message) == ("131026", "(#131026) No – Some detail.")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "No", "error_data": "a text"}, "No – a text"),
        ({"message": "No", "error_data": {"details": "No"}}, "No"),
        ({"title": "Title"}, "Title"),
        ({"message": None, "title": "Title", "error_data": None}, "Title"),
        ({"message": "N\x00o"}, "No"),
        ({"message": "half \ud83d"}, "half ?"),
        ({"message": {"de": "Nein"}, "error_data": {"details": ["x"]}}, ""),
        ({"message": "m" * 5000}, "m" * 2000),
    ],
)
def test_the_message_is_found_where_meta_puts_it(error: dict[str, Any], message: str):
    assert error_of(json_answer(400, {"error": {"code": 131026, **error}})).message == message


@pytest.mark.parametrize("code", [100, "100"])
@pytest.mark.parametrize("subcode", [33, "33"])
def test_an_account_id_that_is_not_ours_stops_the_sender(code: object, subcode: object):
    answer = json_answer(400, {"error": {"code": code, "error_subcode": subcode, "message": "Unsupported post"}})
    assert error_of(answer).error_class == ErrorClass.ACCOUNT_STOP


def test_another_subcode_decides_nothing():
    answer = json_answer(400, {"error": {"code": 100, "error_subcode": 2018001, "message": "No"}})
    assert error_of(answer).error_class == ErrorClass.MESSAGE_PERMANENT


BY_HTTP_STATUS = [
    (400, ErrorClass.UNKNOWN),
    (401, ErrorClass.ACCOUNT_STOP),
    (403, ErrorClass.ACCOUNT_STOP),
    (404, ErrorClass.UNKNOWN),
    (429, ErrorClass.THROTTLE_SENDER),
    (500, ErrorClass.TRANSIENT_CAPPED),
    (503, ErrorClass.TRANSIENT_CAPPED),
]


@pytest.mark.parametrize("code", [999_999, "something", None, True, -1, 1.5, {"a": 1}, "9" * 90])
@pytest.mark.parametrize(("http_status", "error_class"), BY_HTTP_STATUS)
def test_an_unknown_code_is_judged_by_its_http_status(code: object, http_status: int, error_class: ErrorClass):
    error = error_of(json_answer(http_status, {"error": {"code": code}}))
    assert error.error_class == error_class
    assert len(error.code) <= 40


def test_an_unknown_error_that_says_it_will_pass_is_tried_again():
    def answer(**more: object) -> HttpAnswer:
        return json_answer(400, {"error": {"code": 999_999, **more}})

    assert error_of(answer(is_transient=True)).error_class == ErrorClass.TRANSIENT_CAPPED
    assert error_of(answer(is_transient=False)).error_class == ErrorClass.UNKNOWN
    assert error_of(answer(is_transient="true")).error_class == ErrorClass.UNKNOWN


def test_a_known_error_does_not_become_transient_by_saying_so():
    answer = json_answer(400, {"error": {"code": 131026, "is_transient": True}})
    assert error_of(answer).error_class == ErrorClass.RECIPIENT_PERMANENT


UNEXPLAINED = [b"", b"<html><h1>502 Bad Gateway</h1></html>", b"Bad Gateway", b'{"error": "down"}', b'{"error": {}}',
               b'{"error": null}', b"[]", b"null", b"\xff\x00", b"[" * 200_000]  # fmt: skip


@pytest.mark.parametrize("body", UNEXPLAINED, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_error_or_time_out_without_an_explanation_is_uncertain(status: int, body: bytes):
    assert isinstance(cloud_api.read(HttpAnswer(status, body)), Uncertain)


@pytest.mark.parametrize("body", UNEXPLAINED, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (302, ErrorClass.NOT_CONFIGURED),
        (307, ErrorClass.NOT_CONFIGURED),
        (400, ErrorClass.UNKNOWN),
        (401, ErrorClass.ACCOUNT_STOP),
        (403, ErrorClass.GATEWAY_REFUSAL),
        (407, ErrorClass.GATEWAY_REFUSAL),
        (410, ErrorClass.NOT_CONFIGURED),
        (421, ErrorClass.GATEWAY_REFUSAL),
        (451, ErrorClass.GATEWAY_REFUSAL),
        (404, ErrorClass.NOT_CONFIGURED),
        (405, ErrorClass.NOT_CONFIGURED),
        (429, ErrorClass.THROTTLE_SENDER),
    ],
)
def test_another_refusal_without_an_explanation_is_judged_by_its_status(
    status: int, error_class: ErrorClass, body: bytes
):
    error = error_of(HttpAnswer(status, body, timedelta(seconds=9)))
    assert (error.error_class, error.code, error.retry_after) == (error_class, "", timedelta(seconds=9))
    assert str(status) in error.message


def test_retry_after_goes_with_the_error():
    assert error_of(refused(130429, 429, timedelta(seconds=40))).retry_after == timedelta(seconds=40)
    assert error_of(refused(130429)).retry_after is None


def test_the_excerpt_of_an_answer_fits_into_the_database():
    assert HttpAnswer(200, b"a\x00b").excerpt == "ab"
    assert HttpAnswer(200, b"\xff").excerpt == "\ufffd"
    assert len(HttpAnswer(200, "é".encode() * 9000).excerpt) == 4000
