"""The customer service window: outside it the sandbox lets everything fail that is not a template."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from django.core.management import call_command
from django.test import override_settings

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.sandbox_peers import (
    CONFIG,
    CUSTOMER,
    SENDER,
    Client,
    Receiver,
    statuses_of,
    template,
    text_message,
    typed,
)
from whatsapp_monitoring_app import sandbox as sandbox_package
from whatsapp_monitoring_app.sandbox import SandboxConfig, running
from whatsapp_monitoring_app.sandbox.phones import Phones, Reply
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox

PHONE = CUSTOMER.removeprefix("+")
DELIVERED = ["sent", "delivered", "read"]


@pytest.fixture
def strict(receiver: Receiver) -> Iterator[Client]:
    """A client of a sandbox that keeps the window."""
    with running(replace(CONFIG, webhook_url=receiver.url, keeps_window=True)) as sandbox:
        yield Client(sandbox.url)


def write(client: Client, phone: str = PHONE) -> None:
    """Write to the business as the customer."""
    requests.post(f"{client.url}/phones/{phone}/reply", data={"text": "Bonjour"}, timeout=5)


@pytest.mark.parametrize(
    "body", [text_message(), typed("image", link="https://a.example/i.png")], ids=["text", "image"]
)
def test_outside_the_window_a_message_is_accepted_and_then_fails(
    strict: Client, receiver: Receiver, body: dict
) -> None:
    answer = strict.post(body)

    assert answer.status_code == 200
    assert statuses_of(receiver, 1) == ["failed"]
    (error,) = receiver.statuses[0]["errors"]
    assert (error["code"], error["title"]) == (131047, "Re-engagement message")
    assert error["error_data"]["details"] == (
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number."
    )
    assert receiver.statuses[0]["id"] == answer.json()["messages"][0]["id"]
    assert [(message["status"], message["failure_code"]) for message in strict.messages] == [("failed", 131047)]


def test_a_template_arrives_outside_the_window(strict: Client, receiver: Receiver) -> None:
    strict.post(template())

    assert statuses_of(receiver, 3) == DELIVERED


def test_a_reply_opens_the_window(strict: Client, receiver: Receiver) -> None:
    strict.post(template())
    statuses_of(receiver, 3)
    write(strict)
    strict.say(CUSTOMER)

    assert statuses_of(receiver, 6)[3:] == DELIVERED


def test_the_window_of_one_phone_is_not_that_of_another(strict: Client, receiver: Receiver) -> None:
    write(strict, "22376999999")
    strict.say(CUSTOMER)

    assert statuses_of(receiver, 1) == ["failed"]


def test_a_number_that_fails_anyway_keeps_its_own_error(strict: Client, receiver: Receiver) -> None:
    strict.say("+22370000008")

    statuses_of(receiver, 1)
    assert receiver.statuses[0]["errors"][0]["code"] == 131026


def test_by_default_there_is_no_window(talking: Client, receiver: Receiver) -> None:
    talking.say(CUSTOMER)

    assert statuses_of(receiver, 3) == DELIVERED
    assert "Window" not in talking.page(f"/phones/{PHONE}")


def test_the_phone_says_whether_its_window_is_open(strict: Client, receiver: Receiver) -> None:
    assert "Window closed" in strict.page(f"/phones/{PHONE}")
    write(strict)

    eventually(lambda: len(receiver.posts) == 1)
    written_at = datetime.fromtimestamp(int(receiver.values[0]["messages"][0]["timestamp"]), UTC)
    closes_at = (written_at + timedelta(hours=24)).astimezone()
    assert f"Window open until {closes_at:%d/%m %H:%M}" in strict.page(f"/phones/{PHONE}")


def test_the_window_lasts_24_hours_from_the_last_reply_to_that_business_number() -> None:
    first, last = datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 20, tzinfo=UTC)
    phones = Phones()
    for written_at in (first, last):
        phones.replies.append(Reply("wamid.1", PHONE, "Bonjour", None, SENDER, written_at))

    assert phones.window_closes_at(PHONE, SENDER) == datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert phones.window_closes_at(PHONE, "another number") is None
    assert phones.window_closes_at("22376999999", SENDER) is None


@pytest.mark.parametrize(("age", "is_open"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_a_window_closes_by_itself(age: timedelta, is_open: bool) -> None:
    sandbox = Sandbox(CONFIG)
    sandbox.phones.replies.append(Reply("wamid.1", PHONE, "Bonjour", None, SENDER, datetime.now(UTC) - age))

    assert (sandbox.window_until(PHONE, SENDER) is not None) is is_open


@pytest.mark.parametrize(("options", "keeps_window"), [([], False), (["--keep-window"], True)])
def test_the_command_keeps_the_window_when_told_to(
    monkeypatch: pytest.MonkeyPatch, options: list[str], keeps_window: bool
) -> None:
    served: list[SandboxConfig] = []
    monkeypatch.setattr(sandbox_package, "serve", served.append)
    with override_settings(DEBUG=True):
        call_command("sandbox", *options)

    assert [config.keeps_window for config in served] == [keeps_window]
