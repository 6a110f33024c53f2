"""The forty clients of the journey, their parcels, and every message that they have to have read, and no other."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tests.e2e.journey import sayings

FRENCH, ENGLISH, CHINESE = 20, 10, 10
# As the files of the office have them.
LANGUAGES = {"fr": "français", "en": "English", "zh-hans": "中文"}
NAMES = {"fr": ("Awa", "Traoré"), "en": ("John", "Keita"), "zh-hans": ("Wei", "Wang")}


class Fate(enum.StrEnum):
    """How far somebody was told, in the words of the pages."""

    READ = "Lu"
    DELIVERED = "Remis"
    ACCEPTED = "Accepté par WhatsApp"
    INFORMED = "Prévenu par une personne"
    WAITING = "En chemin"
    FAILED = "Échec définitif"
    REFUSED = "Ne veut pas de messages"
    STRANGER = "Le numéro est celui d’une autre personne"
    REPLACED = "Un message plus récent en dit plus"


class Wave(enum.StrEnum):
    """What is in a parcel; what holds the same comes to Mali on the same day."""

    FIRST = "Tissus"
    SECOND = "Lampes"
    THIRD = "Outils"
    OTHER_LOT = "Jouets"


# Those who do not simply read what they get, by their place in the list, with the sandbox's magic numbers.
NOT_ON_WHATSAPP, FAILS_LATER, OPTS_OUT, STRANGER, NEVER_READ, NEVER_DELIVERED = 1, 21, 31, 3, 5, 7
MAGIC = {
    NOT_ON_WHATSAPP: "+22370000001",
    FAILS_LATER: "+22370000008",
    NEVER_READ: "+22370000009",
    NEVER_DELIVERED: "+22370000004",
}
FATES = {
    NOT_ON_WHATSAPP: Fate.FAILED,
    FAILS_LATER: Fate.FAILED,
    OPTS_OUT: Fate.REFUSED,
    STRANGER: Fate.STRANGER,
    NEVER_READ: Fate.DELIVERED,
    NEVER_DELIVERED: Fate.ACCEPTED,
}
# Who also has a parcel in the other lot: one of each language.
IN_BOTH_LOTS = (2, 22, 34)


@dataclass
class Parcel:
    wave: Wave
    weight_kg: Decimal
    pieces: int
    number: str = ""
    pk: int = 0


@dataclass
class Person:
    place: int
    language: str
    parcels: list[Parcel] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    # From then on WhatsApp accepts nothing for them.
    is_silent: bool = False
    pk: int = 0

    @property
    def telephone(self) -> str:
        return MAGIC.get(self.place, f"+22366{self.place:06}")

    @property
    def first_name(self) -> str:
        return NAMES[self.language][0]

    @property
    def last_name(self) -> str:
        return f"{NAMES[self.language][1]}{self.place:02}"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def fate(self) -> Fate:
        return FATES.get(self.place, Fate.READ)

    def has(self, *waves: Wave) -> list[Parcel]:
        """Their parcels of these waves, in the order in which they were registered."""
        return [parcel for parcel in self.parcels if parcel.wave in waves]

    def is_told(self, what: str, parcels: Iterable[Parcel] = (), rest: Iterable[Parcel] = (), **values: str) -> None:
        """One message about these parcels is theirs to read, if anything reaches them."""
        if not self.is_silent:
            words = {"parcels": self._in_words(parcels), "rest": self._in_words(rest), **values}
            self.read.append(sayings.SAYINGS[what][self.language].format(name=self.name, **words))

    def _in_words(self, parcels: Iterable[Parcel]) -> str:
        numbers = [parcel.number for parcel in parcels]
        return sayings.in_words(self.language, numbers) if numbers else ""


def people() -> list[Person]:
    """Forty clients with a hundred parcels in one lot and three in another."""
    languages = ["fr"] * FRENCH + ["en"] * ENGLISH + ["zh-hans"] * CHINESE
    cast = [Person(place, language) for place, language in enumerate(languages)]
    cast[NOT_ON_WHATSAPP].is_silent = True
    weights = iter(range(1, 1000))
    for person in cast:
        person.parcels = [_parcel(wave, next(weights)) for wave in _waves(person.place)]
    return cast


def _waves(place: int) -> list[Wave]:
    if place % 2:
        return [Wave.FIRST, Wave.THIRD]
    return [Wave.FIRST, Wave.SECOND, Wave.THIRD] if place % 4 == 0 else [Wave.FIRST] * 3


def _parcel(wave: Wave, number: int) -> Parcel:
    return Parcel(wave, Decimal(number % 9 + 1) + Decimal("0.5"), number % 3 + 1)


def other_parcel() -> Parcel:
    return _parcel(Wave.OTHER_LOT, 1)


def as_file(cast: Iterable[Person]) -> bytes:
    """The list of clients as an office keeps it."""
    lines = [f"{one.telephone};{one.first_name};{one.last_name};{LANGUAGES[one.language]}" for one in cast]
    return "\n".join(["Téléphone;Prénom;Nom;Langue", *lines]).encode()
