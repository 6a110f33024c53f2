"""The small question that open pages ask: 204 while nothing changed, else one sentence."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import rows
from tests.stack import Stack
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.services import changes
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.templatetags.monitoring import watch_pause

pytestmark = pytest.mark.django_db

OFFICES = tuple(scopes.all_scopes())
AGENT_OFFICES = ("agent_chine", "agent_mali")
PAGES = ("whatsapp_monitoring", "whatsapp_monitoring_list")
LARGEST_ANSWER = 500  # bytes
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Bar:
    """What the bar of a page asks, and where it leads."""

    address: str
    page: str


def bar_of(browser: Browser, office: str, name: str = "whatsapp_monitoring_list", query: str = "") -> Bar:
    page = browser.get(f"{reverse(f'{office}:{name}')}?{query}").content.decode()
    found = re.search(r'data-newer="([^"]+)".*?href="([^"]+)"', page, re.DOTALL)
    assert found
    return Bar(html.unescape(found[1]), html.unescape(found[2]))


@pytest.fixture
def english(log_in: Callable[..., Browser]) -> Callable[[str], Browser]:
    return lambda office: log_in(office, language="en")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("office", OFFICES)
def test_a_page_that_is_still_true_gets_an_empty_answer(office: str, page: str, english: Callable[[str], Browser]):
    for source in OFFICES:
        rows.notification(source)
    browser = english(office)
    answer = browser.get(bar_of(browser, office, page).address)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 new message – show"),
        (12, "12 new messages – show"),
        (99, "99 new messages – show"),
        (100, "99+ new messages – show"),
        (130, "99+ new messages – show"),
    ],
)
def test_newer_messages_are_counted_up_to_a_bound(count: int, words: str, english: Callable[[str], Browser]):
    rows.notification("agent_mali")
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali")
    for _ in range(count):
        rows.notification("agent_mali", Status.READ)

    answer = browser.get(bar.address)
    assert answer.json() == {"text": words}


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_an_answer_is_small_in_every_language(language: str, log_in: Callable[..., Browser]):
    browser = log_in("admin_mali", language=language)
    bar = bar_of(browser, "admin_mali")
    for _ in range(101):
        rows.notification("agent_mali")

    for address in (bar.address, reverse("admin_mali:whatsapp_changes")):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert len(answer.content) <= LARGEST_ANSWER


def test_a_message_whose_transaction_ended_late_is_not_missed(english: Callable[[str], Browser]):
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali")
    rows.notification("agent_mali", Status.READ, created_at=timezone.now() - 20 * SECOND)

    assert browser.get(bar.address).json() == {"text": "1 new message – show"}


@pytest.mark.parametrize(
    ("query", "status", "is_told"),
    [
        ("status=read", Status.READ, True),
        ("status=delivered", Status.READ, False),
        ("q=Exp%C3%A9dition", Status.READ, True),
        ("q=else", Status.READ, False),
        ("status=unheard", Status.READ, False),
        ("period=today", Status.READ, True),
        ("since=2020-01-01", Status.READ, True),
    ],
)
def test_only_what_passes_the_filters_is_new(
    query: str, status: Status, is_told: bool, english: Callable[[str], Browser]
):
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali", query=query)
    rows.notification("agent_mali", status)

    assert browser.get(bar.address).status_code == (200 if is_told else 204)
    assert bar.page == f"{reverse('agent_mali:whatsapp_monitoring_list')}?{query}"


@pytest.mark.parametrize("office", AGENT_OFFICES)
@pytest.mark.parametrize("query", ["", "source_app={0}", "status=failed", "q={0}"])
def test_an_agent_s_office_learns_nothing_of_foreign_messages(
    office: str, query: str, english: Callable[[str], Browser]
):
    browser = english(office)
    for foreign in set(OFFICES) - {office}:
        bar = bar_of(browser, office, query=query.format(foreign))
        for status in Status:
            if status != Status.SENDING:
                rows.notification(foreign, status, title=foreign)
        assert browser.get(bar.address).status_code == 204


@pytest.mark.parametrize("before", changes.WATCHED)
def test_figures_that_changed_are_told(before: Status, english: Callable[[str], Browser]):
    fields = {"claim_id": "0" * 32, "claimed_until": timezone.now()} if before == Status.SENDING else {}
    rows.notification("agent_mali", before, created_at=timezone.now() - timedelta(hours=1), **fields)
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali", "whatsapp_monitoring")
    assert browser.get(bar.address).status_code == 204
    WhatsAppNotification.objects.update(status=Status.READ, next_attempt_at=None)

    assert browser.get(bar.address).json() == {"text": "The figures have changed – refresh"}


def test_a_receipt_alone_is_not_worth_a_word(english: Callable[[str], Browser]):
    rows.notification("agent_mali", Status.SENT, created_at=timezone.now() - timedelta(hours=1))
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali")
    WhatsAppNotification.objects.update(status=Status.DELIVERED)

    assert browser.get(bar.address).status_code == 204


@pytest.mark.parametrize(
    "token", ["", "x", "1.2", "9" * 30, "1.1.1-1\x00", "0.0.0-0-0-0-0", "-1.0.0", "99999999999.1.1"]
)
def test_a_page_of_which_nothing_is_known_is_to_be_refreshed(token: str, english: Callable[[str], Browser]):
    answer = english("agent_mali").get(reverse("agent_mali:whatsapp_changes"), {"token": token})

    assert answer.status_code == 200
    assert answer.json()["text"] in ("This page is from long ago – refresh", "The figures have changed – refresh")


def test_a_token_is_read_as_it_was_written():
    token = changes.token(Filters(), scopes.get("agent_mali"), timezone.now())
    assert changes.Token.read(str(token)) == token


def test_it_takes_one_question_to_the_messages_whatever_their_number(english: Callable[[str], Browser]):
    browser = english("admin_mali")
    bar = bar_of(browser, "admin_mali", query="status=failed")
    for _ in range(30):
        rows.notification("agent_mali")
    with CaptureQueriesContext(connection) as asked:
        browser.get(bar.address)

    about_messages = [query["sql"] for query in asked if "whatsappnotification" in query["sql"]]
    assert len(about_messages) == 1
    assert len(asked) <= 6  # the session, the person and their permissions


def test_over_the_wire_an_answer_is_small_and_a_stranger_learns_nothing(
    stack: Stack, live_server: Any, english: Callable[[str], Browser]
):
    rows.notification("agent_mali")
    browser = english("agent_mali")
    bar = bar_of(browser, "agent_mali")
    cookies = {settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value}

    def ask(**options: Any) -> requests.Response:
        return requests.get(f"{live_server.url}{bar.address}", timeout=10, allow_redirects=False, **options)

    nothing = ask(cookies=cookies)
    assert (nothing.status_code, nothing.content) == (204, b"")
    rows.notification("agent_mali", Status.READ)
    news = ask(cookies=cookies)
    assert news.status_code == 200
    assert len(news.content) <= LARGEST_ANSWER
    assert ask().status_code == 401
    foreign = live_server.url + bar.address.replace("/agent-mali/", "/agent-chine/")
    assert requests.get(foreign, cookies=cookies, timeout=10).status_code == 403


def test_the_script_is_small():
    assert (Path(settings.BASE_DIR) / "static" / "live.js").stat().st_size <= 2048


def test_the_bar_is_on_the_newest_page_alone(english: Callable[[str], Browser]):
    rows.company(30, "agent_mali")
    browser, address = english("agent_mali"), reverse("agent_mali:whatsapp_monitoring_list")

    newest = browser.get(address)
    assert "data-newer" in newest.content.decode()
    older = browser.get(address, {"after": newest.context["page"].older})
    assert len(older.context["page"]) == 5
    assert "data-newer" not in older.content.decode()


# --- How often the page of one message asks


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "moments", "pause"),
    [
        (Status.PENDING, {"created_at": SECOND}, "3s"),
        (Status.PENDING, {"created_at": 3 * MINUTE}, "10s"),
        (Status.PENDING, {"created_at": 11 * MINUTE}, "30s"),
        (Status.PENDING, {"created_at": 2 * HOUR}, "over"),
        # Its next attempt comes soon, or has just been due: something happens.
        (Status.RETRY_SCHEDULED, {"created_at": 9 * HOUR, "next_attempt_at": -MINUTE}, "3s"),
        (Status.RETRY_SCHEDULED, {"created_at": 9 * HOUR, "next_attempt_at": -5 * HOUR}, "over"),
        (Status.PENDING, {"created_at": 9 * HOUR, "next_attempt_at": SECOND}, "3s"),
        (Status.UNCONFIRMED, {"created_at": 9 * HOUR, "first_attempt_at": SECOND}, "3s"),
        (Status.SENT, {"created_at": SECOND, "sent_at": SECOND}, "10s"),
        (Status.SENT, {"created_at": 9 * HOUR, "sent_at": 20 * MINUTE}, "30s"),
        (Status.DELIVERED, {"created_at": 9 * HOUR, "delivered_at": 2 * HOUR}, "over"),
        (Status.READ, {"created_at": SECOND}, ""),
        (Status.FAILED, {"created_at": SECOND}, ""),
        (Status.CANCELLED, {"created_at": SECOND}, ""),
    ],
)
def test_a_message_s_page_asks_less_often_with_its_age_and_stops(
    status: Status, moments: dict[str, timedelta], pause: str, log_in: Callable[..., Browser]
):
    now = timezone.now()
    fields: dict[str, Any] = {name: now - ago for name, ago in moments.items()}
    if status in (Status.PENDING, Status.RETRY_SCHEDULED):
        fields.setdefault("next_attempt_at", fields["created_at"])
    one = rows.notification("agent_mali", status, **fields)
    browser = log_in("agent_mali", language="en")
    page = browser.get(reverse("agent_mali:whatsapp_attempt_details", args=[one.pk])).content.decode()

    assert watch_pause(one) == pause
    assert (f'hx-trigger="every {pause}"' in page) == (pause not in ("", "over"))
    assert ("hx-trigger" in page) == (pause not in ("", "over"))
    assert ('href="">Refresh</a>' in page) == (pause == "over")
