"""A bad morning is repaired by pressing: the plan, five first, the others; on a desktop and on a phone."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect

from accounts.models import User
from tests import rows
from tests.conftest import PASSWORD
from tests.e2e.conftest import DESKTOP, PHONE, new_page
from tests.e2e.test_every_screen import PICTURES
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

AGENT = "+22370000042"


def bad_morning() -> None:
    User.objects.create_user(AGENT, PASSWORD, first_name="Awa", last_name="Keïta", role="agent_mali")
    for index in range(12):
        user = User.objects.create_user(
            f"+223761000{index:02}", first_name="Fatoumata", last_name=f"Coulibaly {index}"
        )
        rows.notification("agent_mali", user=user, phone_number=user.telephone, error_class="expired", error_code="")
    old = timezone.now() - timedelta(days=2)
    rows.notification("agent_mali", phone_number="+22376200001", error_class="transient", created_at=old)
    rows.notification("agent_mali", phone_number="+22376200002")


def photograph(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is {overflow} px too wide"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_bad_morning_is_repaired_by_pressing(
    size: ViewportSize, stack: Stack, live_server: Any, chromium: Browser, complaints: list[str]
):
    bad_morning()
    page, width = new_page(chromium, size, complaints), size["width"]
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("Téléphone").fill(AGENT)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url("**/agent-mali/**")
    page.goto(f"{live_server.url}/agent-mali/whatsapp/monitoring/retry/")
    photograph(page, f"{width}-retry-plan")
    page.locator("button[value=few]").click()
    page.wait_for_url("**/retries/*/")
    expect(page.locator("td .status-read")).to_have_count(5)
    photograph(page, f"{width}-retry-few")
    page.locator("form[action$='/run/'] button").click()
    expect(page.locator("#live[hx-get]")).to_have_count(0)
    expect(page.locator("progress")).to_have_attribute("value", "12")
    photograph(page, f"{width}-retry-finished")
    page.locator("a.back").click()
    photograph(page, f"{width}-retry-batches")
    page.goto(f"{live_server.url}/agent-mali/whatsapp/monitoring/list/?telephone=76200002")
    page.goto(f"{live_server.url}/agent-mali/whatsapp/monitoring/{_code('+22376200002')}/retry/")
    photograph(page, f"{width}-retry-one")
    page.context.close()
    assert complaints == []


def _code(telephone: str) -> str:
    from whatsapp_monitoring_app.models import WhatsAppNotification

    return str(WhatsAppNotification.objects.get(phone_number=telephone).pk)
