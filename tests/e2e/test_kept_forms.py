"""What somebody typed outlives an ended session, an old token and a refusal, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation
from tests.conftest import PASSWORD
from tests.e2e.test_story import log_in
from whatsapp_monitoring_app.models import WhatsAppSender

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

AGENT, COLLEAGUE, ADMIN = "+8613800138000", "+8613800138001", "+22370000101"
KEPT = "What you had typed was kept."


@pytest.fixture
def office(phone: Page, live_server: Any, make_user: Callable[..., User]) -> str:
    make_user(AGENT, role="agent_chine", language="en")
    make_user(COLLEAGUE, role="agent_chine", language="en")
    log_in(phone, f"{live_server.url}/login/", AGENT)
    return f"{live_server.url}/agent-chine/"


def fill_new_client(page: Page, office: str) -> None:
    page.goto(f"{office}clients/new/")
    page.get_by_label("First name").fill("Aminata")
    page.get_by_label("Last name").fill("Coulibaly")
    page.get_by_label("Telephone").fill("+223 76 12 34 56")
    page.get_by_label("Language of the messages").select_option("zh-hans")


def is_filled(page: Page) -> None:
    expect(page.get_by_label("First name")).to_have_value("Aminata")
    expect(page.get_by_label("Last name")).to_have_value("Coulibaly")
    expect(page.get_by_label("Telephone")).to_have_value("+223 76 12 34 56")
    expect(page.get_by_label("Language of the messages")).to_have_value("zh-hans")


def is_empty(page: Page, office: str) -> None:
    page.goto(f"{office}clients/new/")
    expect(page.get_by_label("First name")).to_have_value("")
    expect(page.get_by_text(KEPT)).to_have_count(0)


def register(page: Page) -> None:
    page.get_by_role("button", name="Register the client").click()


def end_the_session(page: Page) -> None:
    Session.objects.all().delete()


def log_in_again(page: Page, telephone: str = AGENT) -> None:
    page.get_by_label("Téléphone").fill(telephone)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()


def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(phone: Page, office: str):
    fill_new_client(phone, office)
    request_id = phone.locator("[name=request_id]").input_value()
    end_the_session(phone)
    register(phone)

    expect(phone.locator("[data-when-kept]")).to_be_visible()
    assert "Coulibaly" in phone.evaluate("JSON.stringify(sessionStorage)")
    log_in_again(phone)
    expect(phone).to_have_url(f"{office}clients/new/")
    expect(phone.get_by_text(KEPT)).to_be_visible()
    is_filled(phone)
    assert phone.locator("[name=request_id]").input_value() == request_id
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert phone.evaluate(overflow) <= 0

    register(phone)
    expect(phone).to_have_url(f"{office}clients/creations/{request_id}/")
    assert (ClientCreation.objects.get().first_name, ClientCreation.objects.get().language) == ("Aminata", "zh-hans")
    is_empty(phone, office)


def test_a_form_with_an_old_token_finds_its_text_again(phone: Page, office: str):
    fill_new_client(phone, office)
    phone.context.clear_cookies(name="csrftoken")
    register(phone)
    expect(phone.locator("[data-when-kept]")).to_be_visible()
    phone.locator("main a.btn").click()

    expect(phone).to_have_url(f"{office}clients/new/")
    expect(phone.get_by_text(KEPT)).to_be_visible()
    is_filled(phone)


def test_a_refused_form_is_shown_once_and_its_text_is_kept_still(phone: Page, office: str, complaints: list[str]):
    fill_new_client(phone, office)
    phone.get_by_label("Telephone").fill("12")
    register(phone)
    expect(phone.locator(".field-error")).to_be_visible()
    expect(phone.get_by_text(KEPT)).to_have_count(0)

    phone.get_by_label("Telephone").fill("+223 76 12 34 56")
    end_the_session(phone)
    register(phone)
    log_in_again(phone)
    expect(phone.get_by_text(KEPT)).to_be_visible()
    is_filled(phone)


def test_what_was_typed_survives_a_reload_and_is_forgotten_on_demand(phone: Page, office: str):
    fill_new_client(phone, office)
    phone.goto(f"{office}colis/")
    phone.goto(f"{office}clients/new/")
    is_filled(phone)
    phone.get_by_role("button", name="Forget it").click()
    expect(phone.get_by_label("First name")).to_have_value("")
    is_empty(phone, office)


@pytest.mark.parametrize("way", ["Cancel", "Log out"])
def test_who_cancels_or_leaves_keeps_nothing(way: str, phone: Page, office: str):
    fill_new_client(phone, office)
    if way == "Log out":
        phone.locator("details.menu summary").last.click()
        phone.get_by_role("button", name="Log out").click()
        log_in_again(phone)
    else:
        phone.get_by_role("link", name="Cancel").click()
    is_empty(phone, office)


def test_nobody_else_finds_what_somebody_typed(phone: Page, office: str):
    fill_new_client(phone, office)
    end_the_session(phone)
    register(phone)
    log_in_again(phone, COLLEAGUE)

    expect(phone).to_have_url(f"{office}clients/new/")
    expect(phone.get_by_label("First name")).to_have_value("")
    expect(phone.get_by_text(KEPT)).to_have_count(0)


def test_an_edit_that_was_kept_does_not_hide_what_a_colleague_changed(phone: Page, office: str):
    client = create_client("+22376123456", "Jean", "Dupont")[0]
    edit = f"{office}clients/{client.pk}/edit/"
    phone.goto(edit)
    phone.get_by_label("Note").fill("Comes on Mondays")
    phone.get_by_label("Telephone", exact=True).fill("+223 76 12 34 57")
    end_the_session(phone)
    phone.get_by_role("button", name="Save the changes").click()
    User.objects.filter(pk=client.user_id).update(telephone="+22366554433", first_name="Jeanne")
    log_in_again(phone)

    expect(phone.get_by_label("Note")).to_have_value("Comes on Mondays")
    expect(phone.get_by_label("First name")).to_have_value("Jeanne")  # not touched, hence not restored
    phone.get_by_role("button", name="Save the changes").click()
    expect(phone.locator(".field-error")).to_contain_text("has changed the number to +223 66 55 44 33 meanwhile")
    phone.get_by_label("Telephone", exact=True).fill("+223 66 55 44 33")
    phone.get_by_role("button", name="Save the changes").click()
    expect(phone).to_have_url(f"{office}clients/{client.pk}/")
    assert Client.objects.get().note == "Comes on Mondays"
    assert User.objects.get(pk=client.user_id).telephone == "+22366554433"
    phone.goto(edit)
    expect(phone.get_by_text(KEPT)).to_have_count(0)


def test_a_lost_connection_loses_nothing(phone: Page, office: str):
    fill_new_client(phone, office)
    phone.context.set_offline(True)
    register(phone)
    phone.wait_for_timeout(300)
    phone.context.set_offline(False)
    phone.goto(f"{office}clients/new/")

    expect(phone.get_by_text(KEPT)).to_be_visible()
    is_filled(phone)


def test_a_password_is_never_kept(desktop: Page, live_server: Any, make_user: Callable[..., User]):
    make_user(ADMIN, role="admin_mali", language="en")
    log_in(desktop, f"{live_server.url}/login/", ADMIN)
    desktop.goto(f"{live_server.url}/admin-mali/whatsapp/senders/new/")
    for field in desktop.locator("main input[type=password]").all():
        field.fill("EAAG-very-secret")
    desktop.locator("main input[type=text]").first.fill("Kayes")

    kept = desktop.evaluate("JSON.stringify(sessionStorage)")
    assert "Kayes" in kept
    assert "very-secret" not in kept
    assert not WhatsAppSender.objects.filter(label="Kayes").exists()
