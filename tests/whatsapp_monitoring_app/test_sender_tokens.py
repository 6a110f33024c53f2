"""A sender's token: it is written, used at once, and shown nowhere."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from tests.whatsapp_monitoring_app.administrators import CONNECTED, REFUSED, TOKEN, Graph, configured, said, url
from tests.whatsapp_monitoring_app.scripts import Provider, json_answer
from tests.whatsapp_monitoring_app.test_stop_banner import stored_token
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.services import health, senders

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_a_new_token_is_stored_used_and_tried_at_once(
    browser: Browser, graph: Graph, mali: WhatsAppSender, stopped: WhatsAppNotification
):
    stored = []

    def look() -> None:
        # From the provider's side: what is committed while it is called.
        stored.append(WhatsAppSender.objects.get(code="mali").token)
        connection.close()

    graph.on_request = look
    answer = browser.post(url("sender_token", mali), {"token": "a-fresh-token"})
    mali.refresh_from_db()
    stopped.refresh_from_db()

    assert answer.headers["Location"] == url("sender", mali)
    assert set(stored) == {"a-fresh-token"}
    assert (mali.token, mali.token_expires_at, mali.stopped_until) == ("a-fresh-token", None, None)
    assert graph.requests[0][1] == "Bearer a-fresh-token"
    assert stopped.next_attempt_at is not None
    assert stopped.next_attempt_at <= timezone.now()
    assert "The new token of Mali is saved." in said(answer)
    assert "Mali is connected." in said(answer)


def test_a_new_token_that_the_provider_refuses_is_said_without_repeating_it(
    browser: Browser, graph: Graph, mali: WhatsAppSender, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    graph.status, graph.answer = 401, REFUSED
    configured("mali", token="the former token")
    answer = browser.post(url("sender_token", mali), {"token": TOKEN})
    mali.refresh_from_db()

    assert "Mali is not connected. 190" in said(answer)
    assert (mali.token, mali.is_connected) == (TOKEN, False)
    sessions = " ".join(str(session.get_decoded()) for session in Session.objects.all())
    cookies = " ".join(morsel.value for morsel in answer.cookies.values())
    page = browser.get(url("sender", mali)).content.decode()
    for place in (said(answer), answer.content.decode(), page, sessions, cookies, caplog.text, mali.health_detail):
        assert TOKEN not in place


def test_the_token_of_the_environment_is_not_repeated_either(browser: Browser, graph: Graph, settings: Any):
    settings.WHATSAPP_CLOUD_TOKEN = TOKEN
    graph.status, graph.answer = 401, REFUSED
    chine = WhatsAppSender.objects.get(code="chine")
    answer = browser.post(url("sender_check", chine))
    chine.refresh_from_db()
    assert graph.requests[0][1] == f"Bearer {TOKEN}"
    assert TOKEN not in said(answer) + chine.health_detail
    assert chine.health_detail.startswith("190 Error validating")


@pytest.mark.parametrize(
    "token", ["", "   ", f"{TOKEN} and more", f"{TOKEN}é", "x" * 2001], ids=lambda token: token[-9:]
)
def test_what_is_no_token_replaces_none(token: str, browser: Browser, graph: Graph, mali: WhatsAppSender):
    before = stored_token(mali)
    answer = browser.post(url("sender_token", mali), {"token": token})
    assert answer.status_code == 422
    assert TOKEN not in answer.content.decode()
    assert (stored_token(mali), graph.requests) == (before, [])


def test_a_sender_without_an_account_takes_no_token(browser: Browser, graph: Graph):
    chine = WhatsAppSender.objects.get(code="chine")
    answer = browser.post(url("sender_token", chine), {"token": TOKEN})
    assert "has no account of its own" in answer.content.decode()
    chine.refresh_from_db()
    assert (chine.token, graph.requests) == ("", [])


def test_a_new_token_overwrites_nothing_else(mali: WhatsAppSender):
    read_before = WhatsAppSender.objects.get(code="mali")
    configured("mali", label="Bamako")
    provider = Provider(json_answer(200, CONNECTED))
    senders.change_token(read_before, "fresh", timezone.now())
    assert health.check(read_before, timezone.now(), provider)
    mali.refresh_from_db()
    assert (mali.label, mali.token, len(provider.requests)) == ("Bamako", "fresh", 2)


@pytest.fixture
def staff(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", is_staff=True, is_superuser=True)


def test_the_administration_checks_and_shows_the_health(staff: Browser, graph: Graph, mali: WhatsAppSender):
    answer = staff.post(
        "/admin/whatsapp_monitoring_app/whatsappsender/", {"action": "check_now", "_selected_action": [mali.pk]}
    )
    page = staff.get(f"/admin/whatsapp_monitoring_app/whatsappsender/{mali.pk}/change/").content.decode()
    assert said(answer) == "1 sender answered."
    assert "TIER_10K" in page
    assert 'name="business_account_id"' in page
    assert 'name="limit"' not in page


def test_a_token_entered_there_forgets_the_end_of_the_former_and_stays_out_of_the_history(
    staff: Browser, mali: WhatsAppSender
):
    configured("mali", token_expires_at=timezone.now(), is_connected=False)
    answer = staff.post(
        f"/admin/whatsapp_monitoring_app/whatsappsender/{mali.pk}/change/",
        {"label": "Mali", "provider": "cloud_api", "account_id": "2001", "rate_per_second": 70, "is_active": "on"}
        | {"new_token": "a-fresh-token"},
    )
    mali.refresh_from_db()
    assert answer.status_code == 302
    assert (mali.token, mali.token_expires_at, mali.is_connected) == ("a-fresh-token", None, None)
    [entry] = LogEntry.objects.all()
    assert "a-fresh-token" not in entry.change_message + entry.object_repr
