"""Filters under a name: found by whom they are meant for, saved once, deleted by their owner alone."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSavedView
from whatsapp_monitoring_app.services import saved_views
from whatsapp_monitoring_app.services.call_queue import COUNTED_AT_MOST

pytestmark = pytest.mark.django_db

OFFICE = "agent_mali"
QUERY = "status=failed&message_type=delivery"


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in(OFFICE, language="en")


def person(browser: Browser) -> User:
    return User.objects.get(pk=browser.session["_auth_user_id"])


def url(name: str, *args: Any, office: str = OFFICE, query: str = "") -> str:
    address = reverse(f"{office}:whatsapp_{name}", args=args)
    return f"{address}?{query}" if query else address


def save(browser: Browser, name: str, query: str = QUERY, office: str = OFFICE, **fields: str) -> Any:
    return browser.post(url("view_create", office=office, query=query), {"name": name, **fields})


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def views_of(browser: Browser, office: str = OFFICE) -> list[str]:
    """The names that people have saved, as this person's list shows them."""
    answer = browser.get(url("monitoring_list", office=office))
    return [view.name for view in answer.context["views"] if view.saved]


def badges(browser: Browser, office: str = OFFICE) -> dict[str, int | None]:
    return {view.name: view.count for view in browser.get(url("monitoring_list", office=office)).context["views"]}


def test_a_view_is_saved_and_opened_again(agent: Browser):
    rows.notification(OFFICE, message_type="delivery", title="one")
    rows.notification(OFFICE, title="two")
    form = agent.get(url("view_create", query=QUERY)).content.decode()
    answer = save(agent, "Deliveries that failed", f"{QUERY}&page=2&unheard=of")
    shown = agent.get(url("monitoring_list"))

    assert "Failed for good" in form
    assert said(answer) == ["The view “Deliveries that failed” is saved."]
    assert answer.headers["Location"] == url("monitoring_list", query=QUERY)
    (view,) = WhatsAppSavedView.objects.all()
    assert (view.owner, view.source_app, view.query, view.is_shared) == (person(agent), OFFICE, QUERY, False)
    (link,) = re.findall(r'href="([^"]*)"[^>]*><span>Deliveries that failed', shown.content.decode())
    opened = agent.get(unescape(link))
    assert [row.title for row in opened.context["page"]] == ["one"]
    assert 'aria-current="page"><span>Deliveries that failed' in opened.content.decode()


def test_the_same_press_twice_saves_one_view(agent: Browser):
    first, second = save(agent, "Mine"), save(agent, "Mine")

    assert first.status_code == second.status_code == 302
    assert WhatsAppSavedView.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "query", "sentence"),
    [
        ("", QUERY, "This field is required."),
        ("x" * 61, QUERY, "at most 60 characters"),
        ("x\x00y", QUERY, "Null characters are not allowed."),
        ("Taken", "status=read", "You have a view of this name already. Choose another name."),
        ("New", "", "Nothing is filtered: choose filters in the list first."),
        ("New", "status=bogus", "One of the filters cannot be understood"),
        ("New", "source_app=agent_chine", "Nothing is filtered"),
    ],
)
def test_a_view_that_cannot_be_saved_is_refused_and_what_was_typed_stays(
    name: str, query: str, sentence: str, agent: Browser
):
    save(agent, "Taken")
    before = rows.everything()
    answer = save(agent, name, query, is_shared="on")
    html = unescape(answer.content.decode())

    assert answer.status_code == 422
    assert sentence in html
    assert f'value="{name}"' in html or not name
    assert 'name="is_shared"' in html
    assert "checked" in html
    assert rows.everything() == before


def test_nobody_keeps_views_without_end(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saved_views, "MOST_OWN", 2)
    assert [save(agent, name).status_code for name in "abc"] == [302, 302, 422]


def test_two_people_may_use_the_same_name(agent: Browser, log_in: Callable[..., Browser]):
    assert save(agent, "Mine").status_code == save(log_in(OFFICE), "Mine").status_code == 302


def test_a_private_view_is_for_its_owner_and_a_shared_one_for_the_office(log_in: Callable[..., Browser]):
    owner, colleague = log_in(OFFICE), log_in(OFFICE)
    foreign, administrator = log_in("agent_chine"), log_in("admin_mali")
    save(owner, "private")
    save(owner, "shared", is_shared="on")

    assert views_of(owner) == ["private", "shared"]
    assert views_of(colleague) == ["shared"]
    assert views_of(foreign, "agent_chine") == []
    assert views_of(administrator, "admin_mali") == []


