"""The provider that sends nothing: one line per message, which gives nobody away, and never in production."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.carriers import Carry
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, TEXT, attempt, post
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppAttempt, WhatsAppSender
from whatsapp_monitoring_app.providers import base, content, transport
from whatsapp_monitoring_app.providers.base import Accepted, Health
from whatsapp_monitoring_app.services import circuit

pytestmark = pytest.mark.django_db

LINK = "https://cargo.example/recu.pdf"
console = providers.get("console")
development = override_settings(DEBUG=True)


@pytest.fixture(autouse=True)
def _console() -> None:
    WhatsAppSender.objects.update(provider="console")


def printed(carry: Carry, what: content.Content, to: str = NUMBER) -> base.Outcome:
    request = console.build(base.Account("mali", ""), base.Message(to, what, "4f2b"))
    return console.read(carry(request))


@development
def test_a_message_is_printed_and_counts_as_sent(capsys: pytest.CaptureFixture[str]):
    first, second = attempt(post(), transport.send), attempt(post(), transport.send)
    assert (first.status, second.status) == (Status.SENT, Status.SENT)
    assert first.provider_message_id
    assert second.provider_message_id
    assert first.provider_message_id != second.provider_message_id
    assert first.is_delivery_unknown
    line = f"WhatsApp mali → {'•' * 10}56: text, {len(TEXT)} characters"
    assert capsys.readouterr().out.splitlines() == [line, line]


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        (content.Text(TEXT), f"text, {len(TEXT)} characters"),
        (content.Image(LINK, TEXT), f"image, {len(TEXT)} characters"),
        (content.Document(LINK, "recu.pdf"), "document, 0 characters"),
        (content.Template("arrivee", "fr", ("Awa", "TS1"), text=TEXT), f"template, {len(TEXT)} characters"),
    ],
)
def test_the_line_shows_kind_and_length_and_nothing_of_the_rest(
    carry: Carry, what: content.Content, shown: str, capsys: pytest.CaptureFixture[str]
):
    assert isinstance(printed(carry, what), Accepted)
    line = capsys.readouterr().out
    assert line == f"WhatsApp mali → {'•' * 10}56: {shown}\n"
    for hidden in (TEXT, "Bamako", "Awa", LINK, NUMBER, "761234"):
        assert hidden not in line


@pytest.mark.parametrize(("number", "shown"), [("56", "56"), ("6", "6"), ("", ""), ("123", "•23")])
def test_two_digits_are_all_that_is_shown(carry: Carry, number: str, shown: str, capsys: pytest.CaptureFixture[str]):
    printed(carry, content.Text(TEXT), number)
    assert f"→ {shown}:" in capsys.readouterr().out


def test_the_request_itself_holds_neither_text_nor_number():
    request = console.build(base.Account("mali", ""), base.Message(NUMBER, content.Text(TEXT), "4f2b"))
    assert (request.url, dict(request.headers)) == ("console:", {})
    assert set(json.loads(request.body)) == {"from", "to", "kind", "length"}
    assert "761234" not in request.body.decode()


def test_its_health_is_always_good_and_asking_prints_nothing(carry: Carry, capsys: pytest.CaptureFixture[str]):
    account = base.Account("mali", "")
    request = console.health_request(account)
    assert request
    assert console.read_health(carry(request), account) == Health(True, "prints, sends nothing")
    assert capsys.readouterr().out == ""


def test_it_believes_no_webhook_and_hears_nothing():
    assert not console.is_authentic(b"", {}, url="console:", secrets=["", "x"])
    assert (console.receipts({}), console.inbound({})) == ([], [])


@override_settings(DEBUG=False)
def test_in_production_it_is_an_obstacle_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]):
    sender = WhatsAppSender.objects.get(code="mali")
    assert sender.credentials is None
    obstacle = circuit.obstacle(sender, NOW)
    assert obstacle
    assert obstacle.error_class is ErrorClass.NOT_CONFIGURED
    notification = attempt(post(), transport.send)
    assert (notification.status, notification.error_class) == (Status.PENDING, ErrorClass.NOT_CONFIGURED)
    assert notification.next_attempt_at
    assert notification.next_attempt_at >= NOW + timedelta(minutes=1)
    assert not WhatsAppAttempt.objects.exists()
    assert capsys.readouterr().out == ""


@override_settings(DEBUG=False)
@pytest.mark.parametrize("fields", [{"account_id": "x"}, {"account_id": "x", "token": "y"}, {"token": "y"}])
def test_no_account_makes_it_usable_in_production(fields: dict[str, Any]):
    WhatsAppSender.objects.update(**fields)
    assert WhatsAppSender.objects.get(code="mali").credentials is None


@development
def test_a_development_needs_no_account_for_it():
    assert WhatsAppSender.objects.get(code="mali").credentials == ("mali", "")
