"""What the sandbox answers to a message: what Meta answers. Everything here goes over real HTTP."""

import pytest

from tests.whatsapp_monitoring_app.sandbox_peers import CUSTOMER, SENDER, Client, template, text_message, typed


def test_a_message_is_accepted_as_meta_accepts_it(quiet: Client) -> None:
    answer = quiet.say(CUSTOMER, "Votre colis est arrivé", biz_opaque_callback_data="n-1")

    assert answer.status_code == 200
    (message,) = quiet.messages
    assert answer.json() == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": CUSTOMER, "wa_id": "22376123456"}],
        "messages": [{"id": message["wamid"]}],
    }
    assert message["wamid"].startswith("wamid.")
    expected = {
        "to": CUSTOMER,
        "wa_id": "22376123456",
        "type": "text",
        "text": "Votre colis est arrivé",
        "tracking": "n-1",
        "phone_number_id": SENDER,
        "status": "accepted",
        "to_had_plus": True,
    }
    assert expected.items() <= message.items()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (template(), "cargo_arrived (fr)"),
        (
            template(
                components=[
                    {
                        "type": "header",
                        "parameters": [{"type": "image", "image": {"link": "https://a.example/i.png"}}],
                    },
                    {"type": "body", "parameters": [{"type": "text", "text": "Awa"}, {"type": "text", "text": "TS1"}]},
                ]
            ),
            "cargo_arrived (fr): https://a.example/i.png, Awa, TS1",
        ),
        (typed("image", link="https://a.example/i.png", caption="Le colis"), "Le colis"),
        (typed("document", link="https://a.example/d.pdf", filename="facture.pdf"), "facture.pdf"),
        (typed("image", id="123"), "media 123"),
    ],
)
def test_it_understands_templates_and_media(quiet: Client, body: dict, text: str) -> None:
    assert quiet.post(body).status_code == 200
    assert [message["text"] for message in quiet.messages] == [text]


@pytest.mark.parametrize("token", [None, "wrong token"])
def test_without_the_right_token_nothing_is_accepted(quiet: Client, token: str | None) -> None:
    answer = quiet.post(text_message(), token=token)

    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("OAuthException", 190)
    assert error["fbtrace_id"]
    assert quiet.messages == []


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"not json", 100, "JSON"),
        ([], 100, "JSON object"),
        ({}, 100, "messaging_product"),
        ({"messaging_product": "sms"}, 100, "messaging_product"),
        ({"messaging_product": "whatsapp"}, 100, "to"),
        (text_message(to=22376123456), 100, "to"),  # type: ignore[arg-type]
        (text_message(to="abc"), 131009, "to"),
        (text_message(to="+123"), 131009, "to"),
        (text_message(text=""), 100, "text['body']"),
        (text_message(text="x" * 4097), 100, "text['body']"),
        (text_message(text=3), 100, "text['body']"),  # type: ignore[arg-type]
        ({**text_message(), "text": "Bonjour"}, 100, "text"),
        (text_message(type="template"), 100, "template"),
        (text_message(type="sticker"), 131051, "type"),
        (text_message(biz_opaque_callback_data="x" * 513), 100, "biz_opaque_callback_data"),
        (typed("image"), 100, "image['link']"),
        (typed("image", link="http://a.example/i.png"), 100, "image['link']"),
        (typed("document", link="https://a.example/d.pdf", caption="x" * 1025), 100, "document['caption']"),
        (template(name=None), 100, "template['name']"),
        (template(language={}), 100, "template['language']['code']"),
        (template(components="body"), 100, "template['components']"),
        (template(components=["body"]), 100, "template['components'][0]"),
        (
            template(components=[{"type": "body", "parameters": [{"type": "text", "text": 3}]}]),
            100,
            "template['components'][0]['parameters'][0]['text']",
        ),
    ],
)
def test_a_wrong_message_is_refused_by_the_name_of_its_fault(
    quiet: Client, body: object, code: int, named: str
) -> None:
    answer = quiet.post(body)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == code
    assert named in error["error_data"]["details"]
    assert quiet.messages == []
    assert [(seen["http_status"], seen["error_code"]) for seen in quiet.requests] == [(400, code)]


@pytest.mark.parametrize(
    ("to", "wa_id"),
    [
        ("+16315551234", "16315551234"),
        ("+1 (631) 555-1234", "16315551234"),
        ("(631) 555-1234", "2236315551234"),
        ("1 (631) 555-1234", "22316315551234"),
        ("22376123456", "22322376123456"),
    ],
)
def test_without_a_plus_the_country_code_of_the_business_is_prepended(quiet: Client, to: str, wa_id: str) -> None:
    answer = quiet.say(to)

    assert answer.json()["contacts"] == [{"input": to, "wa_id": wa_id}]
    (message,) = quiet.messages
    assert message["to_had_plus"] is to.startswith("+")
    assert ("without plus" in quiet.page(f"/phones/{wa_id}")) is not message["to_had_plus"]
