"""The pick-up desk: who comes, what waits for them, what was given to whom."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.urls import reverse

from agent_chine_app.models import Client, Colis
from tests.agent_mali_app import freight
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppNotification

pytestmark = pytest.mark.django_db

DESK = "/agent-mali/pickup/"


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def said(answer: Any) -> list[str]:
    return [message.message for message in get_messages(answer.wsgi_request)]


def give(browser: Browser, client: Client, *colis: Colis, **values: Any) -> Any:
    ticked = [one.pk for one in colis]
    fields = {"client": client.pk, "colis": ticked, "to": str(client), "request_id": uuid.uuid4(), **values}
    return browser.post(DESK, fields)


def test_the_desk_is_in_the_menu(browser: Browser):
    assert f'href="{DESK}"' in browser.get(reverse("agent_mali:home")).content.decode()


@pytest.mark.parametrize("by", ["name", "telephone", "parcel", "key"])
def test_a_client_is_found_with_all_that_waits_for_them(by: str, browser: Browser):
    client, other = freight.client(0, "Oumou"), freight.client(1)
    here = [freight.stored(client, fee_fcfa=125_000, shelf="B7"), freight.stored(client, status=Colis.Status.READY)]
    for status in (Colis.Status.SHIPPED, Colis.Status.LOST):
        Colis.objects.create(client=client, status=status)
    freight.stored(other)
    queries: dict[str, dict[str, Any]] = {
        "name": {"q": "oumou"},
        "telephone": {"q": "66 00 00 00"},
        "parcel": {"q": here[1].numero_suivi.lower()},
        "key": {"client": client.pk},
    }
    page = browser.get(DESK, queries[by])

    assert set(page.context["stored"]) == set(here)
    assert page.context["client"] == client
    html = page.content.decode()
    assert html.count(" checked") == 2
    assert 'value="Oumou Traoré0"' in html
    assert "125,000\N{NO-BREAK SPACE}FCFA" in html
    assert "and 1 parcel without a price" in html
    assert "Shelf B7" in html
    assert "cannot be taken back" in html


def test_several_clients_are_offered_to_choose_from(browser: Browser):
    clients = [freight.client(number) for number in range(3)]
    for client in clients[:2]:
        freight.stored(client)
        freight.stored(client)
    page = browser.get(DESK, {"q": "Awa"})

    assert [(client, client.stored_count) for client in page.context["clients"]] == [(one, 2) for one in clients[:2]]
    assert f"?client={clients[0].pk}" in page.content.decode()


def test_where_the_parcel_is_that_does_not_wait_here(browser: Browser):
    client = freight.client()
    colis = freight.stored(client)
    give(browser, client, colis, to="Moussa Keïta")
    page = browser.get(DESK, {"q": colis.numero_suivi}).content.decode()

    assert "Nothing waits here for this search" in page
    assert "Moussa Keïta" in page
    assert "Nothing waits here" in browser.get(DESK, {"q": "nobody"}).content.decode()


@pytest.mark.parametrize(
    "query",
    [{"client": "x"}, {"client": "9" * 30}, {"client": "²"}, {"q": "x\x00y"}],
    ids=["word", "huge", "²", "nul"],
)
def test_nonsense_in_the_address_finds_nobody(query: dict[str, str], browser: Browser):
    freight.stored(freight.client())

    assert browser.get(DESK, query).status_code == 200


def test_what_is_handed_over_is_said_with_whom_and_when(stack: Stack, log_in: Callable[..., Browser]):
    browser, client = log_in("agent_mali", language="en"), freight.client()
    given, left = freight.stored(client), freight.stored(client)
    answer = give(browser, client, given, to="  Moussa  ")

    given.refresh_from_db()
    left.refresh_from_db()
    assert answer.headers["Location"] == DESK
    assert (given.status, given.handed_over_to) == (Colis.Status.HANDED_OVER, "Moussa")
    assert left.status == Colis.Status.ARRIVED
    (sentence,) = said(answer)
    assert given.numero_suivi in sentence
    assert "Moussa" in sentence
    assert f"{given.handed_over_at:%m/%d/%Y}" in sentence
    (message,) = eventually(lambda: stack.messages_to(client.user.telephone), "the client is told")
    assert given.numero_suivi in message["text"]


def test_the_form_posted_twice_hands_over_once_and_says_the_same(browser: Browser):
    client = freight.client()
    colis, request_id = freight.stored(client), uuid.uuid4()
    first = said(give(browser, client, colis, request_id=request_id))
    second = said(give(browser, client, colis, request_id=request_id))

    assert second[-1] == first[-1]
    assert WhatsAppNotification.objects.count() == 1


def test_what_another_desk_has_handed_over_is_not_here_any_more(browser: Browser, log_in: Callable[..., Browser]):
    client = freight.client()
    colis = freight.stored(client)
    give(log_in("agent_mali"), client, colis)
    answer = give(browser, client, colis)

    assert answer.status_code == 422
    assert "not here any more" in answer.content.decode()
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize(
    "values",
    [{"to": ""}, {"to": "   "}, {"to": "x" * 151}, {"colis": []}, {"colis": ["x"]}, {"request_id": "x"}],
    ids=["no name", "blank name", "long name", "nothing ticked", "nonsense ticked", "no id"],
)
def test_a_form_that_lacks_something_hands_nothing_over_and_keeps_what_was_typed(
    values: dict[str, Any], browser: Browser
):
    client = freight.client()
    colis, left = freight.stored(client), freight.stored(client)
    answer = give(browser, client, colis, **{"to": "Typed by hand", **values})
    html = answer.content.decode()

    assert answer.status_code == 422
    if "to" not in values:
        assert 'value="Typed by hand"' in html
    if "colis" not in values:
        assert f'value="{colis.pk}" checked' in html
        assert f'value="{left.pk}" checked' not in html
    assert not Colis.objects.filter(status=Colis.Status.HANDED_OVER).exists()
    assert not WhatsAppNotification.objects.exists()


def test_a_parcel_of_somebody_else_cannot_be_ticked(browser: Browser):
    client, other = freight.client(0), freight.stored(freight.client(1))
    freight.stored(client)

    assert give(browser, client, other).status_code == 422
    assert not Colis.objects.filter(status=Colis.Status.HANDED_OVER).exists()


def test_a_post_without_a_client_leads_back_to_the_search(browser: Browser):
    assert browser.post(DESK, {"client": ""}).headers["Location"] == DESK
    assert browser.post(DESK, {"client": "99999"}).status_code == 404


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_the_desk_is_shown_in_each_language(language: str, log_in: Callable[..., Browser]):
    client = freight.client()
    freight.stored(client, fee_fcfa=5000)

    assert log_in("agent_mali", language=language).get(DESK, {"client": client.pk}).status_code == 200


def test_what_a_name_holds_is_shown_as_text(browser: Browser):
    client = freight.client(0, "<script>alert(1)</script>")
    freight.stored(client, description="<b>bold</b>", shelf="<i>")

    html = browser.get(DESK, {"client": client.pk}).content.decode()
    assert "<script>alert" not in html
    assert "<b>bold" not in html
