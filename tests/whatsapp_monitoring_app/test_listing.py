"""The list of messages as people use it: filtering, chips, paging, and what can be done with what is found."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.services import filter_choices, paging
from whatsapp_monitoring_app.services.search import NAMES

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12
OFFICES = ("agent_chine", "agent_mali", "admin_chine", "admin_mali")


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def look(browser: Browser, query: str = "", office: str = "agent_mali") -> Any:
    answer = browser.get(f"{reverse(f'{office}:whatsapp_monitoring_list')}?{query}")
    assert answer.status_code == 200
    return answer


def html_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def chips(answer: Any) -> dict[str, str]:
    """What each chip says, and where its cross leads."""
    found = re.findall(
        r'<a class="chip" href="([^"]*)"><span class="visually-hidden">Take away:</span>(.*?)<svg',
        html_of(answer),
        re.DOTALL,
    )
    return {" ".join(re.sub(r"<[^>]+>", "", text).split()): href for href, text in found}


def titles(answer: Any) -> list[str]:
    return [row.title for row in answer.context["page"]]


def test_each_filter_is_a_chip_in_words_and_its_cross_takes_it_away_alone(agent: Browser):
    rows.notification("agent_mali", title="one", language="en")
    answer = look(agent, "status=failed&language=en&q=one&since=2026-01-31&priority=3&unheard=of&page=3")

    assert titles(answer) == ["one"]
    assert set(chips(answer)) == {
        "“one”",
        "Status Failed for good",
        "Language English",
        "First day 01/31/2026",
        "Priority 3, usual",
    }
    for href in chips(answer).values():
        left = QueryDict(href.removeprefix("?")).dict()
        assert len(left) == 4
        assert titles(look(agent, href.removeprefix("?"))) == ["one"]
    assert '<a class="btn btn-link" href="?">Clear all</a>' in html_of(answer)
    assert f'value="http://testserver{reverse("agent_mali:whatsapp_monitoring_list")}?q=one&status=failed' in html_of(
        answer
    )


def test_without_a_filter_there_is_no_chip(agent: Browser):
    rows.notification("agent_mali")
    answer = look(agent, "status=&q=")

    assert chips(answer) == {}
    assert "Clear all" not in html_of(answer)
    assert "<details>" in html_of(answer)


def test_the_form_sends_what_the_address_says(agent: Browser):
    rows.notification("agent_mali", message_type="delivery", title="one")
    answer = look(agent, "message_type=delivery&status=to_handle&telephone=76123456")
    form = answer.context["form"]

    assert {field.name: field.value() for field in form if field.value()} == {
        "message_type": "delivery",
        "status": "to_handle",
        "telephone": "76123456",
    }
    assert '<option value="delivery" selected>' in html_of(answer)
    assert '<option value="to_handle" selected>' in html_of(answer)
    assert "Filters (3)" in html_of(answer)


def test_the_choices_are_those_of_the_latest_messages_that_the_office_sees(
    log_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filter_choices, "LATEST", 3)
    at = timezone.now()
    for number in range(5):
        rows.notification("agent_mali", message_type=f"type-{number}", created_at=at - timedelta(days=number))
    rows.notification("agent_chine", message_type="foreign", category="foreign", language="bm", error_code="foreign")
    mali, everywhere = log_in("agent_mali"), log_in("admin_mali")

    def offered(browser: Browser, office: str, query: str = "") -> list[str]:
        return [value for value, _ in look(browser, query, office).context["form"].fields["message_type"].choices]

    assert offered(mali, "agent_mali") == ["", "type-0", "type-1", "type-2"]
    assert "foreign" in offered(everywhere, "admin_mali")
    assert "foreign" not in str(look(mali).context["form"])
    # What is chosen stays choosable, if there is such a message.
    assert offered(mali, "agent_mali", "message_type=type-4") == ["", "type-0", "type-1", "type-2", "type-4"]
    assert offered(mali, "agent_mali", "message_type=foreign") == ["", "type-0", "type-1", "type-2"]


@pytest.mark.parametrize(
    ("query", "typed", "sentence"),
    [
        ("status=bogus", '<option value="bogus" selected>', "“bogus” is not one of the choices."),
        ("since=hier", 'type="text" name="since" value="hier"', "Write the day like 2026-11-23."),
        (
            "since=2026-11-02&until=2026-11-01",
            'name="until" value="2026-11-01"',
            "Write the day like 2026-11-23, not before the first day.",
        ),
        ("telephone=Awa", 'name="telephone" value="Awa"', "has digits only"),
        ("attempts=many", 'name="attempts" value="many"', "Write a whole number up to 1000."),
        ("client=me", 'name="client" value="me"', "Write a whole number."),
        ("lot=" + "x" * 101, "x" * 101, "At most 100 characters."),
        ("q=" + "x" * 101, "x" * 101, "At most 100 characters."),
    ],
    ids=lambda value: value[:20],
)
def test_a_filter_that_is_not_understood_is_said_beside_its_field_and_kept(
    query: str, typed: str, sentence: str, agent: Browser
):
    rows.notification("agent_mali", title="never shown")
    answer = look(agent, query)
    html = html_of(answer)

    assert titles(answer) == []
    assert "never shown" not in html
    assert typed in html
    assert sentence in html
    assert "A filter cannot be understood" in html
    assert "Save this view" not in html
    if not query.startswith("q="):
        assert "<details open>" in html


def test_an_unheard_type_is_said_beside_its_field(agent: Browser):
    rows.notification("agent_mali")
    html = html_of(look(agent, "message_type=unheard"))

    assert "“unheard” is not among the latest messages." in html
    assert "No message passes these filters" in html


def test_no_message_at_all_is_another_thing_than_none_that_passes(agent: Browser):
    assert "No message yet" in html_of(look(agent))
    rows.notification("agent_mali", Status.READ, language="fr")
    answer = look(agent, "status=failed&language=fr")

    assert "No message passes these filters" in html_of(answer)
    assert [chip.name for chip in answer.context["obstacles"]] == ["status"]
    assert "Something is found without one of these:" in html_of(answer)
    assert "Take a filter away" in html_of(look(agent, "status=failed&language=en"))


def test_pages_are_walked_by_links_and_keep_the_filters(agent: Browser):
    at = timezone.now()
    for number in range(60):
        rows.notification("agent_mali", title=f"t{number}", created_at=at - timedelta(minutes=number // 7))
    rows.notification("agent_mali", Status.READ, title="other")
    first = look(agent, "status=failed")
    second = look(agent, _link(first, "next"))
    third = look(agent, _link(second, "next"))
    back = look(agent, _link(third, "prev"))

    shown = [title for page in (first, second, third) for title in titles(page)]
    assert len(shown) == len(set(shown)) == 60
    assert "other" not in shown
    assert titles(back) == titles(second)
    assert 'rel="next"' not in html_of(third)
    assert 'rel="prev"' not in html_of(first)
    assert "60 messages" in html_of(third)
    assert "status=failed" in _link(back, "prev")


def _link(answer: Any, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="\?([^"]*)"', html_of(answer))
    assert found
    return found[1]


@pytest.mark.parametrize("query", ["page=2", "page=garbage", "after=garbage", "before=-", "after=1-2&before=3"])
def test_old_and_garbled_addresses_show_the_first_page(query: str, agent: Browser):
    rows.notification("agent_mali", title="newest")

    assert titles(look(agent, query)) == ["newest"]


def test_a_count_says_where_it_ends(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    made = rows.notification("agent_mali", Status.READ)
    WhatsAppNotification.objects.bulk_create(_copies(made, 30))
    monkeypatch.setattr(paging.counts, "__kwdefaults__", {"at_most": 27})
    monkeypatch.setattr(paging, "COUNTED_AT_MOST", 27)

    assert "27+ messages" in html_of(look(agent))
    assert "1 message<" in html_of(look(agent, f"q={made.pk}"))


def _copies(of: WhatsAppNotification, count: int) -> list[WhatsAppNotification]:
    named = "source_app status phone_number message_type category message_content created_at failed_at error_class"
    names = named.split()
    return [WhatsAppNotification(**{name: getattr(of, name) for name in names}) for _ in range(count)]


def test_a_row_says_the_state_the_cause_and_when_it_is_tried_again(agent: Browser):
    rows.notification(
        "agent_mali",
        Status.RETRY_SCHEDULED,
        error_class=ErrorClass.TRANSIENT,
        next_attempt_at=timezone.now() + timedelta(hours=2),
    )
    answer = look(agent)
    row = html_of(answer).partition("<tbody>")[2]

    assert 'class="status status-retry_scheduled"' in row
    assert "New attempt planned" in row
    assert "Passing trouble at the provider" in row
    assert "Next attempt:" in row
    assert 'aria-sort="descending"' in html_of(answer)
    assert html_of(answer).count("Times are those of Bamako (UTC+0)") == 1
    assert 'role="status">' in html_of(answer)


@pytest.mark.parametrize("office", OFFICES)
def test_numbers_are_hidden_where_an_office_oversees(
    office: str, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    source = office if office.startswith("agent") else "agent_mali"
    nameless = make_user("+22376123499", first_name="", last_name="")
    rows.notification(source, phone_number="+22376123456", user=make_user("+22376123456"))
    rows.notification(source, phone_number="+22376123499", user=nameless)
    html = html_of(look(log_in(office), f"client={nameless.pk}", office)) + html_of(look(log_in(office), "", office))

    for number in ("76 12 34 56", "76 12 34 99", "76123456", "76123499"):
        assert (number in html) == (office.startswith("agent") and " " in number), number


def test_all_that_failed_of_the_selection_can_be_sent_again(agent: Browser):
    rows.notification("agent_mali", message_type="delivery")
    rows.notification("agent_mali", message_type="delivery")
    rows.notification("agent_mali", Status.READ, message_type="delivery")
    rows.notification("agent_mali")
    retry = reverse("agent_mali:whatsapp_retry_failed")
    html = html_of(look(agent, "message_type=delivery&page=2"))

    assert f'href="{retry}?message_type=delivery"' in html
    assert "Send all 2 failed of this selection again…" in html
    assert f'href="{retry}"' in html_of(look(agent))
    for without in ("status=read", "message_type=delivery&status=waiting", "status=bogus"):
        assert retry not in html_of(look(agent, without))


def test_an_agent_s_address_that_names_an_office_is_read_without_it(agent: Browser):
    rows.notification("agent_mali", title="mine")
    rows.notification("agent_chine", title="foreign")
    answer = look(agent, "source_app=agent_chine")

    assert titles(answer) == ["mine"]
    assert chips(answer) == {}
    assert "source_app" not in answer.context["query"]
    assert "source_app" not in html_of(answer).partition("<main")[2]


def test_an_administrator_chooses_an_office_by_its_name(log_in: Callable[..., Browser]):
    rows.notification("agent_mali", title="mali")
    rows.notification("agent_chine", title="china")
    answer = look(log_in("admin_chine", language="en"), "source_app=agent_mali", "admin_chine")

    assert titles(answer) == ["mali"]
    assert list(chips(answer)) == ["Office Mali office"]


@pytest.mark.parametrize(
    "query", ["", "status=failed", "q=nothing&status=failed&language=fr&message_type=x", "status=bogus"]
)
@pytest.mark.parametrize("office", OFFICES)
def test_the_list_asks_few_questions(
    office: str, query: str, log_in: Callable[..., Browser], make_user: Callable[..., User]
):
    browser, source = log_in(office), office if office.startswith("agent") else "agent_chine"
    people = [make_user() for _ in range(3)]
    made = WhatsAppNotification.objects.bulk_create(_copies(rows.notification(source), 30))
    for place, one in enumerate(made):
        one.user = people[place % 3]
    WhatsAppNotification.objects.bulk_update(made, ["user"])
    for number in range(8):
        rows.saved_view(
            office, User.objects.get(role=office), f"view {number}", query=f"status=failed&attempts={number}"
        )
    with CaptureQueriesContext(connection) as asked:
        look(browser, query, office)

    assert len(asked) <= MOST_QUERIES
    assert not [question for question in asked.captured_queries if " OFFSET " in question["sql"]]


def test_every_filter_of_the_address_has_a_field_and_a_label(log_in: Callable[..., Browser]):
    form = look(log_in("admin_mali"), "", "admin_mali").context["form"]

    assert set(form.fields) == set(NAMES)
    assert all(field.label for field in form)
