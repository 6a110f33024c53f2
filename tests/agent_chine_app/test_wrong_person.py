"""Somebody else answers at a client's number."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import RequestFactory
from django.utils import timezone

from agent_chine_app import client_views
from agent_chine_app.client_creation import tell
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppNotification, WhatsAppWrongNumber
from whatsapp_monitoring_app.tasks import send_whatsapp_async

OLD = "+22376123456"
NEW = "+22366554433"


@pytest.fixture
def client(db: None) -> Client:
    return create_client(OLD, "Jean", "Dupont")[0]


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_chine", language="en", first_name="Wei", last_name="Zhang")


def page(client: Client, name: str = "") -> str:
    return f"/agent-chine/clients/{client.pk}/{name}"


def shown(browser: Browser, address: str) -> str:
    return " ".join(browser.get(address).content.decode().split())


def note(browser: Browser, client: Client, number: str = OLD) -> Any:
    return browser.post(page(client, "wrong-person/"), {"number": number}, follow=True)


def forget(browser: Browser, client: Client, number: str = OLD) -> Any:
    return browser.post(page(client, "right-person/"), {"number": number})


def correct(browser: Browser, client: Client) -> Any:
    details = {"opened_with": OLD, "first_name": "Jean", "last_name": "Dupont", "telephone": NEW}
    return browser.post(page(client, "edit/"), {**details, "language": "fr", "country": "ML"})


def resend_page(client: Client) -> str:
    return f"{page(client, 'resend/')}?from=%2B22376123456"


def test_the_page_says_what_happens_before_it_does(client: Client, agent: Browser):
    assert page(client, "wrong-person/") in shown(agent, page(client))
    html = shown(agent, page(client, "wrong-person/"))

    for text in ("+223 76 12 34 56", "Jean Dupont", "no password either", "are cancelled"):
        assert text in html
    assert not WhatsAppWrongNumber.objects.exists()


def test_nothing_more_is_written_to_a_strangers_number_not_even_a_password(client: Client, agent: Browser):
    waiting = rows.notification("agent_mali", Status.PENDING, user=client.user, phone_number=OLD)
    answer = note(agent, client)

    assert "Noted: nothing more is written to +223 76 12 34 56." in answer.content.decode()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancel_reason) == (Status.CANCELLED, CancelReason.WRONG_NUMBER)
    assert WhatsAppWrongNumber.objects.get().noted_by_id == int(agent.session["_auth_user_id"])
    for code in (tell(client), send_whatsapp_async(client.user, "Votre colis", "agent_chine").id):
        assert WhatsAppNotification.objects.get(pk=code).status == Status.CANCELLED


def test_the_clients_page_then_warns_and_shows_both_ways_out(client: Client, agent: Browser):
    note(agent, client)
    html = shown(agent, page(client))

    assert 'class="alert alert-danger"' in html
    assert "Wei Zhang noted it on" in html
    for way in ("edit/", "right-person/"):
        assert f'"{page(client, way)}"' in html
    assert page(client, "wrong-person/") not in html


def test_no_link_is_offered_or_sent_to_a_stranger(client: Client, agent: Browser):
    html = shown(agent, page(client))
    assert "Send a new link" in html
    request_id = html.partition('name="request_id" value="')[2][:36]
    note(agent, client)

    assert "Send a new link" not in shown(agent, page(client))
    answer = agent.post(page(client, "new-link/"), {"request_id": request_id}, follow=True)
    assert "Nothing was sent. Somebody else answers at this number." in answer.content.decode()
    assert not WhatsAppNotification.objects.exists()


def test_noting_it_twice_is_noting_it_once(client: Client, agent: Browser):
    note(agent, client)
    note(agent, client)

    assert WhatsAppWrongNumber.objects.count() == 1


@pytest.mark.parametrize("number", ["", NEW, "garbage", "\x00"], ids=ascii)
@pytest.mark.parametrize("act", [note, forget], ids=["note", "forget"])
def test_a_number_that_was_changed_meanwhile_is_left_alone(act: Any, number: str, client: Client, agent: Browser):
    WhatsAppWrongNumber.objects.create(phone_number=NEW, created_at=timezone.now())
    before = rows.everything()
    act(agent, client, number)

    assert rows.everything() == before


def test_what_was_held_back_is_offered_when_it_is_the_right_number_after_all(client: Client, agent: Browser):
    rows.notification("agent_chine", user=client.user, phone_number=OLD, title="Failed for another reason")
    note(agent, client)
    send_whatsapp_async(client.user, "Votre colis est parti", "agent_chine", title="Held back")
    answer = forget(agent, client)

    assert answer.headers["Location"] == resend_page(client)
    html = shown(agent, resend_page(client))
    assert "Held back" in html
    assert "Failed for another reason" not in html
    agent.post(resend_page(client))
    assert WhatsAppNotification.objects.get(status=Status.PENDING).title == "Held back"


def test_the_right_number_after_all_leads_back_where_nothing_was_held_back(client: Client, agent: Browser):
    note(agent, client)

    assert forget(agent, client).headers["Location"] == page(client)
    assert not WhatsAppWrongNumber.objects.exists()
    assert "Noted: messages go to +223 76 12 34 56 again." in shown(agent, page(client))


@pytest.mark.parametrize("is_noted", [True, False], ids=["noted", "not noted"])
def test_what_a_stranger_got_is_offered_after_the_correction(is_noted: bool, client: Client, agent: Browser):
    rows.notification("agent_chine", Status.READ, user=client.user, phone_number=OLD, title="Read by somebody")
    if is_noted:
        note(agent, client)
    answer = correct(agent, client)

    assert answer.headers["Location"] == (resend_page(client) if is_noted else page(client))
    html = shown(agent, resend_page(client))
    assert ("Read by somebody" in html) == ("Somebody else got it." in html) == is_noted


def test_nothing_is_offered_for_a_new_number_that_is_a_strangers_too(client: Client, agent: Browser):
    rows.notification("agent_chine", user=client.user, phone_number=OLD)
    WhatsAppWrongNumber.objects.create(phone_number=NEW, created_at=timezone.now())
    answer = correct(agent, client)

    assert answer.headers["Location"] == page(client)
    assert "Somebody else answers at this number" in shown(agent, page(client))
    html = shown(agent, resend_page(client))
    assert "Nothing can be sent to this client" in html
    assert '<button class="btn btn-primary"' not in html


@pytest.mark.parametrize(
    ("view", "name"),
    [
        (client_views.ClientEditView, "client_edit.html"),
        (client_views.WrongPersonView, "client_wrong_person.html"),
        (client_views.ResendView, "client_resend.html"),
        (client_views.ClientDetailsView, "client_details.html"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_another_office_may_bind_the_pages_and_replace_their_templates(
    view: Any, name: str, client: Client, make_user: Any
):
    request = RequestFactory().get("/")
    request.user = make_user(role="agent_mali")
    answer = view.as_view(scope=scopes.get("agent_mali"))(request, pk=client.pk)

    assert [each.partition("/")[0] for each in answer.template_name] == [
        "agent_mali_app",
        "whatsapp_monitoring_app",
        "agent_chine_app",
    ]
    assert all(each.endswith(f"/{name}") for each in answer.template_name)
    assert answer.context_data["registers"] is False
