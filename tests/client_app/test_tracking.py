"""Following a parcel without an account: where it is, and nothing about whose it is."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from agent_chine_app.models import Colis, ColisStep, Lot
from client_app import tracking
from tests.client_app.shipments import NOTE, browser_of, client, parcel, told, with_photo
from tests.test_screens import LANGUAGES, Suspects

pytestmark = pytest.mark.django_db

NUMBER = "TS1A2B0C4D"
LARGEST = 15_000  # bytes of a page


def browser(language: str = "en") -> Browser:
    return Browser(headers={"Accept-Language": language})


def page_of(number: str = NUMBER, **more: Any) -> Any:
    return browser(**more).get(f"/suivi/{number}/")


@pytest.fixture
def colis(settings: Any, tmp_path: Any) -> Colis:
    """One with everything that is nobody's business."""
    settings.MEDIA_ROOT = tmp_path
    aminata = client(email="aminata@example.com")
    lot = Lot.objects.create(number="GZ-0412", expected_on=timezone.localdate() + timedelta(days=3))
    secrets = {"description": "Gold-watches", "weight_kg": "31.75", "fee_fcfa": 987_000, "shelf": "SHELF-B7"}
    made = with_photo(parcel(aminata, Colis.Status.SHIPPED, numero_suivi=NUMBER, lot=lot, **secrets))
    told(aminata, made, "A text for Aminata.")
    return made


@pytest.mark.parametrize(
    "typed",
    [
        NUMBER,
        "ts1a2b0c4d",
        " TS 1A2B 0C4D ",
        "ts-1a2b-0c4d",
        "TSIA2BOC4D",
        "tslA2Boc4d",
        "1a2b0c4d",
        "ＴＳ１Ａ２Ｂ０Ｃ４Ｄ",
    ],
)
def test_a_number_is_understood_as_people_type_it(typed: str):
    assert tracking.understand(typed) == NUMBER


@pytest.mark.parametrize(
    "typed", ["", " ", "TS", "TS1A2B0C4", "TS1A2B0C4DD", "TS1A2B0C4U", "XX1A2B0C4D", "é" * 8, "\x00", "T" * 9, "٣" * 8]
)
def test_what_is_no_number_is_not_taken_for_one(typed: str):
    assert tracking.understand(typed) == ""


def test_the_form_leads_to_the_parcel_s_page(colis: Colis):
    answer = browser().get("/suivi/", {"number": " ts 1a2b oc4d"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/suivi/{NUMBER}/")
    assert page_of("ts1a2boc4d").status_code == 200


def test_everybody_sees_where_and_when_and_nothing_else(colis: Colis, make_user: Callable[..., User]):
    ColisStep.objects.create(colis=colis, kind="delayed", at=timezone.now(), note=NOTE)
    for who in (browser(), browser_of(client()), browser_of(make_user(role="agent_chine", language="en"))):
        page = who.get(f"/suivi/{NUMBER}/").content.decode()
        words = re.sub(r"\s+", " ", page)

        assert "Nov. 11, 2026</time> · Guangzhou" in words  # there it was past midnight
        assert "Nov. 12, 2026</time> · Guangzhou" in words
        assert "Expected in Bamako on" in words
        secrets = ["Gold-watches", "31.75", "31,75", "987", "SHELF-B7", "GZ-0412", "Coulibaly", "aminata@example.com"]
        for secret in [
            *secrets,
            "76123456",
            "76 12 34 56",
            NOTE,
            "Secretive",
            "/photo/",
            "A text for",
            "18:30",
            "02:30",
        ]:
            assert secret not in page or secret in page.partition("<main")[0], secret


@pytest.mark.parametrize("status", Colis.Status)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_is_shown_in_each_language_and_light(status: Colis.Status, language: str):
    number = parcel(client(), status).numero_suivi
    answer = page_of(number, language=language)
    page = answer.content.decode()

    assert answer.status_code == 200
    assert f'<html lang="{language}"' in page
    assert Suspects(page).found == []
    assert len(answer.content) <= LARGEST
    assert "Fatoumata" not in page


@pytest.mark.parametrize("status", [Colis.Status.ARRIVED, Colis.Status.READY])
def test_what_can_be_fetched_says_so(status: Colis.Status):
    assert "It is in Bamako and can be fetched." in page_of(parcel(client(), status).numero_suivi).content.decode()


def stripped(answer: Any) -> str:
    """The page without what was typed, the form's own secret, and the mark of the current page in the menu."""
    page = re.sub(r'name="(csrfmiddlewaretoken|number|next)" value="[^"]*"', r'name="\1"', answer.content.decode())
    page = re.sub(r' aria-current="(page|true)"', "", page)
    return re.sub(r"\s+", " ", page)


def test_unknown_and_malformed_numbers_get_one_answer(colis: Colis):
    odd = ["TS00000000", "TS0000", "nobody", "a/b/c", "%00", "<b>", "..%2F..", "é" * 200, colis.client.user.telephone]
    answers = [page_of(number) for number in odd] + [browser().get("/suivi/", {"number": text}) for text in ("", "x")]

    assert {answer.status_code for answer in answers} == {404}
    assert len({stripped(answer) for answer in answers}) == 1
    assert "No parcel has this number" in stripped(answers[0])
    assert 'action="/suivi/"' in stripped(answers[0])
    assert "<b>" not in answers[5].content.decode()


def test_the_form_keeps_what_was_typed():
    assert 'value="TS0000"' in browser().get("/suivi/", {"number": "TS0000"}).content.decode()


@pytest.mark.parametrize("path", ["", f"{NUMBER}/", "TS00000000/"])
def test_no_search_engine_or_cache_keeps_it_and_no_other_site_hears_of_the_number(path: str, colis: Colis):
    headers = browser().get(f"/suivi/{path}").headers

    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "private" in headers["Cache-Control"]


@pytest.mark.parametrize("path", ["", f"{NUMBER}/"])
def test_it_is_only_read(path: str, colis: Colis):
    strict = Browser(enforce_csrf_checks=True)
    for method in ("post", "put", "patch", "delete"):
        assert getattr(Browser(), method)(f"/suivi/{path}").status_code == 405
        assert getattr(strict, method)(f"/suivi/{path}").status_code == 403
    assert strict.head(f"/suivi/{path}").status_code == 200


def test_the_language_is_the_browser_s_until_one_is_chosen(colis: Colis):
    visitor = browser("zh-hans")
    assert '<html lang="zh-hans"' in visitor.get(f"/suivi/{NUMBER}/").content.decode()
    visitor.post("/language/", {"language": "fr", "next": f"/suivi/{NUMBER}/"})
    assert '<html lang="fr"' in visitor.get(f"/suivi/{NUMBER}/").content.decode()


def test_the_login_page_and_the_page_of_an_old_link_lead_here():
    for url in ("/login/", "/first-password/x/y/"):
        assert 'href="/suivi/"' in browser().get(url).content.decode()


def test_a_page_asks_few_questions(colis: Colis):
    with CaptureQueriesContext(connection) as asked:
        page_of()
    assert len(asked) == 2  # the parcel, its steps
