"""The screen of those who are not written to."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tests import rows
from tests.whatsapp_monitoring_app.administrators import said
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppOptOut

pytestmark = pytest.mark.django_db

NUMBER = "+22376123456"


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370009001")


def url(name: str = "opt_outs", *args: Any) -> str:
    return reverse(f"admin_mali:whatsapp_{name}", args=args)


def refuse(browser: Browser, telephone: str = "76 12 34 56", reason: str = "by telephone") -> Any:
    return browser.post(url(), {"telephone": telephone, "reason": reason})


def opt_out(number: str = NUMBER) -> WhatsAppOptOut:
    return WhatsAppOptOut.objects.create(phone_number=number, reason="STOP", created_at=timezone.now())


def test_a_person_is_put_on_the_list_and_what_waits_for_them_is_cancelled(browser: Browser):
    waiting = rows.notification("agent_mali", Status.PENDING)
    code = rows.notification("agent_mali", Status.PENDING, message_type="account_creation")
    answer = refuse(browser)
    waiting.refresh_from_db()
    code.refresh_from_db()

    assert answer.status_code == 302
    assert "What waited is cancelled." in said(answer)
    assert (waiting.status, waiting.cancel_reason) == (Status.CANCELLED, CancelReason.OPT_OUT)
    assert code.status == Status.PENDING
    assert WhatsAppOptOut.objects.get().phone_number == NUMBER


def test_twice_is_once(browser: Browser):
    refuse(browser)
    assert "on the list already" in said(refuse(browser, "+223 76 12 34 56"))
    assert WhatsAppOptOut.objects.count() == 1


@pytest.mark.parametrize(("telephone", "reason"), [("12", "STOP"), ("76123456", "")], ids=["number", "reason"])
def test_a_form_that_is_not_filled_in_keeps_what_was_typed(telephone: str, reason: str, browser: Browser):
    answer = refuse(browser, telephone, reason)
    assert answer.status_code == 422
    assert f'value="{telephone}"' in answer.content.decode()
    assert not WhatsAppOptOut.objects.exists()


def test_numbers_are_hidden_and_found_in_full_in_any_spelling(browser: Browser):
    opt_out()
    opt_out("+22376999999")
    for text in ("76123456", "+223 76 12 34 56", "0022376123456", "223-76-12-34-56"):
        page = browser.get(url(), {"q": text})
        assert [one.phone_number for one in page.context["page"]] == [NUMBER], text
        assert "+223 •• •• •• 56" in page.content.decode()
    for text in ("7612", "56", "x"):
        assert not list(browser.get(url(), {"q": text}).context["page"])
    assert "This number is not on the list" in browser.get(url(), {"q": "7612"}).content.decode()


def test_an_empty_list_says_so(browser: Browser):
    assert "Nobody refuses our messages" in browser.get(url()).content.decode()


def test_a_person_is_taken_off_the_list_after_a_question(browser: Browser):
    row = opt_out()
    asked = browser.get(url("opt_out_delete", row.pk)).content.decode()
    assert "Do it only if this person has asked for it." in asked
    assert NUMBER not in asked
    assert WhatsAppOptOut.objects.exists()

    assert "written to again" in said(browser.post(url("opt_out_delete", row.pk)))
    assert not WhatsAppOptOut.objects.exists()
    assert browser.post(url("opt_out_delete", row.pk)).status_code == 404
