"""People's numbers are hidden in the offices that oversee, until somebody asks for one, which is written down."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts import phones
from accounts.models import User
from tests import rows
from tests.test_tenancy import ADMIN_OFFICES, SCREENS, Screen, address, browser_of, notifications, values
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Action,
    Status,
    WhatsAppAddressee,
    WhatsAppAuditEntry,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppRetryBatch,
)
from whatsapp_monitoring_app.services import changes
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views import reveals

pytestmark = pytest.mark.django_db

__all__ = ["notifications", "values"]

NUMBER = "+22376123456"
ADMIN_SCREENS = [screen for screen in SCREENS if "get" in screen.methods and screen.office in ADMIN_OFFICES]


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370009001")


def url(name: str, *args: Any, office: str = "admin_mali") -> str:
    return reverse(f"{office}:whatsapp_{name}", args=args)


def shows(html: str, number: str = NUMBER) -> bool:
    """Whether this number stands on the page, in any spelling."""
    return any(spelling in html for spelling in (number.removeprefix("+"), phones.for_people(number)))


def html_of(browser: Browser, name: str, *args: Any, **query: str) -> str:
    return browser.get(url(name, *args), query).content.decode()


def reveal(browser: Browser, notification: WhatsAppNotification, **given: str) -> Any:
    return browser.post(url("reveal", notification.pk), given)


@pytest.mark.parametrize("screen", ADMIN_SCREENS, ids=str)
def test_no_screen_of_an_administration_shows_the_number_of_a_client(
    screen: Screen, values: dict[str, Any], notifications: dict[str, WhatsAppNotification]
):
    answer: Any = browser_of(screen.office).get(address(screen, values, notifications[screen.office]), follow=True)
    page = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode(errors="replace")

    assert answer.status_code == 200
    for number in {NUMBER, *(each.phone_number for each in notifications.values())}:
        assert not shows(page, number), number


def test_a_superuser_sees_no_more_there(notifications: dict[str, WhatsAppNotification]):
    notification = notifications["agent_mali"]
    page = browser_of("superuser").get(url("attempt_details", notification.pk)).content.decode()
    assert not shows(page, notification.phone_number)


def test_agents_see_the_numbers_of_their_own(log_in: Callable[..., Browser]):
    notification = rows.notification("agent_mali")
    agent = log_in("agent_mali", language="en")
    for page in (url("attempt_details", notification.pk, office="agent_mali"), url("calls", office="agent_mali")):
        html = agent.get(page).content.decode()
        assert f'href="tel:{NUMBER}"' in html
        assert "Show the number" not in html
    with pytest.raises(Exception, match="not a valid view function or pattern name"):
        url("reveal", notification.pk, office="agent_mali")


def test_what_the_provider_repeats_is_hidden_too(browser: Browser):
    notification = rows.notification("agent_mali", error_message="Undeliverable: 22376123456", wa_id="22376123456")
    attempt = rows.attempt(notification)
    type(attempt).objects.filter(pk=attempt.pk).update(
        provider_response='{"wa_id": "22376123456"}', error_message="Recipient +22376123456 is not valid"
    )
    assert not shows(html_of(browser, "attempt_details", notification.pk))


def test_a_person_without_a_name_is_not_called_by_their_number(browser: Browser):
    user = User.objects.create_user(NUMBER)
    rows.notification("agent_mali", user=user)
    for name in ("monitoring", "monitoring_list", "calls", "morning"):
        assert not shows(html_of(browser, name)), name


def test_one_number_is_shown_to_who_asks_and_it_is_written_down(browser: Browser):
    notification = rows.notification("agent_mali")
    other = rows.notification("agent_mali", phone_number="+22376999999")
    answer = reveal(browser, notification)
    html = html_of(browser, "attempt_details", notification.pk)

    assert answer["Location"] == url("attempt_details", notification.pk)
    assert f'href="tel:{NUMBER}"' in html
    assert "Hidden again at" in html
    assert not shows(html_of(browser, "attempt_details", other.pk), other.phone_number)
    entry = WhatsAppAuditEntry.objects.get()
    assert (entry.action, entry.target, entry.source_app) == (Action.REVEAL, str(notification.pk), "admin_mali")
    assert not shows(f"{entry.target}{entry.detail}")


def test_another_administrator_s_session_does_not_see_it(browser: Browser, log_in: Callable[..., Browser]):
    notification = rows.notification("agent_mali")
    reveal(browser, notification)
    other = log_in("admin_mali", language="en", telephone="+22370009003")
    assert not shows(html_of(other, "attempt_details", notification.pk))


def test_a_number_is_hidden_again_after_ten_minutes(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    notification = rows.notification("agent_mali")
    monkeypatch.setattr(reveals, "SHOWN_FOR", timedelta(0))
    reveal(browser, notification)
    assert not shows(html_of(browser, "attempt_details", notification.pk))


def test_the_session_holds_no_number_and_few_entries(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reveals, "AT_MOST", 2)
    shown = [rows.notification("agent_mali", phone_number=f"+2237612345{number}") for number in range(3)]
    for notification in shown:
        reveal(browser, notification)

    kept = browser.session[reveals.KEY]
    assert len(kept) == 2
    assert "76123" not in str(kept)
    assert not shows(html_of(browser, "attempt_details", shown[0].pk), shown[0].phone_number)
    assert shows(html_of(browser, "attempt_details", shown[2].pk), shown[2].phone_number)


def test_a_card_of_the_call_list_shows_its_number_and_comes_back(browser: Browser):
    notification = rows.notification("agent_mali")
    assert url("reveal", notification.pk) in html_of(browser, "calls")
    answer = reveal(browser, notification, next=url("calls"))

    assert answer["Location"] == url("calls")
    assert f'href="tel:{NUMBER}"' in html_of(browser, "calls")
    assert f'href="tel:{NUMBER}"' in html_of(browser, "morning")


def test_somebody_without_a_message_is_shown_too(browser: Browser):
    user = User.objects.create_user(NUMBER, first_name="Awa")
    announced = rows.announcement("agent_mali")
    addressee = WhatsAppAddressee.objects.create(
        announcement=announced, user=user, template="envoi_parti", obstacle=f"“{NUMBER}” is no number"
    )
    address_of_button = url("reveal_addressee", announced.pk, addressee.pk)
    for page in (url("calls"), url("announcement", announced.pk)):
        html = browser.get(page).content.decode()
        assert address_of_button in html
        assert not shows(html)

    assert browser.post(url("reveal_addressee", uuid.uuid4(), addressee.pk)).status_code == 404
    browser.post(address_of_button)
    assert f'href="tel:{NUMBER}"' in html_of(browser, "calls")
    assert WhatsAppAuditEntry.objects.get().target == str(announced.pk)


def test_calls_are_noted_without_a_number_on_the_page(browser: Browser):
    notification = rows.notification("agent_mali")
    form = {"message": str(notification.pk), "request_id": str(uuid.uuid4())}
    asked = html_of(browser, "call_wrong", message=str(notification.pk))

    assert not shows(asked)
    assert str(notification.pk) in asked
    assert not shows(browser.post(url("call_wrong"), form, follow=True).content.decode())


def test_a_message_that_is_not_there_shows_nothing(browser: Browser):
    assert browser.post(url("reveal", uuid.uuid4())).status_code == 404
    assert not WhatsAppAuditEntry.objects.exists()


@pytest.mark.parametrize("name", ["monitoring_list", "groups", "retry_failed", "export_create", "changes"])
@pytest.mark.parametrize("query", [{"q": "761234"}, {"telephone": "761234"}, {"telephone": "+223"}], ids=str)
def test_a_part_of_a_number_finds_nothing(name: str, query: dict[str, str], browser: Browser):
    token = str(changes.token(Filters(), scopes.get("admin_mali"), timezone.now()))
    rows.notification("agent_mali", title="Found out")
    answer = browser.get(url(name), {**query, "token": token})
    context = answer.context or {}

    if name == "changes":
        assert "new message" not in answer.content.decode()
    if name in ("monitoring_list", "export_create"):
        assert context["total"] == 0
    assert not context.get("groups")
    assert "plan" not in context or context["plan"].matching == 0


def test_nothing_is_sent_again_by_a_part_of_a_number(browser: Browser):
    rows.notification("agent_mali")
    form = {"request_id": str(uuid.uuid4()), "query": "telephone=761234", "seen": "0", "how": "all"}
    browser.post(url("retry_failed"), form)
    assert not WhatsAppRetryBatch.objects.exists()


def test_why_a_part_finds_nothing_is_said(browser: Browser):
    rows.notification("agent_mali")
    assert "write the telephone in full" in html_of(browser, "monitoring_list", telephone="7612")


def test_a_provider_s_id_that_holds_the_number_is_hidden_with_it(browser: Browser):
    # "22376123456" in base64.
    wamid = "wamid.HBgLMjIzNzYxMjM0NTYVAgARGBI="
    notification = rows.notification("agent_mali", provider_message_id=wamid, error_message=f"{wamid} is gone")
    assert "HBgLMjIz" not in html_of(browser, "attempt_details", notification.pk)
    reveal(browser, notification)
    assert "HBgLMjIz" in html_of(browser, "attempt_details", notification.pk)


def test_a_number_at_the_edge_of_a_short_text_is_hidden_whole(browser: Browser):
    rows.notification("agent_mali", message_content=f"{'x' * 60} {NUMBER} and more words")
    assert "+223761" not in html_of(browser, "monitoring_list")


def test_the_pages_of_a_retry_hide_who_has_no_name(browser: Browser):
    user = User.objects.create_user(NUMBER)
    owed = rows.notification("agent_mali", user=user, message_content=f"Call {NUMBER}")
    assert not shows(html_of(browser, "retry", owed.pk))
    for _number in range(6):
        rows.notification("agent_mali", user=user, error_class="transient")
    form = {"request_id": str(uuid.uuid4()), "query": "", "seen": "6", "how": "few"}
    browser.post(url("retry_failed"), form)
    assert not shows(html_of(browser, "retry_batch", WhatsAppRetryBatch.objects.get().pk))


def test_a_full_number_still_finds_its_messages(browser: Browser):
    notification = rows.notification("agent_mali", Status.READ)
    rows.notification("agent_mali", Status.READ, phone_number="+22376999999")
    page = browser.get(url("monitoring_list"), {"q": NUMBER})
    assert list(page.context["page"]) == [notification]
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=timezone.now())
    assert len(browser.get(url("opt_outs"), {"q": NUMBER}).context["page"].object_list) == 1
