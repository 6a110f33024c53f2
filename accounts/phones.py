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
from phonenumbers import timezone, tzdata

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
    if _is_plain_mobile(text):
        return text
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise InvalidTelephone(text) from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidTelephone(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_plain_mobile(text: str) -> bool:
    """Whether this is already the E.164 of a mobile number, as most are: the library takes long."""
    pattern = _plain_mobiles(text[:4])
    return pattern is not None and pattern.fullmatch(text) is not None


@lru_cache(maxsize=2048)
def _plain_mobiles(beginning: str) -> re.Pattern[str] | None:
    """What the mobile numbers that begin so (the plus and three digits) look like, by the library's own number plan.

    None where a number's beginning does not tell its country, which the library then finds out.
    """
    code = _calling_code(beginning)
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ())
    plan = phonenumbers.PhoneMetadata.metadata_for_region(regions[0]) if len(regions) == 1 else None
    if plan is None or plan.mobile is None or plan.general_desc is None:
        return None
    every, mobile = plan.general_desc, plan.mobile
    lengths = "|".join(rf"\d{{{length}}}" for length in mobile.possible_length or every.possible_length)
    # What is dialled before a number inside its country is no part of it.
    dialled = plan.national_prefix_for_parsing or "0"
    is_possible = rf"(?!0|{dialled})(?=(?:{lengths})\Z)(?=(?:{every.national_number_pattern})\Z)"
    return re.compile(rf"\+{code}{is_possible}(?:{mobile.national_number_pattern})", re.ASCII)


@lru_cache(maxsize=2048)
def _calling_code(beginning: str) -> str:
    """The country's calling code with which an E.164 number begins, or ""."""
    codes = (beginning[1:end] for end in (2, 3, 4)) if re.fullmatch(r"\+[0-9]{3}", beginning) else ()
    return next((code for code in codes if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), "")


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
    zones = _zones_of_country(_calling_code(e164[:4])) or _zones_of_number(e164)
    only = zones[0] if len(zones) == 1 else ""
    return only if only in _known_zones() else ""


@cache
def _known_zones() -> frozenset[str]:
    # Asked of the system, they are hundreds of files.
    return frozenset(zoneinfo.available_timezones())


@cache
def _zones_of_country(calling_code: str) -> tuple[str, ...]:
    """The one time zone of all numbers with this calling code, or nothing where there are several."""
    zones = {
        zones for prefix, zones in tzdata.TIMEZONE_DATA.items() if calling_code and prefix.startswith(calling_code)
    }
    only = zones.pop() if len(zones) == 1 else ()
    return only if len(only) == 1 else ()


@lru_cache(maxsize=4096)
def _zones_of_number(e164: str) -> tuple[str, ...]:
    return tuple(timezone.time_zones_for_number(phonenumbers.parse(e164)))


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
