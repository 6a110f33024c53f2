"""The dashboard as people get it: each figure leads to what it counts, for each office its own, and few questions."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import phones
from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.services import trends
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

OFFICES = ("agent_chine", "agent_mali", "admin_chine", "admin_mali")
MOST_QUERIES = 12
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _one_time_zone() -> Any:
    """The tests' own clock is the readers'."""
    with timezone.override("Africa/Bamako"):
        yield


def page_of(browser: Browser, office: str, period: str = "") -> Any:
    return browser.get(reverse(f"{office}:whatsapp_monitoring"), {"period": period} if period else {})


class Page(HTMLParser):
    """The links to the list, each with its text, and the tables, row by row."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._href, self._text, self._section = "", "", ""
        self._cell: list[str] | None = None
        self.feed(answer.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("aria-labelledby") or ""
        if tag == "a":
            self._href, self._text = given.get("href") or "", ""
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self.tables[self._section][-1].append("")
            self._cell = self.tables[self._section][-1]

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and "monitoring/list/?" in self._href:
            self.links.append((self._href.partition("?")[2], " ".join(self._text.split())))
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        self._text += data
        if self._cell is not None:
            self._cell[-1] += data.strip()


def a_busy_fortnight(person: User) -> None:
    """Messages of every kind in both offices, now and then for two weeks."""
    now = timezone.now()
    states = [status for status in Status if status != Status.SENDING]
    for number in range(120):
        created, status = now - number * 3 * HOUR, states[number % len(states)]
        rows.notification(
            OFFICES[number % 2],
            status,
            created_at=created,
            first_attempt_at=None if status == Status.PENDING else created + (number % 15) * SECOND,
            sent_at=created + 20 * SECOND if status in (Status.SENT, Status.DELIVERED, Status.READ) else None,
            delivered_at=created + 25 * SECOND if status in (Status.DELIVERED, Status.READ) else None,
            message_type=("expedition", "delivery")[number % 3 == 0],
            user=person if number % 5 else None,
            error_code=f"13{number % 3}" if status == Status.FAILED else "",
        )


def first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    assert found, text
    return int(found[0])


@pytest.mark.parametrize("period", trends.PERIODS)
@pytest.mark.parametrize("office", OFFICES)
def test_a_number_is_a_link_to_as_many_messages(
    office: str, period: str, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    a_busy_fortnight(make_user(role="client"))
    page = Page(page_of(log_in(office, language="en"), office, period))
    visible = WhatsAppNotification.objects.visible_to(scopes.get(office))
    checked = 0

    for query, text in page.links:
        filters = Filters.read(query)
        assert filters.misread == []
        count = filters.apply(visible, timezone.now()).count()
        if re.match(r"\d+ (message|failed|result|on their|Number|Awa)|\d+$", text):
            assert first_number(text) == count, (query, text)
            checked += 1
        elif tail := re.search(r"(?:reached|later|code \d+): (\d+)", text):
            assert int(tail[1]) == count, (query, text)
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("office", OFFICES)
def test_every_day_of_a_course_leads_to_its_messages(
    office: str, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    a_busy_fortnight(make_user(role="client"))
    answer = page_of(log_in(office), office, "week")
    visible = WhatsAppNotification.objects.visible_to(scopes.get(office))
    days = [query for query, _ in Page(answer).links if "until=" in query][:7]
    counts = [Filters.read(query).apply(visible, timezone.now()).count() for query in days]

    assert counts == [point.figures.counts.total for point in answer.context["trend"].points]
    assert sum(counts) > 7


@pytest.mark.parametrize("office", OFFICES)
def test_each_table_says_what_was_counted(office: str, log_in: Callable[..., Browser], make_user: Callable[..., User]):
    a_busy_fortnight(make_user(role="client"))
    answer = page_of(log_in(office), office, "week")
    tables, trend = Page(answer).tables, answer.context["trend"]

    statuses = [[int(cell) for cell in row[1:]] for row in tables["statuses"][1:]]
    assert [row[-1] for row in statuses] == [sum(row[:-1]) for row in statuses]
    assert [row[-1] for row in statuses] == [point.figures.counts.total for point in trend.points]
    assert len(tables["success"]) == len(tables["times"]) == 8
    assert sum(int(row[1]) for row in tables["kinds"][1:]) == trend.whole.counts.total
    assert ("offices" in tables) == office.startswith("admin")


@pytest.mark.parametrize("office", ["agent_chine", "agent_mali"])
def test_no_table_of_an_agent_counts_a_foreign_message(office: str, log_in: Callable[..., Browser]):
    foreign = {"agent_chine": "agent_mali", "agent_mali": "agent_chine"}[office]
    person = User.objects.create_user("+22376999999", first_name="Foreign")
    rows.notification(office, Status.READ, first_attempt_at=timezone.now())
    for status in (Status.FAILED, Status.FAILED, Status.PENDING, Status.UNCONFIRMED):
        rows.notification(foreign, status, user=person, message_type="foreign", error_code="999999")
    answer = page_of(log_in(office), office, "week")
    tables, page = Page(answer).tables, answer.content.decode()

    assert sum(int(row[-1]) for row in tables["statuses"][1:]) == 1
    assert sum(int(row[1]) for row in tables["kinds"][1:]) == 1
    assert sum(int(cell) for row in tables["clock"][1:] for cell in row[1:]) == 1
    for secret in ("foreign", "Foreign", "999999", phones.for_people("+22376999999")):
        assert secret not in page
    found = answer.context["failures"]
    assert (found.waiting, found.unconfirmed, found.to_handle, found.people) == (0, 0, 0, [])


@pytest.mark.parametrize("office", OFFICES)
def test_the_dashboard_asks_few_questions_whatever_the_number_of_rows(
    office: str, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    browser, person = log_in(office), make_user(role="client")

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert page_of(browser, office, "month").status_code == 200
        return len(asked)

    question_count()
    source = office if office.startswith("agent") else "agent_mali"
    for status in Status:
        if status != Status.SENDING:
            rows.notification(source, status, user=person)
    few = question_count()
    for number in range(300):
        status = (Status.FAILED, Status.READ, Status.PENDING)[number % 3]
        rows.notification(source, status, user=person, message_type=f"type-{number % 30}", error_code=str(number))
    assert question_count() == few <= MOST_QUERIES


def test_an_empty_company_is_told_what_will_be_here(log_in: Callable[..., Browser]):
    page = page_of(log_in("agent_chine", language="en"), "agent_chine").content.decode()

    assert "No message yet" in page
    assert "charts.js" not in page
    assert "period=week" not in page


def test_a_quiet_period_says_that_there_are_older_messages(log_in: Callable[..., Browser]):
    rows.notification("agent_chine", Status.READ, created_at=timezone.now() - 3 * DAY)
    browser = log_in("agent_chine", language="en")
    page = page_of(browser, "agent_chine").content.decode()

    assert "No message in this period" in page
    assert "Choose a longer one" in page
    assert "data-chart" not in page
    assert "Nothing waits for you" in page
    assert "No message in this period" not in page_of(browser, "agent_chine", "week").content.decode()


def test_a_period_without_failures_says_so(log_in: Callable[..., Browser]):
    rows.notification("agent_chine", Status.READ)
    page = page_of(log_in("agent_chine", language="en"), "agent_chine").content.decode()

    assert "No failure in this period" in page
    assert "Retry all failed" not in page


def test_what_did_not_arrive_stands_with_what_to_do_about_it_before_all_figures(log_in: Callable[..., Browser]):
    rows.notification("agent_chine", created_at=timezone.now() - 40 * DAY)
    rows.notification("agent_chine", error_class=ErrorClass.WINDOW_CLOSED)
    page = unescape(page_of(log_in("agent_chine", language="en"), "agent_chine").content.decode())
    places = [
        page.index(text)
        for text in ("failed, to handle", "Retry all failed (2)", "Check the number with the client", 'id="period"')
    ]

    assert places == sorted(places)


@pytest.mark.parametrize(
    ("zone", "words"), [("Africa/Bamako", "Bamako (UTC+0)"), ("Asia/Shanghai", "Guangzhou (UTC+8)")]
)
def test_the_period_and_the_moment_are_by_a_named_clock(zone: str, words: str, log_in: Callable[..., Browser]):
    rows.notification("agent_chine", Status.READ)
    answer = page_of(log_in("agent_chine", language="en", time_zone=zone), "agent_chine", "week")
    page = answer.content.decode()

    assert f"by the clock of {words}" in page
    assert re.search(r'href="\?period=week".{0,400}Updated at \d\d:\d\d:\d\d', page, re.DOTALL)
    assert re.findall(r'href="\?period=(\w+)#period"( aria-current)?', page) == [
        ("today", ""),
        ("day", ""),
        ("week", " aria-current"),
        ("month", ""),
    ]


@pytest.mark.parametrize(("office", "shows"), [("agent_chine", True), ("admin_mali", False)])
def test_administrators_see_masked_numbers_of_the_unlucky(
    office: str, shows: bool, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    person = make_user("+22376554433", role="client")
    for _ in range(2):
        rows.notification("agent_chine", user=person, phone_number="+22370000000")
    page = page_of(log_in(office), office).content.decode()

    assert (phones.for_people("+22376554433") in page) == shows
    assert "76554433" not in page
