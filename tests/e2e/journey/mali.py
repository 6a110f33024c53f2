"""What the Mali office does on a telephone: receive, tell, call, hand over."""

import html
from datetime import date

from playwright.sync_api import Request, expect

from tests.e2e.journey import cast
from tests.e2e.journey.cast import Parcel, Person, Wave
from tests.e2e.journey.stage import Stage

FETCHED_BY = "Moussa Keïta"


def scan(mali: Stage, number: str, answer: str) -> None:
    expect(mali.page.get_by_label("Numéro de suivi")).to_be_focused()
    mali.page.keyboard.type(number)
    mali.page.keyboard.press("Enter")
    expect(mali.page.locator("p.scan")).to_have_text(answer)


def scan_some(mali: Stage, wave: Wave, count: int) -> None:
    """So many of these parcels, and what happens beside: one twice, one of another lot, one of nobody."""
    found = [(person, parcel) for person in mali.people for parcel in person.has(wave)][:count]
    for person, parcel in found:
        scan(mali, parcel.number, f"Le colis {parcel.number} ({person.name}) est arrivé.")
    person, again = found[0]
    scan(mali, again.number, f"Le colis {again.number} ({person.name}) était déjà noté.")
    other = mali.people[cast.IN_BOTH_LOTS[0]].has(Wave.OTHER_LOT)[0].number
    scan(mali, other, f"Le colis {other} n’est pas de ce lot : il est dans le lot GZ-0413.")
    scan(mali, "TS00000000", "Aucun colis ne porte le numéro TS00000000.")


def tick_all(mali: Stage, wave: Wave, count: int) -> None:
    """All that is missing of these parcels."""
    search = mali.page.get_by_role("searchbox")
    search.fill(wave)
    search.press("Enter")
    expect(mali.page.locator("input[name=colis]")).to_have_count(count)
    mali.page.get_by_label("Tout cocher").check()
    mali.press(f"Ces {count} sont arrivés")
    mali.is_told(f"{count} colis sont arrivés.")
    mali.fits()


def receive_all(mali: Stage, count: int) -> None:
    mali.page.get_by_role("link", name="Tout le lot est arrivé").click()
    mali.fits()
    mali.press(f"Oui, les {count} colis sont arrivés")
    mali.is_told(f"{count} colis sont arrivés.")


def tell(mali: Stage, waiting: int, told: int) -> None:
    """The clients hear what has arrived: so many of those who wait for it."""
    mali.says(f"{waiting} clients attendent le message.")
    mali.page.get_by_role("link", name="Prévenir les clients").click()
    mali.says(f"{told} clients seront prévenus sur WhatsApp.")
    mali.fits()
    mali.press("Prévenir les clients")
    mali.is_told(f"{told} clients à prévenir")
    mali.fits()


def announce_a_delay(mali: Stage, day: date, told: int) -> None:
    mali.page.get_by_role("link", name="Annoncer un retard").click()
    mali.says(f"{told} clients seront prévenus sur WhatsApp.")
    mali.page.get_by_label("Désormais attendu à Bamako le").fill(day.isoformat())
    mali.page.get_by_label("Raison").fill("Vol annulé")
    mali.fits()
    mali.press("Les prévenir du retard")
    mali.is_told("Le retard est noté, et les clients en sont prévenus.")


def call(mali: Stage, people: list[Person]) -> None:
    """Everybody on the list, which are these people, is told by telephone."""
    mali.open("whatsapp/calls/")
    names = mali.page.locator(".call h3")
    expect(names).to_have_count(len(people))
    assert set(names.all_inner_texts()) == {person.name for person in people}
    for left in range(len(people) - 1, -1, -1):
        mali.page.get_by_role("button", name="Prévenu par téléphone").first.click()
        mali.is_told("Noté : prévenu par téléphone.")
        expect(names).to_have_count(left)
    mali.says("Tout le monde est prévenu")


def hand_over(mali: Stage, person: Person, parcels: list[Parcel], stays: Parcel) -> None:
    """These parcels to somebody else, the button pressed twice; the other one stays."""
    mali.open(f"pickup/?q={parcels[0].number}")
    mali.says(person.name)
    mali.page.get_by_role("checkbox", name=stays.number).uncheck()
    mali.page.get_by_label("Remis à").fill(FETCHED_BY)
    with mali.page.expect_request(lambda request: request.method == "POST") as pressed:
        mali.press("Remettre les colis cochés")
    answer = mali.page.locator(".alert-success")
    numbers = ", ".join(parcel.number for parcel in parcels)
    expect(answer).to_contain_text(f" : 2 colis ({numbers}).")
    expect(answer).to_contain_text(f"Remis à {FETCHED_BY} le ")
    assert answer.inner_text() in html.unescape(_again(mali, pressed.value))
    person.is_told("handed over", parcels, to=FETCHED_BY)
    waits_alone(mali, stays)


def _again(mali: Stage, request: Request) -> str:
    """The page that answers when the same form comes a second time."""
    kind = {"Content-Type": request.headers["content-type"]}
    return mali.page.request.post(request.url, data=request.post_data, headers=kind).text()


def waits_alone(mali: Stage, parcel: Parcel) -> None:
    """Of this parcel's client nothing else can be handed over."""
    mali.open(f"pickup/?q={parcel.number}")
    boxes = mali.page.locator("input[name=colis]").evaluate_all("boxes => boxes.map(box => box.value)")
    assert boxes == [str(parcel.pk)]
