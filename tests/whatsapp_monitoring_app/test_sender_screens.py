"""The senders' screens: what is seen of each, and by whom."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client as Browser
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from tests import rows
from tests.whatsapp_monitoring_app.administrators import DAY, TOKEN, configured, url
from tests.whatsapp_monitoring_app.test_stop_banner import stored_token
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppSender
from whatsapp_monitoring_app.services import stops
from whatsapp_monitoring_app.views.senders import SenderListView

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({}, "ready", "Ready, not checked"),
        ({"is_connected": True}, "works", "Works"),
        ({"is_connected": False, "health_detail": "BANNED"}, "disconnected", "BANNED"),
        ({"is_active": False}, "paused", "An administrator has paused it. Its messages wait."),
        ({"token": ""}, "incomplete", "Still missing: token."),
        ({"provider": "twilio", "account_id": ""}, "incomplete", "Still missing: account, our number."),
        ({"stopped_until": 1, "stop_class": "account_stop", "stop_reason": "190 old"}, "stopped", "190 old"),
        ({"stopped_until": 1, "stop_class": "account_slow"}, "restricted", "because of complaints"),
        ({"stopped_until": -1, "stop_class": "account_stop"}, "ready", "Ready"),
        ({"provider": "console"}, "mute", "The console only prints"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sender_says_at_a_glance_how_it_is(
    fields: dict[str, Any], state: str, words: str, browser: Browser, mali: WhatsAppSender, settings: Any
):
    settings.DEBUG = False
    if "stopped_until" in fields:
        fields = {**fields, "stopped_until": timezone.now() + fields["stopped_until"] * timedelta(hours=1)}
    configured("mali", **fields)
    page = browser.get(url("senders"))
    details = browser.get(url("sender", mali))

    (overview,) = [each for each in page.context["overviews"] if each.sender == mali]
    assert (overview.state, details.context["overview"].state) == (state, state)
    assert words in page.content.decode()
    assert words in details.content.decode()


def test_a_sender_says_for_whom_it_speaks_and_what_waits_for_it(browser: Browser, mali: WhatsAppSender):
    now = timezone.now()
    for hours in (1, 3):
        rows.notification("agent_mali", Status.PENDING, created_at=now - timedelta(hours=hours))
    rows.notification("agent_mali", Status.READ)
    rows.notification("agent_chine", Status.PENDING, asked_sender=mali)
    rows.notification("agent_mali", Status.PENDING, message_type="otp")
    of = {each.sender.code: each for each in browser.get(url("senders")).context["overviews"]}

    with translation.override("en"):
        assert {code: [str(voice) for voice in each.voices] for code, each in of.items()} == {
            "chine": ["China office"],
            "mali": ["Mali office"],
            "systeme": ["China administration", "Mali administration", "accounts and codes"],
        }
    assert {code: each.queue.count for code, each in of.items()} == {"chine": 0, "mali": 3, "systeme": 1}
    assert of["mali"].queue.oldest == now - timedelta(hours=3)
    assert "3 messages, the oldest for 3\xa0hours" in browser.get(url("sender", mali)).content.decode()


def test_the_list_asks_few_questions_however_many_senders_there_are(browser: Browser):
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            browser.get(url("senders"))
        return len(asked)

    few = question_count()
    for number in range(9):
        configured(f"more-{number}", fallback=WhatsAppSender.objects.first())
    assert question_count() == few


def test_a_company_without_senders_is_told_to_create_one(browser: Browser):
    WhatsAppSender.objects.all().delete()
    assert "No sender yet" in browser.get(url("senders")).content.decode()


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("TIER_250", "250 people in 24 hours"),
        ("TIER_10K", "10,000 people in 24 hours"),
        ("TIER_UNLIMITED", "no limit"),
        ("what nobody knows", "what nobody knows"),
        ("", ""),
    ],
)
def test_a_limit_is_said_in_words(limit: str, words: str, browser: Browser):
    sender = configured("mali", account_id="1", token=TOKEN, limit=limit, quality="GREEN")
    overview = browser.get(url("sender", sender)).context["overview"]
    with translation.override("en"):
        assert (overview.limit, overview.quality) == (words, "High")


def test_no_screen_shows_a_token(browser: Browser, mali: WhatsAppSender, log_in: Callable[..., Browser]):
    configured("chine", account_id="2002", token=TOKEN, fallback=mali, token_expires_at=timezone.now() + DAY)
    configured("mali", token_expires_at=timezone.now() - DAY)
    screens = ("sender", "sender_edit", "sender_token", "sender_test", "sender_pause")
    pages = [url("senders"), url("sender_create"), url("monitoring")]
    pages += [url(name, sender) for name in screens for sender in WhatsAppSender.objects.all()]
    pages.append(f"/admin/whatsapp_monitoring_app/whatsappsender/{mali.pk}/change/")
    staff = log_in("admin_mali", is_staff=True, is_superuser=True)
    for page in pages:
        answer = staff.get(page)
        assert answer.status_code == 200, page
        assert TOKEN not in answer.content.decode(), page
        assert stored_token(mali) not in answer.content.decode(), page


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("cloud_api", "https://cargo.example/webhooks/whatsapp/cloud/</code>"),
        ("wachap", "https://cargo.example/webhooks/whatsapp/wachap/?token=…</code>"),
        ("twilio", "https://cargo.example/webhooks/whatsapp/twilio/</code>"),
    ],
)
def test_the_page_says_which_address_to_enter_at_the_provider(
    provider: str, address: str, browser: Browser, mali: WhatsAppSender, settings: Any
):
    settings.PUBLIC_BASE_URL, settings.WACHAP_WEBHOOK_SECRET = "https://cargo.example", "the-secret-ending"
    page = browser.get(url("sender", configured("mali", provider=provider))).content.decode()
    assert address in page
    assert "the-secret-ending" not in page


def test_the_page_shows_who_shares_the_account_whom_it_replaces_and_what_it_said(browser: Browser):
    chine = configured("chine", fallback=WhatsAppSender.objects.get(code="mali"))
    sent = rows.notification("agent_chine", Status.READ, sender=WhatsAppSender.objects.get(code="mali"))
    rows.notification("agent_mali", Status.READ, sender=chine)
    answer = browser.get(url("sender", WhatsAppSender.objects.get(code="mali")))

    assert {sender.code for sender in answer.context["neighbours"]} == {"chine", "systeme"}
    assert list(answer.context["replaces"]) == [chine]
    assert list(answer.context["recent"]) == [sent]
    assert reverse("admin_mali:whatsapp_attempt_details", args=[sent.pk]) in answer.content.decode()


def test_a_screen_of_the_senders_cannot_be_bound_to_an_office_that_sees_only_itself(make_user: Callable[..., User]):
    request = RequestFactory().get("/")
    request.user = make_user(role="agent_mali")
    with pytest.raises(ImproperlyConfigured):
        SenderListView.as_view(scope=scopes.get("agent_mali"))(request)


def test_a_sender_that_never_was_is_404(browser: Browser):
    for name in ("sender", "sender_edit", "sender_token", "sender_test", "sender_pause"):
        assert browser.get(reverse(f"admin_mali:whatsapp_{name}", args=[999999])).status_code == 404
    for name in ("edit", "token", "test", "check", "pause", "resume", "check_number"):
        assert browser.post(reverse(f"admin_mali:whatsapp_sender_{name}", args=[999999])).status_code == 404


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (-DAY, "The token of the sender Mali expired on"),
        (3 * DAY, "The token of the sender Mali expires on"),
        (8 * DAY, ""),
    ],
    ids=["past", "soon", "later"],
)
def test_every_office_hears_of_a_token_that_ends_and_administrators_get_the_way(
    left: timedelta, words: str, mali: WhatsAppSender, log_in: Callable[..., Browser]
):
    configured("mali", token_expires_at=timezone.now() + left)
    link = f'href="{url("sender_token", mali)}"'
    agent = log_in("agent_chine", language="en").get("/agent-chine/whatsapp/monitoring/").content.decode()
    administrator = log_in("admin_mali", language="en").get(url("monitoring")).content.decode()

    for page in (agent, administrator):
        assert words in page
        assert ("The token of the sender" in page) == bool(words)
    assert ((link in administrator), (link in agent)) == (bool(words), False)
    assert ("senders/" in agent) is False


def test_senders_that_share_a_token_are_one_warning_and_paused_ones_none():
    now = timezone.now()
    WhatsAppSender.objects.update(token_expires_at=now + DAY)
    [expiry] = stops.troubles(now).expiries
    assert [sender.code for sender in expiry.senders] == ["chine", "mali", "systeme"]
    assert (expiry.expires_at, expiry.is_past) == (now + DAY, False)
    configured("mali", account_id="2001", token_expires_at=now - DAY)
    configured("chine", is_active=False)
    first, second = stops.troubles(now).expiries
    assert ([sender.code for sender in first.senders], first.is_past) == (["mali"], True)
    assert [sender.code for sender in second.senders] == ["systeme"]
