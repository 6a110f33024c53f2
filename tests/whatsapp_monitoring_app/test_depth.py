"""How far the list looks by itself, what it says about it, and what it finds however old it is."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSubject
from whatsapp_monitoring_app.services import call_queue, depth
from whatsapp_monitoring_app.services.paging import AtLeast
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

LOOKED_THROUGH = 10


@pytest.fixture(autouse=True)
def _shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "LOOKED_THROUGH", LOOKED_THROUGH)


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def look(browser: Browser, query: str) -> str:
    answer = browser.get(f"{reverse('agent_mali:whatsapp_monitoring_list')}?{query}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def sent_before(count: int, **fields: Any) -> None:
    """Messages that are newer than what the test looks for, all of one moment, as a bulk leaves them."""
    made = rows.notification("agent_mali", Status.READ, title="newer", **fields)
    names = (
        "source_app",
        "status",
        "phone_number",
        "message_type",
        "category",
        "title",
        "message_content",
        "created_at",
    )
    WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(**{name: getattr(made, name) for name in names}) for _ in range(count - 1)
    )


def old(title: str, **fields: Any) -> WhatsAppNotification:
    at = timezone.now() - timedelta(days=40)
    return rows.notification("agent_mali", Status.READ, title=title, created_at=at, **fields)


def older(html: str) -> str:
    """The query of the page that looks further back."""
    found = re.search(r'rel="next" href="\?([^"]*)"', html)
    assert found
    return found[1]


@pytest.mark.parametrize("query", ["message_type=delivery", "q=rare", "language=en", "priority=1", "telephone=9999"])
def test_what_no_index_leads_to_is_looked_for_in_the_newest_and_then_further_back(query: str, agent: Browser):
    fields = {"message_type": "delivery", "language": "en", "priority": 1, "phone_number": "+22376999900"}
    old("rare one", **fields)
    sent_before(2 * LOOKED_THROUGH + 1)
    first = look(agent, query)

    assert "rare one" not in first
    assert "Nothing here passes these filters" in first
    assert "10 messages were looked through, back to" in first
    assert "There may be older ones." in first
    assert "Look further back" in first
    second = look(agent, older(first))
    assert "rare one" not in second
    assert "rare one" in look(agent, older(second))


def test_what_is_found_among_the_newest_is_counted_among_them_only(agent: Browser):
    old("old one", message_type="delivery")
    sent_before(LOOKED_THROUGH - 1)
    rows.notification("agent_mali", Status.READ, title="new one", message_type="delivery")
    html = look(agent, "message_type=delivery")

    assert "new one" in html
    assert "old one" not in html
    assert "1 message among the newest 10" in html
    second = look(agent, older(html))
    assert "old one" in second
    assert "Older messages" in second
    assert "Look further back" not in second


def test_what_is_all_looked_through_is_said_to_be_all(agent: Browser):
    rows.notification("agent_mali", Status.READ, message_type="delivery")
    html = look(agent, "message_type=delivery")

    assert "1 message<" in html
    assert "looked through" not in html


@pytest.mark.parametrize("query", ["status=failed", "error_class=expired", "status=failed&message_type=delivery"])
def test_of_what_an_index_leads_to_all_is_looked_at(query: str, agent: Browser):
    rows.notification(
        "agent_mali",
        title="failed one",
        message_type="delivery",
        error_class=ErrorClass.EXPIRED,
        created_at=timezone.now() - timedelta(days=40),
    )
    sent_before(LOOKED_THROUGH + 1)

    html = look(agent, query)
    assert "failed one" in html
    assert "1 message<" in html


@pytest.mark.parametrize(
    "query",
    ["q=TS1A2B3C4D", "q=ts1a2b3c4d", "parcel=TS1A2B3C4D", "q=wamid.OLD1", "q=76999900", "telephone=%2B22376999900"],
)
def test_what_has_a_number_of_its_own_is_found_however_old_it_is(query: str, agent: Browser):
    one = old("the old one", phone_number="+22376999900", provider_message_id="wamid.OLD1")
    WhatsAppSubject.objects.create(notification=one, name="colis:TS1A2B3C4D")
    sent_before(LOOKED_THROUGH + 1)

    assert "the old one" in look(agent, query)
    assert "the old one" in look(agent, f"q={one.pk}")
    assert "the old one" in look(agent, f"q={one.pk}&message_type={one.message_type}")


@pytest.mark.parametrize("text", ["arrivé", "ARRIVÉ", "rriv", "广州", "到达", "iPhone15"])
def test_words_are_found_in_any_script_and_by_a_part(text: str, agent: Browser):
    rows.notification("agent_mali", Status.READ, title="this", message_content="Arrivé à 广州: 到达了 (iPhone15)")
    rows.notification("agent_mali", Status.READ, title="that", message_content="Parti")
    html = look(agent, f"q={text}").partition("<tbody>")[2]

    assert "this" in html
    assert "that" not in html


def test_a_named_parcel_of_another_office_stays_hidden(agent: Browser):
    foreign = rows.notification("agent_chine", Status.READ, title="foreign")
    WhatsAppSubject.objects.create(notification=foreign, name="colis:TS1A2B3C4D")

    assert "foreign" not in look(agent, "q=TS1A2B3C4D")
    assert "foreign" not in look(agent, f"q={foreign.pk}")


def test_what_is_exported_or_sent_again_is_looked_for_everywhere(agent: Browser):
    old("old one", message_type="delivery")
    sent_before(LOOKED_THROUGH + 1)
    visible = WhatsAppNotification.objects.visible_to(scopes.get("agent_mali"))

    assert Filters(message_type="delivery").apply(visible, timezone.now()).get().title == "old one"


@pytest.mark.parametrize("query", ["", "q=TS1A2B3C4D", "q=rare", "message_type=delivery", "message_type=unheard"])
def test_looking_far_asks_no_more_questions(query: str, agent: Browser):
    one = old("old one", message_type="delivery")
    WhatsAppSubject.objects.create(notification=one, name="colis:TS1A2B3C4D")
    sent_before(2 * LOOKED_THROUGH)
    with CaptureQueriesContext(connection) as asked:
        look(agent, query)

    assert len(asked) <= 12


def test_the_menu_says_that_more_may_wait_for_a_call(
    agent: Browser, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(call_queue, "LOOKED_AT", 3)
    for number in range(3):
        rows.notification("agent_mali", phone_number=f"+2237612345{number}")
    scope, at = scopes.get("agent_mali"), timezone.now()
    assert not isinstance(call_queue.count(scope, at), AtLeast)
    rows.notification("agent_mali", phone_number="+22376123450")

    assert call_queue.count(scope, at) == 3
    assert isinstance(call_queue.count(scope, at), AtLeast)
    assert '<small class="count">3+</small>' in look(agent, "")
