"""Everything without a mouse: from the login to a retry by Tab, Enter and Escape, and one always sees where one is."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from tests import rows
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

MOST_TABS = 60
FOCUSED = """() => {
  const style = getComputedStyle(document.activeElement);
  const place = document.activeElement.getBoundingClientRect();
  const isOnTop = document.activeElement.contains(document.elementFromPoint(
    place.left + Math.min(place.width, innerWidth) / 2, place.top + place.height / 2));
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && isOnTop;
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until this has the focus; wherever it passes, the focus is seen and nothing covers it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        where = page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        assert page.evaluate(FOCUSED), f"the focus is not seen on {where}"
        if target.evaluate("target => target === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {target}")


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest) -> Page:
    return request.getfixturevalue(request.param)


@pytest.fixture
def at_the_list(page: Page, live_server: Any, make_user: Callable[..., User]) -> Page:
    """Somebody who logged in and went to the list of messages, by keys alone."""
    failed = rows.notification("agent_chine", user=make_user(), error_class="message_permanent", error_code="132012")
    rows.attempt(failed)
    make_user("+22376999999", role="agent_chine", language="en")
    page.goto(f"{live_server.url}/login/?next=/agent-chine/whatsapp/monitoring/list/")
    tab_to(page, page.locator("[name=username]"))
    page.keyboard.type("+22376999999")
    tab_to(page, page.locator("[name=password]"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)
    return page


def test_the_first_key_offers_to_skip_the_menu(at_the_list: Page):
    page = at_the_list
    tab_to(page, page.locator(".skip-link"))
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_menu_opens_and_closes_by_keys_and_gives_the_focus_back(at_the_list: Page):
    page = at_the_list
    menu = page.locator("details.menu:visible").first
    tab_to(page, menu.locator("summary"))
    page.keyboard.press("Enter")
    tab_to(page, menu.locator(".menu-panel :is(a, button)").first)
    page.keyboard.press("Escape")

    expect(menu.locator(".menu-panel")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_a_menu_that_one_leaves_closes_and_covers_nothing(at_the_list: Page):
    page = at_the_list
    menu = page.locator("details.menu:visible").first
    tab_to(page, menu.locator("summary"))
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")

    expect(menu.locator(".menu-panel")).to_be_hidden()


def test_from_the_list_to_a_retry_by_keys_alone(at_the_list: Page, complaints: list[str]):
    page = at_the_list
    tab_to(page, page.locator(".rows tbody a").first)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/list/"))
    tab_to(page, page.get_by_role("button", name="Send again"))
    page.keyboard.press("Enter")

    expect(page.locator("main > [role=status] .alert")).to_be_visible()
    assert complaints == []
