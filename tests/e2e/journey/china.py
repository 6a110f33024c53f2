"""What the China office does in the browser: clients, parcels, the lot until it has left."""

import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import expect

from agent_chine_app.models import Client, Colis, Lot
from tests.e2e.journey import cast
from tests.e2e.journey.cast import Parcel, Person
from tests.e2e.journey.sayings import LINK
from tests.e2e.journey.stage import Stage
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppOptOut

BY_HAND = 5
SCANNED = 5
ROWS_TO_CHOOSE = 50


def bring_in_the_clients(china: Stage) -> None:
    file = {"name": "clients.csv", "mimeType": "text/csv", "buffer": cast.as_file(china.people)}
    china.open("clients/import/")
    china.page.locator("#id_file").set_input_files(file)  # type: ignore[arg-type]
    china.press("Vérifier le fichier")
    china.page.get_by_label("Les prévenir sur WhatsApp").check()
    china.press("Importer 40 clients")
    expect(china.page.locator("#live .alert-success")).to_contain_text("40 clients", timeout=30_000)
    keys = dict(Client.objects.values_list("user__telephone", "pk"))
    for person in china.people:
        person.pk = keys[person.telephone]
        person.is_told("account", link=LINK)
        assert Client.objects.get(pk=person.pk).user.language == person.language


def one_opts_out(china: Stage) -> None:
    """As the client does it: STOP, written on their telephone."""
    person = china.people[cast.OPTS_OUT]
    china.page.goto(f"{china.stack.sandbox.url}/phones/{person.telephone.removeprefix('+')}")
    china.page.get_by_role("textbox").fill("STOP")
    china.press("Send")
    eventually(lambda: WhatsAppOptOut.objects.filter(phone_number=person.telephone).exists(), "STOP is obeyed")
    person.is_told("stopped")
    person.is_silent = True


def note_a_stranger(china: Stage) -> None:
    person = china.people[cast.STRANGER]
    china.open(f"clients/{person.pk}/wrong-person/")
    china.press("Oui, quelqu’un d’autre répond")
    china.is_told("C’est noté : plus rien n’est envoyé au")
    person.is_silent = True


def register_the_parcels(china: Stage, photo: Path) -> None:
    """A few through the form, one of them with a photo, and all others by posting what the form would."""
    wanted = [(person, parcel) for person in china.people for parcel in person.parcels]
    for number, (person, parcel) in enumerate(wanted[:BY_HAND]):
        _register_by_hand(china, person, parcel, photo if number == 0 else None)
    china.open("colis/new/")
    for person, parcel in wanted[BY_HAND:]:
        register_by_post(china, person, parcel)


def _register_by_hand(china: Stage, person: Person, parcel: Parcel, photo: Path | None) -> None:
    page = china.page
    china.open(f"colis/new/?q={person.last_name}")
    expect(page.get_by_label("Client", exact=True).locator("option:checked")).to_contain_text(person.name)
    page.get_by_label("Description").fill(parcel.wave)
    page.get_by_label("Poids (kg)").fill(_in_french(parcel.weight_kg))
    page.get_by_label("Pièces").fill(str(parcel.pieces))
    if photo:
        page.get_by_label("Photo").set_input_files(photo)
        expect(page.get_by_text("Cette photo sera envoyée")).to_be_visible()
    china.press("Enregistrer le colis")
    china.is_told(f"un message WhatsApp part pour {person.name}")
    heading = page.get_by_role("heading", level=1).inner_text()
    _note(person, parcel, Colis.objects.get(numero_suivi=heading))
    assert bool(Colis.objects.get(pk=parcel.pk).photo) == bool(photo)


def register_by_post(china: Stage, person: Person, parcel: Parcel) -> None:
    """What the form would post; a form is open, whose token is used."""
    request_id = str(uuid.uuid4())
    fields = {
        "csrfmiddlewaretoken": _token(china),
        "request_id": request_id,
        "client": str(person.pk),
        "description": parcel.wave.value,
        "weight_kg": _in_french(parcel.weight_kg),
        "pieces": str(parcel.pieces),
        "transport": "cargo",
    }
    address = f"{china.url}/{china.office}/colis/new/"
    answer = china.page.request.post(address, form=fields, max_redirects=0)  # type: ignore[arg-type]
    assert answer.status == 302
    _note(person, parcel, Colis.objects.get(request_id=request_id))


def _token(china: Stage) -> str:
    return china.page.locator("[name=csrfmiddlewaretoken]").first.input_value()


