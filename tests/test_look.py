"""How pages look is chosen by the person, named in one place, and bounded by what browsers are told to take."""

import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tests.stack import ROOT

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src 'self'",
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
SHEET = (ROOT / "static" / "app.css").read_text()
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?)\((?!var)", re.IGNORECASE)


def page(browser: Browser, path: str = "/login/") -> str:
    return browser.get(path).content.decode()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_written_by_the_server_so_that_nothing_flashes(theme: str):
    browser = Browser()
    answer = browser.post("/theme/", {"theme": theme}, headers={"Referer": "http://testserver/suivi/?q=TS1"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/suivi/?q=TS1")
    assert f'data-bs-theme="{theme}"' in page(browser).partition("<body")[0]
    assert page(browser).count("theme-color") == 1
    cookie = answer.cookies["theme"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


@pytest.mark.parametrize("theme", ["auto", "", "<script>"], ids=["auto", "nothing", "nonsense"])
def test_any_other_theme_is_the_devices_own(theme: str):
    browser = Browser()
    browser.post("/theme/", {"theme": "dark"})
    browser.post("/theme/", {"theme": theme})

    assert "data-bs-theme" not in page(browser)
    assert page(browser).count("theme-color") == 2


def test_a_cookie_that_somebody_wrote_by_hand_is_not_believed():
    browser = Browser()
    browser.cookies["theme"] = 'x" onload="alert(1)'

    assert "data-bs-theme" not in page(browser)
    assert "onload" not in page(browser)


def test_choosing_a_theme_leads_to_no_other_site_and_is_no_link():
    answer = Browser().post("/theme/", {"theme": "dark"}, headers={"Referer": "https://elsewhere.example/"})

    assert answer.headers["Location"] == "/"
    assert Browser().get("/theme/").status_code == 405


@pytest.mark.parametrize(
    "path", ["/login/", "/", "/agent-chine/whatsapp/monitoring/", "/nowhere/", "/admin/", "/webhooks/whatsapp/cloud/"]
)
def test_every_answer_tells_browsers_to_take_nothing_from_elsewhere(path: str, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    headers = browser.get(path).headers

    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("role", ["agent_chine", "agent_mali", "admin_chine", "admin_mali", "client"])
def test_everybody_can_choose_the_theme(role: str, log_in: Callable[..., Browser]):
    shown = page(
        log_in(role), reverse("client_home") if role == "client" else f"/{role.replace('_', '-')}/whatsapp/calls/"
    )

    assert shown.count('action="/theme/"') == 1


def test_colours_are_named_in_one_place_by_day_and_by_night():
    named, _, used = SHEET.partition("\nbody {")

    assert COLOUR.findall(used) == []
    values = [line for line in named.splitlines() if COLOUR.search(line)]
    always = [line.split(":")[0].strip() for line in values if not ("var(--day" in line and "var(--night" in line)]
    assert always == ["--brand-ink", "--brand-quiet", "--brand-hover", "--mark", "--mark-ink"]
