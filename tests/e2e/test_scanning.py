"""A lot is received with a scanner, which types a number and Enter: on a desktop and on a telephone."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from accounts.models import User
from agent_chine_app.models import Colis, Lot
from tests.agent_mali_app import freight
from tests.conftest import PASSWORD
from tests.e2e.conftest import DESKTOP, PHONE, new_page
from tests.stack import Stack
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

AGENT = "+22370000100"


def open_lot(page: Page, url: str, lot: Lot) -> None:
    User.objects.create_user(AGENT, PASSWORD, first_name="Awa", role="agent_mali", language="fr")
    page.goto(f"{url}/login/")
    page.get_by_label("Téléphone").fill(AGENT)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url("**/agent-mali/")
    page.goto(f"{url}/agent-mali/lots/{lot.pk}/")


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_scans_follow_each_other_without_a_touch_of_the_page(
    size: ViewportSize, stack: Stack, live_server: Any, chromium: Browser, complaints: list[str]
):
    lot = freight.shipped_lot(6, client_count=2)
    numbers = list(lot.colis.order_by("pk").values_list("numero_suivi", flat=True))
    page = new_page(chromium, size, complaints)
    open_lot(page, live_server.url, lot)

    # Faster than the answers come.
    for number in (*numbers[:3], numbers[0], "TSWRONG"):
        page.keyboard.type(number)
        page.keyboard.press("Enter")
    eventually(lambda: page.locator(".scan-unknown").count(), "the last scan is answered")

    assert Colis.objects.filter(status=Colis.Status.ARRIVED).count() == 3
    assert page.locator(".past-scan").count() == 4
    assert page.locator("input[name=colis]").count() == 3
    assert page.locator("#lot-state progress").get_attribute("value") == "3"
    assert page.evaluate("document.activeElement.name") == "number"
    assert overflow(page) <= 0
    page.locator("[data-tick-all] input").check()
    page.locator("[data-ticked]").click()
    eventually(lambda: not Colis.objects.filter(status=Colis.Status.SHIPPED).exists(), "the ticked ones have arrived")
    assert complaints == []
    page.context.close()
