"""The menu on a telephone: few entries, each for a thumb and readable; the others are one touch away."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

MOST = 6
TOUCHABLE = 44  # pixels


@pytest.mark.parametrize("role", ["agent_chine", "agent_mali", "admin_chine", "admin_mali"])
@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_the_menu_of_a_telephone_is_short_and_has_the_rest_one_touch_away(
    role: str, language: str, phone: Page, live_server: Any, make_user: Callable[..., User]
):
    make_user("+22376999999", role=role, language=language)
    phone.goto(f"{live_server.url}/login/")
    phone.locator("[name=username]").fill("+22376999999")
    phone.locator("[name=password]").fill(PASSWORD)
    phone.locator("main form .btn-primary").click()

    entries = phone.locator(".main-nav > a, .main-nav > details > summary")
    assert 3 <= entries.count() <= MOST
    for entry in entries.all():
        box = entry.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= TOUCHABLE, entry.inner_text()
        assert entry.evaluate("entry => entry.scrollWidth <= entry.clientWidth"), f"{entry.inner_text()} is cut off"

    entries.last.click()
    if role.startswith("agent"):
        phone.locator(".more-nav a").last.click()
        expect(phone.locator(".more-nav [aria-current]")).to_have_count(1)
    else:
        expect(entries.last).to_have_attribute("aria-current", "page")
    assert phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
