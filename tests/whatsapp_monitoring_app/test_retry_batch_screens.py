"""The plan, the decision and the progress of a retry in bulk, as people press their way through it."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppRetryBatch, WhatsAppRetryItem

pytestmark = pytest.mark.django_db

PLAN = "agent_mali:whatsapp_retry_failed"
MOST_QUERIES = 12
State = WhatsAppRetryBatch.State
OFFICES = tuple(scopes.all_scopes())
AGENT_OFFICES = ("agent_chine", "agent_mali")


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", last_name="Keïta")


def failures(count: int, office: str = "agent_mali", **fields: Any) -> list[WhatsAppNotification]:
    return [
        rows.notification(office, phone_number=f"+22376{index:06}", **{"error_class": "transient", **fields})
        for index in range(count)
    ]


def shown(browser: Browser, name: str = PLAN, query: str = "", **parameters: Any) -> str:
    text = browser.get(f"{reverse(name, kwargs=parameters)}{query}").content.decode()
    return re.sub(r"\s+", " ", text)


def form_of(page: str) -> dict[str, str]:
    """What the page's form for the decision would send."""
    (form,) = [part for part in re.findall(r'<form class="actions" method="post">.*?</form>', page) if "seen" in part]
    fields = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', form)
    return {name: value.replace("&amp;", "&") for name, value in fields if name != "csrfmiddlewaretoken"}


def only() -> WhatsAppRetryBatch:
    return WhatsAppRetryBatch.objects.get()


def test_the_plan_says_all_that_match_and_why_some_are_left_out(agent: Browser):
    failures(7)
    failures(1, error_class="recipient_permanent")
    page = shown(agent)
    assert "All 8 messages matching" in page
    assert "7 messages would be sent again." in page
    assert "1 is left out." in page
    assert "This number has no WhatsApp: correct it, or call." in page
    assert "Failed, to handle" in page
    assert "Try 5 first" in page
    assert "Send all 7 now" in page
    assert not WhatsAppRetryBatch.objects.exists()


def test_the_filters_of_the_list_choose_what_is_planned(agent: Browser):
    failures(2)
    failures(3, error_class="expired", message_type="delivery")
    page = shown(agent, query="?error_class=expired&message_type=delivery")
    assert "All 3 messages matching" in page
    assert "Too old to be sent" in page
    assert "Type: Arrival in Mali" in page
    assert form_of(page)["query"] == "status=to_handle&error_class=expired&message_type=delivery"


def test_a_filter_that_cannot_be_understood_plans_nothing(agent: Browser):
    failures(2)
    assert "There is nothing to send again." in shown(agent, query="?error_class=nonsense")


def test_old_ones_come_in_when_the_box_is_ticked(agent: Browser):
    failures(2)
    failures(3, created_at=timezone.now() - timedelta(days=2))
    assert "2 messages would be sent again." in shown(agent)
    page = shown(agent, query="?stale=1&status=to_handle")
    assert "5 messages would be sent again." in page
    agent.post(reverse(PLAN), {**form_of(page), "how": "all"})
    assert (only().total, only().confirmed) == (5, ["stale"])


def test_a_few_first_then_the_others_then_pause_and_stop(agent: Browser):
    failures(8)
    answer = agent.post(reverse(PLAN), {**form_of(shown(agent)), "how": "few"})
    code = only().pk
    assert answer["Location"] == reverse("agent_mali:whatsapp_retry_batch", args=[code])
    page = shown(agent, "agent_mali:whatsapp_retry_batch", code=code)
    assert "Trying a few" in page
    assert "Send the other 8" in page
    assert 'hx-trigger="every 3s"' in page
    assert '<noscript><meta http-equiv="refresh"' in page

    for word, state, said in [
        ("run", State.RUNNING, "The messages are being sent again."),
        ("run", State.RUNNING, "Nothing was changed."),
        ("pause", State.PAUSED, "Paused: no more messages are queued."),
        ("run", State.RUNNING, "The messages are being sent again."),
    ]:
        answer = agent.post(reverse(f"agent_mali:whatsapp_retry_batch_{word}", args=[code]), follow=True)
        assert said in answer.content.decode()
        assert only().state == state
    page = shown(agent, "agent_mali:whatsapp_retry_batch_cancel", code=code)
    assert "8 messages are not queued yet" in page
    answer = agent.post(reverse("agent_mali:whatsapp_retry_batch_cancel", args=[code]), follow=True)
    assert "Stopped by a person" in answer.content.decode()
    assert "hx-get" not in answer.content.decode()
    assert only().state == State.CANCELLED
    assert "Stopped by a person" in shown(agent, "agent_mali:whatsapp_retry_batches")


