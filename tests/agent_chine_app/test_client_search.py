"""Finding a client by what an agent has at hand: a name, a number as it was said or copied, a parcel's label."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts import phones
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis
from tests import rows
from tests.test_screens import LANGUAGES, MOST_QUERIES, Suspects
from whatsapp_monitoring_app.models import Status, WhatsAppOptOut, WhatsAppWrongNumber

pytestmark = pytest.mark.django_db

LIST = "/agent-chine/clients/"


@pytest.fixture
def company() -> None:
    for number, first_name, last_name, email, parcel in (
        ("+22376123456", "Fatoumata Awa", "Traoré", "fatou@example.com", "TS1A2B3C40"),
        ("+8613800138000", "伟", "张", "", "TS99999999"),
        ("+2250707123456", "Jean-Marc", "Kouassi", "", "TSWXYZWXYZ"),
        ("+33612345678", "Aïssata", "N’Diaye", "aissata@example.fr", "TS00000001"),
    ):
        client, _ = create_client(number, first_name, last_name, email)
        Colis.objects.create(client=client, numero_suivi=parcel)


FATOUMATA, WEI, JEAN, AISSATA = "Fatoumata Awa Traoré", "伟 张", "Jean-Marc Kouassi", "Aïssata N’Diaye"


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("traoré", {FATOUMATA}),
        ("TRAORE", {FATOUMATA}),
        ("Traoré Fatoumata", {FATOUMATA}),
        ("awa traore", {FATOUMATA}),
        ("aissata", {AISSATA}),
        ("Traoré Kouassi", set()),
        ("jean-marc", {JEAN}),
        ("张", {WEI}),
        ("伟 张", {WEI}),
        ("fatou@example.com", {FATOUMATA}),
        ("76 12 34 56", {FATOUMATA}),
        ("76.12.34.56", {FATOUMATA}),
        ("76-12-34-56", {FATOUMATA}),
        ("+223 76 12 34 56", {FATOUMATA}),
        ("+223\xa076\u202f12\xa034\xa056", {FATOUMATA}),
        ("00223 76123456", {FATOUMATA}),
        ("(+223) 76/12/34/56", {FATOUMATA}),
        ("\u202a+223 76 12 34 56\u202c", {FATOUMATA}),
        ("+２２３　７６１２３４５６", {FATOUMATA}),
        ("3456", {FATOUMATA, JEAN, AISSATA}),
        ("traore 3456", {FATOUMATA}),
        ("138 0013 8000", {WEI}),
        ("138-0013-8000", {WEI}),
        ("0086 138 0013 8000", {WEI}),
        ("07 07 12 34 56", {JEAN}),
        ("06 12 34 56 78", {AISSATA}),
        ("+33 (0)6 12 34 56 78", {AISSATA}),
        ("TS1A2B3C40", {FATOUMATA}),
        ("ts 1a2b 3c4o", {FATOUMATA}),
        ("TS-1A2B-3C40", {FATOUMATA}),
        ("2b3c", {FATOUMATA}),
        ("WXYZ", {JEAN}),
        ("99999999", {WEI}),
        ("%", set()),
        ("_", set()),
        ("\\", set()),
        ("(", set()),
        (".*", set()),
        ("[a-z]", set()),
        ("-", {JEAN}),
        ("x\x00y", set()),
        ("nobody", set()),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else str(len(value)),
)
def test_a_client_is_found_by(text: str, found: set[str], log_in: Callable[..., Browser]):
    answer = log_in("agent_chine").get(LIST, {"q": text})

    assert answer.status_code == 200
    assert {str(client) for client in answer.context["page"]} == found


def test_the_parts_of_one_name_may_be_of_two_fields_but_of_one_client():
    create_client("+22376000001", "Awa", "Keïta")
    create_client("+22376000002", "Oumou", "Traoré")

    assert not Client.objects.matching("Awa Traoré")
    assert Client.objects.matching("keita awa").count() == 1


def test_three_letters_of_a_name_are_not_looked_for_in_the_numbers_of_parcels():
    client, _ = create_client("+22376000001", "Oumou", "Diarra")
    Colis.objects.create(client=client, numero_suivi="TSAWA00000")

    assert not Client.objects.matching("awa")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("76 12 34 56", ["76123456"]),
        ("0022376123456", ["0022376123456", "22376123456", "022376123456"]),
        ("0", ["0"]),
        ("+", []),
        ("", []),
        ("Awa 76", []),
        ("76a", []),
    ],
    ids=ascii,
)
def test_the_digits_of_a_number_are_looked_for_without_what_stands_between(text: str, pieces: list[str]):
    assert phones.pieces(text) == pieces


@pytest.mark.parametrize(
    ("number", "country"),
    [("+22376123456", "ML"), ("+8613800138000", "CN"), ("+2250707123456", "CI"), ("+4915123456789", "")],
)
def test_a_new_client_is_of_the_country_of_their_number(number: str, country: str):
    assert create_client(number, "Awa", "Traoré")[0].country == country


def test_a_client_who_exists_stays_in_their_country():
    Client.objects.filter(pk=create_client("+22376123456", "Awa", "Traoré")[0].pk).update(country="CN")

    assert create_client("+22376123456", "Awa", "Traoré")[0].country == "CN"


def fill(count: int) -> None:
    for number in range(count):
        client, _ = create_client(f"+2236600{number:04}", f"Client{number}", "Traoré")
        for status in Colis.Status.values[:4]:
            Colis.objects.create(client=client, status=status)
        rows.notification("agent_chine", Status.FAILED, user=client.user, title="Older")
        rows.notification("agent_chine", Status.READ, user=client.user, title="Newer")
        rows.notification("agent_mali", Status.PENDING, user=client.user, title="Foreign")


def test_the_list_says_of_each_client_what_an_agent_on_the_telephone_needs(log_in: Callable[..., Browser]):
    fill(1)
    client = Client.objects.get()
    Client.objects.update(shares_phone=True, country="SN")
    WhatsAppWrongNumber.objects.create(phone_number=client.user.telephone, created_at=client.created_at)
    WhatsAppOptOut.objects.create(phone_number=client.user.telephone, created_at=client.created_at)
    html = log_in("agent_chine", language="en").get(LIST).content.decode()

    for text in (
        "Shared telephone",
        "Somebody else answers",
        "Wants no messages",
        "2 in storage",
        "2 not arrived yet",
    ):
        assert text in html
    for text in (f'href="tel:{client.user.telephone}"', "Français · Senegal", ">Read<", "Name, telephone, e-mail"):
        assert text in html
    assert "Failed for good" not in html
    assert ">Waiting<" not in html  # another office's


def test_a_client_without_anything_is_listed_without_marks(log_in: Callable[..., Browser]):
    create_client("+22376123456", "Awa", "Traoré")
    html = log_in("agent_chine", language="en").get(LIST).content.decode()

    assert "No parcel under way" in html
    assert "No message yet" in html
    for text in ("Shared telephone", "Somebody else answers", "Wants no messages"):
        assert text not in html


@pytest.mark.parametrize("query", [{}, {"q": "client traore 66"}], ids=["all", "searched"])
def test_the_list_asks_a_few_questions_whatever_its_length(query: dict[str, str], log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            browser.get(LIST, query)
        return len(asked)

    fill(1)
    few = question_count()
    fill(25)
    assert question_count() == few <= MOST_QUERIES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_is_shown_in_each_language(language: str, log_in: Callable[..., Browser]):
    fill(2)
    html = log_in("agent_chine", language=language).get(LIST).content.decode()

    assert f'<html lang="{language}"' in html
    assert Suspects(html).found == []
