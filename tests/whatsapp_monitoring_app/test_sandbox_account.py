"""What the sandbox tells of its account, as Meta tells it: templates, number, token."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, SENDER, Client, Receiver
from whatsapp_monitoring_app.sandbox import SandboxTemplate, UrlButton, running

WABA = CONFIG.waba_id
TEMPLATES = (
    SandboxTemplate(
        "arrived",
        "fr",
        "Bonjour {{1}}.",
        header="Lot {{1}}",
        button=UrlButton("Suivre", "https://ts.example/suivi/{{1}}"),
    ),
    SandboxTemplate("arrived", "en", "Hello {{name}}.", status="PAUSED", category="MARKETING", header="IMAGE"),
    SandboxTemplate("hello", "zh_CN", "你好", status="PENDING"),
)


@pytest.fixture(scope="module")
def _account() -> Iterator[Client]:
    with running(replace(CONFIG, templates=TEMPLATES, verified_name="TS Air Cargo")) as sandbox:
        yield Client(sandbox.url)


@pytest.fixture
def account(_account: Client) -> Client:
    """A client of a sandbox with templates, as it was when it started."""
    requests.delete(f"{_account.url}/_sandbox/messages", timeout=5)
    return _account


def ask(client: Client, path: str, token: str | None = CONFIG.token, **query: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{client.url}/v24.0/{path}", params=query, headers=headers, timeout=5)


def set_quality(client: Client, event: str) -> requests.Response:
    return requests.post(f"{client.url}/number/quality", data={"event": event}, timeout=5)


def templates_of(client: Client, **query: str) -> dict:
    return ask(client, f"{WABA}/message_templates", **query).json()


def test_templates_are_listed_as_meta_lists_them(account: Client) -> None:
    first, second, third = templates_of(account)["data"]

    assert first == {
        "name": "arrived",
        "parameter_format": "POSITIONAL",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Lot {{1}}"},
            {"type": "BODY", "text": "Bonjour {{1}}."},
            {
                "type": "BUTTONS",
                "buttons": [{"type": "URL", "text": "Suivre", "url": "https://ts.example/suivi/{{1}}"}],
            },
        ],
        "language": "fr",
        "status": "APPROVED",
        "category": "UTILITY",
        "id": "1689556908129832",
    }
    assert (second["parameter_format"], second["status"], second["category"]) == ("NAMED", "PAUSED", "MARKETING")
    assert second["components"][0] == {"type": "HEADER", "format": "IMAGE"}
    assert (third["language"], third["components"]) == ("zh_CN", [{"type": "BODY", "text": "你好"}])


def test_only_the_fields_asked_for_are_told_and_the_id(account: Client) -> None:
    rows = templates_of(account, fields="name,quality_score")["data"]

    assert [set(row) for row in rows] == [{"name", "quality_score", "id"}] * 3
    assert [row["quality_score"] for row in rows] == [{"score": "GREEN"}, {"score": "RED"}, {"score": "UNKNOWN"}]


def test_a_list_has_a_next_page_until_it_ends(account: Client) -> None:
    first = templates_of(account, limit="2", fields="name")
    headers = {"Authorization": f"Bearer {CONFIG.token}"}
    last = requests.get(first["paging"]["next"], headers=headers, timeout=5).json()
    by_cursor = templates_of(account, limit="2", fields="name", after=first["paging"]["cursors"]["after"])
    beyond = templates_of(account, after=last["paging"]["cursors"]["after"])

    assert [len(page["data"]) for page in (first, last)] == [2, 1]
    assert set(last["paging"]) == {"cursors"}
    assert by_cursor == last
    assert set(last["data"][0]) == {"name", "id"}
    assert last["paging"]["cursors"]["before"] == last["paging"]["cursors"]["after"] != last["data"][0]["id"]
    assert beyond == {"data": []}


def test_a_full_last_page_has_no_next(account: Client) -> None:
    assert "next" not in templates_of(account, limit="3")["paging"]


def test_a_sandbox_without_templates_lists_none(quiet: Client) -> None:
    assert templates_of(quiet) == {"data": []}


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "many"}, {"after": "MQ=="}, {"after": "é"}, {"after": "x"}], ids=str
)
def test_a_list_cannot_be_asked_for_by_nonsense(account: Client, query: dict) -> None:
    answer = ask(account, f"{WABA}/message_templates", **query)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_a_changed_status_is_in_the_list(account: Client) -> None:
    template_id = templates_of(account)["data"][0]["id"]
    requests.post(f"{account.url}/templates/{template_id}/status", data={"status": "DISABLED"}, timeout=5)

    assert templates_of(account)["data"][0]["status"] == "DISABLED"


def test_the_number_is_told_as_meta_tells_it(account: Client) -> None:
    assert ask(account, SENDER).json() == {
        "verified_name": "TS Air Cargo",
        "display_phone_number": "+223 20 00 00 00",
        "quality_rating": "GREEN",
        "status": "CONNECTED",
        "messaging_limit_tier": "TIER_1K",
        "platform_type": "CLOUD_API",
        "id": SENDER,
    }


def test_only_the_facts_asked_for_are_told_and_the_id(account: Client) -> None:
    answer = ask(account, "777000777", fields="status,quality_rating,not_known_here").json()

    assert answer == {"quality_rating": "GREEN", "status": "CONNECTED", "id": "777000777"}


@pytest.mark.parametrize("path", ["awa", WABA, "1/message_templates", f"{SENDER}/message_templates"])
def test_what_does_not_exist_is_refused(account: Client, path: str) -> None:
    answer = ask(account, path)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)


@pytest.mark.parametrize(("token", "is_valid"), [(CONFIG.token, True), ("stolen", False), ("volé", False)])
def test_a_token_can_be_examined(account: Client, token: str, is_valid: bool) -> None:
    facts = ask(account, "debug_token", input_token=token).json()["data"]

    assert facts["is_valid"] is is_valid
    assert ((facts.get("type"), facts.get("expires_at")) == ("SYSTEM_USER", 0)) is is_valid
    assert ("error" in facts) is not is_valid


def test_a_token_must_be_given_to_be_examined(account: Client) -> None:
    assert ask(account, "debug_token").json()["error"]["code"] == 100


@pytest.mark.parametrize("token", [None, "wrong token"])
@pytest.mark.parametrize("path", [f"{WABA}/message_templates", SENDER, "debug_token?input_token=good%20token"])
def test_without_the_right_token_nothing_is_told(account: Client, path: str, token: str | None) -> None:
    answer = ask(account, path, token=token)

    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (401, "OAuthException", 190)
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    ("event", "rating", "status"), [("FLAGGED", "RED", "FLAGGED"), ("UNFLAGGED", "GREEN", "CONNECTED")]
)
def test_a_number_that_is_flagged_or_cleared_is_told_to_the_webhook(
    talking: Client, receiver: Receiver, event: str, rating: str, status: str
) -> None:
    # Clearing has something to clear.
    set_quality(talking, "FLAGGED")
    eventually(lambda: len(receiver.posts) == 1)
    page = set_quality(talking, event)

    eventually(lambda: len(receiver.posts) == 2)
    assert receiver.changes[1] == {
        "field": "phone_number_quality_update",
        "value": {"display_phone_number": "22320000000", "event": event, "current_limit": "TIER_1K"},
    }
    number = ask(talking, SENDER).json()
    assert (number["quality_rating"], number["status"]) == (rating, status)
    assert ("flagged for low quality" in page.text) is (status == "FLAGGED")


def test_a_quality_that_does_not_exist_changes_nothing(account: Client) -> None:
    assert set_quality(account, "GOLDEN").status_code == 400
    assert ask(account, SENDER).json()["quality_rating"] == "GREEN"


@pytest.mark.parametrize("path", ["/webhook/verify", "/number/quality", "/_sandbox/unknown"])
def test_pages_are_not_taken_for_numbers(account: Client, path: str) -> None:
    assert requests.get(f"{account.url}{path}", timeout=5).status_code in (404, 405)
