"""The page of one client of the China office, and the new first-password link that it sends."""

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from agent_chine_app import client_creation
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis
from tests import rows
from tests.stack import Stack
from tests.test_screens import LANGUAGES, MOST_QUERIES, Suspects
from tests.waiting import eventually
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
)

JEAN = "+22376123456"
OTHER = "+22376123457"
NOW = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def client(db: None) -> Client:
    return create_client(JEAN, "Jean", "Dupont")[0]


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_chine", language="en")


def page(client: Client) -> str:
    return f"/agent-chine/clients/{client.pk}/"


def shown(browser: Browser, client: Client) -> str:
    answer = browser.get(page(client))
    assert answer.status_code == 200
    return answer.content.decode()


def writes(text: str, at: datetime = NOW, **fields: Any) -> WhatsAppInbound:
    given = {"provider": "cloud_api", "provider_message_id": f"wamid.{uuid.uuid4()}", "phone_number": JEAN, **fields}
    return WhatsAppInbound.objects.create(text=text, occurred_at=at, received_at=at, **given)


def test_the_list_of_clients_leads_to_each(client: Client, agent: Browser):
    assert f'href="{page(client)}"' in agent.get("/agent-chine/clients/").content.decode()


def test_the_page_says_who_the_client_is(client: Client, agent: Browser):
    Client.objects.update(created_at=datetime(2025, 3, 9, 12, tzinfo=UTC))
    User.objects.filter(pk=client.user_id).update(language="zh-hans", email="jean@example.com")
    for number in range(7):
        Colis.objects.create(client=client, description=f"Box {number}")
    html = shown(agent, client)
    for text in ("Jean Dupont", "+223 76 12 34 56", "简体中文", "jean@example.com", "March 9, 2025", "<dd>7</dd>"):
        assert text in html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("is_full", [False, True], ids=["empty", "full"])
def test_the_page_is_shown_with_and_without_rows_in_each_language(
    language: str, is_full: bool, client: Client, log_in: Callable[..., Browser]
):
    if is_full:
        fill(client, 9)
    html = shown(log_in("agent_chine", language=language), client)
    assert f'<html lang="{language}"' in html
    assert Suspects(html).found == []
    assert html.count('class="empty"') == (0 if is_full else 3)


def fill(client: Client, count: int) -> None:
    for number in range(count):
        Colis.objects.create(client=client, description=f"Box {number}")
        rows.notification("agent_chine", Status.READ, user=client.user, phone_number=JEAN, title=f"Title {number}")
        writes(f"Word {number}")


def test_the_page_asks_the_database_a_few_questions_whatever_the_number_of_rows(client: Client, agent: Browser):
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            shown(agent, client)
        return len(asked)

    fill(client, 1)
    few = question_count()
    fill(client, 20)
    assert question_count() == few <= MOST_QUERIES


def test_the_page_shows_the_latest_parcels_messages_and_words_of_this_client_alone(client: Client, agent: Browser):
    other = create_client(OTHER, "Awa", "Keïta")[0]
    Colis.objects.create(client=other, description="Box of another")
    rows.notification("agent_chine", user=other.user, phone_number=OTHER, title="Title of another")
    writes("Word of another", phone_number=OTHER)
    fill(client, 9)
    answer = agent.get(page(client))
    html = answer.content.decode()
    assert "of another" not in html
    assert [colis.description for colis in answer.context["colis_list"]] == [f"Box {n}" for n in (8, 7, 6, 5, 4)]
    assert [told.title for told in answer.context["notifications"]] == [f"Title {n}" for n in (8, 7, 6, 5, 4)]
    for told in answer.context["notifications"]:
        assert reverse("agent_chine:whatsapp_attempt_details", args=[told.pk]) in html
    assert "All parcels" in html
    assert "All their messages" in html
    query = f"?q={JEAN.replace('+', '%2B')}"
    assert agent.get(f"/agent-chine/colis/{query}").context["page"].paginator.count == 9
    assert agent.get(f"/agent-chine/whatsapp/monitoring/list/?client={client.user_id}").context["total"] == 9


def test_nothing_more_is_promised_where_everything_is_shown(client: Client, agent: Browser):
    fill(client, 5)
    html = shown(agent, client)
    assert "All parcels" not in html


def test_a_message_to_the_clients_telephone_is_one_that_they_were_told(client: Client, agent: Browser):
    rows.notification("agent_chine", phone_number=JEAN, title="Without account")
    rows.notification("agent_chine", phone_number=OTHER, user=client.user, title="To another telephone")
    rows.notification("agent_mali", phone_number=JEAN, title="Of another office")
    html = shown(agent, client)
    assert "Without account" in html
    assert "To another telephone" in html
    assert "Of another office" not in html


def test_what_was_written_to_another_office_is_not_shown(client: Client, agent: Browser):
    WhatsAppSender.objects.filter(code="chine").update(account_id="1001")
    WhatsAppSender.objects.filter(code="mali").update(account_id="1002")
    writes("For China", account_id="1001")
    writes("For Mali", account_id="1002")
    html = shown(agent, client)
    assert "For China" in html
    assert "For Mali" not in html


