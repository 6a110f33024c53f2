"""What waits in Mali, what is done with one parcel, and the home page's numbers."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from agent_chine_app.models import Colis, ColisStep
from agent_mali_app import arrivals, awaited, reminders
from tests.agent_mali_app import freight
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppOptOut

pytestmark = pytest.mark.django_db

STORAGE = "/agent-mali/storage/"


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def url(name: str, colis: Colis) -> str:
    return reverse(f"agent_mali:{name}", args=[colis.pk])


def said(answer: Any) -> str:
    return [message.message for message in get_messages(answer.wsgi_request)][-1]


def ago(days: int) -> Any:
    return timezone.now() - timedelta(days=days)


def rows(browser: Browser, **query: Any) -> list[Colis]:
    return [row.colis for row in browser.get(STORAGE, query).context["rows"]]


def test_what_waits_longest_comes_first(browser: Browser):
    client = freight.client()
    new, old, middle = (freight.stored(client, ago(days)) for days in (1, 20, 7))
    Colis.objects.create(client=client, status=Colis.Status.SHIPPED)

    assert rows(browser) == [old, middle, new]
    assert "20 days" in browser.get(STORAGE).content.decode()


@pytest.mark.parametrize(
    ("days", "count"), [("5", 2), ("15", 1), ("0", 3), ("", 3), ("x", 3), ("-4", 3), ("9" * 20, 3), ("²", 3)]
)
def test_the_list_can_be_cut_down_to_what_waits_for_long(days: str, count: int, browser: Browser):
    for waited in (1, 7, 20):
        freight.stored(freight.client(waited), ago(waited))

    assert len(rows(browser, days=days)) == count
    assert rows(browser, q="Traoré20", days=days) == list(Colis.objects.filter(client__user__last_name="Traoré20"))


def test_reminders_that_were_sent_and_the_next_one_are_shown(browser: Browser):
    willing, unwilling = freight.client(0), freight.client(1)
    WhatsAppOptOut.objects.create(phone_number=unwilling.user.telephone, reason="STOP", created_at=timezone.now())
    for client in (willing, unwilling):
        freight.stored(client, ago(6))
    assert browser.get(STORAGE).context["rows"][0].next_day == awaited.today()
    reminders.remind(timezone.now())

    first, second = sorted(browser.get(STORAGE).context["rows"], key=lambda row: row.colis.client_id)
    assert (first.reminder_count, first.next_day) == (1, awaited.today() + timedelta(days=3))
    assert (second.reminder_count, second.next_day) == (0, None)
    assert "wants no reminders: call" in browser.get(STORAGE).content.decode()


def test_a_parcel_gets_its_shelf_when_it_is_ready_and_may_change_it(browser: Browser):
    colis = freight.stored(freight.client())
    answer = browser.post(url("colis_ready", colis), {"shelf": " A1 ", "next": f"{STORAGE}?days=0"})
    colis.refresh_from_db()

    assert answer.headers["Location"] == f"{STORAGE}?days=0"
    assert (colis.status, colis.shelf) == (Colis.Status.READY, "A1")
    assert "does not wait" in said(browser.post(url("colis_ready", colis), {"shelf": "A2"}))
    assert "shelf B7" in said(browser.post(url("colis_shelf", colis), {"shelf": "B7"}))
    colis.refresh_from_db()
    assert colis.shelf == "B7"
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("name", ["colis_ready", "colis_shelf"])
@pytest.mark.parametrize("shelf", ["", "  ", "x" * 31, "a\x00"], ids=["none", "blank", "long", "nul"])
def test_a_shelf_must_have_a_name(name: str, shelf: str, browser: Browser):
    colis = freight.stored(freight.client())
    answer = browser.post(url(name, colis), {"shelf": shelf})

    assert answer.headers["Location"] == STORAGE
    assert "Say on which shelf" in said(answer)
    colis.refresh_from_db()
    assert (colis.status, colis.shelf) == (Colis.Status.ARRIVED, "")


def test_what_is_gone_has_no_shelf(browser: Browser):
    client = freight.client()
    colis = freight.stored(client)
    arrivals.hand_over(client, [colis.pk], "Awa", uuid.uuid4(), freight.agent(), timezone.now())

    assert "not in storage any more" in said(browser.post(url("colis_shelf", colis), {"shelf": "B7"}))


def test_losing_a_parcel_is_asked_about_and_shows_the_number_to_call(browser: Browser):
    colis = freight.stored(freight.client())
    page = browser.get(url("colis_lost", colis)).content.decode()

    assert "No message is sent" in page
    assert f'href="tel:{colis.client.user.telephone}"' in page
    assert Colis.objects.get().status == Colis.Status.ARRIVED
    first = browser.post(url("colis_lost", colis), {"note": "Shelf A1 is empty"})
    second = browser.post(url("colis_lost", colis), {"note": "Shelf A1 is empty"})
    assert "Call" in said(first)
    assert "+223 66 00 00 00" in said(first)
    assert "Nothing changed" in said(second)
    assert Colis.objects.get().status == Colis.Status.LOST
    assert ColisStep.objects.get(kind="lost").note == "Shelf A1 is empty"
    assert not WhatsAppNotification.objects.exists()


def test_a_note_that_is_too_long_loses_nothing(browser: Browser):
    colis = freight.stored(freight.client())
    answer = browser.post(url("colis_lost", colis), {"note": "x" * 201})

    assert answer.status_code == 422
    assert "x" * 201 in answer.content.decode()
    assert Colis.objects.get().status == Colis.Status.ARRIVED


@pytest.mark.parametrize("has_lot", [True, False], ids=["in a lot", "single"])
def test_a_parcel_that_is_found_again_is_here_and_its_client_is_called(has_lot: bool, browser: Browser):
    lot = freight.shipped_lot(1) if has_lot else None
    colis = lot.colis.get() if lot else freight.stored(freight.client())
    if lot:
        arrivals.receive_all(lot, freight.agent(), timezone.now())
        arrivals.tell(lot, None, timezone.now())
    count = WhatsAppNotification.objects.count()
    arrivals.lose(colis, freight.agent(1), timezone.now())

    answer = browser.post(url("colis_arrival", colis))
    assert "here again" in said(answer)
    assert "+223 66 00 00 00" in said(answer)
    assert Colis.objects.get().status == Colis.Status.ARRIVED
    assert arrivals.tell_forgotten(timezone.now() + timedelta(hours=1)) == 0
    # The message of the arrival of a single parcel, which was not made in this test, is owed once.
    assert WhatsAppNotification.objects.count() == count + (0 if has_lot else 1)


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("shipped", {"colis_arrival", "colis_lost"}),
        ("arrived", {"colis_ready", "colis_lost"}),
        ("ready", {"colis_shelf", "colis_lost"}),
        ("lost", {"colis_arrival"}),
        ("handed_over", set()),
    ],
)
def test_a_parcel_offers_what_can_be_done_with_it(status: str, names: set[str], rf: Any):
    colis = Colis.objects.create(
        client=freight.client(), status=status, handed_over_at=timezone.now(), handed_over_to="Awa"
    )
    html = render_to_string("agent_mali_app/_colis_actions.html", {"colis": colis}, rf.get("/"))

    every = ("colis_arrival", "colis_ready", "colis_shelf", "colis_lost")
    assert {name for name in every if url(name, colis) in html} == names


def test_the_home_page_counts_the_office_s_work(browser: Browser):
    client, by, at = freight.client(), freight.agent(), timezone.now()
    lot = freight.shipped_lot(3)
    arrivals.receive(lot, freight.pks(lot)[:1], by, at)
    freight.stored(client, ago(6))
    given, earlier = freight.stored(client), freight.stored(client)
    arrivals.hand_over(client, [given.pk], "Awa", uuid.uuid4(), by, at)
    arrivals.hand_over(client, [earlier.pk], "Awa", uuid.uuid4(), by, ago(2))
    Colis.objects.create(client=client)
    page = browser.get(reverse("agent_mali:home"))

    assert page.context["figures"] == awaited.Figures(
        lots=1, awaited=3, unannounced=1, stored=2, stored_long=1, handed_over=1
    )
    for name in ("pickup", "lot_list", "storage"):
        assert f'href="{reverse(f"agent_mali:{name}")}"' in page.content.decode()


def test_the_list_asks_a_few_questions_whatever_its_length(
    browser: Browser, django_assert_max_num_queries: Callable[..., Any]
):
    for number in range(30):
        freight.stored(freight.client(number), ago(number))
    reminders.remind(timezone.now())

    with django_assert_max_num_queries(10):
        browser.get(STORAGE)