def _note(person: Person, parcel: Parcel, colis: Colis) -> None:
    assert (colis.client_id, colis.weight_kg, colis.pieces) == (person.pk, parcel.weight_kg, parcel.pieces)
    parcel.number, parcel.pk = colis.numero_suivi, colis.pk
    person.is_told("registered", [parcel])


def _in_french(weight: Decimal) -> str:
    return f"{weight.normalize():f}".replace(".", ",")


def open_a_lot(china: Stage, number: str) -> Stage:
    china.open("lots/new/")
    china.page.get_by_label("Numéro").fill(number)
    china.press("Ouvrir le lot")
    china.is_told(f"Le lot {number} est ouvert : ajoutez ses colis.")
    return china.with_lot(Lot.objects.get(number=number).pk)


def fill_from_the_list(china: Stage, leave: int = 0) -> None:
    """Tick all that is on the page, but so many."""
    china.page.get_by_role("link", name="Choisir dans la liste").click()
    china.page.get_by_role("link", name="Tout cocher sur cette page").click()
    boxes = china.page.get_by_role("checkbox")
    expect(boxes.first).to_be_checked()
    count = boxes.count()
    for number in range(count - leave, count):
        boxes.nth(number).uncheck()
    china.press("Ajouter les colis cochés")
    china.is_told(f"{count - leave} colis sont ajoutés.")


def scan_the_rest(china: Stage) -> None:
    """The last ones one after the other; then one of them again, and a number of nobody."""
    rest = list(Colis.objects.without_lot().values_list("numero_suivi", flat=True))
    assert len(rest) == SCANNED
    for number in rest:
        _scan(china, number, f"Le colis {number} est maintenant dans le lot.")
    _scan(china, rest[0], f"Le colis {rest[0]} est déjà dans ce lot.")
    _scan(china, "TS00000000", "Aucun colis ne porte le numéro TS00000000.")


def _scan(china: Stage, number: str, answer: str) -> None:
    field = china.page.get_by_label("Numéro du colis")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    china.page.keyboard.type(number)
    china.page.keyboard.press("Enter")
    china.is_told(answer)


def totals_are_the_sums(china: Stage, parcels: Sequence[Parcel]) -> None:
    weight = _in_french(sum((parcel.weight_kg for parcel in parcels), Decimal()))
    pieces = sum(parcel.pieces for parcel in parcels)
    expect(china.page.locator("#held")).to_have_text(f"{len(parcels)} colis · {pieces} pièces · {weight} kg")


def close_the_lot(china: Stage) -> None:
    china.page.get_by_role("link", name="Fermer le lot").click()
    china.press("Fermer le lot")
    china.is_told("est fermé. Dites quand il est parti.")


def look_at_the_plan(china: Stage) -> None:
    china.page.get_by_role("link", name="Le lot est parti").click()
    china.says("38 clients seront prévenus sur WhatsApp.", "2 clients ne peuvent pas être prévenus :")
    china.says(f"1 · La personne ne veut pas de messages {china.people[cast.OPTS_OUT].name}")
    china.says(f"1 · Le numéro est celui d’une autre personne {china.people[cast.STRANGER].name}")


def ship_twice(china: Stage, number: str) -> None:
    """In two tabs that show the same plan; the second press does nothing."""
    late = china.page.context.new_page()
    late.goto(china.page.url)
    china.press("Le lot est parti : prévenir 38 clients")
    china.is_told(f"Le lot {number} est parti. 38 clients à prévenir")
    late.get_by_role("button", name="Le lot est parti : prévenir 38 clients").click()
    sentence = f"Le lot {number} est déjà parti ; ses clients ont été prévenus une fois."
    expect(late.locator(".alert-warning")).to_have_text(sentence)
    late.close()


def ship(china: Stage) -> None:
    china.open_lot("ship/")
    china.press("Le lot est parti", exact=False)
    china.is_told("est parti.")


def only_accounts_need_a_call(china: Stage, people: Sequence[Person]) -> None:
    """Whoever was told by Mali of what came later need not be told of what was before."""
    china.open("whatsapp/calls/")
    calls = china.page.locator(".call")
    expect(calls).to_have_count(len(people))
    assert set(calls.locator("h3").all_inner_texts()) == {person.name for person in people}
    errands = china.page.locator(".errand")
    expect(errands).to_have_count(len(people))
    expect(errands.filter(has_text=re.compile("TS Air Cargo account|compte TS Air Cargo"))).to_have_count(len(people))
