"""The pages of lots, as the agents in Guangzhou use them: scanning, ticking, closing, sending off."""

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agent_chine_app import lots
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, Lot, Transport
from tests.stack import Stack
from tests.test_screens import Suspects
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import at_once
from whatsapp_monitoring_app.models import Status, WhatsAppAnnouncement, WhatsAppNotification

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
LANGUAGES = ("fr", "en", "zh-hans")
PAGES = ("lot_details", "lot_choose", "lot_close", "lot_ship")
HTMX = {"HX-Request": "true"}


def client(number: int = 0) -> Client:
    return create_client(f"+2237612{number:04}", f"Client{number}", "Dupont")[0]


def parcels(count: int, **fields: Any) -> list[Colis]:
    """One parcel each of this many clients."""
    return [Colis.objects.create(client=client(number), **fields) for number in range(count)]


@pytest.fixture
def lot(db: None) -> Lot:
    return Lot.objects.create(number="GZ-0412")


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_chine", language="en", telephone="+8613800000001")


def address(name: str, lot: Lot | None = None) -> str:
    return reverse(f"agent_chine:{name}", args=[lot.pk] if lot else [])


def said(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in get_messages(answer.wsgi_request)]


def status_of(lot: Lot) -> str:
    return Lot.objects.get(pk=lot.pk).status


def in_status(lot: Lot, status: Lot.Status) -> Lot:
    """The lot with two parcels in it, in this status by the way that leads there."""
    agent = client(99).user
    lots.add(lot, [colis.numero_suivi for colis in parcels(2)])
    if status != Lot.Status.OPEN:
        lots.close(lot, timezone.now())
    if status in lots.GONE:
        lots.ship(lot, agent, timezone.now(), date(2026, 12, 3))
    Lot.objects.filter(pk=lot.pk).update(status=status, received_at=timezone.now())
    return Lot.objects.get(pk=lot.pk)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", Lot.Status)
def test_the_pages_are_shown_in_every_state_and_language(
    status: Lot.Status, language: str, lot: Lot, log_in: Callable[..., Browser]
):
    lot, browser = in_status(lot, status), log_in("agent_chine", language=language)
    for url in (address("lot_list"), address("lot_create"), *(address(name, lot) for name in PAGES)):
        answer = browser.get(url, follow=True)
        html = answer.content.decode()
        assert answer.status_code == 200
        assert f'<html lang="{language}"' in html
        assert Suspects(html).found == []


def test_pages_without_a_lot_say_what_comes_next(browser: Browser):
    page = browser.get(address("lot_list")).content.decode()
    assert "No lot yet" in page
    assert "No lot is found" in browser.get(address("lot_list"), {"q": "GZ"}).content.decode()


@pytest.mark.parametrize("status", ["", *Lot.Status.values])
def test_the_list_has_a_tab_for_each_status_with_its_number(status: str, browser: Browser):
    for number, each in enumerate(Lot.Status.values):
        Lot.objects.create(number=f"GZ-{number}", status=each)
    answer = browser.get(address("lot_list"), {"status": status})

    assert [count for _, _, count in answer.context["tabs"]] == [4, 1, 1, 1, 1]
    assert {lot.status for lot in answer.context["page"]} == ({status} if status else set(Lot.Status.values))


def test_the_list_finds_a_lot_by_a_parcel_and_shows_what_it_holds(lot: Lot, browser: Browser):
    (colis,) = parcels(1, lot=lot, weight_kg="12.50", pieces=3)
    Lot.objects.create(number="GZ-0413")
    answer = browser.get(address("lot_list"), {"q": colis.numero_suivi.lower()})

    assert list(answer.context["page"]) == [lot]
    page = answer.content.decode()
    assert "1 parcel" in page
    assert "3 pieces" in page
    assert "12.5 kg" in page


@pytest.mark.parametrize("count", [2, 120])
def test_the_pages_ask_few_questions_whatever_the_number_of_parcels(count: int, lot: Lot, browser: Browser):
    parcels(count, transport=Transport.CARGO)
    inside = parcels(count, lot=lot)
    for _ in range(count):
        Lot.objects.create(number=str(uuid.uuid4())[:20])

    def few_questions(url: str) -> None:
        browser.get(url)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(url).status_code == 200
        assert len(asked) <= MOST_QUERIES, url

    for url in (
        address("lot_list"),
        address("lot_details", lot),
        address("lot_choose", lot),
        address("lot_close", lot),
    ):
        few_questions(url)
    lots.close(lot, timezone.now())
    few_questions(address("lot_ship", lot))
    lots.ship(lot, inside[0].client.user, timezone.now())
    few_questions(address("lot_details", lot))


