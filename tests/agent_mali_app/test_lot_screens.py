"""The pages of lots at the Mali office: what is on its way, scanning, ticking, telling, delays."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from agent_chine_app.models import Colis, Lot
from agent_mali_app import arrivals, awaited, lot_views
from agent_mali_app.templatetags.mali import lateness
from tests.agent_mali_app import freight
from whatsapp_monitoring_app.models import WhatsAppAnnouncement, WhatsAppNotification, WhatsAppOptOut

pytestmark = pytest.mark.django_db

LANGUAGES = ("fr", "en", "zh-hans")


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def url(name: str, lot: Lot, *more: Any) -> str:
    return reverse(f"agent_mali:{name}", args=[lot.pk, *more])


def said(answer: Any) -> list[str]:
    return [message.message for message in get_messages(answer.wsgi_request)]


def shown(browser: Browser, tab: str = "") -> list[str]:
    page = browser.get(reverse("agent_mali:lot_list"), {"tab": tab} if tab else {}).context["page"]
    return [lot.number for lot in page]


def test_lots_are_told_apart_by_what_of_them_is_here(browser: Browser):
    made = {name: freight.shipped_lot(2, number=name) for name in ("transit", "partly", "received")}
    freight.shipped_lot(1, number="in China", status=Lot.Status.OPEN, shipped_at=None)
    by, at = freight.agent(), timezone.now()
    arrivals.receive(made["partly"], freight.pks(made["partly"])[:1], by, at)
    arrivals.receive_all(made["received"], by, at)

    assert shown(browser) == shown(browser, "nonsense") == shown(browser, "transit") == ["transit"]
    assert shown(browser, "partly") == ["partly"]
    assert shown(browser, "received") == ["received"]
    assert set(shown(browser, "untold")) == {"partly", "received"}
    arrivals.tell(made["partly"], by, at)
    assert shown(browser, "untold") == ["received"]


def test_what_is_expected_first_comes_first(browser: Browser):
    today = awaited.today()
    for number, day in (("none", None), ("late", today - timedelta(days=3)), ("soon", today + timedelta(days=2))):
        freight.shipped_lot(1, number=number, expected_on=day)

    assert shown(browser) == ["late", "soon", "none"]


def test_a_lot_is_counted_by_where_its_parcels_are(browser: Browser):
    lot = freight.shipped_lot(5, client_count=2)
    first, second, third, *_others = lot.colis.order_by("pk")
    by, at = freight.agent(), timezone.now()
    arrivals.receive(lot, [first.pk, second.pk], by, at)
    arrivals.hand_over(first.client, [first.pk], "Awa", uuid.uuid4(), by, at)
    arrivals.lose(third, by, at)

    counted = browser.get(url("lot_details", lot)).context["lot"]
    assert (counted.colis_count, counted.came_count, counted.missing_count, counted.lost_count) == (5, 2, 2, 1)
    assert counted.client_count == 2
    assert "2 of 5 received" in browser.get(url("lot_details", lot)).content.decode()


@pytest.mark.parametrize(
    ("days", "words"),
    [(-3, "3 days late"), (-1, "1 day late"), (0, "expected today"), (1, "in 1 day"), (8, "in 8 days"), (None, "")],
)
def test_lateness_is_said_in_words(days: int | None, words: str, browser: Browser):
    day = None if days is None else awaited.today() + timedelta(days=days)
    lot = freight.shipped_lot(1, expected_on=day)

    assert words in browser.get(reverse("agent_mali:lot_list")).content.decode()
    lot.status = Lot.Status.RECEIVED
    assert lateness(lot) == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["lot_details", "lot_receive_all", "lot_tell", "lot_delay"])
@pytest.mark.parametrize("state", ["in China", "on its way", "partly here", "announced", "here"])
def test_a_lot_s_pages_are_shown_in_every_state(state: str, name: str, language: str, log_in: Callable[..., Browser]):
    by, at = freight.agent(), timezone.now()
    in_china = {"status": Lot.Status.OPEN, "shipped_at": None} if state == "in China" else {}
    lot = freight.shipped_lot(3, client_count=2, **in_china)
    if state in ("partly here", "announced"):
        arrivals.receive(lot, freight.pks(lot)[:2], by, at)
        arrivals.lose(lot.colis.get(pk=freight.pks(lot)[2]), by, at)
    if state == "announced":
        arrivals.tell(lot, by, at)
    if state == "here":
        arrivals.receive_all(lot, by, at)

    assert log_in("agent_mali", language=language).get(url(name, lot)).status_code == 200


def test_scanning_without_javascript_leads_back_to_the_lot_and_shows_the_result(browser: Browser):
    lot = freight.shipped_lot(2)
    number = lot.colis.order_by("pk")[0].numero_suivi
    answer = browser.post(url("lot_scan", lot), {"number": number})

    assert answer.headers["Location"] == url("lot_details", lot)
    page = browser.get(url("lot_details", lot)).content.decode()
    assert "scan-received" in page
    assert f"Parcel {number}" in page
    assert "autofocus" in page


def test_scanning_with_htmx_answers_with_the_result_and_the_lot_s_state(browser: Browser):
    lot = freight.shipped_lot(2)
    number = lot.colis.order_by("pk")[0].numero_suivi

    def scan(text: str) -> str:
        return browser.post(url("lot_scan", lot), {"number": text}, headers={"HX-Request": "true"}).content.decode()

    piece = scan(number)
    assert "<html" not in piece
    assert "scan-received" in piece
    assert 'hx-swap-oob="true"' in piece
    assert "1 of 2 received" in piece
    assert f'data-is-here="missing-{lot.colis.get(numero_suivi=number).pk}"' in piece
    assert "scan-known" in scan(number)
    assert "scan-unknown" in scan("TS0")
    assert "scan-elsewhere" in scan(freight.shipped_lot(1, number="GZ-0413").colis.get().numero_suivi)


def test_the_last_ten_scans_are_listed_for_the_person_who_scans(browser: Browser, log_in: Callable[..., Browser]):
    lot = freight.shipped_lot(1)
    for number in range(13):
        browser.post(url("lot_scan", lot), {"number": f"WRONG{number}"})
    browser.post(url("lot_scan", lot), {"number": "  "})

    scans = browser.get(url("lot_details", lot)).context["scans"]
    assert [scan.sentence.split()[-1] for scan in scans] == [f"WRONG{number}." for number in range(12, 2, -1)]
    assert log_in("agent_mali").get(url("lot_details", lot)).context["scans"] == []


def test_what_is_scanned_is_shown_as_text(browser: Browser):
    lot = freight.shipped_lot(1)
    browser.post(url("lot_scan", lot), {"number": "<b>x</b>"})

    assert "<B>X" not in browser.get(url("lot_details", lot)).content.decode()


def test_ticked_parcels_have_arrived(browser: Browser):
    lot = freight.shipped_lot(3)
    first, second, _third = freight.pks(lot)
    answer = browser.post(url("lot_receive", lot), {"colis": [first, second]})

    assert said(answer) == ["2 parcels have arrived."]
    assert "noted already" in said(browser.post(url("lot_receive", lot), {"colis": [first]}))[-1]
    assert Colis.objects.filter(status=Colis.Status.SHIPPED).count() == 1


@pytest.mark.parametrize("ticked", [[], ["nonsense"], [99999999999999999999], [-1]], ids=repr)
def test_nothing_ticked_or_nonsense_receives_nothing(ticked: list[Any], browser: Browser):
    lot = freight.shipped_lot(1)
    answer = browser.post(url("lot_receive", lot), {"colis": ticked})

    assert answer.status_code == 302
    assert Colis.objects.get().status == Colis.Status.SHIPPED


def test_a_parcel_of_another_lot_cannot_be_ticked(browser: Browser):
    lot, other = freight.shipped_lot(1), freight.shipped_lot(1, number="GZ-0413")
    browser.post(url("lot_receive", lot), {"colis": freight.pks(other)})

    assert not Colis.objects.exclude(status=Colis.Status.SHIPPED).exists()


def test_the_missing_parcels_can_be_searched(browser: Browser):
    lot = freight.shipped_lot(4, client_count=2)
    wanted = lot.colis.filter(client__user__last_name="Traoré1").order_by("numero_suivi")
    answer = browser.get(url("lot_details", lot), {"q": "Traoré1"})

    assert list(answer.context["missing"]) == list(wanted)
    assert not list(browser.get(url("lot_details", lot), {"q": "nobody"}).context["missing"])


def test_a_very_long_lot_shows_the_first_boxes_and_says_so(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lot_views, "BOXES", 3)
    lot = freight.shipped_lot(4)
    page = browser.get(url("lot_details", lot))

    assert len(page.context["missing"]) == 3
    assert "Only the first 3 are shown" in page.content.decode()


def test_the_whole_lot_is_asked_about_before_it_is_received(browser: Browser):
    lot = freight.shipped_lot(3)

    assert "Yes, all 3 parcels have arrived" in browser.get(url("lot_receive_all", lot)).content.decode()
    assert Colis.objects.filter(status=Colis.Status.SHIPPED).count() == 3
    answers = [browser.post(url("lot_receive_all", lot)) for _time in range(2)]
    assert said(answers[0]) == ["3 parcels have arrived."]
    assert "Nothing changed" in said(answers[1])[-1]
    assert Lot.objects.get().status == Lot.Status.RECEIVED


def test_the_clients_are_told_after_a_look_at_who_they_are(browser: Browser):
    lot = freight.shipped_lot(4, client_count=2)
    assert "Tell the clients" not in browser.get(url("lot_details", lot)).content.decode()
    arrivals.receive(lot, freight.pks(lot)[:3], freight.agent(), timezone.now())

    page = browser.get(url("lot_details", lot)).content.decode()
    assert "3 parcels have arrived that their clients have not been told of." in page
    assert "2 clients wait for the message." in page
    assert browser.get(url("lot_tell", lot)).context["plan"].expected_count == 2
    assert not WhatsAppNotification.objects.exists()
    answers = [browser.post(url("lot_tell", lot)) for _time in range(2)]
    assert said(answers[0]) == ["2 clients are to be told: the result shows below."]
    assert said(answers[1])[-1] == "The clients have been told of everything that has arrived."
    assert WhatsAppNotification.objects.count() == 2
    assert "have not been told of" not in browser.get(url("lot_details", lot)).content.decode()


def test_the_notice_says_when_the_clients_are_told_by_themselves(browser: Browser):
    lot, at = freight.shipped_lot(2), timezone.now()
    arrivals.receive(lot, freight.pks(lot)[:1], freight.agent(), at)

    page = browser.get(url("lot_details", lot)).content.decode()
    assert f"soon after {at + arrivals.FORGOTTEN_AFTER:%H:%M}" in page
    Colis.objects.filter(status=Colis.Status.ARRIVED).update(arrived_at=at - timedelta(hours=1))
    assert "within a few minutes" in browser.get(url("lot_details", lot)).content.decode()


def test_a_lot_s_page_shows_how_far_its_clients_were_told(browser: Browser):
    lot, at = freight.shipped_lot(2, client_count=2), timezone.now()
    arrivals.receive_all(lot, freight.agent(), at)
    arrivals.tell(lot, None, at)
    moved = lot.colis.order_by("pk")[0]
    Colis.objects.filter(pk=moved.pk).update(client=freight.client(7))
    told = WhatsAppAnnouncement.objects.get()
    live = url("lot_told", lot, told.pk)

    assert live in browser.get(url("lot_details", lot)).content.decode()
    piece = browser.get(live, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in piece
    assert "Traoré7" in piece
    assert browser.post(live).headers["Location"] == url("lot_details", lot)
    assert "Traoré7" not in browser.get(live).content.decode()
    assert WhatsAppNotification.objects.count() == 3


def test_an_announcement_of_something_else_is_not_the_lot_s(browser: Browser):
    lot, other = freight.shipped_lot(1), freight.shipped_lot(1, number="GZ-0413")
    arrivals.receive_all(other, freight.agent(), timezone.now())
    arrivals.tell(other, None, timezone.now())

    live = url("lot_told", lot, WhatsAppAnnouncement.objects.get().pk)
    assert browser.get(live).status_code == browser.post(live).status_code == 404


def delay(browser: Browser, lot: Lot, **values: Any) -> Any:
    day = awaited.today() + timedelta(days=4)
    return browser.post(url("lot_delay", lot), {"request_id": uuid.uuid4(), "expected_on": day, **values})


def test_a_delay_is_shown_before_it_is_told(browser: Browser):
    lot = freight.shipped_lot(3, client_count=2)
    form = browser.get(url("lot_delay", lot))

    assert form.context["plan"].expected_count == 2
    assert f'min="{awaited.today()}"' in form.content.decode()
    assert not WhatsAppNotification.objects.exists()
    assert delay(browser, lot, note="Panne").headers["Location"] == url("lot_details", lot)
    assert WhatsAppNotification.objects.count() == 2
    assert Lot.objects.get().expected_on == awaited.today() + timedelta(days=4)


def test_a_delay_that_is_posted_twice_is_told_once(browser: Browser):
    lot, request_id = freight.shipped_lot(1), uuid.uuid4()

    for _time in range(2):
        assert delay(browser, lot, request_id=request_id).status_code == 302
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {"expected_on": awaited.today() - timedelta(days=1)},
        {"expected_on": awaited.today() + timedelta(days=4000)},
        {"expected_on": "31/12/2026"},
        {"expected_on": ""},
        {"request_id": "nonsense"},
        {"note": "x" * 201},
        {"note": "x\x00y"},
    ],
    ids=["yesterday", "years away", "not a date", "no date", "no id", "long note", "nul"],
)
def test_a_delay_that_cannot_be_is_refused_and_keeps_what_was_typed(values: dict[str, Any], browser: Browser):
    lot = freight.shipped_lot(1)
    answer = delay(browser, lot, **{"note": "Typed", **values})

    assert answer.status_code == 422
    if "note" not in values:
        assert "Typed" in answer.content.decode()
    assert Lot.objects.get().expected_on is None
    assert not WhatsAppNotification.objects.exists()


def test_a_lot_is_not_expected_before_it_left(browser: Browser):
    lot = freight.shipped_lot(1, shipped_at=timezone.now() + timedelta(days=3))

    assert delay(browser, lot, expected_on=awaited.today() + timedelta(days=1)).status_code == 422
    assert delay(browser, lot, expected_on=awaited.today() + timedelta(days=3)).status_code == 302


def test_a_delay_of_what_has_arrived_is_refused(browser: Browser):
    lot = freight.shipped_lot(1)
    arrivals.receive_all(lot, freight.agent(), timezone.now())

    assert delay(browser, lot).status_code == 422


def test_the_number_of_questions_does_not_grow_with_the_lot(
    browser: Browser, django_assert_max_num_queries: Callable[..., Any]
):
    lot = freight.shipped_lot(40, client_count=20)
    arrivals.receive(lot, freight.pks(lot)[:20], freight.agent(), timezone.now())
    arrivals.tell(lot, None, timezone.now())

    with django_assert_max_num_queries(18):
        browser.get(url("lot_details", lot))
    with django_assert_max_num_queries(15):
        browser.get(url("lot_tell", lot))


@pytest.mark.parametrize("name", ["lot_details", "lot_receive_all", "lot_tell", "lot_delay"])
def test_a_lot_that_does_not_exist_is_404(name: str, browser: Browser):
    assert browser.get(reverse(f"agent_mali:{name}", args=[1])).status_code == 404


def test_who_gets_no_message_is_not_counted_as_told(browser: Browser):
    lot = freight.shipped_lot(2, client_count=2)
    arrivals.receive_all(lot, freight.agent(), timezone.now())
    WhatsAppOptOut.objects.create(phone_number=freight.client(1).user.telephone, created_at=timezone.now())

    assert said(browser.post(url("lot_tell", lot))) == [
        "1 client is to be told: the result shows below.",
        "1 client cannot be told on WhatsApp: the list of people says why.",
    ]


def test_a_parcel_found_after_its_client_was_told_of_it_is_to_be_told_by_telephone(browser: Browser):
    lot, at = freight.shipped_lot(2), timezone.now()
    arrivals.receive_all(lot, freight.agent(), at)
    arrivals.tell(lot, None, at)
    for colis in lot.colis.all():
        arrivals.lose(colis, freight.agent(1 + colis.pk), at)
    first, second = lot.colis.order_by("pk")
    headers = {"HX-Request": "true"}
    piece = browser.post(url("lot_scan", lot), {"number": first.numero_suivi}, headers=headers).content.decode()
    answer = browser.post(url("lot_receive", lot), {"colis": second.pk})

    assert f"Parcel {first.numero_suivi} is here again" in piece
    assert f"Parcel {second.numero_suivi} is here again" in said(answer)[-1]
    assert "+223 66 00 00 00" in said(answer)[-1]
    arrivals.lose(first, freight.agent(9), at)
    answer = browser.post(url("lot_scan", lot), {"number": first.numero_suivi})
    assert f"Parcel {first.numero_suivi} is here again" in said(answer)[-1]


def test_an_earlier_day_is_no_delay(browser: Browser):
    lot = freight.shipped_lot(1, expected_on=awaited.today() + timedelta(days=9))
    answer = delay(browser, lot, expected_on=awaited.today() + timedelta(days=8))

    assert answer.status_code == 422
    assert "an earlier day is no delay" in answer.content.decode()
    assert delay(browser, lot, expected_on=awaited.today() + timedelta(days=9)).status_code == 422
    assert delay(browser, lot, expected_on=awaited.today() + timedelta(days=10)).status_code == 302
