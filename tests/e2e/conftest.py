import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=800)
# Milliseconds.
PATIENCE = 15_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium. Without one, browser tests are skipped; in CI they fail."""
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium in CI: browser tests must run there.")
        pytest.skip("No Chromium found: install one, or name it in CHROMIUM_PATH.")
    # As patient with what a page should say as with what can be pressed.
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about during the test."""
    return []


def new_page(chromium: Browser, viewport: ViewportSize, complaints: list[str], language: str = "fr-FR") -> Page:
    """A page in a browser of its own, in French, without movement."""
    context: BrowserContext = chromium.new_context(locale=language, viewport=viewport, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(_errors(message)))
    return page


def _errors(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type == "error" else []


@pytest.fixture
def desktop(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    page = new_page(chromium, DESKTOP, complaints)
    yield page
    page.context.close()


@pytest.fixture
def phone(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    page = new_page(chromium, PHONE, complaints)
    yield page
    page.context.close()
