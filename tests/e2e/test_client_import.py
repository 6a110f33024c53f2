"""The import of clients in a real browser on a telephone: checked, started, watched to its end."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from agent_chine_app.models import Client
from tests.conftest import PASSWORD
from tests.stack import ROOT, Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PICTURES = ROOT / "screenshots"
LINES = [f"+2237612{number:04};Awa{number} Traoré;" for number in range(120)]
BAD = ["12;Noël Koné;awa@example", "+22376120001;Autre Nom;", f";{'x' * 60};{'y' * 90}@example"]


def photograph(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"360-{name}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is {overflow} px too wide"


def test_a_file_is_checked_started_and_watched_to_its_end(
    stack: Stack, live_server: Any, phone: Page, complaints: list[str], make_user: Callable[..., User]
):
    make_user("+22376999999", role="agent_chine")
    phone.goto(f"{live_server.url}/login/?next=/agent-chine/clients/")
    phone.get_by_label("Téléphone").fill("+22376999999")
    phone.get_by_label("Mot de passe").fill(PASSWORD)
    phone.get_by_role("button", name="Se connecter").click()
    phone.locator('a[href="/agent-chine/clients/import/"]').click()
    photograph(phone, "import-form")

    content = "\n".join(["Téléphone;Nom;E-mail", *LINES, *BAD]).encode()
    phone.locator("#id_file").set_input_files({"name": "clients.csv", "mimeType": "text/csv", "buffer": content})
    phone.locator("main form .btn-primary").click()
    expect(phone.locator(".rows tbody tr")).to_have_count(len(BAD))
    photograph(phone, "import-checked")

    phone.locator("main form .btn-primary").click()
    photograph(phone, "import-started")
    expect(phone.locator("#live .alert-success")).to_contain_text(str(len(LINES)), timeout=30_000)
    photograph(phone, "import-finished")
    assert Client.objects.count() == len(LINES)
    assert complaints == []
