"""The page of one parcel, its corrections and its photo, in the offices that handle it."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from agent_chine_app import registration
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Colis, ColisStep, Lot
from agent_chine_app.templatetags.parcels import fcfa, kg
from tests import rows
from tests.photos import image, upload, written
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSubject

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 22, 8, 4, tzinfo=UTC)
OFFICES = ("agent_chine", "agent_mali")
BOTH_OFFICES = pytest.mark.parametrize("office", OFFICES)
LANGUAGES = ("fr", "en", "zh-hans")


@pytest.fixture
def colis() -> Colis:
    client, _ = create_client("+22376123456", "Jean", "Dupont")
    return Colis.objects.create(client=client, description="Téléphones", weight_kg=Decimal("12.50"), fee_fcfa=125_000)


def page_of(colis: Colis, office: str, name: str = "colis_details") -> str:
    return reverse(f"{office}:{name}", args=[colis.pk])


def correction(**changes: Any) -> dict[str, Any]:
    known = {
        "description": "Téléphones",
        "weight_kg": "12,5",
        "pieces": "1",
        "transport": "cargo",
        "fee_fcfa": "125 000",
    }
    return {**known, **changes}


def told(colis: Colis, office: str, title: str) -> WhatsAppNotification:
    """A message of this office about the parcel, as one of several that it speaks of."""
    message = rows.notification(office, title=title)
    for name in (colis.subject, "colis:TSOTHER"):
        WhatsAppSubject.objects.create(notification=message, name=name)
    return message


@BOTH_OFFICES
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_parcel_has_a_page_with_all_that_is_known_of_it(
    office: str, language: str, colis: Colis, log_in: Callable[..., Browser]
):
    agent = User.objects.create_user("+8613800138000", first_name="Wei", last_name="Zhang")
    ColisStep.objects.create(colis=colis, kind="received", at=AT, by=agent, note="Carton mouillé")
    page = log_in(office, language=language).get(page_of(colis, office))
    html = page.content.decode()

    assert page.status_code == 200
    with translation.override(language):
        wanted = [colis.numero_suivi, "Téléphones", kg(colis.weight_kg), fcfa(colis.fee_fcfa), "tel:+22376123456"]
    for text in [*wanted, "Jean Dupont", "16:04", "08:04", "Wei Zhang", "Carton mouillé"]:
        assert text in html


@BOTH_OFFICES
def test_a_parcel_s_page_shows_what_its_own_office_said_about_it(
    office: str, colis: Colis, log_in: Callable[..., Browser]
):
    mine, foreign = (told(colis, each, f"title-{each}") for each in (office, *(set(OFFICES) - {office})))
    rows.notification(office, title="about another parcel")
    page = log_in(office).get(page_of(colis, office))

    assert list(page.context["notifications"]) == [mine]
    assert foreign.title not in page.content.decode()


@BOTH_OFFICES
def test_a_parcel_s_page_asks_few_questions(office: str, colis: Colis, log_in: Callable[..., Browser]):
    browser = log_in(office)

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(page_of(colis, office)).status_code == 200
        return len(asked)

    question_count()  # the login of the browser
    told(colis, office, "one")
    colis.steps.create(kind="received", at=AT, by=colis.client.user)
    few = question_count()
    for number in range(9):
        told(colis, office, f"more {number}")
        colis.steps.create(kind="delayed", at=AT, by=colis.client.user)
    assert question_count() == few <= 12


@pytest.mark.parametrize(("office", "may_write"), [("agent_chine", True), ("agent_mali", False)])
def test_china_alone_registers_and_corrects(
    office: str, may_write: bool, colis: Colis, log_in: Callable[..., Browser]
):
    html = log_in(office).get(page_of(colis, office)).content.decode()

    assert (page_of(colis, "agent_chine", "colis_edit") in html) is may_write
    assert (f"{reverse('agent_chine:colis_create')}?client={colis.client.pk}" in html) is may_write


@pytest.mark.parametrize(
    ("transport", "weight", "shown"),
    [
        ("cargo", "12.50", Decimal("24")),
        ("express", None, Decimal("24")),
        ("cargo", "24", None),
        ("bateau", "12.50", None),
    ],
)
def test_a_volumetric_weight_is_told_when_it_is_more_than_the_weight(
    transport: str, weight: str | None, shown: Decimal | None, colis: Colis
):
    colis.transport, colis.weight_kg = transport, Decimal(weight) if weight else None
    assert colis.volumetric_kg is None
    colis.length_cm, colis.width_cm, colis.height_cm = 60, 40, 50
    assert colis.volumetric_kg == shown


def test_a_correction_is_written_and_nothing_else_moves(colis: Colis, log_in: Callable[..., Browser]):
    address = page_of(colis, "agent_chine", "colis_edit")
    browser = log_in("agent_chine")
    form = browser.get(address).content.decode()
    assert 'value="12,5"' in form
    assert 'value="125\N{NO-BREAK SPACE}000"' in form
    sizes = {"length_cm": "60", "width_cm": "40", "height_cm": "35"}
    answer = browser.post(address, correction(weight_kg="13.25", transport="express", fee_fcfa="", **sizes))

    assert answer.headers["Location"] == page_of(colis, "agent_chine")
    after = Colis.objects.get()
    assert (after.weight_kg, after.transport, after.fee_fcfa) == (Decimal("13.25"), "express", None)
    assert (after.length_cm, after.width_cm, after.height_cm) == (60, 40, 35)
    assert (after.numero_suivi, after.client, after.status) == (colis.numero_suivi, colis.client, "received")
    assert not WhatsAppNotification.objects.exists()
    assert not ColisStep.objects.exists()


def test_a_bad_correction_is_shown_again_and_writes_nothing(colis: Colis, log_in: Callable[..., Browser]):
    answer = log_in("agent_chine").post(
        page_of(colis, "agent_chine", "colis_edit"), correction(weight_kg="heavy", description="Rouges")
    )

    assert answer.status_code == 422
    assert 'value="heavy"' in answer.content.decode()
    assert Colis.objects.get().description == "Téléphones"


@pytest.mark.parametrize("status", ["open", "closed", "shipped"])
def test_the_transport_of_a_parcel_in_a_lot_is_the_lot_s(status: str, colis: Colis, log_in: Callable[..., Browser]):
    lot = Lot.objects.create(number="GZ-0412", status=status)
    Colis.objects.update(lot=lot)
    browser, address = log_in("agent_chine", language="en"), page_of(colis, "agent_chine", "colis_edit")
    form = browser.get(address)

    assert "GZ-0412" in form.content.decode()
    assert "transport" not in form.context["form"].fields
    assert browser.post(address, correction(transport="bateau", pieces="2")).status_code == 302
    assert (Colis.objects.get().transport, Colis.objects.get().pieces) == ("cargo", 2)


def test_a_parcel_that_joined_a_lot_while_it_was_corrected_keeps_its_transport(colis: Colis):
    Colis.objects.update(lot=Lot.objects.create(number="GZ-0412"))
    with pytest.raises(registration.RegistrationRefusal, match="GZ-0412"):
        registration.correct(colis, {"transport": "bateau", "description": "Rouges"})

    after = Colis.objects.get()
    assert (after.transport, after.description) == ("cargo", "Téléphones")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.django_db(transaction=True)
def test_a_photo_is_added_replaced_and_removed_and_leaves_no_file_behind(
    colis: Colis, log_in: Callable[..., Browser], media: Path
):
    browser, address = log_in("agent_chine"), page_of(colis, "agent_chine", "colis_edit")
    kept = []
    for _ in range(2):
        browser.post(address, correction(photo=upload(written(image()))))
        (file,) = files_in(media)
        kept.append(file)
        assert Colis.objects.get().photo.path == str(file)
    assert kept[0] != kept[1]
    browser.post(address, correction())
    assert files_in(media) == kept[1:]
    browser.post(address, correction(without_photo="on"))

    assert files_in(media) == []
    assert not Colis.objects.get().photo


@BOTH_OFFICES
def test_a_photo_is_served_to_its_offices_alone(
    office: str, colis: Colis, log_in: Callable[..., Browser], media: Path
):
    colis.photo.save("photo.jpg", ContentFile(written(image())))
    address = page_of(colis, office, "colis_photo")
    browser = log_in(office)
    answer = browser.get(address)

    assert (answer.status_code, answer.content) == (200, Path(colis.photo.path).read_bytes())
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"].startswith("private")
    assert address in browser.get(page_of(colis, office)).content.decode()
    assert log_in("client").get(address).status_code == 403
    assert Browser().get(address).headers["Location"].startswith("/login/")
    for path in (colis.photo.name, f"media/{colis.photo.name}", f"static/{colis.photo.name}"):
        assert browser.get(f"/{path}").status_code == 404


@BOTH_OFFICES
def test_a_photo_that_is_not_there_is_404(office: str, colis: Colis, log_in: Callable[..., Browser], media: Path):
    browser, address = log_in(office), page_of(colis, office, "colis_photo")
    assert browser.get(address).status_code == 404
    colis.photo.save("photo.jpg", ContentFile(b"photo"))
    Path(colis.photo.path).unlink()

    assert browser.get(address).status_code == 404
    assert browser.get(page_of(colis, office)).status_code == 200


@BOTH_OFFICES
def test_the_list_can_be_filtered_by_place_and_transport(office: str, colis: Colis, log_in: Callable[..., Browser]):
    lot = Lot.objects.create(number="GZ-0412")
    made = {"received": colis}
    for status in ("shipped", "arrived", "ready", "lost"):
        made[status] = Colis.objects.create(client=colis.client, status=status, lot=lot, transport="bateau")
    given = {"handed_over_at": AT, "handed_over_to": "Awa"}
    made["handed_over"] = Colis.objects.create(client=colis.client, status="handed_over", **given)
    browser = log_in(office)

    def shown(**query: str) -> set[str]:
        page = browser.get(reverse(f"{office}:colis_list"), query).context["page"]
        return {status for status, each in made.items() if each in page}

    assert shown(status="without_lot") == {"received"}
    assert shown(status="awaited") == {"received", "shipped"}
    assert shown(status="arrived") == {"arrived", "ready"}
    assert shown(status="handed_over") == {"handed_over"}
    assert shown(status="lost") == {"lost"}
    assert shown(transport="bateau") == {"shipped", "arrived", "ready", "lost"}
    assert shown(status="awaited", transport="bateau") == shown(status="awaited", q="GZ-0412") == {"shipped"}
    assert shown(transport="rocket") == shown() == set(made)


@BOTH_OFFICES
def test_each_parcel_of_the_list_leads_to_its_page(office: str, colis: Colis, log_in: Callable[..., Browser]):
    browser = log_in(office)

    assert f'href="{page_of(colis, office)}"' in browser.get(reverse(f"{office}:colis_list")).content.decode()
    assert "empty" in browser.get(reverse(f"{office}:colis_list"), {"status": "lost"}).content.decode()


@pytest.mark.parametrize(
    ("status", "has_button"),
    [("received", True), ("shipped", True), ("lost", True), ("arrived", False), ("ready", False)],
)
def test_what_may_arrive_has_the_button(status: str, has_button: bool, colis: Colis, log_in: Callable[..., Browser]):
    Colis.objects.update(status=status)
    html = log_in("agent_mali").get(reverse("agent_mali:colis_list")).content.decode()

    assert (page_of(colis, "agent_mali", "colis_arrival") in html) is has_button


def test_administrators_look_at_parcels_and_lots_and_move_none(colis: Colis, log_in: Callable[..., Browser]):
    browser = log_in("admin_mali", is_staff=True, is_superuser=True)
    colis.steps.create(kind="received", at=timezone.now())
    lot = Lot.objects.create(number="GZ-0412")
    for name, pk in (("colis", colis.pk), ("lot", lot.pk)):
        assert browser.get(f"/admin/agent_chine_app/{name}/").status_code == 200
        assert browser.get(f"/admin/agent_chine_app/{name}/{pk}/change/").status_code == 200
        assert browser.get(f"/admin/agent_chine_app/{name}/add/").status_code == 403
    browser.post(f"/admin/agent_chine_app/lot/{lot.pk}/change/", {"number": "GZ-0413", "status": "shipped"})
    lot.refresh_from_db()
    assert (lot.number, lot.status) == ("GZ-0413", "open")


@pytest.mark.parametrize(
    ("language", "weight", "fee"),
    [
        ("fr", "12,5 kg", "125\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}FCFA"),
        ("en", "12.5 kg", "125,000\N{NO-BREAK SPACE}FCFA"),
        ("zh-hans", "12.5 kg", "125000\N{NO-BREAK SPACE}FCFA"),
    ],
)
def test_weights_and_fees_are_written_as_the_language_writes_them(language: str, weight: str, fee: str):
    with translation.override(language):
        assert (kg(Decimal("12.50")), fcfa(125_000)) == (weight, fee)
        assert (kg(Decimal("100.00")), kg(Decimal("0.056")), kg(None), fcfa(None)) == ("100 kg", kg(0.06), "", "")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (AT, "22/11/2026 16:04 Guangzhou · 08:04 Bamako"),
        (AT.replace(hour=20), "23/11/2026 04:04 Guangzhou · 22/11/2026 20:04 Bamako"),
    ],
)
def test_a_time_is_told_on_both_clocks(at: datetime, said: str):
    html = render_to_string("agent_chine_app/_both_times.html", {"at": at})
    assert said in html.replace("<span>", "").replace("</span>", "")


@pytest.mark.django_db(transaction=True)
def test_a_photo_of_a_parcel_that_is_not_written_leaves_no_file(colis: Colis, media: Path):
    draft = Colis(client=colis.client, request_id=uuid.uuid4())
    # The database looks for the agent at the end of the transaction.
    with pytest.raises(IntegrityError):
        registration.register(draft, ContentFile(written(image())), User(pk=999_999))

    assert Colis.objects.get() == colis
    assert files_in(media) == []
