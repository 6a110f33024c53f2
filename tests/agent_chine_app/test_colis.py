"""Registering a parcel: once, and its client is told once."""

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import TRACKING_ALPHABET, Client, Colis, new_numero_suivi
from agent_chine_app.notifications import notify_colis_created
from tests.photos import image, upload, with_place, written
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppOptOut

FORM = "/agent-chine/colis/new/"
JEAN = "+22376123456"


@pytest.fixture
def client(db: None) -> Client:
    return create_client(JEAN, "Jean", "Dupont")[0]


def form(client: Client, /, **changes: Any) -> dict[str, Any]:
    filled = {
        "client": client.pk,
        "description": "Téléphones",
        "weight_kg": "12.50",
        "pieces": "1",
        "transport": "cargo",
    }
    return {"request_id": str(uuid.uuid4()), **filled, **changes}


def test_a_registered_parcel_is_told_to_its_client(stack: Stack, client: Client, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    answer = browser.post(FORM, form(client))
    (message,) = eventually(lambda: stack.messages_to(JEAN), "the message arrived")

    colis = Colis.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        reverse("agent_chine:colis_details", args=[colis.pk]),
    )
    assert (colis.client, colis.description, colis.weight_kg) == (client, "Téléphones", Decimal("12.50"))
    assert (colis.status, colis.created_by_id) == ("received", int(browser.session["_auth_user_id"]))
    assert colis.numero_suivi in message["text"]
    assert "Jean Dupont" in message["text"]
    assert colis.numero_suivi in browser.get(answer.headers["Location"]).content.decode()


def test_the_same_form_posted_twice_is_one_parcel_and_one_message(client: Client, log_in: Callable[..., Browser]):
    browser, filled = log_in("agent_chine"), form(client)
    answers = [browser.post(FORM, filled), browser.post(FORM, {**filled, "description": "Something else"})]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Colis.objects.get().description == "Téléphones"
    assert WhatsAppNotification.objects.count() == 1


def test_two_equal_forms_are_two_parcels(client: Client, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    for _ in range(2):
        browser.post(FORM, form(client))

    assert Colis.objects.count() == 2
    assert WhatsAppNotification.objects.count() == 2


def test_the_same_form_posted_by_many_at_once_is_one_parcel_and_one_message(
    stack: Stack, client: Client, log_in: Callable[..., Browser]
):
    cookies, filled = log_in("agent_chine").cookies, form(client)

    def submit(_number: int) -> int:
        browser = Browser()
        browser.cookies = cookies
        try:
            return browser.post(FORM, filled).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(submit, range(8))) == {302}
    eventually(lambda: stack.messages_to(JEAN), "the message arrived")
    assert Colis.objects.count() == 1
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weight_kg": "0"}, "weight_kg"),
        ({"weight_kg": "-1"}, "weight_kg"),
        ({"weight_kg": "heavy"}, "weight_kg"),
        ({"weight_kg": "1.234"}, "weight_kg"),
        ({"weight_kg": "12345678"}, "weight_kg"),
        ({"weight_kg": "NaN"}, "weight_kg"),
        ({"weight_kg": "Infinity"}, "weight_kg"),
        ({"weight_kg": "1,234.5"}, "weight_kg"),
        ({"pieces": "0"}, "pieces"),
        ({"pieces": "40000"}, "pieces"),
        ({"pieces": ""}, "pieces"),
        ({"transport": "rocket"}, "transport"),
        ({"length_cm": "60"}, "length_cm"),
        ({"length_cm": "60", "width_cm": "0", "height_cm": "3"}, "width_cm"),
        ({"fee_fcfa": "12,5"}, "fee_fcfa"),
        ({"fee_fcfa": "-5"}, "fee_fcfa"),
        ({"fee_fcfa": "12.50"}, "fee_fcfa"),
        ({"fee_fcfa": "9999999999"}, "fee_fcfa"),
        ({"fee_fcfa": "9" * 5000}, "fee_fcfa"),
        ({"client": ""}, "client"),
        ({"client": "999999999"}, "client"),
        ({"client": "Jean"}, "client"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\x00b"}, "description"),
        ({"request_id": ""}, "request_id"),
        ({"request_id": "12"}, "request_id"),
    ],
    ids=repr,
)
def test_a_bad_form_is_shown_again_and_writes_nothing(
    changes: dict[str, str], field: str, client: Client, log_in: Callable[..., Browser]
):
    answer = log_in("agent_chine").post(FORM, form(client, **changes))

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Colis.objects.exists()
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("weight", ["", "0.01", "999999.99"])
def test_a_weight_may_be_missing_small_or_large(weight: str, client: Client, log_in: Callable[..., Browser]):
    assert log_in("agent_chine").post(FORM, form(client, weight_kg=weight)).status_code == 302
    assert Colis.objects.get().weight_kg == (Decimal(weight) if weight else None)


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
@pytest.mark.parametrize("weight", ["12,5", "12.5", "12，5", " 12.50 "])
def test_a_weight_is_understood_however_its_decimals_are_written(
    weight: str, language: str, client: Client, log_in: Callable[..., Browser]
):
    assert log_in("agent_chine", language=language).post(FORM, form(client, weight_kg=weight)).status_code == 302
    assert Colis.objects.get().weight_kg == Decimal("12.50")


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
@pytest.mark.parametrize("fee", ["125000", "125 000", "125.000", "125,000", "125\u202f000", "125\u00a0000"], ids=ascii)
def test_a_fee_is_understood_however_its_thousands_are_written(
    fee: str, language: str, client: Client, log_in: Callable[..., Browser]
):
    assert log_in("agent_chine", language=language).post(FORM, form(client, fee_fcfa=fee)).status_code == 302
    assert Colis.objects.get().fee_fcfa == 125_000