def form(**fields: Any) -> dict[str, Any]:
    return {"request_id": str(uuid.uuid4()), "number": "GZ-0413", "transport": "cargo", **fields}


def test_a_new_lot_is_offered_the_next_number(lot: Lot, browser: Browser):
    assert browser.get(address("lot_create")).context["form"]["number"].value() == "GZ-0413"


def test_the_same_form_posted_twice_opens_one_lot(browser: Browser):
    filled = form()
    first, second = browser.post(address("lot_create"), filled), browser.post(address("lot_create"), filled)

    (lot,) = Lot.objects.all()
    assert first.headers["Location"] == second.headers["Location"] == address("lot_details", lot)


@pytest.mark.parametrize(
    "wrong",
    [{"number": "GZ-0412"}, {"number": ""}, {"number": "X" * 21}, {"number": "A\x00"}, {"transport": "camel"}],
    ids=["taken", "empty", "long", "unstorable", "transport"],
)
def test_a_lot_that_cannot_be_opened_keeps_what_was_typed(wrong: dict[str, str], lot: Lot, browser: Browser):
    filled = form(**wrong)
    answer = browser.post(address("lot_create"), filled)

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == wrong.keys()
    assert answer.context["form"]["request_id"].value() == filled["request_id"]
    assert Lot.objects.count() == 1


def test_a_scanned_parcel_joins_and_the_page_is_ready_for_the_next_one(lot: Lot, browser: Browser):
    (colis,) = parcels(1)
    answer = browser.post(address("lot_add", lot), {"numbers": colis.numero_suivi})
    page = browser.get(answer.headers["Location"]).content.decode()

    assert answer.headers["Location"] == address("lot_details", lot)
    assert f"Parcel {colis.numero_suivi} is in the lot now." in page
    assert list(lot.colis.all()) == [colis]
    assert "autofocus" in page


def test_a_scan_with_htmx_changes_only_the_piece_and_says_what_happened(lot: Lot, browser: Browser):
    (colis,) = parcels(1)

    def scan() -> str:
        answer = browser.post(address("lot_add", lot), {"numbers": colis.numero_suivi}, headers=HTMX)
        assert answer.status_code == 200
        return answer.content.decode()

    first, second = scan(), scan()
    assert "<html" not in first
    assert f'data-announce="Parcel {colis.numero_suivi} is in the lot now. "' in first
    assert colis.client.user.last_name in first
    assert "autofocus" not in first, "the field stays, with what is typed into it meanwhile"
    assert "alert-warning" in second
    assert "is in this lot already" in second


def test_what_cannot_join_is_said_for_each_and_at_most_for_ten(lot: Lot, browser: Browser):
    (colis,) = parcels(1)
    typed = "\x00 ".join([colis.numero_suivi, *(f"TSNO{number:02}" for number in range(12))])
    answer = browser.post(address("lot_add", lot), {"numbers": typed})
    sentences = said(answer)

    assert [level for level, _ in sentences] == ["success"] + ["warning"] * 11
    assert sentences[-1][1] == "2 more could not be added."


def test_nothing_scanned_is_said(lot: Lot, browser: Browser):
    assert said(browser.post(address("lot_add", lot), {"numbers": " "})) == [
        ("warning", "Scan, type or tick a parcel first.")
    ]


def test_a_scan_into_a_lot_that_was_closed_meanwhile_is_refused_in_words(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.CLOSED)
    (colis,) = parcels(1)
    piece = browser.post(address("lot_add", lot), {"numbers": colis.numero_suivi}, headers=HTMX)

    assert piece.status_code == 200
    assert "is closed: nothing can be added" in piece.content.decode()
    assert "autofocus" not in piece.content.decode()
    assert said(browser.post(address("lot_add", lot), {"numbers": colis.numero_suivi}))[0][0] == "warning"
    assert lot.colis.count() == 2