@pytest.mark.parametrize("number", [JEAN, OTHER], ids=["theirs", "another's"])
def test_the_page_says_that_the_client_has_written_stop(number: str, client: Client, agent: Browser):
    WhatsAppOptOut.objects.create(phone_number=number, reason="STOP", created_at=NOW)
    assert ("Has not wanted news of parcels on WhatsApp since Oct. 5, 2026" in shown(agent, client)) == (
        number == JEAN
    )


def test_what_the_client_typed_is_shown_as_text(agent: Browser):
    evil = "<script>alert(1)</script>"
    client = create_client(JEAN, evil, "<b>")[0]
    writes(evil)
    Colis.objects.create(client=client, description=evil)
    assert evil not in shown(agent, client)


@pytest.mark.parametrize("path", ["", "new-link/"])
def test_a_client_who_never_was_is_not_found(path: str, agent: Browser):
    for method in ("get", "post"):
        assert getattr(agent, method)(f"/agent-chine/clients/9999/{path}").status_code in (404, 405)
    assert agent.get("/agent-chine/clients/9999/").status_code == 404
    assert agent.post("/agent-chine/clients/9999/new-link/").status_code == 404


def request_id_on(html: str) -> str:
    return re.findall(r'name="request_id" value="([^"]+)"', html)[0]


def press(browser: Browser, client: Client, request_id: str | None = None) -> Any:
    request_id = request_id or request_id_on(shown(browser, client))
    return browser.post(f"{page(client)}new-link/", {"request_id": request_id})


def test_a_new_link_is_like_the_first_one(client: Client, agent: Browser):
    first = WhatsAppNotification.objects.get(pk=client_creation.tell(client))
    answer = press(agent, client)
    second = WhatsAppNotification.objects.exclude(pk=first.pk).get()
    assert answer.headers["Location"] == reverse("agent_chine:whatsapp_attempt_details", args=[second.pk])
    for field in ("source_app", "user", "phone_number", "message_type", "category", "priority", "is_secret"):
        assert getattr(second, field) == getattr(first, field), field
    assert (second.message_content, second.title) == (first.message_content, first.title)
    assert "A new link is on its way to Jean Dupont." in agent.get(answer.headers["Location"]).content.decode()


def test_the_same_button_pressed_twice_sends_one_link_and_a_later_one_another(client: Client, agent: Browser):
    html = shown(agent, client)
    answers = [press(agent, client, request_id_on(html)) for _ in range(2)]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert WhatsAppNotification.objects.count() == 1
    press(agent, client)
    assert WhatsAppNotification.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_button_pressed_by_many_at_once_sends_one_link(client: Client, agent: Browser):
    request_id = request_id_on(shown(agent, client))

    def submit(_number: int) -> int:
        browser = Browser()
        browser.cookies = agent.cookies
        try:
            return press(browser, client, request_id).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(submit, range(8))) == {302}
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize("request_id", ["garbage", "", "%00"], ids=repr)
def test_a_form_that_was_tampered_with_sends_nothing_and_says_so(request_id: str, client: Client, agent: Browser):
    answer = agent.post(f"{page(client)}new-link/", {"request_id": request_id}, follow=True)
    assert answer.redirect_chain == [(page(client), 302)]
    assert "Nothing was sent." in answer.content.decode()
    assert not WhatsAppNotification.objects.exists()


def test_who_has_a_password_is_sent_no_link(client: Client, agent: Browser):
    request_id = request_id_on(shown(agent, client))
    client.user.set_password("seven green parcels")
    client.user.save()
    assert "Send a new link" not in shown(agent, client)
    answer = agent.post(f"{page(client)}new-link/", {"request_id": request_id}, follow=True)
    assert answer.redirect_chain == [(page(client), 302)]
    assert "has chosen a password already" in answer.content.decode()
    assert not WhatsAppNotification.objects.exists()


def test_who_has_written_stop_gets_the_link_all_the_same(client: Client, agent: Browser):
    WhatsAppOptOut.objects.create(phone_number=JEAN, reason="STOP", created_at=NOW)
    press(agent, client)
    assert WhatsAppNotification.objects.get().status == Status.PENDING


def test_a_number_that_cannot_be_written_to_is_said(agent: Browser):
    client = create_client(JEAN, "Jean", "Dupont")[0]
    User.objects.filter(pk=client.user_id).update(telephone="+2230")
    answer = agent.post(f"{page(client)}new-link/", {"request_id": str(uuid.uuid4())}, follow=True)
    assert "not a valid telephone number" in answer.content.decode()
    assert not WhatsAppNotification.objects.exists()


def test_the_new_link_really_opens_when_the_first_one_is_too_old(stack: Stack, agent: Browser):
    client = create_client(JEAN, "Jean", "Dupont")[0]
    press(agent, client)
    (message,) = eventually(lambda: stack.messages_to(JEAN), "the new link arrived")
    path = re.findall(r"(/first-password/\S+/)", message["text"])[0]
    assert Browser().get(path, follow=True).context["validlink"]
    eventually(lambda: WhatsAppNotification.objects.filter(status=Status.READ).exists(), "the receipts are applied")
