"""Where a parcel is, for whoever has its number: nothing that says whose it is, or what is in it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agent_chine_app.models import TRACKING_ALPHABET, Colis, ColisStep

# Characters of what may be typed; a number has ten, and people put spaces into it.
LONGEST = 60
PREFIX = "TS"
CODE = re.compile(rf"(?:{PREFIX})?([{TRACKING_ALPHABET}]{{8}})")
# As Crockford has it: these are read for those.
MISREAD = str.maketrans("OIL", "011")

Kind = ColisStep.Kind
BAMAKO = ZoneInfo("Africa/Bamako")
# Where each step is taken, and whose day it is; the others are taken nowhere in particular.
_IN_CHINA, _IN_MALI, _NOWHERE = (_("Guangzhou"), ZoneInfo("Asia/Shanghai")), (_("Bamako"), BAMAKO), ("", BAMAKO)
PLACES: dict[ColisStep.Kind, tuple[str | Promise, ZoneInfo]] = {
    Kind.RECEIVED: _IN_CHINA,
    Kind.SHIPPED: _IN_CHINA,
    Kind.DELAYED: _NOWHERE,
    Kind.ARRIVED: _IN_MALI,
    Kind.READY: _IN_MALI,
    Kind.HANDED_OVER: _IN_MALI,
    Kind.LOST: _NOWHERE,
}


class NotFound(Exception):
    """No parcel has this number, or it is no number."""


@dataclass(frozen=True)
class PublicStep:
    """What happened, on which day, and where ("": nowhere in particular)."""

    label: str | Promise
    on: date
    place: str | Promise


@dataclass(frozen=True)
class PublicColis:
    """All that the number alone opens."""

    numero_suivi: str
    status: str
    label: str | Promise
    expected_on: date | None
    steps: Sequence[PublicStep]

    @property
    def can_be_fetched(self) -> bool:
        return self.status in (Colis.Status.ARRIVED, Colis.Status.READY)


def understand(text: str) -> str:
    """The tracking number that somebody meant: small letters, spaces, O for 0, I and L for 1. "" when it is none."""
    letters = "".join(one for one in unicodedata.normalize("NFKC", text[:LONGEST]).upper() if one.isalnum())
    found = CODE.fullmatch(letters.translate(MISREAD))
    return PREFIX + found[1] if found else ""


def find(text: str) -> PublicColis:
    """The parcel whose number this is, as it may be shown to everybody. Raises NotFound."""
    number = understand(text)
    colis = Colis.objects.filter(numero_suivi=number).select_related("lot").first() if number else None
    if colis is None:
        raise NotFound
    is_expected = colis.status == Colis.Status.SHIPPED and colis.lot is not None
    return PublicColis(
        numero_suivi=colis.numero_suivi,
        status=colis.status,
        label=colis.get_status_display(),
        expected_on=colis.lot.expected_on if is_expected and colis.lot else None,
        steps=[_public(Kind(kind), at) for kind, at in colis.steps.values_list("kind", "at")],
    )


def _public(kind: ColisStep.Kind, at: datetime) -> PublicStep:
    place, zone = PLACES[kind]
    return PublicStep(kind.label, at.astimezone(zone).date(), place)
