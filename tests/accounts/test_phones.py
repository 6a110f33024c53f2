from random import Random

import phonenumbers
import pytest

from accounts import phones
from accounts.forms import TelephoneField


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+22376123456", None, "+22376123456"),
        ("+223 76 12 34 56", None, "+22376123456"),
        ("+223-76-12-34-56", None, "+22376123456"),
        ("(+223) 76.12.34.56", None, "+22376123456"),
        (" +22376123456 ", None, "+22376123456"),
        ("76 12 34 56", "ML", "+22376123456"),
        ("76123456", "ML", "+22376123456"),
        ("00223 76 12 34 56", "ML", "+22376123456"),
        ("00 223 76123456", "CN", "+22376123456"),
        ("20 22 33 44", "ML", "+22320223344"),
        ("138 0013 8000", "CN", "+8613800138000"),
        ("13800138000", "CN", "+8613800138000"),
        ("+86 138-0013-8000", "ML", "+8613800138000"),
        ("0086 13800138000", "ML", "+8613800138000"),
        ("010 6552 9988", "CN", "+861065529988"),
        ("+225 07 07 12 34 56", None, "+2250707123456"),
        ("07 07 12 34 56", "CI", "+2250707123456"),
        ("00225 0707123456", "ML", "+2250707123456"),
        ("+229 01 97 12 34 56", None, "+2290197123456"),
        ("01 97 12 34 56", "BJ", "+2290197123456"),
    ],
)
def test_a_number_is_understood_as_people_write_it(text: str, country: str | None, e164: str):
    assert phones.to_e164(text, country) == e164


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("", None),
        ("   ", "ML"),
        ("76123456", None),
        ("76 12 34 5", "ML"),
        ("76 12 34 56 7", "ML"),
        ("+223761234567", None),
        ("+225 07 12 34 56", None),  # Côte d'Ivoire's eight digits ended in 2021
        ("1380013800", "CN"),
        ("+999 12345678", None),
        ("abcdefgh", "ML"),
        ("+223 76 12 34 56; DROP TABLE", "ML"),
        ("+", "ML"),
        ("0" * 300, "ML"),
    ],
)
def test_what_cannot_be_a_number_is_refused_with_the_text_that_was_given(text: str, country: str | None):
    with pytest.raises(phones.InvalidTelephone) as refusal:
        phones.to_e164(text, country)
    assert isinstance(refusal.value, ValueError)
    assert text in str(refusal.value)


@pytest.mark.parametrize("e164", ["+22376123456", "+8613800138000", "+2250707123456", "+2290197123456"])
def test_a_number_shown_to_people_is_understood_again(e164: str):
    shown = phones.for_people(e164)

    assert " " in shown
    assert phones.to_e164(shown) == e164


def test_what_is_no_number_is_shown_as_it_is():
    assert phones.for_people("nobody") == "nobody"


@pytest.mark.parametrize(
    ("e164", "time_zone"),
    [
        ("+22376123456", "Africa/Bamako"),
        ("+8613800138000", "Asia/Shanghai"),
        ("+85251234567", "Asia/Hong_Kong"),
        ("+2250707123456", "Africa/Abidjan"),
        ("+33612345678", "Europe/Paris"),
    ],
)
def test_a_number_is_at_home_in_a_time_zone(e164: str, time_zone: str):
    assert phones.time_zone_of(e164) == time_zone


@pytest.mark.parametrize("e164", ["+79161234567", "+447911123456", "+88213123456"])
def test_a_number_that_may_be_of_several_zones_or_of_none_gets_the_company_s(e164: str):
    assert phones.time_zone_of(e164) == "Africa/Bamako"


@pytest.mark.parametrize(
    ("e164", "country"),
    [("+22376123456", "ML"), ("+8613800138000", "CN"), ("+2250707123456", "CI"), ("+88213123456", "")],
)
def test_a_number_belongs_to_its_country(e164: str, country: str):
    assert phones.country_of(e164) == country


def test_a_telephone_field_cleans_to_e164():
    assert TelephoneField(country="CN").clean("138 0013 8000") == "+8613800138000"


def test_a_telephone_field_may_be_left_empty_when_it_is_not_required():
    assert TelephoneField(required=False).clean("") == ""


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+22376123456", "+223 •• •• •• 56"),
        ("+8613800138000", "+86 ••• •••• ••00"),
    ],
)
def test_a_masked_number_shows_its_country_and_its_end(number: str, shown: str):
    assert phones.masked(number) == shown


@pytest.mark.parametrize("code", [1, 7, 33, 39, 44, 86, 221, 223, 225, 227])
def test_what_is_taken_for_a_mobile_number_at_a_glance_is_one_to_the_library_too(code: int):
    random = Random(code)
    for _ in range(300):
        digits = "".join(random.choices("0123456789", k=random.choice([7, 8, 9, 10, 11])))
        text = f"+{code}{digits}"
        if phones._is_plain_mobile(text):
            number = phonenumbers.parse(text)
            assert phonenumbers.is_valid_number(number)
            assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text


@pytest.mark.parametrize("number", ["+22376123456", "+8613800138000"])
def test_the_numbers_of_our_clients_are_known_at_a_glance(number: str):
    assert phones._is_plain_mobile(number)


@pytest.mark.parametrize("text", ["", "+", "+223", "76123456", "+999123456", "+２２３76123456", "+2237612345６"])
def test_nothing_else_is_taken_for_one(text: str):
    assert not phones._is_plain_mobile(text)
