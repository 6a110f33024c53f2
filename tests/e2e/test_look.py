"""Light and dark: as the device has it, or as was chosen; and what the site's own policy forbids is noticed."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page

from accounts.models import User
from tests.conftest import PASSWORD
from tests.e2e import axe
from tests.e2e.conftest import DESKTOP, PHONE, new_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

Device = Literal["light", "dark"]
LIGHT, DARK = "rgb(243, 245, 247)", "rgb(14, 21, 27)"


def ground(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def choose(page: Page, theme: str) -> None:
    """Open the menu that holds the choice, and press this one."""
    page.locator(".entrance summary").click()
    page.locator(f"[name=theme][value={theme}]").click()
    page.wait_for_load_state()


@pytest.mark.parametrize(("device", "shown"), [("light", LIGHT), ("dark", DARK)], ids=["light", "dark"])
def test_pages_are_as_the_device_has_it(device: Device, shown: str, desktop: Page, live_server: Any):
    desktop.emulate_media(color_scheme=device)
    desktop.goto(f"{live_server.url}/login/")

    assert ground(desktop) == shown
    assert desktop.locator("html").get_attribute("data-bs-theme") is None


@pytest.mark.parametrize(
    ("device", "theme", "shown"),
    [("light", "dark", DARK), ("dark", "light", LIGHT)],
    ids=["dark", "light"],
)
def test_what_was_chosen_wins_over_the_device_until_it_is_automatic_again(
    device: Device, theme: str, shown: str, desktop: Page, live_server: Any
):
    desktop.emulate_media(color_scheme=device)
    desktop.goto(f"{live_server.url}/suivi/?q=")
    as_the_device = ground(desktop)

    choose(desktop, theme)
    assert desktop.url == f"{live_server.url}/suivi/?q="
    assert desktop.locator("html").get_attribute("data-bs-theme") == theme
    assert ground(desktop) == shown != as_the_device

    choose(desktop, "auto")
    assert desktop.locator("html").get_attribute("data-bs-theme") is None
    assert ground(desktop) == as_the_device


def test_a_dark_page_is_light_on_paper(desktop: Page, live_server: Any):
    desktop.goto(f"{live_server.url}/login/")
    choose(desktop, "dark")
    assert ground(desktop) == DARK

    desktop.emulate_media(media="print")
    assert ground(desktop) == LIGHT


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_open_menus_can_be_used_by_everybody(
    size: Any,
    chromium: Browser,
    complaints: list[str],
    live_server: Any,
    make_user: Callable[..., User],
):
    page = new_page(chromium, size, complaints)
    page.goto(f"{live_server.url}/login/")
    page.locator(".entrance summary").click()
    found = axe.violations(page, "login with its menu")
    make_user("+22376999999", role="agent_chine")
    page.locator("[name=username]").fill("+22376999999")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form .btn-primary").click()
    for menu in page.locator("details.menu:visible").all():
        menu.locator("summary").click()
        found += axe.violations(page, "home with a menu")

    assert not found, "\n".join(["", *found])
    assert complaints == []
    page.context.close()


@pytest.mark.parametrize(
    ("path", "status"), [("nowhere/", 404), ("admin-mali/", 403), ("broken/", 500)], ids=["404", "403", "500"]
)
def test_pages_that_refuse_can_be_used_by_everybody(
    path: str, status: int, phone: Page, live_server: Any, make_user: Callable[..., User]
):
    # Django shows it without anything of the request.
    broken = render_to_string("500.html")
    phone.route("**/broken/", lambda route: route.fulfill(status=500, body=broken, content_type="text/html"))
    make_user("+22376999999", role="agent_chine")
    phone.goto(f"{live_server.url}/login/")
    phone.locator("[name=username]").fill("+22376999999")
    phone.locator("[name=password]").fill(PASSWORD)
    phone.locator("main form .btn-primary").click()
    answer = phone.goto(f"{live_server.url}/{path}")

    assert answer is not None
    assert answer.status == status
    assert axe.violations(phone, str(status)) == []
    phone.emulate_media(color_scheme="dark")
    assert ground(phone) == DARK


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color: red'>",
        "<img src='x' onerror='window.done = true'>",
        "<img src='https://elsewhere.example/x.png'>",
    ],
    ids=["style", "handler", "host"],
)
def test_what_the_policy_forbids_is_not_done_and_is_noticed(
    html: str, desktop: Page, live_server: Any, complaints: list[str]
):
    desktop.goto(f"{live_server.url}/login/")
    assert complaints == []

    with desktop.expect_console_message():
        desktop.evaluate("html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", html)
    assert [complaint for complaint in complaints if "Content Security Policy" in complaint]
    assert desktop.evaluate("window.done") is None


def test_axe_finds_what_cannot_be_read_and_says_where(desktop: Page, live_server: Any):
    desktop.goto(f"{live_server.url}/login/")
    desktop.evaluate("document.documentElement.style.setProperty('--quiet', 'var(--day, #ccc) var(--night, #a7b5c1)')")
    desktop.evaluate("document.querySelector('[name=username]').labels[0].remove()")

    found = axe.violations(desktop, "login")
    assert any(each.startswith("login, light: color-contrast: .field-help") for each in found), found
    assert not any(each.startswith("login, dark: color-contrast") for each in found), found
    assert any(each.startswith("login, dark: label: #id_username") for each in found), found
