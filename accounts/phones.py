"""Telephone numbers: understood as people write them, stored in E.164.

Number plans come from Google's libphonenumber. A number written without its country code is read with the plan of the
office where it is typed (Mali: 8 digits, China: 11 digits). So do the time zones.
"""

import re
import unicodedata
import zoneinfo
from collections.abc import Collection
from contextlib import suppress
from functools import cache, lru_cache

import phonenumbers
from django.utils.translation import gettext as _
from phonenumbers import timezone

# The zone of the people whose number names none.
COMPANY_TIME_ZONE = "Africa/Bamako"
# Numbers of which it is remembered how they are written: reading one takes as long as a row of a list.
REMEMBERED = 5000


class InvalidTelephone(ValueError):
    """The text is not a telephone number that can exist. Its message is a sentence for people."""

    def __init__(self, text: str) -> None:
        super().__init__(
            _("“%(number)s” is not a valid telephone number. Write it in full, for example +223 76 12 34 56.")
            % {"number": text}
        )


def to_e164(text: str, country: str | None = None) -> str:
    """The number in E.164 ("+22376123456").

    `country` (ISO 3166, "ML") is the plan for numbers without a country code. Raises InvalidTelephone.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise InvalidTelephone(text) from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidTelephone(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=REMEMBERED)
def for_people(e164: str) -> str:
    """The number with the spaces that people read it by: "+223 76 12 34 56"."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=REMEMBERED)
def masked(e164: str) -> str:
    """The number with all but its country's code and its last two digits hidden: "+223 •• •• •• 56"."""
    shown = for_people(e164)
    country, _space, rest = shown.partition(" ")
    if not rest:
        country, rest = shown[:4], shown[4:]
    hidden = re.sub(r"\d", "•", rest[:-2])
    return f"{country} {hidden}{rest[-2:]}"


def without_number(text: str, e164: str) -> str:
    """The text with this number hidden, however it is spelt there."""
    written = for_people(e164)
    at_home = written.partition(" ")[2]
    for spelling in filter(None, (written, e164, e164.removeprefix("+"), at_home, at_home.replace(" ", ""))):
        text = text.replace(spelling, masked(e164))
    return text


@lru_cache(maxsize=REMEMBERED)
def home_zone(e164: str) -> str:
    """The time zone where the number is at home, or "" when it may be of several, or of none."""
    zones = timezone.time_zones_for_number(phonenumbers.parse(e164))
    only = zones[0] if len(zones) == 1 else ""
    return only if only in _installed_zones() else ""


@cache
def _installed_zones() -> set[str]:
    # Read from hundreds of files.
    return zoneinfo.available_timezones()


def time_zone_of(e164: str) -> str:
    """The number's home zone; the company's own when it names none."""
    return home_zone(e164) or COMPANY_TIME_ZONE


def country_of(e164: str) -> str:
    """The ISO 3166 code of the number's country, or "" for a number of none."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    return "" if region in (None, phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY) else region


def without_marks(text: str) -> str:
    """The text without what cannot be seen in it, and with common digits for wide ones.

    Numbers that are copied out of WhatsApp carry marks of direction; Chinese keyboards make wide digits.
    """
    visible = "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", visible)


def pieces(text: str) -> list[str]:
    """The digits by one of which a stored number is found, when `text` is a number or a part of one; else none.

    Whatever stands between the digits is left out, and so is what is dialled before a country's code or, inside a
    country, before the number.
    """
    number = without_marks(text).replace("(0)", "")
    if not re.fullmatch(r"[+\d\s().\-‐-―−/·]*\d[\d\s().\-‐-―−/·]*", number):
        return []
    digits = re.sub(r"\D", "", number)
    return list(
        dict.fromkeys(piece for piece in (digits, digits.removeprefix("00"), digits.removeprefix("0")) if piece)
    )


def spellings(text: str, countries: Collection[str]) -> list[str]:
    """The numbers (E.164) that `text` may mean, read in full in one of these countries; a part of one means none."""
    possible = (_as_e164(piece, country) for piece in (text, *pieces(text)) for country in countries)
    return sorted({number for number in possible if number})


def _as_e164(text: str, country: str) -> str:
    for written in (text, f"+{text}"):
        with suppress(InvalidTelephone):
            return to_e164(written, country)
    return ""
