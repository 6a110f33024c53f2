"""Where a form leads whose session has ended or whose token is too old: to the page with the form, never to a 405."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client
from tests.conftest import PASSWORD
from tests.test_screens import LANGUAGES, Suspects

HERE = "http://testserver"


@pytest.fixture
def client(db: None) -> Client:
    return create_client("+22376123456", "Jean", "Dupont")[0]


@pytest.mark.parametrize("address", ["clients/new/", "colis/new/?client=7", "clients/1/edit/"])
def test_a_form_that_is_posted_without_login_is_come_back_to(address: str, db: None):
    answer = Browser().post(f"/agent-chine/{address}", {"first_name": "Awa"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login/?next=/agent-chine/{address}".replace("?client=7", "%3Fclient%3D7")


@pytest.mark.parametrize(
    ("referer", "page"),
    [
        (f"{HERE}/agent-chine/clients/7/", "/agent-chine/clients/7/"),
        (f"{HERE}/agent-chine/clients/7/?q=awa#top", "/agent-chine/clients/7/%3Fq%3Dawa"),
        ("https://evil.example/agent-chine/", "/agent-chine/"),
        (f"{HERE}//evil.example/", "/evil.example/"),
        ("javascript:alert(1)", "/agent-chine/"),
        ("", "/agent-chine/"),
    ],
)
def test_a_button_that_is_pressed_without_login_leads_back_to_its_page(referer: str, page: str, client: Client):
    answer = Browser().post(f"/agent-chine/clients/{client.pk}/new-link/", headers={"Referer": referer})

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login/?next={page}"


def test_a_piece_of_a_page_leads_back_to_its_page(client: Client):
    page = f"{HERE}/admin-mali/whatsapp/templates/new/"
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    answer = Browser().post("/admin-mali/whatsapp/templates/preview/", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login/?next=/admin-mali/whatsapp/templates/new/"


def test_after_the_login_the_page_with_the_form_is_shown(make_user: Callable[..., Any], client: Client):
    person = make_user(role="agent_chine")
    browser = Browser()
    login = browser.post(f"/agent-chine/clients/{client.pk}/edit/").headers["Location"]
    next_page = browser.get(login).context["next"]
    answer = browser.post("/login/", {"username": person.telephone, "password": PASSWORD, "next": next_page})

    assert answer.headers["Location"] == f"/agent-chine/clients/{client.pk}/edit/"
    assert browser.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_with_an_old_token_is_told_the_way_back(
    language: str, make_user: Callable[..., Any], client: Client, settings: Any
):
    settings.DEBUG = False
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(make_user(role="agent_chine", language=language))
    form = f"/agent-chine/clients/{client.pk}/edit/"
    answer = browser.post(form, headers={"Referer": HERE + form})

    assert answer.status_code == 403
    html = answer.content.decode()
    assert f'<html lang="{language}"' in html
    assert f'href="{form}"' in html
    assert "data-when-kept hidden" in html
    assert Suspects(html).found == []


def test_a_form_of_another_site_is_led_home(db: None):
    answer = Browser(enforce_csrf_checks=True).post("/login/", headers={"Referer": "https://evil.example/"})

    assert answer.status_code == 403
    assert 'class="btn btn-primary" href="/"' in answer.content.decode()


@pytest.mark.parametrize("address", ["clients/new/", "colis/new/"])
def test_a_form_says_whether_it_shows_what_was_typed(address: str, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")

    assert 'data-keep=""' in browser.get(f"/agent-chine/{address}").content.decode()
    assert 'data-keep="answered"' in browser.post(f"/agent-chine/{address}").content.decode()