def test_the_parcels_to_tick_are_those_that_may_join(lot: Lot, browser: Browser):
    good = parcels(2)
    parcels(1, transport=Transport.BATEAU)
    parcels(1, status=Colis.Status.ARRIVED)
    parcels(1, lot=Lot.objects.create(number="GZ-0411"))
    answer = browser.get(address("lot_choose", lot))

    assert set(answer.context["page"]) == set(good)
    assert "checked" not in answer.content.decode()
    assert browser.get(address("lot_choose", lot), {"tick": "all"}).content.decode().count(" checked>") == 2
    assert list(browser.get(address("lot_choose", lot), {"q": good[0].numero_suivi}).context["page"]) == [good[0]]
    assert "(2)" in browser.get(address("lot_details", lot)).content.decode()


def test_ticked_parcels_join_together(lot: Lot, browser: Browser):
    ticked = parcels(3)
    answer = browser.post(address("lot_add", lot), {"numbers": [colis.numero_suivi for colis in ticked]})

    assert said(answer) == [("success", "3 parcels are added.")]
    assert set(lot.colis.all()) == set(ticked)


def test_a_parcel_is_taken_out_and_the_second_press_says_so(lot: Lot, browser: Browser):
    (colis,) = parcels(1, lot=lot)
    url = reverse("agent_chine:lot_remove", args=[lot.pk, colis.pk])
    assert url in browser.get(address("lot_details", lot)).content.decode()
    answers = [browser.post(url), browser.post(url)]

    assert [answer.headers["Location"] for answer in answers] == [address("lot_details", lot)] * 2
    assert [level for level, _ in said(answers[1])] == ["success", "info"]
    assert not lot.colis.exists()


def test_closing_shows_the_totals_and_what_is_not_weighed(lot: Lot, browser: Browser):
    parcels(1, lot=lot)
    Colis.objects.create(client=client(), lot=lot, weight_kg="1.25")
    page = browser.get(address("lot_close", lot)).content.decode()
    assert "2 parcels" in page
    assert "1.25 kg" in page
    assert "1 parcel is not weighed." in page

    answers = [browser.post(address("lot_close", lot)) for _ in range(2)]
    assert [level for level, _ in said(answers[1])] == ["success", "warning"]
    assert status_of(lot) == Lot.Status.CLOSED


def test_an_empty_lot_is_not_closed(lot: Lot, browser: Browser):
    for answer in (browser.get(address("lot_close", lot)), browser.post(address("lot_close", lot))):
        assert answer.headers["Location"] == address("lot_details", lot)
        assert "is empty" in said(answer)[-1][1]
    assert status_of(lot) == Lot.Status.OPEN


def test_a_closed_lot_is_opened_again_once(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.CLOSED)
    answers = [browser.post(address("lot_reopen", lot)) for _ in range(2)]

    assert [level for level, _ in said(answers[1])] == ["success", "warning"]
    assert status_of(lot) == Lot.Status.OPEN


def test_the_plan_says_who_will_be_told_before_the_lot_leaves(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.CLOSED)
    page = browser.get(address("lot_ship", lot)).content.decode()

    assert "2 clients will be told" in page
    assert "The lot has left: tell 2 clients" in page
    assert status_of(lot) == Lot.Status.CLOSED
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("status", [Lot.Status.OPEN, Lot.Status.SHIPPED, Lot.Status.RECEIVED])
def test_a_lot_that_cannot_leave_says_why(status: Lot.Status, lot: Lot, browser: Browser):
    lot = in_status(lot, status)
    before = WhatsAppNotification.objects.count()
    for answer in (browser.get(address("lot_ship", lot)), browser.post(address("lot_ship", lot))):
        assert answer.headers["Location"] == address("lot_details", lot)
        assert said(answer)[-1][0] == "warning"
    assert WhatsAppNotification.objects.count() == before


@pytest.mark.parametrize("wrong", ["tomorrow", str(timezone.localdate() - timedelta(days=1))], ids=["words", "past"])
def test_a_day_that_cannot_be_keeps_the_lot_here(wrong: str, lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.CLOSED)
    answer = browser.post(address("lot_ship", lot), {"expected_on": wrong})

    assert (answer.status_code, status_of(lot)) == (422, Lot.Status.CLOSED)
    assert wrong in answer.content.decode()