def test_the_same_form_twice_is_one_batch_and_leads_to_it(agent: Browser):
    failures(8)
    form = form_of(shown(agent))
    first, second = (agent.post(reverse(PLAN), {**form, "how": "few"}) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert only().total == 8


@pytest.mark.parametrize(("more", "begins"), [(5, True), (6, False)])
def test_a_count_that_has_moved_is_looked_at_again(more: int, begins: bool, agent: Browser):
    failures(20)
    form = form_of(shown(agent))
    failures(more)
    answer = agent.post(reverse(PLAN), {**form, "how": "all"})
    assert answer.status_code == (302 if begins else 422)
    assert WhatsAppRetryBatch.objects.exists() == begins
    if not begins:
        page = re.sub(r"\s+", " ", answer.content.decode())
        assert "The number of messages has changed since you looked." in page
        assert f"Send all {20 + more} now" in page


@pytest.mark.parametrize("field", ["request_id", "seen"])
def test_a_form_that_was_tampered_with_begins_nothing(field: str, agent: Browser):
    failures(3)
    answer = agent.post(reverse(PLAN), {**form_of(shown(agent)), field: "nonsense"})
    assert answer.status_code == 422
    assert not WhatsAppRetryBatch.objects.exists()


def test_the_plain_form_of_the_guide_sends_everything_at_once_whatever_the_doubts(agent: Browser):
    failures(3)
    failures(1, error_class="recipient_permanent")
    failures(1, created_at=timezone.now() - timedelta(days=2))
    answer = agent.post(reverse(PLAN), follow=True)
    assert answer.redirect_chain[0][0] == reverse("agent_mali:whatsapp_monitoring")
    assert "5 messages are queued for a new attempt." in answer.content.decode()
    assert WhatsAppNotification.objects.filter(status=Status.PENDING, next_trigger="bulk").count() == 5
    assert (only().state, only().total) == (State.FINISHED, 5)
    assert "There is no failed message to retry." in agent.post(reverse(PLAN), follow=True).content.decode()


def test_the_plain_form_feeds_the_first_two_hundred_and_leaves_the_rest_to_a_worker(
    agent: Browser, monkeypatch: pytest.MonkeyPatch
):
    failures(230)
    answer = agent.post(reverse(PLAN), follow=True)
    assert "230 messages are queued for a new attempt." in answer.content.decode()
    assert WhatsAppRetryItem.objects.exclude(queued_at=None).count() == 200
    assert only().state == State.RUNNING


def test_a_batch_tells_what_became_of_its_messages(agent: Browser):
    chosen = failures(4)
    batch = rows.retry_batch("agent_mali", chosen, excluded={"no_whatsapp": 2})
    batch.items.update(queued_at=timezone.now())
    batch.items.filter(notification=chosen[0]).update(queued_at=None, refusal="refuses")
    WhatsAppNotification.objects.filter(pk=chosen[1].pk).update(status=Status.READ)
    page = shown(agent, "agent_mali:whatsapp_retry_batch", code=batch.pk)
    assert "Failed again: 2" in page
    assert "Passing trouble at the provider" in page
    assert "This person does not want such messages any more." in page
    assert "<dt>Delivered or read</dt><dd>1</dd>" in page
    assert "4 of 4 messages" in page
    assert "This number has no WhatsApp" in page
    url = reverse("agent_mali:whatsapp_retry_batch", args=[batch.pk])
    piece = agent.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in piece
    assert f'hx-get="{url}"' in piece


def test_numbers_are_hidden_where_an_office_oversees(log_in: Callable[..., Browser]):
    admin = log_in("admin_mali", language="en")
    batch = rows.retry_batch("agent_mali", failures(6), state=State.CANARY, query="telephone=76000000")
    batch.items.update(is_canary=True)
    page = shown(admin, "admin_mali:whatsapp_retry_batch", code=batch.pk)
    assert "76 00 00" not in page
    assert "76000000" not in page
    assert "76 00 00" in shown(admin_of_mali(log_in), "agent_mali:whatsapp_retry_batch", code=batch.pk)


def admin_of_mali(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


@pytest.mark.parametrize("count", [0, 40])
@pytest.mark.parametrize("office", ["agent_mali", "admin_mali"])
def test_few_queries_whatever_the_number_of_rows(count: int, office: str, log_in: Callable[..., Browser]):
    browser = log_in(office, language="en")
    batch = rows.retry_batch(office, failures(count), state=State.CANARY)
    batch.items.update(is_canary=True)
    failures(count, error_class="window_closed")
    for name, arguments in [
        ("whatsapp_retry_failed", []),
        ("whatsapp_retry_batches", []),
        ("whatsapp_retry_batch", [batch.pk]),
        ("whatsapp_retry_batch_cancel", [batch.pk]),
    ]:
        url = reverse(f"{office}:{name}", args=arguments)
        browser.get(url)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browser.get(url).status_code == 200
        assert len(queries) <= MOST_QUERIES, (name, [query["sql"][:200] for query in queries])


# Who sees what


@pytest.mark.parametrize(("office", "foreign"), [(a, b) for a in AGENT_OFFICES for b in OFFICES if a != b])
def test_a_foreign_batch_does_not_exist_for_an_agent(office: str, foreign: str, log_in: Callable[..., Browser]):
    browser = log_in(office)
    # Even one that holds a message of theirs: an administrator's.
    batch = rows.retry_batch(foreign, [*failures(1, office), *failures(1, foreign)])
    before = rows.everything()
    for name in ("batch", "batch_cancel"):
        url = reverse(f"{office}:whatsapp_retry_{name}", args=[batch.pk])
        assert browser.get(url).status_code == 404
        assert browser.get(url, headers={"HX-Request": "true"}).status_code == 404
    for name in ("run", "pause", "cancel"):
        assert browser.post(reverse(f"{office}:whatsapp_retry_batch_{name}", args=[batch.pk])).status_code == 404
    assert str(batch.pk) not in browser.get(reverse(f"{office}:whatsapp_retry_batches")).content.decode()
    assert rows.everything() == before


@pytest.mark.parametrize(("office", "foreign"), [(a, b) for a in AGENT_OFFICES for b in OFFICES if a != b])
def test_no_filter_reaches_a_foreign_message(office: str, foreign: str, log_in: Callable[..., Browser]):
    browser = log_in(office)
    theirs = failures(2, foreign, title="secret of theirs")
    url = reverse(f"{office}:whatsapp_retry_failed")
    for query in (f"source_app={foreign}", "q=secret", "telephone=76000000", "error_class=transient", "status=failed"):
        assert browser.get(f"{url}?{query}").context["plan"].matching == 0
        form = {"request_id": uuid.uuid4(), "query": query, "seen": 2, "how": "all"}
        assert browser.post(url, form).status_code in (302, 422)
    browser.post(url, {"query": f"source_app={foreign}", "items": [str(one.pk) for one in theirs]})
    assert not WhatsAppRetryBatch.objects.exists()
    assert WhatsAppNotification.objects.filter(status=Status.FAILED).count() == 2


def test_another_office_s_form_is_no_way_to_its_batch(log_in: Callable[..., Browser]):
    form = {"request_id": uuid.uuid4(), "query": "", "seen": 2, "how": "all"}
    for office in AGENT_OFFICES:
        failures(2, office)
        log_in(office).post(reverse(f"{office}:whatsapp_retry_failed"), form)
    batches = WhatsAppRetryBatch.objects.order_by("source_app")
    assert [batch.source_app for batch in batches] == list(AGENT_OFFICES)
    for batch in batches:
        assert {item.notification.source_app for item in batch.items.all()} == {batch.source_app}


@pytest.mark.parametrize("office", ["admin_chine", "admin_mali"])
def test_an_administrator_decides_on_every_office_s_batches(office: str, log_in: Callable[..., Browser]):
    browser = log_in(office)
    batch = rows.retry_batch("agent_mali", failures(3))
    assert str(batch.pk) in browser.get(reverse(f"{office}:whatsapp_retry_batches")).content.decode()
    browser.post(reverse(f"{office}:whatsapp_retry_batch_pause", args=[batch.pk]))
    assert only().state == State.PAUSED
