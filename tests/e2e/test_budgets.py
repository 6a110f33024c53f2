"""What a page weighs on its way to an office: bytes and requests, never seconds.

Weighed as production sends it: static files as whitenoise stores them (brotli), kept by browsers for ever because of
their names; everything else as a proxy compresses it while it answers (gzip). The demo company is too small for a full
list, and the same row again and again would compress too well: each row here has its own words.
"""

import gzip
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import brotli
import pytest
from django.test import Client as Browser
from django.utils import timezone
from playwright.sync_api import Page, Response

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app.models import ErrorClass, Status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

KB = 1000  # bytes
HEADERS = 700  # bytes of an answer: more than ours have, without the compression of HTTP/2
ROWS = 60
FIRST_NAMES = ["Aminata", "Ibrahim", "Oumou", "Seydou", "Mariam", "Bakary", "Fanta", "Modibo", "Awa", "Souleymane"]
LAST_NAMES = ["Coulibaly", "Sangaré", "Diarra", "Konaté", "Touré", "Sidibé", "Traoré", "Keïta", "Cissé", "Dembélé"]
GOODS = ["téléphones", "chaussures", "tissus", "pièces", "cosmétiques", "panneaux", "batteries", "sacs", "moteurs"]
SENTENCES = (
    "Votre colis {number} ({goods}, {weight} kg) a quitté Guangzhou dans le lot {lot}. Arrivée dans {days} jours.",
    "Bonjour {name}, {goods} arrivés à Bamako : {number}, {fee} FCFA à payer. Ouvert de 8 h à 18 h.",
    "Nouveau colis {number} enregistré pour {name} : {goods}, {weight} kg.",
    "{name}, le lot {lot} a {days} jours de retard à la douane ; votre colis {number} en fait partie.",
)
CAUSES = (
    (ErrorClass.RECIPIENT_PERMANENT, "131026"),
    (ErrorClass.MESSAGE_PERMANENT, "132012"),
    (ErrorClass.WINDOW_CLOSED, "131047"),
)


@dataclass(frozen=True)
class Budget:
    first: int
    later: int
    requests: int


BUDGETS = {
    "whatsapp/monitoring/list/": Budget(first=70 * KB, later=15 * KB, requests=6),
    # Its charts may need two more.
    "whatsapp/monitoring/": Budget(first=140 * KB, later=20 * KB, requests=8),
}


def a_busy_week(office: str, chance: random.Random) -> None:
    """Sixty messages of a week to sixty people, in every state, about sixty parcels."""
    for number in range(ROWS):
        name = f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
        parcel = f"TS{chance.getrandbits(32):08X}"
        status = chance.choice([status for status in Status if status != Status.SENDING])
        cause = chance.choice(CAUSES)
        error = {"error_class": cause[0], "error_code": cause[1]} if status == Status.FAILED else {}
        person = _person(name, number, chance)
        rows.notification(
            office,
            status,
            user=person,
            phone_number=person.telephone,
            subject=f"colis:{parcel}",
            title=chance.choice(
                ["Expédition du colis", "Nouveau colis créé", "Arrivée au Mali", "Retard à la douane"]
            ),
            message_content=chance.choice(SENTENCES).format(
                name=name,
                number=parcel,
                goods=chance.choice(GOODS),
                weight=chance.randint(1, 90),
                lot=f"GZ-{chance.randint(1, 9999):04}",
                days=chance.randint(2, 30),
                fee=chance.randint(2, 200) * 500,
            ),
            created_at=timezone.now() - timedelta(minutes=chance.randint(1, 7 * 24 * 60)),
            **error,
        )


def _person(name: str, number: int, chance: random.Random) -> User:
    first, last = name.split()
    telephone = f"+22376{chance.randint(1000, 9999)}{number:02}"
    return User.objects.create_user(telephone, first_name=first, last_name=last)


@cache
def _stored(content: bytes) -> int:
    return len(brotli.compress(content))


@dataclass(frozen=True)
class Answer:
    """What came from an address, and how many bytes it took on the wire."""

    host: str
    path: str
    kind: str
    weight: int

    @property
    def is_kept(self) -> bool:
        """Browsers never ask twice for a file whose name is its content's."""
        return self.path.startswith("/static/")


def weigh(answer: Response) -> int:
    if answer.status in (204, 302, 304):
        return HEADERS
    content = answer.body()
    is_static = urlsplit(answer.url).path.startswith("/static/")
    return HEADERS + (_stored(content) if is_static else len(gzip.compress(content, 6)))


def visit(page: Page, address: str) -> list[Answer]:
    """Everything that was answered until the page asks for nothing more, after it was loaded too."""
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.remove_listener("response", note)
    return [
        Answer(urlsplit(each.url).netloc, urlsplit(each.url).path, each.request.resource_type, weigh(each))
        for each in answers
    ]


@pytest.fixture
def signed_in(desktop: Page, live_server: Any, request: pytest.FixtureRequest) -> Page:
    """A browser that never was here, but whose owner is logged in."""
    browser = Browser()
    browser.force_login(User.objects.create_user("+22376999999", role=request.param))
    desktop.context.add_cookies(
        [{"name": name, "value": morsel.value, "url": live_server.url} for name, morsel in browser.cookies.items()]
    )
    return desktop


@pytest.mark.parametrize("path", BUDGETS, ids=["list", "dashboard"])
@pytest.mark.parametrize("signed_in", ["agent_chine", "admin_mali"], indirect=True)
def test_a_page_costs_no_more_than_its_budget(
    path: str, signed_in: Page, live_server: Any, complaints: list[str], request: pytest.FixtureRequest
):
    role = request.node.callspec.params["signed_in"]
    a_busy_week("agent_chine", random.Random(7))
    address = f"{live_server.url}/{role.replace('_', '-')}/{path}"
    first = visit(signed_in, address)
    later = [answer for answer in visit(signed_in, address) if not answer.is_kept]
    budget = BUDGETS[path]

    assert signed_in.locator(".rows tbody tr").count() >= 8
    assert {answer.host for answer in first + later} == {urlsplit(live_server.url).netloc}
    assert "font" not in {answer.kind for answer in first}
    assert len(first) <= budget.requests, first
    assert sum(answer.weight for answer in first) <= budget.first, first
    assert sum(answer.weight for answer in later) <= budget.later, later
    assert complaints == []
