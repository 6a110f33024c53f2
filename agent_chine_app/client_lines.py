"""Judging the lines of a list of clients: who can be brought in, and what is wrong with the others."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts import phones
from agent_chine_app import client_words
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.client_files import Line

NAME_AT_MOST = 150
EMAIL_AT_MOST = 254
# "2.23761E+10" has lost the last digits of a number: what is left may be the number of somebody else.
SHORTENED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
NUMBER = re.compile(r"[+＋]?[\d\s().\-/]+")
WHOLE = re.compile(r"(\d+)[.,]0+")
HANZI = re.compile(r"[\u3400-\u9fff]{2,}")
DOUBLE_SURNAMES = ("欧阳", "司马", "上官", "诸葛", "司徒", "东方", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐")


class Flaw(TextChoices):
    """What is wrong with a line."""

    NO_TELEPHONE = "no_telephone", _("There is no telephone number.")
    BAD_TELEPHONE = "bad_telephone", _("This is not a telephone number. Write it with its country code.")
    SHORTENED = (
        "shortened",
        _("The spreadsheet has shortened the number. Format the column as text and type it again."),
    )
    NO_NAME = "no_name", _("A first name and a last name are needed.")
    LONG_NAME = "long_name", _("The name is longer than 150 letters.")
    BAD_EMAIL = "bad_email", _("This is not an e-mail address.")
    UNKNOWN_LANGUAGE = "unknown_language", _("Unknown language. Write French, English or Chinese.")
    UNKNOWN_COUNTRY = "unknown_country", _("Unknown country. Write its name, or its code of two letters.")
    DOUBLE = "double", _("The same number stands further up in the file; only the first line is brought in.")


@dataclass(frozen=True, kw_only=True)
class Good:
    """A client who can be brought in."""

    telephone: str
    first_name: str
    last_name: str
    email: str
    language: str
    country: str


@dataclass(frozen=True)
class Bad:
    """A line that is left out. `flaws` are pairs of a Flaw's value and what stands there."""

    number: int
    cells: dict[str, str]
    flaws: list[tuple[str, str]]

    @property
    def is_double(self) -> bool:
        return self.flaws[0][0] == Flaw.DOUBLE


@dataclass(frozen=True)
class Judgement:
    good: list[Good] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


class _Wrong(ValueError):
    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw


def judge(lines: Iterable[Line]) -> Judgement:
    """Each line is good, or bad with every reason; of several lines with one number the first is good."""
    judgement, line_of = Judgement(), dict[str, int]()
    for line in lines:
        client, flaws = _judge(line.cells)
        if client and client.telephone in line_of:
            flaws = [(Flaw.DOUBLE, str(line_of[client.telephone]))]
        elif client:
            line_of[client.telephone] = line.number
            judgement.good.append(client)
        if flaws:
            judgement.bad.append(Bad(line.number, line.cells, flaws))
    return judgement


def _judge(cells: dict[str, str]) -> tuple[Good | None, list[tuple[str, str]]]:
    flaws = list(_flaws(cells))
    if flaws:
        return None, flaws
    country, (first_name, last_name) = country_in(cells), names_in(cells)
    number = telephone(cells["telephone"], country)
    client = Good(
        telephone=number,
        first_name=first_name,
        last_name=last_name,
        email=cells.get("email", ""),
        language=client_words.language(cells.get("language", "")) or "fr",
        country=client_words.country_of_client(country or phones.country_of(number)),
    )
    return client, []


def _flaws(cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    try:
        telephone(cells["telephone"], country_in(cells))
    except _Wrong as wrong:
        yield wrong.flaw, cells["telephone"]
    names = names_in(cells)
    if not all(names):
        yield Flaw.NO_NAME, " ".join(filter(None, names))
    if max(map(len, names)) > NAME_AT_MOST:
        yield Flaw.LONG_NAME, max(names, key=len)
    yield from _flaws_of_the_rest(cells)


def _flaws_of_the_rest(cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    email, language, country = (cells.get(name, "") for name in ("email", "language", "country"))
    if email and not _is_email(email):
        yield Flaw.BAD_EMAIL, email
    if language and not client_words.language(language):
        yield Flaw.UNKNOWN_LANGUAGE, language
    if country and not client_words.country(country):
        yield Flaw.UNKNOWN_COUNTRY, country


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= EMAIL_AT_MOST


def country_in(cells: dict[str, str]) -> str | None:
    """The ISO 3166 code of the country that the line names; None when it names none that we know."""
    return client_words.country(cells.get("country", ""))


def telephone(text: str, country: str | None = None) -> str:
    """The number in E.164. Without a country code it is read with the plan of `country`, then with China's.

    Spreadsheets drop the "+" and zeros at the beginning: both are tried. Raises ValueError.
    """
    if not text:
        raise _Wrong(Flaw.NO_TELEPHONE)
    if SHORTENED.fullmatch(text):
        raise _Wrong(Flaw.SHORTENED)
    text = WHOLE.sub(r"\1", text) if WHOLE.fullmatch(text) else text
    if not NUMBER.fullmatch(text):
        raise _Wrong(Flaw.BAD_TELEPHONE)
    for candidate, plan in _readings(text, country):
        try:
            return phones.to_e164(candidate, plan)
        except phones.InvalidTelephone:
            continue
    raise _Wrong(Flaw.BAD_TELEPHONE)


def _readings(text: str, country: str | None) -> list[tuple[str, str | None]]:
    """The number and the plan to read it with, the most likely one first."""
    digits = re.sub(r"\D", "", text)
    if text.startswith(("+", "＋")):
        return [(text, None)]
    if text.startswith("00"):
        return [(f"+{digits[2:]}", None)]
    office = AgentChineConfig.scope.country
    more = [(f"0{digits}", country), (text, office)] if country else []
    return [(text, country or office), (f"+{digits}", None), *more]


def names_in(cells: dict[str, str]) -> tuple[str, str]:
    """First name and last name; a column with both is divided. What is missing is empty."""
    first_name, last_name = cells.get("first_name", ""), cells.get("last_name", "")
    if first_name and last_name:
        return first_name, last_name
    if cells.get("name"):
        return divide_name(cells["name"])
    if cells.get("surname_first"):
        return divide_name(cells["surname_first"], is_surname_first=True)
    if last_name and "first_name" not in cells:  # a column "Nom" alone has both names
        return divide_name(last_name)
    return first_name, last_name


def divide_name(text: str, *, is_surname_first: bool = False) -> tuple[str, str]:
    """First name and last name out of one text; of a single word nothing but the last name is known.

    A surname is told by its capitals (“TRAORÉ Awa”), by a comma behind it, by Chinese signs, else by its place.
    """
    if HANZI.fullmatch(text):
        length = 2 if text.startswith(DOUBLE_SURNAMES) and len(text) > 2 else 1
        return text[length:], text[:length]
    before, comma, behind = text.partition(",")
    if comma:
        return behind.strip(), before.strip()
    words = text.split()
    surnames = [word for word in words if word.isupper() and len(word) > 1]
    if 0 < len(surnames) < len(words):
        return " ".join(word for word in words if word not in surnames), " ".join(surnames)
    place = 1 if is_surname_first or _is_chinese(text) else -1
    return _divide_at(words, place)


def _is_chinese(text: str) -> bool:
    return HANZI.fullmatch(text.replace(" ", "")) is not None


def _divide_at(words: list[str], place: int) -> tuple[str, str]:
    if len(words) < 2:
        return "", " ".join(words)
    left, right = " ".join(words[:place]), " ".join(words[place:])
    return (right, left) if place == 1 else (left, right)
