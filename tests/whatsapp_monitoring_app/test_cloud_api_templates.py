"""The list of templates as Meta gives it, page by page."""

import json
import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import json_answer, refused
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import base
from whatsapp_monitoring_app.providers.base import HttpAnswer, ProviderError, TemplateFacts, TemplatePage
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

ACCOUNT = base.Account("106540352242922", "EAAsecret", business_account_id="102290129340398")
cloud_api = CloudApi()

ARRIVED = {
    "name": "colis_arrive",
    "language": "fr",
    "status": "APPROVED",
    "category": "UTILITY",
    "parameter_format": "POSITIONAL",
    "quality_score": {"score": "GREEN", "date": 1758412800},
    "rejected_reason": "NONE",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Colis {{1}}", "example": {"header_text": ["TS1A2B3C4D"]}},
        {
            "type": "BODY",
            "text": "Bonjour {{1}}, votre colis {{2}} est à {{3}}. {{2}} vous attend.",
            "example": {"body_text": [["Awa", "TS1A2B3C4D", "Bamako"]]},
        },
        {"type": "FOOTER", "text": "TS Air Cargo"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Merci"},
                {"type": "URL", "text": "Suivre", "url": "https://cargo.example/suivi/{{1}}", "example": ["x"]},
                {"type": "URL", "text": "Site", "url": "https://cargo.example/"},
                {"type": "PHONE_NUMBER", "text": "Appeler", "phone_number": "+22370000000"},
            ],
        },
    ],
    "id": "1689556908129832",
}
NAMED = {
    "name": "facture",
    "language": "fr",
    "status": "REJECTED",
    "category": "UTILITY",
    "parameter_format": "NAMED",
    "rejected_reason": "INVALID_FORMAT",
    "components": [
        {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": ["https://scontent.example/x"]}},
        {"type": "BODY", "text": "Bonjour {{prenom}}, {{ montant }} pour {{colis_1}}. Merci {{prenom}}."},
    ],
    "id": "1689556908129833",
}


def answer(*entries: Any, **members: Any) -> HttpAnswer:
    return json_answer(200, {"data": list(entries), **members})


def read(*entries: Any, **members: Any) -> TemplatePage:
    page = cloud_api.read_templates(answer(*entries, **members))
    assert isinstance(page, TemplatePage), page
    return page


def facts(entry: dict[str, Any], **members: Any) -> TemplateFacts:
    (one,) = read({**entry, **members}).templates
    return one


@override_settings(WHATSAPP_CLOUD_API_URL="https://graph.example", WHATSAPP_CLOUD_API_VERSION="v26.0")
def test_a_page_of_templates_is_asked_for():
    request = cloud_api.templates_request(ACCOUNT, after="MAZDZD=&x")
    assert request
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers == {"Authorization": "Bearer EAAsecret"}
    assert request.url.startswith("https://graph.example/v26.0/102290129340398/message_templates?")
    assert parse_qs(urlsplit(request.url).query) == {
        "fields": ["name,language,status,category,quality_score,rejected_reason,parameter_format,components"],
        "limit": ["50"],
        "after": ["MAZDZD=&x"],
    }


def test_the_first_page_needs_no_cursor():
    request = cloud_api.templates_request(ACCOUNT)
    assert request
    assert "after" not in request.url


def test_without_the_company_account_there_is_nobody_to_ask():
    assert cloud_api.templates_request(base.Account("106540352242922", "EAAsecret")) is None


def test_a_template_with_numbered_variables_is_understood():
    assert facts(ARRIVED) == TemplateFacts(
        name="colis_arrive",
        language="fr",
        status="APPROVED",
        category="UTILITY",
        quality="GREEN",
        body_variables=("1", "2", "3"),
        header="TEXT",
        header_variables=("1",),
        url_buttons=(1,),
    )


def test_a_template_with_named_variables_is_understood():
    assert facts(NAMED) == TemplateFacts(
        name="facture",
        language="fr",
        status="REJECTED",
        category="UTILITY",
        reason="INVALID_FORMAT",
        body_variables=("prenom", "montant", "colis_1"),
        has_named_variables=True,
        header="DOCUMENT",
    )


def body(text: str) -> list[dict[str, str]]:
    return [{"type": "BODY", "text": text}]


@pytest.mark.parametrize(
    ("parameter_format", "text", "variables", "is_named"),
    [
        ("POSITIONAL", "{{10}} {{2}} {{1}} {{2}}", ("1", "2", "10"), False),
        ("POSITIONAL", "no variable", (), False),
        ("POSITIONAL", "{{prenom}} is no variable here", (), False),
        ("positional", "{{1}}", ("1",), False),
        ("named", "{{b}} {{a}} {{b}}", ("b", "a"), True),
        ("NAMED", "no variable", (), True),
        # Templates from before variables had names do not say.
        (None, "{{2}} {{1}}", ("1", "2"), False),
        (None, "{{b}} {{a}}", ("b", "a"), True),
        (None, "no variable", (), False),
        ("POSITIONAL", "{1} {{}} {{ }} {{1", (), False),
        ("POSITIONAL", "{{" + "9" * 5000 + "}}", (), False),
    ],
)
def test_the_variables_are_found_in_the_text(
    parameter_format: str | None, text: str, variables: tuple[str, ...], is_named: bool
):
    found = facts(ARRIVED, parameter_format=parameter_format, components=body(text))
    assert (found.body_variables, found.has_named_variables) == (variables, is_named)


@pytest.mark.parametrize("kind", ["IMAGE", "DOCUMENT", "VIDEO", "LOCATION", "GIF"])
def test_a_header_of_another_kind_has_no_variables(kind: str):
    found = facts(ARRIVED, components=[{"type": "HEADER", "format": kind}, *body("Bonjour")])
    assert (found.header, found.header_variables) == (kind, ())


def test_words_in_small_letters_are_the_same_words():
    components = [{"type": "header", "format": "text", "text": "{{1}}"}, {"type": "body", "text": "{{1}}"}]
    found = facts(ARRIVED, status="approved", category="utility", components=components)
    assert (found.status, found.category, found.header) == ("APPROVED", "UTILITY", "TEXT")
    assert (found.body_variables, found.header_variables) == (("1",), ("1",))


@pytest.mark.parametrize(
    ("score", "quality"),
    [
        ({"score": "YELLOW"}, "YELLOW"), ({"score": "UNKNOWN", "date": 1}, "UNKNOWN"), ("RED", "RED"), (None, ""),
        ({}, ""), ([], ""), ({"score": {}}, ""),
    ],
)  # fmt: skip
def test_the_quality_may_be_missing(score: object, quality: str):
    assert facts(ARRIVED, quality_score=score).quality == quality


@pytest.mark.parametrize("status", ["PAUSED", "DISABLED", "IN_APPEAL", "A_NEW_WORD"])
def test_the_status_is_metas_own_word(status: str):
    assert facts(ARRIVED, status=status).status == status


def test_a_language_is_written_as_it_is_sent():
    assert facts(ARRIVED, language="pt-BR").language == "pt_BR"


@pytest.mark.parametrize(
    "buttons",
    [None, {}, "x", [], [None, 7], [{"type": "URL"}], [{"type": "URL", "url": ["{{1}}"]}], [{"url": "{{1}}"}]],
)
def test_odd_buttons_have_no_variable(buttons: object):
    assert facts(ARRIVED, components=[*body("{{1}}"), {"type": "BUTTONS", "buttons": buttons}]).url_buttons == ()


def test_an_odd_button_keeps_its_place():
    buttons = [None, {"type": "URL", "url": "https://cargo.example/{{1}}"}]
    assert facts(ARRIVED, components=[{"type": "BUTTONS", "buttons": buttons}]).url_buttons == (1,)


ODD: list[Any] = [None, "", {}, 0]
BROKEN: list[Any] = [
    None, 7, "x", [], {}, *[{**ARRIVED, "components": odd} for odd in ODD],
    *[{**ARRIVED, name: odd} for name in ("name", "language", "status") for odd in (*ODD[:3], [], " ")],
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: json.dumps(broken)[:60])
def test_a_template_that_is_not_understood_is_left_out_alone(broken: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert [one.name for one in read(broken, NAMED).templates] == ["facture"]
    assert "left out" in caplog.text


@pytest.mark.parametrize("components", [[], [None, 7, "x"], [{}], [{"type": "BODY"}], [{"type": ["BODY"], "text": 1}]])
def test_a_template_may_have_no_parts_that_we_know(components: object):
    found = facts(ARRIVED, components=components)
    assert (found.body_variables, found.header, found.url_buttons) == ((), "", ())


NEXT = "https://graph.facebook.com/v26.0/102290129340398/message_templates?after=QVFI"


@pytest.mark.parametrize(
    ("paging", "after"),
    [
        ({"cursors": {"before": "MAZDZD", "after": "QVFI"}, "next": NEXT}, "QVFI"),
        # The last page has a cursor too.
        ({"cursors": {"before": "MAZDZD", "after": "QVFI"}}, ""),
        ({"cursors": {"after": "QVFI"}, "next": ""}, ""),
        ({"next": NEXT}, ""),
        ({"cursors": [], "next": NEXT}, ""),
        ({"cursors": {"after": {}}, "next": NEXT}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_next_page_has_a_cursor(paging: object, after: str):
    assert read(ARRIVED, paging=paging).after == after


def test_a_company_may_have_no_template():
    assert read() == TemplatePage((), "")


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (refused(190, 401), ErrorClass.ACCOUNT_STOP),
        (refused(80008, 400), ErrorClass.THROTTLE_SENDER),
        (refused(131016, 503), ErrorClass.TRANSIENT),
        (HttpAnswer(502, b"<html>"), ErrorClass.TRANSIENT_CAPPED),
        (HttpAnswer(404, b"<html>"), ErrorClass.NOT_CONFIGURED),
        (json_answer(500, {"data": []}), ErrorClass.TRANSIENT_CAPPED),
        (json_answer(200, {"error": {"code": 190}, "data": []}), ErrorClass.ACCOUNT_STOP),
    ],
)
def test_a_refusal_is_not_an_empty_list(refusal: HttpAnswer, error_class: ErrorClass):
    error = cloud_api.read_templates(refusal)
    assert isinstance(error, ProviderError)
    assert error.error_class == error_class


@pytest.mark.parametrize("text", [b"", b"OK", b"{}", b'{"data": null}', b'{"data": {}}', answer(ARRIVED).body[:-9]])
def test_half_an_answer_is_not_an_empty_list(text: bytes):
    error = cloud_api.read_templates(HttpAnswer(200, text))
    assert isinstance(error, ProviderError)
    assert (error.error_class, error.message) == (ErrorClass.UNKNOWN, "HTTP 200 without templates")
