"""The sandbox's own templates: Meta refuses what does not fit them, and the customer reads them filled in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, Client, Receiver, template
from whatsapp_monitoring_app.sandbox import SandboxTemplate, UrlButton, running

POSITIONAL = SandboxTemplate("arrived", "fr", "Bonjour {{1}}, le colis {{2}} est arrivé. Merci {{1}}.")
NAMED = SandboxTemplate("arrived", "en", "Hello {{name}}, parcel {{code}} has arrived.", category="MARKETING")
PLAIN = SandboxTemplate("hello", "zh_CN", "你好")
PICTURED = SandboxTemplate("pictured", "fr", "Votre colis.", header="IMAGE")
RICH = SandboxTemplate(
    "rich",
    "fr",
    "Bonjour {{name}}.",
    header="Lot {{lot}}",
    button=UrlButton("Suivre", "https://ts.example/suivi/{{1}}"),
)
SWAPPED = SandboxTemplate("swapped", "fr", "Le colis {{2}} de {{1}}")
PAUSED = SandboxTemplate("paused", "fr", "Pause", status="PAUSED")
DISABLED = SandboxTemplate("disabled", "fr", "Fin", status="DISABLED")
REJECTED = SandboxTemplate("rejected", "fr", "Non", status="REJECTED")
TEMPLATES = (POSITIONAL, NAMED, PLAIN, PICTURED, RICH, PAUSED, DISABLED, REJECTED, SWAPPED)
IMAGE = {"type": "image", "image": {"link": "https://a.example/i.png"}}
SUFFIX = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "TS1"}]}


@pytest.fixture(scope="module")
def _client() -> Iterator[Client]:
    with running(replace(CONFIG, templates=TEMPLATES)) as sandbox:
        yield Client(sandbox.url)


@pytest.fixture
def client(_client: Client) -> Client:
    """A client of a sandbox with templates, as it was when it started."""
    requests.delete(f"{_client.url}/_sandbox/messages", timeout=5)
    return _client


@pytest.fixture
def talking(receiver: Receiver) -> Iterator[Client]:
    """A client of a sandbox with templates that posts to the receiver."""
    with running(replace(CONFIG, templates=TEMPLATES, webhook_url=receiver.url)) as sandbox:
        yield Client(sandbox.url)


def filled(name: str, language: str, *components: dict) -> dict:
    return template(name=name, language={"code": language}, components=list(components))


def part(kind: str, *texts: str, **named: str) -> dict:
    """A component with its parameters, with and without names."""
    parameters = [{"type": "text", "text": text} for text in texts]
    parameters += [{"type": "text", "parameter_name": name, "text": text} for name, text in named.items()]
    return {"type": kind, "parameters": parameters}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (filled("arrived", "fr", part("body", "Awa", "TS1")), "Bonjour Awa, le colis TS1 est arrivé. Merci Awa."),
        (filled("swapped", "fr", part("body", "Awa", "TS1")), "Le colis TS1 de Awa"),
        (filled("arrived", "en", part("body", code="TS1", name="Awa")), "Hello Awa, parcel TS1 has arrived."),
        (filled("hello", "zh_CN"), "你好"),
        (
            filled("pictured", "fr", {"type": "header", "parameters": [IMAGE]}),
            "[image] https://a.example/i.png\nVotre colis.",
        ),
        (
            filled("rich", "fr", part("HEADER", lot="7"), part("body", name="{{lot}}"), SUFFIX),
            "Lot 7\nBonjour {{lot}}.\n[Suivre] https://ts.example/suivi/TS1",
        ),
    ],
    ids=["positional", "numbers in another order", "named", "without variables", "image", "header, body and button"],
)
def test_the_customer_reads_the_template_filled_in(client: Client, body: dict, text: str) -> None:
    assert client.post(body).status_code == 200

    (message,) = client.messages
    assert (message["text"], message["template"]) == (text, body["template"]["name"])
    assert text in client.page("/phones/22376123456")


def test_an_amount_and_a_date_are_read_as_the_sender_wrote_them(client: Client) -> None:
    parameters = [
        {"type": "currency", "currency": {"fallback_value": "5 000 F", "code": "XOF", "amount_1000": 5_000_000}},
        {"type": "date_time", "date_time": {"fallback_value": "lundi"}},
    ]
    client.post(filled("arrived", "fr", {"type": "body", "parameters": parameters}))

    assert client.messages[0]["text"] == "Bonjour 5 000 F, le colis lundi est arrivé. Merci 5 000 F."


@pytest.mark.parametrize(
    ("body", "http_status", "code", "details"),
    [
        (filled("unheard_of", "fr"), 404, 132001, "template name (unheard_of) does not exist in fr"),
        (filled("arrived", "zh_CN"), 404, 132001, "template name (arrived) does not exist in zh_CN"),
        (filled("rejected", "fr"), 404, 132001, "template name (rejected) does not exist in fr"),
        (filled("paused", "fr"), 400, 132015, "Template is paused due to low quality"),
        (filled("disabled", "fr"), 400, 132016, "is now permanently disabled"),
        (
            filled("arrived", "fr", part("body", "Awa")),
            400,
            132000,
            "body: number of localizable_params (1) does not match the expected number of params (2)",
        ),
        (filled("arrived", "fr"), 400, 132000, "body: number of localizable_params (0)"),
        (filled("hello", "zh_CN", part("body", "Awa")), 400, 132000, "the expected number of params (0)"),
        (filled("hello", "zh_CN", part("header", "Awa")), 400, 132000, "header: number of localizable_params (1)"),
        (filled("hello", "zh_CN", SUFFIX), 400, 132000, "button: number of localizable_params (1)"),
        (
            filled("pictured", "fr", {"type": "header", "parameters": [IMAGE, IMAGE]}),
            400,
            132000,
            "header: number of localizable_params (2)",
        ),
        (filled("arrived", "en", part("body", "Awa", "TS1")), 400, 132012, "body: Parameter name is missing or empty"),
        (filled("arrived", "en", part("body", name="Awa", other="TS1")), 400, 132012, "body: Parameter name"),
        (filled("arrived", "fr", part("body", name="Awa", code="TS1")), 400, 132012, "positional template"),
        (filled("pictured", "fr"), 400, 132012, "header: Format mismatch, expected IMAGE, received UNKNOWN"),
        (filled("pictured", "fr", part("header", "Lot 7")), 400, 132012, "expected IMAGE, received TEXT"),
        (
            filled("arrived", "fr", {"type": "body", "parameters": [IMAGE, IMAGE]}),
            400,
            132012,
            "body: Format mismatch, expected TEXT, received IMAGE",
        ),
        (
            filled("rich", "fr", part("header", lot="7"), part("body", name="Awa")),
            400,
            131008,
            "buttons: Button at index 0 of type Url requires a parameter",
        ),
    ],
)
def test_a_message_that_does_not_fit_its_template_is_refused(
    client: Client, body: dict, http_status: int, code: int, details: str
) -> None:
    answer = client.post(body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (http_status, code)
    assert error["message"].startswith(f"(#{code}) ")
    assert details in error["error_data"]["details"]
    assert client.messages == []
    assert [(seen["http_status"], seen["error_code"]) for seen in client.requests] == [(http_status, code)]


def set_status(client: Client, position: int, status: str) -> requests.Response:
    """Press a button on the page of the template at that place."""
    template_id = 1_689_556_908_129_832 + position
    return requests.post(f"{client.url}/templates/{template_id}/status", data={"status": status}, timeout=5)


def test_the_page_shows_each_template_and_its_status(client: Client) -> None:
    page = client.page("/templates")

    for shown in (
        "arrived (fr)",
        "arrived (en)",
        "你好",
        "PAUSED",
        "DISABLED",
        "[Suivre] https://ts.example/suivi/{{1}}",
    ):
        assert shown in page
    assert f"{client.url}/templates" in client.page("/")


def test_without_templates_the_page_says_that_every_name_is_taken(quiet: Client) -> None:
    assert "every template name is taken" in quiet.page("/templates")


@pytest.mark.parametrize(
    ("position", "status", "extra"),
    [(0, "PAUSED", "other_info"), (0, "DISABLED", "disable_info"), (5, "APPROVED", None)],
)
def test_a_change_of_status_is_told_to_the_webhook(
    talking: Client, receiver: Receiver, position: int, status: str, extra: str | None
) -> None:
    page = set_status(talking, position, status)

    assert page.status_code == 200
    eventually(lambda: len(receiver.posts) == 1)
    (change,) = receiver.changes
    changed = TEMPLATES[position]
    expected = {
        "event": status,
        "message_template_id": 1_689_556_908_129_832 + position,
        "message_template_name": changed.name,
        "message_template_language": changed.language,
        "message_template_category": "UTILITY",
        "reason": "NONE",
    }
    assert change["field"] == "message_template_status_update"
    assert expected.items() <= change["value"].items()
    assert set(change["value"]) - set(expected) == ({extra} if extra else set())


def test_a_template_can_be_stopped_and_started_again(client: Client) -> None:
    message = filled("hello", "zh_CN")
    codes = []
    for status in ("PAUSED", "DISABLED", "APPROVED"):
        set_status(client, TEMPLATES.index(PLAIN), status)
        codes.append(client.post(message).json().get("error", {}).get("code"))

    assert codes == [132015, 132016, None]


def test_a_status_that_does_not_change_is_not_told(talking: Client, receiver: Receiver) -> None:
    set_status(talking, 0, "APPROVED")
    set_status(talking, 0, "PAUSED")

    eventually(lambda: len(receiver.posts) == 1)
    assert receiver.values[0]["event"] == "PAUSED"


def test_forgetting_gives_templates_their_first_status_back(client: Client) -> None:
    set_status(client, TEMPLATES.index(PLAIN), "DISABLED")
    requests.delete(f"{client.url}/_sandbox/messages", timeout=5)

    assert client.post(filled("hello", "zh_CN")).status_code == 200


@pytest.mark.parametrize(("position", "status", "answer"), [(99, "PAUSED", 404), (2, "SOLD", 400), (2, "", 400)])
def test_a_change_that_makes_no_sense_changes_nothing(client: Client, position: int, status: str, answer: int) -> None:
    assert set_status(client, position, status).status_code == answer
    assert client.post(filled("hello", "zh_CN")).status_code == 200
