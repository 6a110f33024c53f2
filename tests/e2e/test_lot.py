"""A lot in a real browser: parcels are scanned one after the other, and the pages fit a telephone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from agent_chine_app import lots
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Colis, Lot
from tests.stack import ROOT
from whatsapp_monitoring_app.models import WhatsAppWrongNumber

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]

PICTURES = ROOT / "screenshots"


@pytest.fixture
def lot(transactional_db: None) -> Lot:
    return Lot.objects.create(number="GZ-0412")


def parcels(count: int) -> list[Colis]:
    return [
        Colis.objects.create(client=create_client(f"+2237612{number:04}", "Aminata", "Coulibaly")[0])
        for number in range(count)
    ]


@pytest.fixture
def at_work(live_server: Any, log_in: Callable[..., Client]) -> Callable[..., str]:
    """Log an agent in on this page; the address of the office."""

    def at_work(page: Page, language: str = "en") -> str:
        session = log_in("agent_chine", language=language).cookies["sessionid"]
        page.context.add_cookies([{"name": "sessionid", "value": session.value, "url": live_server.url}])
        return f"{live_server.url}/agent-chine/"

    return at_work


def test_parcels_are_scanned_one_after_the_other_without_touching_the_page(
    lot: Lot, desktop: Page, at_work: Callable[..., str], complaints: list[str]
):
    desktop.goto(f"{at_work(desktop)}lots/{lot.pk}/")
    field = desktop.get_by_label("Number of the parcel")
    for number, colis in enumerate(parcels(3), start=1):
        expect(field).to_be_focused()
        expect(field).to_have_value("")
        # As a scanner does: keys into whatever has the focus, and Enter.
        desktop.keyboard.type(colis.numero_suivi)
        desktop.keyboard.press("Enter")
        expect(desktop.locator("#announcer")).to_contain_text(colis.numero_suivi)
        expect(desktop.locator("#held")).to_contain_text(f"{number} parcel")
    assert lot.colis.count() == 3
    assert complaints == []


def test_no_scan_is_lost_that_comes_before_the_last_one_is_answered(
    lot: Lot, desktop: Page, at_work: Callable[..., str], complaints: list[str]
):
    desktop.goto(f"{at_work(desktop)}lots/{lot.pk}/")
    for colis in parcels(4):
        desktop.keyboard.type(colis.numero_suivi)
        desktop.keyboard.press("Enter")
    expect(desktop.locator("#held")).to_contain_text("4 parcels")
    expect(desktop.get_by_label("Number of the parcel")).to_be_focused()
    assert lot.colis.count() == 4
    assert complaints == []


def test_a_scan_that_nobody_answers_is_said_to_be_lost_until_the_next_one_is(
    lot: Lot, desktop: Page, at_work: Callable[..., str]
):
    desktop.goto(f"{at_work(desktop)}lots/{lot.pk}/")
    (colis,) = parcels(1)
    sentence = desktop.get_by_text("The last scan was not saved")
    desktop.context.set_offline(True)
    desktop.keyboard.type(colis.numero_suivi)
    desktop.keyboard.press("Enter")
    expect(sentence).to_be_visible()
    desktop.context.set_offline(False)
    desktop.keyboard.type(colis.numero_suivi)
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#held")).to_contain_text("1 parcel")
    expect(sentence).to_be_hidden()


def test_the_pages_of_a_lot_fit_a_telephone(lot: Lot, phone: Page, at_work: Callable[..., str], complaints: list[str]):
    office = at_work(phone)
    waiting, inside = parcels(4)[:2], parcels(4)[2:]
    lots.add(lot, [colis.numero_suivi for colis in inside])
    assert waiting
    for path in ("lots/", f"lots/{lot.pk}/", f"lots/{lot.pk}/choose/?tick=all", f"lots/{lot.pk}/close/"):
        fits(phone, office + path)
    lots.close(lot, timezone.now())
    fits(phone, f"{office}lots/{lot.pk}/ship/")
    announced = lots.ship(lot, inside[0].client.user, timezone.now()).announcement
    fits(phone, f"{office}lots/{lot.pk}/?left")
    fits(phone, f"{office}whatsapp/announcements/")
    fits(phone, f"{office}whatsapp/announcements/{announced.pk}/")
    assert complaints == []


def test_the_longest_word_of_a_count_fits_a_telephone(
    lot: Lot, phone: Page, at_work: Callable[..., str], complaints: list[str]
):
    """“The number is somebody else’s”, in French."""
    office = at_work(phone, language="fr")
    stranger = parcels(1)[0].client.user
    lots.add(lot, [colis.numero_suivi for colis in Colis.objects.all()])
    lots.close(lot, timezone.now())
    WhatsAppWrongNumber.objects.create(phone_number=stranger.telephone, created_at=timezone.now())
    lots.ship(lot, stranger, timezone.now())
    fits(phone, f"{office}lots/{lot.pk}/?stranger")
    assert phone.get_by_text("Le numéro est celui d’une autre personne").first.is_visible()
    assert complaints == []


def fits(page: Page, url: str) -> None:
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == 200
    name = re.sub(r"\W+", "-", url.partition("/agent-chine/")[2]).strip("-")
    page.screenshot(path=PICTURES / f"360-{name}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{url} is {overflow} px too wide"
