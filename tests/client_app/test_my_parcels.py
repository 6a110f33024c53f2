"""What a client sees of their own parcels, and that nobody sees another's."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from agent_chine_app.models import Client, Colis, ColisStep, Lot
from agent_chine_app.templatetags.parcels import fcfa, kg
from tests.client_app.shipments import AMINATA, IBRAHIM, NOTE, browser_of, client, parcel, told, with_photo
from tests.test_screens import LANGUAGES, MOST_QUERIES, Suspects
from whatsapp_monitoring_app.models import CancelReason, Status

pytestmark = pytest.mark.django_db

HOME = "/account/"


@pytest.fixture(autouse=True)
def _photos_of_the_test_alone(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def aminata() -> Client:
    return client()


@pytest.fixture
def ibrahim() -> Client:
    return client(IBRAHIM)


def page_of(colis: Colis) -> str:
    return reverse("client_colis", args=[colis.numero_suivi])


def photo_of(colis: Colis) -> str:
    return reverse("client_photo", args=[colis.pk])


def html(browser: Browser, url: str = HOME) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return re.sub(r"[ \n]+", " ", answer.content.decode())


def test_a_new_client_reads_what_will_be_here(aminata: Client):
    page = html(browser_of(aminata))

    assert "Welcome, Aminata" in page
    assert "No parcel yet" in page
    assert "<section" in page
    assert '<details class="card' not in page


def test_an_account_of_a_client_that_ships_nothing_yet_opens_too(make_user: Callable[..., User]):
    assert "No parcel yet" in html(browser_of(make_user(language="en")))


def test_parcels_stand_where_they_are_what_can_be_fetched_first(aminata: Client):
    for status in Colis.Status:
        parcel(aminata, status)
    page = html(browser_of(aminata))
    titles = ["To fetch in Bamako (2)", "Being searched for (1)", "On the way (1)", "In China (1)", "Handed over (1)"]

    assert sorted(titles, key=page.index) == titles
    for colis in Colis.objects.all():
        assert f'href="{page_of(colis)}"' in page
    assert "to Fatoumata" in page


def test_what_can_be_fetched_says_what_there_is_to_pay_and_not_on_which_shelf(aminata: Client, settings: Any):
    settings.PICKUP_NOTE = "Lundi–samedi, 8 h – 18 h"
    for fee in (12_500, 4_000):
        parcel(aminata, Colis.Status.READY, fee_fcfa=fee, shelf="SHELF-B7", weight_kg="12.50")
    page = html(browser_of(aminata))

    with translation.override("en"):
        amounts = [f"To pay: {fcfa(16_500)}", fcfa(12_500), fcfa(4_000), kg(Decimal("12.5"))]
    for words in [*amounts, "Lundi–samedi, 8 h – 18 h"]:
        assert words in page
    assert "SHELF-B7" not in page + html(browser_of(aminata), page_of(Colis.objects.first() or Colis()))


@pytest.mark.parametrize(("days", "words"), [(3, "Expected in Bamako on"), (0, "Expected"), (-1, "and is late.")])
def test_what_is_on_the_way_says_when_it_is_expected(days: int, words: str, aminata: Client):
    lot = Lot.objects.create(number="GZ-0412", expected_on=timezone.localdate() + timedelta(days=days))
    colis = parcel(aminata, Colis.Status.SHIPPED, lot=lot)

    for url in (HOME, page_of(colis)):
        assert words in html(browser_of(aminata), url)
        assert "GZ-0412" not in html(browser_of(aminata), url)


def test_what_was_handed_over_is_folded_and_has_pages(aminata: Client):
    for _ in range(23):
        parcel(aminata, Colis.Status.HANDED_OVER)
    browser = browser_of(aminata)
    shown = [colis.pk for number in "123" for colis in browser.get(HOME, {"page": number}).context["page"]]

    assert len(shown) == len(set(shown)) == 23
    assert '<details class="card more">' in html(browser)
    assert '<details class="card more" open>' in html(browser, f"{HOME}?page=2")
    assert "Nothing is on its way" in html(browser)
    assert browser.get(HOME, {"page": "garbage"}).context["page"].number == 1


def test_my_parcels_ask_few_questions_whatever_their_number(aminata: Client):
    browser = browser_of(aminata)

    def question_count(url: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            html(browser, url)
        return len(asked)

    one = with_photo(parcel(aminata, lot=Lot.objects.create(number="GZ-0412")))
    told(aminata, one, "Bonjour")
    few = {url: question_count(url) for url in (HOME, page_of(one))}
    for status in [*Colis.Status] * 5:
        parcel(aminata, status, lot=Lot.objects.get())
        told(aminata, one, "Bonjour")
    parcel(aminata, Colis.Status.HANDED_OVER)
    assert question_count(page_of(one)) == few[page_of(one)] <= MOST_QUERIES
    assert question_count(HOME) <= few[HOME] + 1 <= MOST_QUERIES  # the page of what was handed over


def test_the_way_of_a_parcel_is_told_in_both_zones_without_who_noted_it_and_what(aminata: Client):
    colis = parcel(aminata, Colis.Status.READY)
    page = html(browser_of(aminata), page_of(colis))
    steps = ["Ready to be fetched", "Arrived in Mali", "Left China", "Received in China"]

    # The heading says the last one too.
    assert [page.rindex(step) for step in steps] == sorted(page.rindex(step) for step in steps)
    assert "11/11/2026 02:30 Guangzhou</span> · <span>11/10/2026 18:30 Bamako" in page
    for secret in (NOTE, "Secretive"):
        assert secret not in page + html(browser_of(aminata))


def test_a_parcel_says_what_we_told_of_it_in_simple_words(aminata: Client):
    colis, other = parcel(aminata), parcel(aminata)
    told(aminata, colis, "It has arrived.", Status.DELIVERED)
    told(aminata, colis, "It is late.", Status.FAILED)
    told(aminata, colis, "It waits.", Status.FAILED, informed_at=timezone.now(), informed_how="phone")
    told(aminata, other, "About another one.")
    told(aminata, colis, "Never left.", Status.CANCELLED, cancel_reason=CancelReason.SUPERSEDED)
    page = html(browser_of(aminata), page_of(colis))

    for words in ("It has arrived.", "On your telephone ·", "It did not reach you ·", "We told you ourselves ·"):
        assert words in page
    for words in ("About another one.", "Never left.", "131026"):
        assert words not in page


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.CANCELLED}))
def test_every_state_of_a_message_has_words(status: Status, aminata: Client):
    colis = parcel(aminata)
    fields = {"claim_id": "0" * 32, "claimed_until": "2026-01-01T00:00Z"} if status == Status.SENDING else {}
    told(aminata, colis, "Hello", status, **fields)
    assert '<blockquote class="bubble"' in html(browser_of(aminata), page_of(colis))


def test_a_message_to_the_number_s_former_owner_is_not_shown(aminata: Client, ibrahim: Client):
    colis = parcel(aminata)
    told(ibrahim, colis, "For Ibrahim alone.", phone_number=AMINATA)
    assert "For Ibrahim alone." not in html(browser_of(aminata), page_of(colis))


def test_a_personal_link_is_never_shown(aminata: Client):
    colis = parcel(aminata)
    told(aminata, colis, "Choose: {first_password_link}", is_secret=True)
    page = html(browser_of(aminata), page_of(colis))

    assert "[personal link, never stored]" in page
    assert "first_password_link" not in page
    assert "/first-password/" not in page


def test_what_people_wrote_is_shown_as_text(aminata: Client):
    evil = "<script>alert(1)</script>"
    colis = parcel(aminata, Colis.Status.READY, description=evil)
    told(aminata, colis, evil)
    for url in (HOME, page_of(colis)):
        assert evil not in html(browser_of(aminata), url)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_shown_in_each_language(language: str):
    aminata = client(language=language)
    lot = Lot.objects.create(number="GZ-0412", expected_on=timezone.localdate())
    for status in Colis.Status:
        colis = with_photo(parcel(aminata, status, lot=lot, fee_fcfa=1000, weight_kg="3"))
        ColisStep.objects.create(colis=colis, kind="delayed", at=timezone.now())
        for url in (HOME, page_of(colis)):
            page = html(browser_of(aminata), url)
            assert f'<html lang="{language}"' in page
            assert Suspects(page).found == []


def test_a_photo_is_shown_to_its_owner_alone(aminata: Client, ibrahim: Client):
    colis = with_photo(parcel(aminata))
    mine = browser_of(aminata).get(photo_of(colis))

    assert (mine.status_code, mine.headers["Content-Type"]) == (200, "image/jpeg")
    assert mine.headers["Cache-Control"].startswith("private")
    assert mine.content
    assert f'src="{photo_of(colis)}"' in html(browser_of(aminata))
    assert browser_of(ibrahim).get(photo_of(colis)).status_code == 404


def test_a_photo_that_is_not_there_is_a_page_not_found(aminata: Client):
    bare, gone = parcel(aminata), with_photo(parcel(aminata))
    gone.photo.storage.delete(str(gone.photo.name))

    for colis in (bare, gone):
        assert browser_of(aminata).get(photo_of(colis)).status_code == 404
    assert photo_of(bare) not in html(browser_of(aminata))


def test_a_foreign_parcel_does_not_exist(aminata: Client, ibrahim: Client):
    colis = parcel(aminata)

    assert browser_of(aminata).get(page_of(colis)).status_code == 200
    assert browser_of(ibrahim).get(page_of(colis)).status_code == 404
    assert browser_of(ibrahim).get("/account/colis/TS00000000/").status_code == 404
    assert browser_of(ibrahim).get("/account/colis/TS%00/").status_code == 404
    assert colis.numero_suivi not in html(browser_of(ibrahim))


PAGES = ("client_home", "client_preferences", "client_stop", "client_password")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_clients_asks_a_stranger_to_log_in(name: str):
    assert Browser().get(reverse(name)).headers["Location"] == f"/login/?next={reverse(name)}"


def test_a_parcel_and_its_photo_ask_a_stranger_to_log_in(aminata: Client):
    colis = with_photo(parcel(aminata))
    for url in (page_of(colis), photo_of(colis)):
        assert Browser().get(url).headers["Location"] == f"/login/?next={url}"


@pytest.mark.parametrize("role", ["agent_chine", "agent_mali", "admin_chine", "admin_mali"])
def test_people_of_an_office_have_no_parcels_here_unless_they_ship_some(
    role: str, make_user: Callable[..., User], aminata: Client
):
    person, colis = make_user(role=role, language="en"), with_photo(parcel(aminata))
    browser = browser_of(person)
    for url in (*(reverse(name) for name in PAGES), page_of(colis), photo_of(colis)):
        assert browser.get(url).status_code == 403

    own = parcel(Client.objects.create(user=person))
    assert own.numero_suivi in html(browser)
    assert browser.get(page_of(colis)).status_code == browser.get(photo_of(colis)).status_code == 404


@pytest.mark.parametrize("name", ["client_home", "client_colis", "client_photo"])
def test_what_only_shows_takes_no_other_method(name: str, aminata: Client):
    colis = with_photo(parcel(aminata))
    url = {"client_home": HOME, "client_colis": page_of(colis), "client_photo": photo_of(colis)}[name]
    for method in ("post", "put", "patch", "delete"):
        assert getattr(browser_of(aminata), method)(url).status_code == 405
