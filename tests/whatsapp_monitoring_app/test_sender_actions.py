"""What an administrator does with a sender: check it, test it, pause it, ask it about a number."""

import uuid
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tests import rows
from tests.whatsapp_monitoring_app.administrators import CONNECTED, REFUSED, TOKEN, Graph, configured, said, url
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "answer", "words", "is_connected"),
    [
        (200, CONNECTED, "Mali is connected. CONNECTED", True),
        (200, {"status": "BANNED"}, "Mali is not connected. BANNED", False),
        (401, REFUSED, "Mali is not connected. 190", False),
        (503, {}, "The provider of Mali did not say how the account is. HTTP 503", None),
    ],
    ids=["connected", "banned", "refused", "broken"],
)
def test_a_check_says_what_it_found(
    status: int,
    answer: dict[str, Any],
    words: str,
    is_connected: bool | None,
    browser: Browser,
    graph: Graph,
    mali: WhatsAppSender,
):
    graph.status, graph.answer = status, answer
    told = said(browser.post(url("sender_check", mali)))
    mali.refresh_from_db()
    assert told.startswith(words)
    assert mali.is_connected is is_connected


def test_a_check_that_finds_nobody_says_so(browser: Browser, mali: WhatsAppSender):
    told = said(browser.post(url("sender_check", mali)))
    assert told == "The provider of Mali did not say how the account is. NotSent: no connection"


def test_what_cannot_be_checked_says_why(browser: Browser, graph: Graph, mali: WhatsAppSender):
    twilio = configured("mali", provider="console")
    assert "missing" not in said(browser.post(url("sender_check", twilio)))
    incomplete = configured("mali", provider="cloud_api", token="")
    assert "Still missing: token." in said(browser.post(url("sender_check", incomplete)))
    assert graph.requests == []


def test_a_test_goes_to_whoever_asks_for_it_once_through_this_sender_alone(browser: Browser, mali: WhatsAppSender):
    page = browser.get(url("sender_test", mali))
    assert "+223 70 00 01 01" in page.content.decode()
    given = {"request_id": page.context["form"].initial["request_id"]}
    answers = [browser.post(url("sender_test", mali), given) for _ in range(2)]

    one = WhatsAppNotification.objects.get()
    details = reverse("admin_mali:whatsapp_attempt_details", args=[one.pk])
    assert [answer.headers["Location"] for answer in answers] == [details, details]
    assert (one.phone_number, str(one.user), one.asked_sender) == ("+22370000101", "Moussa Keïta", mali)
    assert (one.source_app, one.message_type, one.category, one.priority) == ("admin_mali", "sender_test", "test", 1)
    assert one.message_content == "This is a test of the sender Mali, asked for by Moussa Keïta."
    assert browser.get(details).status_code == 200

    again = browser.post(url("sender_test", mali), {"request_id": uuid.uuid4()})
    assert again.headers["Location"] != details
    assert WhatsAppNotification.objects.count() == 2


def test_a_test_without_its_form_sends_nothing(browser: Browser, mali: WhatsAppSender):
    assert "Nothing was sent." in said(browser.post(url("sender_test", mali)))
    assert not WhatsAppNotification.objects.exists()


def test_a_test_names_the_number_that_gets_everything_when_there_is_one(
    browser: Browser, mali: WhatsAppSender, settings: Any
):
    settings.WHATSAPP_TEST_PHONE = "+22370009876"
    assert "+223 70 00 98 76" in browser.get(url("sender_test", mali)).content.decode()


def test_a_test_of_a_sender_that_cannot_send_warns(browser: Browser, mali: WhatsAppSender):
    words = "The test will probably wait"
    assert words not in browser.get(url("sender_test", mali)).content.decode()
    configured("mali", is_active=False)
    assert words in browser.get(url("sender_test", mali)).content.decode()


def test_a_pause_says_beforehand_what_waits_and_who_stands_in(browser: Browser, mali: WhatsAppSender):
    rows.notification("agent_mali", Status.PENDING)
    page = browser.get(url("sender_pause", mali)).content.decode()
    assert "1 message waits to leave through it." in page
    assert "Nobody can stand in for it" in page

    configured("mali", fallback=configured("chine", account_id="2002", token=TOKEN))
    assert "<strong>Chine</strong> stands in for it." in browser.get(url("sender_pause", mali)).content.decode()
    configured("chine", is_active=False)
    assert "Nobody can stand in for it" in browser.get(url("sender_pause", mali)).content.decode()
    mali.refresh_from_db()
    assert mali.is_active


def test_a_paused_sender_that_is_resumed_sends_what_waited(
    browser: Browser, mali: WhatsAppSender, stopped: WhatsAppNotification
):
    told = said(browser.post(url("sender_pause", mali)))
    mali.refresh_from_db()
    assert told == "Mali is paused: it sends nothing until it is resumed."
    assert not mali.is_active
    stopped.refresh_from_db()
    assert stopped.next_attempt_at is not None
    assert stopped.next_attempt_at > timezone.now()

    browser.post(url("sender_resume", mali))
    mali.refresh_from_db()
    stopped.refresh_from_db()
    assert (mali.is_active, mali.stopped_until) == (True, None)
    assert stopped.next_attempt_at <= timezone.now()


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([{"isOnWhatsApp": True}], "+223 76 12 34 56 is on WhatsApp."),
        ([{"isOnWhatsApp": False}], "+223 76 12 34 56 is not on WhatsApp."),
        ([{}], "The provider does not say whether +223 76 12 34 56 is on WhatsApp."),
        ([], "The provider does not say whether +223 76 12 34 56 is on WhatsApp."),
    ],
    ids=["yes", "no", "no word", "nothing"],
)
def test_a_number_is_asked_for_with_the_country_of_the_office(
    results: list[dict[str, Any]], words: str, browser: Browser, graph: Graph
):
    wachap = configured("mali", provider="wachap", account_id="w1", token=TOKEN)
    graph.answer = {"success": True, "results": results}
    assert "Is this number on WhatsApp?" in browser.get(url("sender", wachap)).content.decode()
    assert said(browser.post(url("sender_check_number", wachap), {"telephone": "76 12 34 56"})) == words


def test_a_number_that_cannot_exist_or_a_provider_that_is_away_is_said(
    browser: Browser, mali: WhatsAppSender, settings
):
    settings.WACHAP_API_URL = "http://127.0.0.1:9"
    wachap = configured("mali", provider="wachap")
    for telephone, words in (("12", "“12” is not a valid"), ("", "required"), ("76123456", "did not answer")):
        assert words in said(browser.post(url("sender_check_number", wachap), {"telephone": telephone}))


def test_a_provider_that_checks_no_numbers_is_not_offered_for_it(browser: Browser, graph: Graph, mali: WhatsAppSender):
    assert "Is this number on WhatsApp?" not in browser.get(url("sender", mali)).content.decode()
    answer = browser.post(url("sender_check_number", mali), {"telephone": "76123456"})
    assert "does not say" in said(answer)
    assert graph.requests == []