def test_everything_that_is_known_of_a_parcel_is_written_down(
    client: Client, log_in: Callable[..., Browser], media: Path
):
    size = {"length_cm": "60", "width_cm": "40", "height_cm": "35"}
    more = {**size, "pieces": "3", "transport": "bateau", "fee_fcfa": "7500"}
    photo = upload(written(image(), exif=with_place()))
    assert log_in("agent_chine").post(FORM, form(client, photo=photo, **more)).status_code == 302

    colis = Colis.objects.get()
    assert (colis.length_cm, colis.width_cm, colis.height_cm, colis.pieces) == (60, 40, 35, 3)
    assert (colis.transport, colis.fee_fcfa) == ("bateau", 7500)
    assert [(step.kind, step.by) for step in colis.steps.all()] == [("received", colis.created_by)]
    (file,) = [path for path in media.rglob("*") if path.is_file()]
    assert colis.photo.path == str(file)
    assert re.fullmatch(r"[0-9a-f-]{36}\.jpg", file.name)
    assert not Image.open(file).getexif()


def test_the_same_form_posted_twice_keeps_one_photo(client: Client, log_in: Callable[..., Browser], media: Path):
    browser, filled, content = log_in("agent_chine"), form(client), written(image())
    for _ in range(2):
        assert browser.post(FORM, {**filled, "photo": upload(content)}).status_code == 302

    assert len([path for path in media.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xd8\xff" * 3_000_000, "8,6"), (b"%PDF", "JPEG")], ids=["9 megabytes", "a document"]
)
def test_a_bad_photo_is_refused_in_a_sentence_and_what_was_typed_is_kept(
    content: bytes, says: str, client: Client, log_in: Callable[..., Browser], media: Path
):
    photo = upload(content)
    answer = log_in("agent_chine").post(
        FORM, form(client, photo=photo, weight_kg="12,5", description="Chaussures rouges")
    )

    assert answer.status_code == 422
    (error,) = answer.context["form"].errors["photo"]
    assert says in error
    html = answer.content.decode()
    assert 'value="12,5"' in html
    assert "Chaussures rouges" in html
    assert f'value="{client.pk}" selected' in html
    assert not Colis.objects.exists()
    assert not media.exists()


def test_a_good_photo_of_a_bad_form_must_be_chosen_again_and_the_form_says_so(
    client: Client, log_in: Callable[..., Browser], media: Path
):
    photo = upload(written(image()))
    answer = log_in("agent_chine", language="en").post(FORM, form(client, photo=photo, weight_kg="heavy"))

    assert answer.status_code == 422
    assert "Choose the photo again: it was not kept." in answer.content.decode()
    assert not media.exists()


def test_the_client_can_be_chosen_by_the_address_of_the_form(client: Client, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")

    assert f'value="{client.pk}" selected' in browser.get(f"{FORM}?client={client.pk}").content.decode()
    assert list(browser.get(FORM, {"q": "76 12 34 56"}).context["form"].fields["client"].widget.choices)[1:] == [
        (client.pk, "Jean Dupont · +223 76 12 34 56")
    ]


@pytest.mark.parametrize("chosen", ["garbage", "²", "9" * 30, "-1", "\x00"])
def test_a_client_that_does_not_exist_is_not_chosen(chosen: str, client: Client, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    page = browser.get(FORM, {"client": chosen})

    assert page.status_code == 200
    assert "selected" not in str(page.context["form"]["client"])
    assert browser.post(FORM, form(client, client=chosen)).status_code == 422
    assert not Colis.objects.exists()


def test_tracking_numbers_are_readable_and_hard_to_guess():
    numbers = {new_numero_suivi() for _ in range(2000)}

    assert len(numbers) == 2000
    assert all(re.fullmatch(f"TS[{TRACKING_ALPHABET}]{{8}}", number) for number in numbers)
    assert not set("ILOU") & set(TRACKING_ALPHABET)
    assert set("".join(number[2:] for number in numbers)) == set(TRACKING_ALPHABET)


def test_a_tracking_number_is_given_once(client: Client):
    colis = Colis.objects.create(client=client)
    with pytest.raises(IntegrityError), transaction.atomic():
        Colis.objects.create(client=client, numero_suivi=colis.numero_suivi)
    assert Colis.objects.get() == colis


def test_the_message_has_the_fields_of_the_guide_and_is_owed_once(client: Client):
    colis = Colis.objects.create(client=client)
    assert notify_colis_created(colis).id == notify_colis_created(colis).id

    owed = WhatsAppNotification.objects.get()
    assert (owed.user, owed.phone_number, owed.source_app) == (client.user, JEAN, "agent_chine")
    assert (owed.message_type, owed.category, owed.priority) == ("colis_creation", "colis_management", 3)
    assert owed.subject == f"colis:{colis.numero_suivi}"
    assert colis.numero_suivi in owed.message_content
    assert owed.title
    assert not owed.is_secret


@pytest.mark.parametrize("text", ["dupont", "76 12 34", "TÉLÉPHONES"])
def test_parcels_are_found_by_client_telephone_and_description(
    text: str, client: Client, log_in: Callable[..., Browser]
):
    other, _ = create_client("+22366000000", "Awa", "Traoré")
    wanted = Colis.objects.create(client=client, description="Téléphones")
    Colis.objects.create(client=other, description="Tissus")

    for office in ("agent_chine", "agent_mali"):
        page = log_in(office).get(f"/{office.replace('_', '-')}/colis/", {"q": text})
        assert list(page.context["page"]) == [wanted]


def test_the_latest_clients_can_be_chosen_without_a_search(client: Client, log_in: Callable[..., Browser]):
    page = log_in("agent_chine").get(FORM)

    assert f'<option value="{client.pk}"' in page.content.decode()
    assert page.context["has_clients"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["x\x00y", "\x00"])
def test_a_strange_search_for_a_client_of_a_new_parcel_breaks_nothing(text: str, log_in: Callable[..., Browser]):
    assert log_in("agent_chine").get(FORM, {"q": text}).status_code == 200


@pytest.mark.parametrize("address", ["/agent-chine/colis/", "/agent-chine/clients/", "/agent-mali/colis/"])
@pytest.mark.parametrize("text", ["x\x00y", "%%", "' OR 1=1 --", "x" * 5000])
def test_a_strange_search_finds_nothing_and_breaks_nothing(
    address: str, text: str, client: Client, log_in: Callable[..., Browser]
):
    Colis.objects.create(client=client)
    page = log_in("agent_chine", is_superuser=True).get(address, {"q": text})

    assert page.status_code == 200
    assert list(page.context["page"]) == []


@pytest.mark.parametrize("obstacle", ["opt-out", "number"])
def test_a_parcel_is_registered_also_when_its_client_cannot_be_told_and_the_page_says_why(
    obstacle: str, client: Client, log_in: Callable[..., Browser]
):
    if obstacle == "number":
        User.objects.filter(pk=client.user_id).update(telephone="+999123456")
    else:
        WhatsAppOptOut.objects.create(phone_number=JEAN, created_at=timezone.now())
    page = log_in("agent_chine", language="en").post(FORM, form(client), follow=True)

    assert Colis.objects.count() == 1
    assert "cannot be told on WhatsApp: " in page.content.decode()