def test_a_view_is_deleted_after_a_question(agent: Browser):
    save(agent, "Mine")
    view = WhatsAppSavedView.objects.get()
    delete = url("view_delete", view.pk)

    assert f'href="{delete}"' in agent.get(url("monitoring_list", query=QUERY)).content.decode()
    assert "Mine" in agent.get(delete).content.decode()
    assert WhatsAppSavedView.objects.exists()
    answer = agent.post(delete)
    assert said(answer) == ["The view “Mine” is deleted."]
    assert answer.headers["Location"] == url("monitoring_list")
    assert not WhatsAppSavedView.objects.exists()
    assert agent.post(delete).status_code == 404


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize(
    ("role", "office"), [(OFFICE, OFFICE), ("agent_chine", "agent_chine"), ("admin_mali", "admin_mali")]
)
def test_nobody_else_opens_or_deletes_a_view(
    role: str, office: str, is_shared: bool, agent: Browser, log_in: Callable[..., Browser]
):
    view = rows.saved_view(OFFICE, person(agent), "Secret name", is_shared=is_shared)
    other = log_in(role)
    before = rows.everything()
    delete = url("view_delete", view.pk, office=office)

    assert other.get(delete).status_code == other.post(delete).status_code == 404
    assert f'"{delete}"' not in other.get(url("monitoring_list", office=office, query=view.query)).content.decode()
    assert rows.everything() == before


def test_a_view_shows_only_what_its_reader_may_see(log_in: Callable[..., Browser]):
    """A view that names another office, as an address may that was typed by hand, shows the reader's own rows."""
    browser = log_in(OFFICE)
    rows.notification("agent_chine", title="foreign")
    rows.notification(OFFICE, title="mine")
    rows.saved_view(OFFICE, person(browser), "Foreign", query="source_app=agent_chine&status=failed")
    (view,) = [view for view in browser.get(url("monitoring_list")).context["views"] if view.saved]

    assert (view.query, view.count) == ("status=failed", 1)
    shown = browser.get(url("monitoring_list", query="source_app=agent_chine&status=failed"))
    assert [row.title for row in shown.context["page"]] == ["mine"]


def test_every_office_has_the_views_that_everybody_needs(agent: Browser):
    at = timezone.now()
    rows.notification(OFFICE)
    rows.notification(OFFICE, created_at=at - timedelta(days=2))
    rows.notification("agent_chine")
    rows.notification(OFFICE, Status.PENDING, created_at=at - timedelta(hours=2))
    rows.notification(OFFICE, Status.SENT, sent_at=at - timedelta(hours=13), title="late")

    assert badges(agent) == {
        "Failures of today": 1,
        "Numbers without WhatsApp": 2,
        "Waiting for more than an hour": 1,
        "Accepted, not delivered": None,
    }
    late = agent.get(url("monitoring_list", query="status=late"))
    assert [row.title for row in late.context["page"]] == ["late"]


def test_a_badge_ends_somewhere_and_is_asked_for_in_one_query(agent: Browser):
    made = rows.notification(OFFICE)
    WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(
            source_app=OFFICE,
            status=Status.FAILED,
            phone_number="+22370123456",
            message_type="x",
            category="x",
            failed_at=made.failed_at,
            created_at=made.created_at,
        )
        for _ in range(COUNTED_AT_MOST + 5)
    )
    for number in range(5):
        save(agent, f"view {number}", f"status=failed&attempts={number}")
    save(agent, "free text", "q=colis")
    save(agent, "everything read", "status=read")
    visible, reader = WhatsAppNotification.objects.filter(source_app=OFFICE), person(agent)
    with CaptureQueriesContext(connection) as asked:
        listed, _others = saved_views.listed(scopes.get(OFFICE), reader, visible, timezone.now())

    assert len(asked) == 2
    counts = {view.name: view.count for view in listed}
    assert counts["view 0"] == COUNTED_AT_MOST + 1
    assert counts["view 1"] == 1
    assert counts["free text"] is counts["everything read"] is None
    assert f"{COUNTED_AT_MOST}+" in agent.get(url("monitoring_list")).content.decode()


def test_a_view_of_words_that_have_gone_out_of_use_harms_nobody(agent: Browser):
    rows.notification(OFFICE)
    rows.saved_view(OFFICE, person(agent), "old", query="status=bygone&period=today&garbage=%ff&=&;")

    assert badges(agent)["old"] is None
    assert agent.get(url("monitoring_list", query="status=bygone")).status_code == 200