def test_a_lot_that_leaves_tells_its_clients_and_shows_who_knows(
    stack: Stack, lot: Lot, log_in: Callable[..., Browser]
):
    browser, lot = log_in("agent_chine", language="en"), in_status(lot, Lot.Status.CLOSED)
    answer = browser.post(address("lot_ship", lot), {"expected_on": "2999-12-03"})
    eventually(lambda: len(stack.messages()) == 2, "both clients are told")
    eventually(lambda: WhatsAppNotification.objects.filter(status=Status.READ).count() == 2, "both have read it")
    page = browser.get(answer.headers["Location"]).content.decode()

    assert "2 clients are to be told" in said(answer)[0][1]
    assert Lot.objects.get().expected_on == date(2999, 12, 3)
    assert "2 of 2 know" in page
    assert {colis.numero_suivi in message["text"] for colis in lot.colis.all() for message in stack.messages()} == {
        True,
        False,
    }


def test_two_agents_who_ship_at_once_get_a_page_each_and_tell_everybody_once(
    transactional_db: None, lot: Lot, log_in: Callable[..., Browser]
):
    lot = in_status(lot, Lot.Status.CLOSED)
    first, second = log_in("agent_chine"), log_in("agent_chine")
    url = address("lot_ship", lot)
    answers = at_once(lambda: first.post(url), lambda: second.post(url))

    assert [answer.status_code for answer in answers] == [302, 302]
    assert sorted(said(answer)[0][0] for answer in answers) == ["success", "warning"]
    assert WhatsAppNotification.objects.count() == 2
    assert WhatsAppAnnouncement.objects.count() == 1


def test_two_agents_who_scan_one_parcel_at_once_get_a_page_each(
    transactional_db: None, lot: Lot, log_in: Callable[..., Browser]
):
    (colis,) = parcels(1)
    first, second = log_in("agent_chine"), log_in("agent_chine")
    post = {"numbers": colis.numero_suivi}
    answers = at_once(
        lambda: first.post(address("lot_add", lot), post), lambda: second.post(address("lot_add", lot), post)
    )

    assert [answer.status_code for answer in answers] == [302, 302]
    assert sorted(said(answer)[0][0] for answer in answers) == ["success", "warning"]


def test_the_lot_shows_who_was_forgotten_and_one_press_tells_them(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.SHIPPED)
    forgotten = Colis.objects.create(client=client(7), lot=lot, status=Colis.Status.SHIPPED)
    page = browser.get(address("lot_details", lot)).content.decode()
    assert "1 of them was forgotten: Client7 Dupont" in page
    assert f'action="{address("lot_complete", lot)}"' in page

    answers = [browser.post(address("lot_complete", lot)) for _ in range(2)]
    assert [level for level, _ in said(answers[1])] == ["success", "info"]
    assert WhatsAppNotification.objects.filter(user=forgotten.client.user).count() == 1
    assert "forgotten" not in browser.get(address("lot_details", lot)).content.decode()


def test_the_count_on_the_lot_s_page_asks_for_itself_and_keeps_the_forgotten(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.SHIPPED)
    Colis.objects.create(client=client(7), lot=lot, status=Colis.Status.SHIPPED)
    live = f"{address('lot_details', lot)}?announcement={WhatsAppAnnouncement.objects.get().pk}"
    assert f'hx-get="{live}"' in browser.get(address("lot_details", lot)).content.decode()

    piece = browser.get(live, headers=HTMX).content.decode()
    assert "<html" not in piece
    assert "Client7 Dupont" in piece
    assert browser.get(address("lot_details", lot), {"announcement": "x"}, headers=HTMX).status_code == 204


def test_what_mali_announced_of_the_lot_is_not_shown_to_china(lot: Lot, browser: Browser):
    lot = in_status(lot, Lot.Status.SHIPPED)
    WhatsAppAnnouncement.objects.create(
        source_app="agent_mali", idempotency_key="arrived", subject=lot.subject, title="Arrivée en secret"
    )
    assert "Arrivée en secret" not in browser.get(address("lot_details", lot)).content.decode()


@pytest.mark.parametrize("name", ["lot_list", "lot_create"])
@pytest.mark.parametrize("role", ["client", "agent_mali", "admin_chine"])
def test_lots_are_the_china_office_s(name: str, role: str, log_in: Callable[..., Browser]):
    assert log_in(role).get(address(name)).status_code == 403
