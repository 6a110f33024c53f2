"""Whose turn it is to be called, when more wait than a page looks at."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.models.notifications import MAY_NEED_A_CALL
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.services import call_list, call_queue, calls, message_types, morning
from whatsapp_monitoring_app.services.call_queue import Search
from whatsapp_monitoring_app.services.paging import AtLeast

pytestmark = pytest.mark.django_db

MALI, ADMIN = scopes.get("agent_mali"), scopes.get("admin_mali")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def failed(number: int, office: str = "agent_mali", **fields: Any) -> WhatsAppNotification:
    return rows.notification(office, phone_number=telephone(number), **fields)


def telephone(number: int) -> str:
    return f"+223700000{number:02}"


def queue(scope: scopes.Scope = MALI, **search: str) -> call_queue.Queue:
    return call_queue.of(scope, Search(**search), timezone.now())


def learnt_more(notification: WhatsAppNotification) -> None:
    """A newer message about the same parcel has reached the same person."""
    notification.fact_rank = 20
    notification.save()
    newer = rows.notification(
        notification.source_app, Status.READ, phone_number=notification.phone_number, fact_rank=30
    )
    for one in (notification, newer):
        WhatsAppSubject.objects.create(notification=one, name=f"colis:{notification.pk}", fact_rank=one.fact_rank)


def page(browser: Browser, **query: str) -> str:
    return " ".join(browser.get(reverse("agent_mali:whatsapp_calls"), query).content.decode().split())


def test_only_the_most_urgent_are_looked_at_and_the_page_says_so(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "FRONT", 3)
    for number, priority in enumerate((3, 5, 1, 2)):
        failed(number, priority=priority)

    assert queue().numbers == [telephone(2), telephone(3), telephone(0)]
    html = page(agent)
    assert "At least 3 people" in html
    assert "There are more" in html


def test_up_to_the_bound_everybody_is_counted(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "FRONT", 3)
    for number in range(3):
        failed(number)

    assert not queue().is_cut
    html = page(agent)
    assert ">3 people<" in html
    assert "There are more" not in html


def test_of_the_same_urgency_the_newest_are_looked_at_and_who_waits_longest_comes_first(
    now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(call_queue, "FRONT", 2)
    for hours in range(3):
        failed(hours, created_at=now - timedelta(hours=hours))
    assert queue().numbers == [telephone(1), telephone(0)]


def test_whom_nobody_has_to_tell_any_more_takes_nobody_s_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "FRONT", 1)
    for number in range(3):
        learnt_more(failed(number, priority=1))
    failed(4, priority=5)
    assert (queue().numbers, queue().is_cut) == ([telephone(4)], False)


def test_the_menu_counts_behind_those_whom_nobody_has_to_tell(now: datetime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "LOOKED_AT", 2)
    for number in range(3):
        learnt_more(failed(number, priority=1))
    failed(4, priority=5)
    assert (call_queue.count(MALI, now), isinstance(call_queue.count(MALI, now), AtLeast)) == (1, False)

    monkeypatch.setattr(call_queue, "COUNTED_THROUGH", 3)
    assert (call_queue.count(MALI, now), isinstance(call_queue.count(MALI, now), AtLeast)) == (0, True)


def test_the_queue_ends_where_it_was_looked_through(agent: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "LOOKED_THROUGH", 3)
    for number in range(3):
        learnt_more(failed(number, priority=1))
    assert (queue().numbers, queue().is_cut) == ([], False)
    failed(4, priority=5)

    assert (queue().numbers, queue().is_cut) == ([], True)
    assert "Nobody is found among the most urgent" in page(agent)


def test_whoever_was_tried_today_takes_nobody_s_turn(now: datetime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "FRONT", 2)
    for number in range(4):
        failed(number, priority=1 + number)
    for number in (0, 1):
        WhatsAppCall.objects.create(
            phone_number=telephone(number), source_app="agent_mali", at=now, outcome="not_reached"
        )
    assert queue().numbers == [telephone(number) for number in (2, 3, 0, 1)]
    assert not queue().is_cut


def test_whoever_is_looked_for_is_found_by_a_whole_number_wherever_their_turn_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(call_queue, "FRONT", 1)
    monkeypatch.setattr(call_queue, "LOOKED_THROUGH", 1)
    failed(1, priority=1)
    failed(2, priority=5)

    for text in (telephone(2), "70 00 00 02"):
        assert (queue(text=text).numbers, queue(text=text).is_cut) == ([telephone(2)], False)
    assert (queue(text="00002").numbers, queue(text="00002").is_cut) == ([], True)


def test_a_name_is_looked_for_among_those_who_were_tried_too(now: datetime, make_user: Callable[..., User]):
    for number, name in enumerate(("Jean", "Awa", "Jeanne")):
        failed(number, user=make_user(first_name=name))
        WhatsAppCall.objects.create(
            phone_number=telephone(number), source_app="agent_mali", at=now, outcome="not_reached"
        )
    assert set(queue(text="jean").numbers) == {telephone(0), telephone(2)}


@pytest.mark.parametrize("scope", [MALI, ADMIN], ids=lambda scope: scope.office)
def test_an_index_leads_to_whose_turn_it_is(scope: scopes.Scope, now: datetime):
    failed(1)
    office = "" if scope.sees_every_office else scope.office
    sql, params = call_queue._question(Search(office=office), now).messages
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {sql} LIMIT 100", params)  # noqa: S608
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "using notification_call_by_" in plan


def test_the_index_has_exactly_those_that_may_need_a_call(now: datetime):
    types = ("expedition", "delivery", *message_types.TYPES_WITHOUT_CALL, *message_types.TYPES_TO_BE_KNOWN)
    final = set(Status) - WAITING - {Status.SENDING}
    for number, (status, message_type, reason) in enumerate(itertools.product(final, types, ["", *CancelReason])):
        if reason and status != Status.CANCELLED:
            continue
        failed(number, status=status, message_type=message_type, cancel_reason=reason, failed_at=now, confirm_by=now)

    indexed = set(WhatsAppNotification.objects.filter(MAY_NEED_A_CALL))
    assert indexed == set(calls.given_up(WhatsAppNotification.objects.all(), now))
    assert {one.status for one in indexed} == {Status.FAILED, Status.UNCONFIRMED, Status.CANCELLED}


def test_a_card_shows_the_newest_messages_of_a_person_and_says_that_there_are_more(
    agent: Browser, monkeypatch: pytest.MonkeyPatch, now: datetime
):
    monkeypatch.setattr(call_list, "SHOWN_AT_MOST", 2)
    notes = [failed(1, title=f"message {hours}", created_at=now - timedelta(hours=hours)) for hours in range(3)]
    failed(2)
    (first, second) = call_list.people(MALI, [telephone(1), telephone(2)], now)

    assert ([errand.title for errand in first.errands], first.has_more) == (["message 0", "message 1"], True)
    assert not second.has_more
    assert "There are still older ones" in page(agent)
    told = calls.Errands(
        WhatsAppNotification.objects.filter(
            pk__in=[errand.notification.pk for errand in first.errands if errand.notification]
        ),
        WhatsAppAddressee.objects.none(),
    )
    calls.inform(told.notifications, User.objects.get(role="agent_mali"), now)
    (first,) = call_list.people(MALI, [telephone(1)], now)
    assert ([errand.notification for errand in first.errands], first.has_more) == ([notes[2]], False)


def test_the_morning_counts_each_office_up_to_a_bound(
    log_in: Callable[..., Browser], now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(morning, "LOOKED_AT", 2)
    for number in range(3):
        failed(number, priority=4)
    failed(9, "agent_chine", priority=1)
    whole = morning.of(ADMIN, now)

    counts = {one.scope.office: one.call_count for one in whole.offices}
    assert (counts["agent_mali"], counts["agent_chine"]) == (2, 1)
    assert [isinstance(counts[office], AtLeast) for office in ("agent_mali", "agent_chine")] == [True, False]
    assert whole.people[0].phone_number == telephone(9)
    html = log_in("admin_mali", language="en").get(reverse("admin_mali:whatsapp_morning")).content.decode()
    assert "<strong>2+</strong> people to call" in html
    assert "<strong>1</strong> person to call" in html
