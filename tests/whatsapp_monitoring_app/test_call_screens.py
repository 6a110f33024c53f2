"""The call list as people use it: on the list's page and on the page of a message."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from tests import rows
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppWrongNumber,
)

pytestmark = pytest.mark.django_db

NUMBER = "+22376123456"


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Keïta")


def url(name: str, office: str = "agent_mali", *args: Any) -> str:
    return reverse(f"{office}:whatsapp_{name}", args=args)


def page(browser: Browser, office: str = "agent_mali", **query: str) -> str:
    answer = browser.get(url("calls", office), query)
    assert answer.status_code == 200
    return answer.content.decode()


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def tell(browser: Browser, *notifications: WhatsAppNotification, **fields: Any) -> Any:
    given = {"message": [str(one.pk) for one in notifications], "request_id": str(uuid.uuid4())}
    return browser.post(url("call_told"), given | fields)


def test_a_card_has_all_that_a_call_needs(agent: Browser, make_user: Callable[..., User]):
    user = make_user(NUMBER, first_name="Jean", last_name="Dupont")
    rows.notification("agent_mali", user=user, message_content="Votre colis est arrivé.")
    html = page(agent)

    for piece in ("Jean Dupont", f'href="tel:{NUMBER}"', "Votre colis est arrivé.", 'data-copy="text-', "1 person"):
        assert piece in html, piece
    assert "This number has no WhatsApp" in html
    assert "wa.me" not in html


def test_the_menu_says_how_many_wait(agent: Browser):
    assert 'class="count"' not in page(agent)
    for number in range(3):
        rows.notification("agent_mali", phone_number=f"+2237000000{number}")
    home = agent.get(reverse("agent_mali:home")).content.decode()
    assert '<small class="count">3</small>' in home


def test_when_everybody_knows_the_page_says_so(agent: Browser):
    assert "Everybody has been told" in page(agent)
    assert "Nobody is found" in page(agent, q="Traoré")


def test_a_stranger_s_number_has_no_button_to_call(agent: Browser):
    rows.notification("agent_mali")
    WhatsAppWrongNumber.objects.create(phone_number=NUMBER, created_at=timezone.now())
    html = page(agent)

    assert "Somebody else answers at this number: find the right one." in html
    assert f"tel:{NUMBER}" not in html
    assert page(agent, kind="to_correct").count("Somebody else answers at this number") == 1
    assert "Nobody is found" in page(agent, kind="failed")


def test_told_by_telephone_is_noted_and_said_everywhere(agent: Browser):
    notification = rows.notification("agent_mali")
    answer = tell(agent, notification)
    notification.refresh_from_db()

    assert (answer.status_code, answer["Location"]) == (302, url("calls"))
    assert said(answer) == ["Noted: told by telephone. They are off the list."]
    assert notification.informed_by == User.objects.get(first_name="Awa")
    assert "Everybody has been told" in page(agent)
    details = agent.get(url("attempt_details", "agent_mali", notification.pk)).content.decode()
    assert "Told by telephone by Awa Keïta" in details
    assert url("call_told") not in details
    home = agent.get(reverse("agent_mali:home")).content.decode()
    assert "<strong>0</strong> messages failed, to handle" in home


def test_somebody_else_who_noted_it_is_named(agent: Browser, log_in: Callable[..., Browser]):
    notification = rows.notification("agent_mali")
    tell(agent, notification)
    (sentence,) = said(tell(log_in("agent_mali", language="en"), notification))
    assert sentence.startswith("Awa Keïta told them already: ")


def test_what_failed_after_the_page_was_opened_is_not_noted(agent: Browser):
    shown, later = rows.notification("agent_mali"), rows.notification("agent_mali")
    tell(agent, shown)
    later.refresh_from_db()
    assert later.informed_at is None
    assert NUMBER in page(agent)


@pytest.mark.parametrize("given", [{}, {"message": "x"}, {"addressee": "²"}, {"request_id": "x"}], ids=repr)
def test_a_form_without_sense_notes_nothing(given: dict[str, str], agent: Browser):
    rows.notification("agent_mali")
    before = rows.everything()
    for name in ("call_told", "call_later"):
        answer = agent.post(url(name), given)
        assert (answer.status_code, len(said(answer)) > 0) == (302, True)
    assert agent.post(url("call_wrong"), given).status_code == 422
    assert rows.everything() == before
    assert not WhatsAppCall.objects.exists()


def test_a_foreign_message_cannot_be_noted(agent: Browser):
    foreign = rows.notification("agent_chine")
    tell(agent, foreign)
    agent.post(url("call_later"), {"message": foreign.pk, "request_id": str(uuid.uuid4())})
    agent.post(url("call_wrong"), {"message": foreign.pk, "request_id": str(uuid.uuid4())})

    foreign.refresh_from_db()
    assert foreign.informed_at is None
    assert not WhatsAppCall.objects.exists()
    assert not WhatsAppWrongNumber.objects.exists()


def test_not_reached_keeps_them_behind_the_others_and_counts_the_try_once(agent: Browser):
    urgent = rows.notification("agent_mali", priority=1)
    rows.notification("agent_mali", phone_number="+22370000001")
    form = {"message": str(urgent.pk), "request_id": str(uuid.uuid4())}
    for _ in range(2):
        assert agent.post(url("call_later"), form).status_code == 302
    html = page(agent)

    assert "Not reached 1 time, by Awa Keïta:" in html
    assert html.index("tel:+22370000001") < html.index(f"tel:{NUMBER}")


def test_a_wrong_person_is_asked_about_first(agent: Browser):
    notification = rows.notification("agent_mali")
    asked = agent.get(url("call_wrong"), {"message": str(notification.pk)}).content.decode()
    assert "Nothing is written to this number any more" in asked
    assert not WhatsAppWrongNumber.objects.exists()

    agent.post(url("call_wrong"), {"message": notification.pk, "request_id": str(uuid.uuid4())})
    assert WhatsAppWrongNumber.objects.get().phone_number == NUMBER
    assert "Nobody has to be called" in agent.get(url("call_wrong"), {"message": str(uuid.uuid4())}).content.decode()


@pytest.mark.parametrize("status", Status)
def test_the_page_of_a_message_offers_it_where_it_makes_sense(status: Status, agent: Browser):
    fields = {"claim_id": uuid.uuid4(), "claimed_until": timezone.now()} if status == Status.SENDING else {}
    notification = rows.notification("agent_mali", status, **fields)
    html = agent.get(url("attempt_details", "agent_mali", notification.pk)).content.decode()
    assert (url("call_told") in html) == (status in (Status.FAILED, Status.UNCONFIRMED))


def test_the_page_of_a_message_leads_to_the_one_at_the_corrected_number(agent: Browser):
    again = rows.notification("agent_mali", Status.PENDING, phone_number="+22370000001")
    old = rows.notification("agent_mali", resent_as=again)
    html = agent.get(url("attempt_details", "agent_mali", old.pk)).content.decode()

    assert url("attempt_details", "agent_mali", again.pk) in html
    assert url("retry", "agent_mali", old.pk) not in html


def test_the_figure_on_the_home_page_leads_to_what_it_counts(agent: Browser):
    shown, told = rows.notification("agent_mali"), rows.notification("agent_mali", phone_number="+22370000001")
    tell(agent, told)
    home = agent.get(reverse("agent_mali:home")).content.decode()
    link = f"{url('monitoring_list')}?status=to_handle"

    assert f'href="{link}"><strong>1</strong>' in home
    assert list(agent.get(link).context["page"]) == [shown]


def test_the_china_office_gets_to_the_page_of_the_client(log_in: Callable[..., Browser], agent: Browser):
    client, _ = create_client(NUMBER, "Jean", "Dupont")
    for office in ("agent_chine", "agent_mali"):
        rows.notification(office, user=client.user)
    link = reverse("agent_chine:client_details", args=[client.pk])

    assert link in page(log_in("agent_chine"), "agent_chine")
    assert link not in page(agent)


def test_administrators_see_every_office_with_its_name(log_in: Callable[..., Browser]):
    rows.notification("agent_mali")
    rows.notification("agent_chine", phone_number="+22370000001")
    html = page(log_in("admin_mali", language="en"), "admin_mali")
    assert "Mali office" in html
    assert "China office" in html


def test_a_long_list_has_pages_of_10_people_and_asks_few_questions(agent: Browser, make_user: Callable[..., User]):
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(agent)
        return len(asked)

    for _ in range(3):
        rows.notification("agent_mali", user=make_user(), phone_number=f"+2237{uuid.uuid4().int % 10**7:07}")
    few = question_count()
    for number in range(57):
        rows.notification("agent_mali", user=make_user(), phone_number=f"+22370000{number:03}")
    assert question_count() == few

    shown = [
        person.phone_number for n in "123456" for person, _ in agent.get(url("calls"), {"page": n}).context["people"]
    ]
    assert len(shown) == len(set(shown)) == 60
