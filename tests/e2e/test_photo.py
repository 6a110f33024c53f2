"""A parcel is registered with a photo from a telephone, which the browser makes small before it sends it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis
from tests.conftest import PASSWORD
from tests.e2e.conftest import PHONE
from tests.photos import image, with_place, written
from tests.stack import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ENOUGH = 200_000
PICTURES = ROOT / "screenshots"


@pytest.fixture
def client(transactional_db: None, media: Path) -> Client:
    return create_client("+22376123456", "Aminata", "Coulibaly")[0]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Twelve megapixels, as a telephone makes them."""
    path = tmp_path / "IMG_0001.JPG"
    path.write_bytes(written(image(4000, 3000), quality=95, exif=with_place(orientation=6)))
    return path


@pytest.fixture
def open_form(live_server: Any, make_user: Callable[..., User], client: Client) -> Callable[[Page], None]:
    agent = make_user("+8613800138000", role="agent_chine", time_zone="Asia/Shanghai")

    def open_form(page: Page) -> None:
        page.goto(f"{live_server.url}/login/?next=/agent-chine/colis/new/?client={client.pk}")
        page.get_by_label("Téléphone").fill(agent.telephone)
        page.get_by_label("Mot de passe").fill(PASSWORD)
        page.get_by_role("button", name="Se connecter").click()
        page.get_by_label("Poids (kg)").fill("12,5")

    return open_form


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def register(page: Page) -> int:
    """Press the button; how many bytes went up."""
    with page.expect_request(lambda request: request.method == "POST") as asked:
        page.get_by_role("button", name="Enregistrer le colis").click()
    expect(page.get_by_role("status").first).to_contain_text("un message WhatsApp part pour Aminata Coulibaly")
    return int(asked.value.all_headers()["content-length"])


def test_a_photo_is_made_small_before_it_is_sent(
    phone: Page, open_form: Callable[[Page], None], photo: Path, complaints: list[str]
):
    open_form(phone)
    assert fits(phone)
    phone.get_by_label("Photo").set_input_files(photo)
    expect(phone.get_by_text("Cette photo sera envoyée")).to_be_visible()
    chosen = phone.evaluate("document.querySelector('input[type=file]').files[0].size")
    assert chosen < ENOUGH < photo.stat().st_size
    assert fits(phone)
    phone.screenshot(path=PICTURES / "360-agent_chine-colis-photo.png", full_page=True)

    assert register(phone) < ENOUGH + 5000
    colis = Colis.objects.get()
    expect(phone.get_by_role("heading", level=1)).to_have_text(colis.numero_suivi)
    # Upright, as the camera was held.
    assert colis.photo.width * 4 == colis.photo.height * 3
    assert 900 <= colis.photo.height <= 1600
    shown = phone.get_by_role("img", name="Photo du colis")
    shown.scroll_into_view_if_needed()
    assert shown.evaluate("async image => (await image.decode(), image.naturalHeight)") == colis.photo.height
    assert fits(phone)
    phone.screenshot(path=PICTURES / "360-agent_chine-colis-details.png", full_page=True)
    phone.get_by_role("link", name="Corriger").click()
    expect(phone.get_by_label("Poids (kg)")).to_have_value("12,5")
    assert fits(phone)
    assert complaints == []


def test_whoever_is_quicker_than_the_browser_sends_the_small_photo_too(
    desktop: Page, open_form: Callable[[Page], None], photo: Path
):
    open_form(desktop)
    desktop.get_by_label("Photo").set_input_files(photo)

    assert register(desktop) < ENOUGH + 5000
    assert Colis.objects.get().photo


def test_what_the_browser_cannot_read_is_sent_as_it_is_and_refused_in_a_sentence(
    desktop: Page, open_form: Callable[[Page], None], tmp_path: Path
):
    heic = tmp_path / "IMG_0002.HEIC"
    heic.write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 5000)
    open_form(desktop)
    desktop.get_by_label("Photo").set_input_files(heic)
    expect(desktop.get_by_text("Cette photo sera envoyée telle quelle")).to_be_visible()
    desktop.get_by_role("button", name="Enregistrer le colis").click()

    expect(desktop.get_by_text("C’est une photo HEIC")).to_be_visible()
    expect(desktop.get_by_label("Poids (kg)")).to_have_value("12,5")
    assert not Colis.objects.exists()


def test_a_photo_goes_up_without_javascript_too(chromium: Browser, open_form: Callable[[Page], None], photo: Path):
    context = chromium.new_context(locale="fr-FR", viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    open_form(page)
    page.get_by_label("Photo").set_input_files(photo)

    assert register(page) > photo.stat().st_size
    colis = Colis.objects.get()
    assert (colis.photo.width, colis.photo.height) == (1200, 1600)
    context.close()
