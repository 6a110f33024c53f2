"""The dashboard's charts: drawn from the tables, after everything else, and only where they are wanted."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from tests import rows
from tests.e2e.conftest import DESKTOP, PATIENCE, PHONE
from whatsapp_monitoring_app.models import Status

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]

DASHBOARD = "agent_mali:whatsapp_monitoring"
LIBRARY = "chart.umd"
# What a browser says of a connection on which every byte counts.
SAVE_DATA = "Object.defineProperty(navigator, 'connection', {value: {saveData: true}});"


@pytest.fixture
def _messages() -> None:
    now = timezone.now()
    for number in range(30):
        status = (Status.READ, Status.DELIVERED, Status.FAILED, Status.PENDING)[number % 4]
        created = now - timedelta(hours=5 * number)
        rows.notification(
            "agent_mali",
            status,
            created_at=created,
            first_attempt_at=created + timedelta(seconds=1),
            sent_at=created + timedelta(seconds=2),
            delivered_at=created + timedelta(seconds=30 * number) if number % 4 < 2 else None,
        )


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[list[BrowserContext]]:
    opened: list[BrowserContext] = []
    yield opened
    for context in opened:
        context.close()


@pytest.fixture
def open_dashboard(
    _messages: None, live_server: Any, chromium: Browser, complaints: list[str], contexts: list[BrowserContext]
) -> Any:
    """Open the dashboard's week in a browser with these options, as an agent; with it, what it asked for."""

    def open_dashboard(script: str = "", name: str = DASHBOARD, **options: Any) -> tuple[Page, list[str]]:
        context = chromium.new_context(locale="en-GB", **{"viewport": DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.add_cookies([{"name": "sessionid", "value": _session(), "url": live_server.url}])
        page, asked = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        if script:
            page.add_init_script(script)
        page.goto(f"{live_server.url}{reverse(name)}?period=week", wait_until="networkidle")
        return page, asked

    return open_dashboard


def _session() -> str:
    agent = User.objects.filter(role="agent_mali").first()
    browser = Client()
    browser.force_login(agent or User.objects.create_user("+22370000100", role="agent_mali", language="en"))
    return browser.cookies["sessionid"].value


def painted(page: Page) -> list[int]:
    """How many points of each chart are not empty."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-chart] canvas")].map((canvas) => {
            const {width, height} = canvas;
            const data = width ? canvas.getContext("2d").getImageData(0, 0, width, height).data : [];
            return data.filter((value, place) => place % 4 === 3 && value).length;
        })"""
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_charts_are_drawn_from_the_tables_after_the_page_is_there(
    size: Any, open_dashboard: Any, complaints: list[str]
):
    page, asked = open_dashboard(viewport=size)

    assert [count > 500 for count in painted(page)] == [True] * 3
    assert [details.is_visible() for details in page.locator("[data-chart] details table").all()] == [False] * 3
    moments = page.evaluate(
        """() => {
            const page = performance.getEntriesByType("navigation")[0];
            const library = performance.getEntriesByType("resource").find(({name}) => name.includes("chart.umd"));
            return [page.loadEventStart, library.startTime];
        }"""
    )
    assert moments[0] <= moments[1]
    drawn = page.evaluate(
        """() => Object.values(Chart.instances).map(({data}) => data.datasets.map(
            ({data}) => data.reduce((sum, value) => sum + value, 0)))"""
    )
    assert sum(drawn[0]) == 30
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert len([url for url in asked if LIBRARY in url]) == 1
    assert complaints == []


def test_a_chart_is_named_and_has_its_table_at_hand(open_dashboard: Any):
    page, _asked = open_dashboard()
    chart = page.get_by_role("img", name="Chart of the messages by status")

    expect(chart).to_be_visible()
    page.get_by_text("The figures as a table").first.click()
    expect(page.locator("section[aria-labelledby=statuses] table")).to_be_visible()


def test_a_bar_leads_to_the_messages_of_its_day(open_dashboard: Any):
    page, _asked = open_dashboard()
    box = page.locator("canvas").first.bounding_box()
    assert box
    page.locator("canvas").first.click(position={"x": box["width"] - 30, "y": box["height"] * 0.75})

    page.wait_for_url("**/list/?**until=**")


def test_another_theme_redraws_the_charts(open_dashboard: Any):
    page, _asked = open_dashboard()
    before = page.evaluate("Object.keys(Chart.instances)")
    page.emulate_media(color_scheme="dark")

    page.wait_for_function("before => !Object.keys(Chart.instances).some((id) => before.includes(id))", arg=before)
    assert [count > 500 for count in painted(page)] == [True] * 3


def test_the_tables_are_there_without_javascript(open_dashboard: Any):
    page, asked = open_dashboard(java_script_enabled=False)

    for section in ("statuses", "success", "times"):
        expect(page.locator(f"section[aria-labelledby={section}] table")).to_be_visible()
    expect(page.locator("canvas").first).to_be_hidden()
    page.get_by_role("link", name="30 days").click()
    expect(page.locator(".chip[aria-current=true]")).to_have_text("30 days")
    assert not [url for url in asked if LIBRARY in url]


def test_a_dear_connection_gets_the_tables_instead_of_the_charts(open_dashboard: Any):
    page, asked = open_dashboard(script=SAVE_DATA)

    expect(page.locator("section[aria-labelledby=statuses] table")).to_be_visible()
    assert not [url for url in asked if LIBRARY in url]


def test_the_list_asks_for_no_charts(open_dashboard: Any):
    _page, asked = open_dashboard(name="agent_mali:whatsapp_monitoring_list")

    assert asked
    assert not [url for url in asked if "chart" in url]
