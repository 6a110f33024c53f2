"""The whole main job in a real browser: from the login to the message that the client has read."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.conftest import PASSWORD
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppWebhookLog
from whatsapp_monitoring_app.tasks import send_whatsapp_async

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CLIENT_NUMBER = "+22376123456"


def log_in(page: Page, base_url: str, telephone: str) -> None:
    page.goto(base_url)
    page.get_by_label("Téléphone").fill(telephone)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()


def create_client(page: Page) -> None:
    page.get_by_role("navigation", name="Menu principal").get_by_role("link", name="Clients").click()
    page.get_by_role("link", name="Nouveau client").first.click()
    page.get_by_label("Prénom").fill("Aminata")
    page.get_by_label("Nom", exact=True).fill("Coulibaly")
    page.get_by_label("Téléphone").fill("+223 76 12 34 56")
    page.get_by_role("button", name="Enregistrer le client").click()
    expect(page.get_by_text("Le client existe. Son message avec le lien personnel est en chemin.")).to_be_visible()


def create_colis(page: Page) -> None:
    page.get_by_role("link", name="Enregistrer un colis").click()
    page.get_by_label("Description").fill("Téléphones")
    page.get_by_label("Poids (kg)").fill("12.5")
    page.get_by_role("button", name="Enregistrer le colis").click()
    expect(page.get_by_role("status").first).to_contain_text("un message WhatsApp part pour Aminata Coulibaly")


def open_message(page: Page, title: str) -> None:
    if page.locator(".more-nav summary").is_visible():
        page.locator(".more-nav summary").click()
    page.get_by_role("navigation", name="Menu principal").get_by_role("link", name="Messages").click()
    page.get_by_role("link", name=title).first.click()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_from_the_login_to_a_message_that_was_read(
    device: str,
    request: pytest.FixtureRequest,
    stack: Stack,
    live_server: Any,
    make_user: Callable[..., User],
    complaints: list[str],
):
    page: Page = request.getfixturevalue(device)
    agent = make_user("+8613800138000", role="agent_chine", first_name="Wei", last_name="Zhang")
    log_in(page, live_server.url, agent.telephone)
    expect(page).to_have_url(f"{live_server.url}/agent-chine/")

    create_client(page)
    create_colis(page)
    open_message(page, "Nouveau colis créé")
    expect(page.locator("#live")).to_contain_text("Lu")
    expect(page.locator("#live")).to_contain_text("Essai 1")

    account, colis = eventually(lambda: _two_messages(stack), "both messages reached the client's telephone")
    assert "nous avons reçu votre colis TS" in colis["text"]
    the_client_chooses_a_password(page, account["text"])
    assert complaints == []


def _two_messages(stack: Stack) -> list[dict[str, Any]] | None:
    messages = sorted(stack.messages_to(CLIENT_NUMBER), key=lambda message: "Choisissez" not in message["text"])
    return messages if len(messages) == 2 else None


def the_client_chooses_a_password(page: Page, text: str) -> None:
    page.context.clear_cookies()
    link = next(word for word in text.split() if word.startswith("http"))
    page.goto(link)
    for label in ("Nouveau mot de passe", "Confirmation du nouveau mot de passe"):
        page.get_by_label(label, exact=True).fill("bonne chance à Bamako")
    page.get_by_role("button", name="Enregistrer et ouvrir mon compte").click()
    expect(page.get_by_role("main")).to_contain_text("Bienvenue, Aminata")
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("Ce lien ne fonctionne plus")


def test_a_reply_of_the_client_arrives_and_the_sandbox_shows_the_chat(
    stack: Stack, desktop: Page, live_server: Any, make_user: Callable[..., User]
):

    send_whatsapp_async(make_user(CLIENT_NUMBER), "Votre colis est arrivé", "agent_mali")
    eventually(lambda: stack.messages_to(CLIENT_NUMBER), "the message is on the telephone")
    desktop.goto(f"{stack.sandbox.url}/phones/{CLIENT_NUMBER.removeprefix('+')}")
    expect(desktop.get_by_text("vous informe : Votre colis est arrivé").first).to_be_visible()
    desktop.get_by_role("textbox").fill("Merci, je viens demain")
    desktop.get_by_role("button", name="Send").click()

    eventually(lambda: WhatsAppWebhookLog.objects.filter(payload__contains="je viens demain").exists(), "the reply")
