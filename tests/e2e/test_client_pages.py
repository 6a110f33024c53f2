"""A client on a telephone: from the personal link to their parcels and preferences, and the way without an account."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts import first_password
from agent_chine_app.models import Client, Colis
from tests.client_app.shipments import client, parcel, told, with_photo
from tests.stack import ROOT
from whatsapp_monitoring_app.models import WhatsAppMute, WhatsAppOptOut

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

PICTURES = ROOT / "screenshots"
TOUCHABLE = 44  # pixels


@pytest.fixture
def aminata(settings: Any, live_server: Any, tmp_path: Path) -> Client:
    """A new client, with a parcel at each point of its way."""
    settings.PUBLIC_BASE_URL, settings.MEDIA_ROOT = live_server.url, tmp_path
    made = client()
    for status in Colis.Status:
        colis = with_photo(parcel(made, status, fee_fcfa=12_500, weight_kg="12.5"))
        told(made, colis, "Hello Aminata, your parcel was received.")
    return made


def look(page: Page, name: str) -> None:
    """Photograph the page; it fits, and what is pressed on it is large enough for a thumb."""
    page.screenshot(path=PICTURES / f"360-client-{name}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is {overflow} px too wide"
    for target in page.locator("main :is(a, button, summary, label:has(input))").all():
        box = target.bounding_box()
        assert box is None or box["height"] >= TOUCHABLE - 0.5, (name, target.inner_text())


def go(page: Page, link: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=link).click()


def test_from_the_personal_link_to_my_parcels_and_the_preferences(
    phone: Page, aminata: Client, live_server: Any, complaints: list[str]
):
    link = first_password.link_for(aminata.user)
    phone.goto(link)
    for label in ("Nouveau mot de passe", "Confirmation du nouveau mot de passe"):
        phone.get_by_label(label, exact=True).fill("bonne chance à Bamako")
    phone.get_by_role("button", name="Enregistrer et ouvrir mon compte").click()
    expect(phone).to_have_url(f"{live_server.url}/account/")
    expect(phone.get_by_role("main")).to_contain_text("Welcome, Aminata")
    expect(phone.get_by_role("heading", level=2).first).to_have_text("To fetch in Bamako (2)")
    phone.get_by_text("Handed over (1)").click()
    expect(phone.get_by_text("to Fatoumata")).to_be_visible()
    look(phone, "home")

    phone.get_by_role("main").get_by_role("link", name="TS").first.click()
    expect(phone.get_by_text("Hello Aminata, your parcel was received.")).to_be_visible()
    assert phone.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")
    look(phone, "colis")

    go(phone, "Preferences")
    phone.get_by_label("Reminders of parcels that wait for me").uncheck()
    phone.get_by_label("E-mail").fill("aminata@example.com")
    look(phone, "preferences")
    phone.get_by_role("button", name="Save").click()
    expect(phone.get_by_role("status")).to_contain_text("Your preferences are saved.")
    assert [mute.message_type for mute in WhatsAppMute.objects.all()] == ["reminder"]
    expect(phone.get_by_label("Reminders of parcels that wait for me")).not_to_be_checked()

    phone.get_by_role("link", name="No more news on WhatsApp").click()
    look(phone, "stop")
    phone.get_by_role("button", name="No more news on WhatsApp").click()
    expect(phone.get_by_role("heading", name="You get no news on WhatsApp")).to_be_visible()
    look(phone, "stopped")
    phone.get_by_role("button", name="Have news again").click()
    expect(phone.get_by_role("status")).to_contain_text("again")
    assert not WhatsAppOptOut.objects.exists()

    phone.context.clear_cookies()
    phone.goto(link)
    expect(phone.get_by_role("main")).to_contain_text("Ce lien ne fonctionne plus")
    look(phone, "old-link")
    assert complaints == []


def test_a_parcel_is_followed_without_an_account(phone: Page, aminata: Client, live_server: Any):
    colis = aminata.colis.filter(status=Colis.Status.READY).get()
    phone.goto(f"{live_server.url}/login/")
    phone.get_by_role("button", name="English").click()
    phone.get_by_role("link", name="Follow a parcel without an account").click()
    look(phone, "search")
    phone.get_by_label("Tracking number").fill("TS 0000 0000")
    phone.get_by_role("button", name="Where is it?").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text("No parcel has this number")
    look(phone, "missing")

    typed = colis.numero_suivi.lower().replace("0", "o").replace("1", "l")
    phone.get_by_label("Tracking number").fill(f" {typed[:4]} {typed[4:]}")
    phone.get_by_role("button", name="Where is it?").click()
    expect(phone.get_by_role("main")).to_contain_text("It is in Bamako and can be fetched.")
    look(phone, "tracking")

    phone.get_by_role("button", name="简体中文").click()
    expect(phone.locator("html")).to_have_attribute("lang", "zh-hans")
