"""The screen of failures by cause: what it says, what it offers, and who may do what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppAuditEntry, WhatsAppCauseMark, WhatsAppNotification
from whatsapp_monitoring_app.services import cause_counts, depth

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
CAUSE = {"cause": "recipient_permanent", "code": "131026"}


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Traoré")


@pytest.fixture
def administrator(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370000101")


def failed(office: str = "agent_mali", **fields: Any) -> WhatsAppNotification:
    number = fields.pop("number", "+22376000001")
    return rows.notification(office, phone_number=number, **fields)


def page(browser: Browser, office: str = "agent_mali", query: str = "") -> str:
    answer = browser.get(f"{reverse(f'{office}:whatsapp_groups')}?{query}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def press(browser: Browser, what: str, office: str = "agent_mali", **fields: Any) -> Any:
    values = {**CAUSE, "source_app": office, "seen_at": timezone.now().isoformat(), **fields}
    return browser.post(reverse(f"{office}:whatsapp_group_{what}"), values)


def test_without_failures_the_page_says_so(agent: Browser):
    assert "No failure waits for you" in page(agent)
    assert "Nothing that passes these filters has failed" in page(agent, query="message_type=delivery")
    assert "These filters are not understood" in page(agent, query="error_class=garbage")


def test_above_the_bound_a_group_says_that_there_are_more(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cause_counts, "COUNTED_AT_MOST", 4)
    for number in range(5):
        failed(number=f"+2237600000{number}")
    html = page(agent)
    assert "4+ clients: Number without WhatsApp" in html
    assert "4+ messages" in html
    assert "and 1+ other" in html


def test_words_are_looked_for_among_the_newest_and_the_page_says_so(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(depth, "LOOKED_THROUGH", 2)
    for hours in range(3):
        failed(created_at=timezone.now() - hours * HOUR, failed_at=timezone.now() - hours * HOUR)
    assert "2 messages were looked through" in page(agent, query="message_type=expedition")
    assert "were looked through" not in page(agent)


def test_a_group_says_how_many_why_whom_and_what_to_do(agent: Browser):
    user = User.objects.create_user("+22376000002", first_name="Fatou", last_name="Diarra")
    failed()
    failed(number="+22376000002", user=user, sender=None)
    html = page(agent)
    assert "2 clients: Number without WhatsApp (<code>131026</code>)" in html
    assert "This number has no WhatsApp" in html
    assert "Check the number with the client" in html
    assert "Fatou Diarra" in html
    assert "+223 76 00 00 01" in html.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("error_class", "name", "words"),
    [
        (ErrorClass.TRANSIENT, "whatsapp_retry_failed", "Send them again…"),
        (ErrorClass.RECIPIENT_PERMANENT, "whatsapp_monitoring_list", "The numbers to correct"),
        (ErrorClass.WINDOW_CLOSED, "whatsapp_calls", "Call them"),
        (ErrorClass.ACCOUNT_STOP, "whatsapp_retry_failed", "The sender works again: send them…"),
    ],
)
def test_a_group_offers_what_helps(agent: Browser, error_class: ErrorClass, name: str, words: str):
    failed(error_class=error_class, error_code="1")
    html = page(agent)
    assert words in html
    query = "kind=failed" if name == "whatsapp_calls" else f"status=to_handle&error_class={error_class}&error_code=1"
    assert f'href="{reverse(f"agent_mali:{name}")}?{escape(query)}"' in html


def test_an_administrator_goes_to_the_senders(administrator: Browser):
    failed(error_class=ErrorClass.ACCOUNT_STOP, error_code="190")
    html = page(administrator, "admin_mali")
    assert "See the senders" in html
    assert f'href="{reverse("admin_mali:whatsapp_senders")}"' in html
    assert "source_app=agent_mali" in html


def test_an_administrator_sees_hidden_numbers(administrator: Browser):
    nameless = User.objects.create_user("+22376000005")
    failed()
    failed(number="+22376000005", user=nameless)
    html = page(administrator, "admin_mali").replace("\xa0", " ")
    assert "76 00 00" not in html
    assert "760000" not in html


def test_a_handled_cause_folds_away_and_comes_back_with_words(agent: Browser):
    failed(failed_at=timezone.now() - HOUR)
    answer = press(agent, "handled", next=f"{reverse('agent_mali:whatsapp_groups')}?period=week")
    assert answer.headers["Location"] == f"{reverse('agent_mali:whatsapp_groups')}?period=week"
    html = page(agent)
    assert "Noted as handled" in html
    assert "Every cause is handled" in html
    assert "Handled: 1 cause" in html

    failed(number="+22376000002")
    html = page(agent)
    assert "It came back: 1 new message has failed since Awa Traoré handled it" in html
    assert "Came back" in html


def test_a_handled_cause_is_opened_again(agent: Browser):
    failed(failed_at=timezone.now() - HOUR)
    press(agent, "handled")
    press(agent, "reopen")
    html = page(agent)
    assert "This cause is open again." in html
    assert "Handled:" not in html
    assert not WhatsAppCauseMark.objects.exists()
    assert WhatsAppAuditEntry.objects.count() == 2
    press(agent, "reopen")
    assert "Nothing was noted" in page(agent)


def test_the_page_s_own_form_does_what_it_says(agent: Browser):
    failed(failed_at=timezone.now() - HOUR)
    answer = agent.get(reverse("agent_mali:whatsapp_groups"))
    seen_at = answer.context["now"].isoformat()
    assert seen_at[:19] in answer.content.decode()
    press(agent, "handled", seen_at=seen_at)
    assert WhatsAppCauseMark.objects.get().handled_at == answer.context["now"]


@pytest.mark.parametrize(
    "fields", [{"cause": "garbage"}, {"seen_at": "garbage"}, {"seen_at": ""}, {"code": "9"}, {"code": "x" * 41}]
)
def test_what_is_no_cause_marks_nothing(agent: Browser, fields: dict[str, str]):
    failed()
    press(agent, "handled", **fields)
    assert not WhatsAppCauseMark.objects.exists()
    assert "Nothing was noted" in page(agent)


@pytest.mark.parametrize("foreign", ["agent_chine", "admin_mali", ""])
def test_an_agent_marks_only_their_own_office_s_causes(agent: Browser, foreign: str):
    failed("agent_mali", failed_at=timezone.now() - HOUR)
    failed("agent_chine", failed_at=timezone.now() - HOUR)
    press(agent, "handled", source_app=foreign)
    assert [mark.source_app for mark in WhatsAppCauseMark.objects.all()] == ["agent_mali"]
    WhatsAppCauseMark.objects.update(source_app="agent_chine")
    press(agent, "reopen", source_app="agent_chine")
    assert WhatsAppCauseMark.objects.count() == 1


def test_an_agent_s_page_counts_no_foreign_message(agent: Browser):
    failed("agent_chine", error_code="foreign")
    assert "foreign" not in page(agent)
    assert "No failure waits for you" in page(agent)
    assert "Number without WhatsApp" not in page(agent, query="source_app=agent_chine")


def test_an_administrator_marks_the_cause_of_one_office(administrator: Browser):
    failed("agent_mali", failed_at=timezone.now() - HOUR)
    failed("agent_chine", failed_at=timezone.now() - HOUR)
    press(administrator, "handled", "admin_mali", source_app="agent_chine")
    assert [mark.source_app for mark in WhatsAppCauseMark.objects.all()] == ["agent_chine"]
    assert WhatsAppAuditEntry.objects.get().source_app == "admin_mali"


def test_a_part_of_a_cause_cannot_be_marked_as_the_whole(agent: Browser):
    failed(message_type="delivery")
    assert "Mark as handled" in page(agent, query="error_class=recipient_permanent")
    html = page(agent, query="message_type=delivery")
    assert "Mark as handled" not in html
    assert "this is only a part of it" in html


def test_what_a_provider_calls_a_code_is_shown_as_text(agent: Browser):
    failed(error_code="<b>1</b>")
    html = page(agent)
    assert "<b>1</b>" not in html
    assert "&lt;b&gt;" in html
