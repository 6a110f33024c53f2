"""The bar about newer messages, in a real browser: it says what is new, and never moves what somebody reads."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from tests import rows
from tests.conftest import PASSWORD
from tests.stack import Stack
from whatsapp_monitoring_app.models import Status

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Before the page's own scripts run: nobody waits for fifteen seconds here.
IMPATIENT = """
document.addEventListener("readystatechange", () => {
  for (const bar of document.querySelectorAll("[data-newer]")) bar.dataset.every = "0.2";
});
"""
# What the browser says of a tab that is behind another one.
TURN_AWAY = """
(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
NOTE_PAUSES = """
window.pauses = [];
const later = window.setTimeout;
window.setTimeout = (work, pause) => {
  if (work.name === "ask") pauses.push(pause);
  return later(work, pause);
};
"""
CHANGES = "**/whatsapp/monitoring/changes/**"


@pytest.fixture
def asked(phone: Page) -> list[str]:
    """The questions that the page has asked so far."""
    questions: list[str] = []
    phone.on("request", lambda request: questions.append(request.url) if "/changes/" in request.url else None)
    return questions


@pytest.fixture
def page(stack: Stack, live_server: Any, phone: Page, make_user: Callable[..., User], asked: list[str]) -> Page:
    """The list of the Mali office, with one message in it."""
    make_user("+22376999999", role="agent_mali")
    rows.notification("agent_mali", Status.READ, title="Le premier")
    phone.add_init_script(IMPATIENT)
    phone.goto(f"{live_server.url}/login/?next=/agent-mali/whatsapp/monitoring/list/")
    phone.get_by_label("Téléphone").fill("+22376999999")
    phone.get_by_label("Mot de passe").fill(PASSWORD)
    phone.get_by_role("button", name="Se connecter").click()
    expect(phone.get_by_text("Le premier")).to_be_visible()
    return phone


def link(page: Page) -> Any:
    return page.locator(".newer [role=status] a")


def test_a_new_message_is_told_and_shown_when_somebody_wants_it(page: Page, complaints: list[str]):
    table = page.locator("table.rows")
    before = table.inner_html()
    rows.notification("agent_mali", Status.READ, title="Le second")

    expect(link(page)).to_contain_text("1")
    assert table.inner_html() == before
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0

    link(page).click()
    expect(page.get_by_text("Le second")).to_be_visible()
    assert complaints == []


def test_a_tab_that_nobody_looks_at_asks_nothing_until_it_is_looked_at(page: Page, asked: list[str]):
    with page.expect_request(CHANGES):
        pass
    page.evaluate(TURN_AWAY, True)
    page.wait_for_load_state("networkidle")
    so_far = len(asked)
    rows.notification("agent_mali", Status.READ)
    page.wait_for_timeout(1500)
    assert len(asked) == so_far

    page.evaluate(TURN_AWAY, False)
    expect(link(page)).to_contain_text("1")
    assert len(asked) > so_far


def test_a_person_can_pause_it_and_let_it_go_on(page: Page, asked: list[str]):
    button = page.locator(".newer button")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_load_state("networkidle")
    so_far = len(asked)
    rows.notification("agent_mali", Status.READ)
    page.wait_for_timeout(1500)
    assert len(asked) == so_far

    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(link(page)).to_contain_text("1")


def test_a_slow_network_is_told_in_words_and_tried_again(page: Page, asked: list[str]):
    note = page.locator(".newer [role=status] > span")
    page.route(CHANGES, lambda route: route.abort())
    expect(note).to_contain_text("s.")

    page.unroute(CHANGES)
    rows.notification("agent_mali", Status.READ)
    expect(link(page)).to_contain_text("1")
    expect(note).to_be_empty()


@pytest.mark.parametrize("status", [401, 403])
def test_an_ended_session_ends_the_questions_with_a_sentence(status: int, page: Page, asked: list[str]):
    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={})

    page.route(CHANGES, refuse)
    expect(page.locator(".newer [role=status] > span")).not_to_be_empty()
    expect(page.locator(".newer button")).to_be_hidden()
    so_far = len(asked)
    page.wait_for_timeout(1500)
    assert len(asked) == so_far


def test_where_nothing_happens_it_asks_less_and_less(page: Page):
    page.add_init_script(NOTE_PAUSES)
    page.reload()

    page.wait_for_function("() => pauses.length >= 5")
    assert page.evaluate("pauses.slice(0, 5)") == [200, 400, 800, 1600, 1600]
