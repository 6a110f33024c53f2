"""What a client chooses: the language, the e-mail, and which news they want on WhatsApp."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app.services import mutes

# The types of message that one may do without, in the order of a parcel's way.
NEWS = {
    "colis_creation": _("A parcel was received in China"),
    "expedition": _("My parcels left China"),
    "delay": _("They are late"),
    "delivery": _("They arrived in Bamako and can be fetched"),
    "reminder": _("Reminders of parcels that wait for me"),
    "pickup": _("My parcels were handed over, and to whom"),
}


@dataclass(frozen=True)
class Preferences:
    """`wanted` are the types of news that the person wants."""

    language: str
    email: str
    wanted: Collection[str]


def of(user: User) -> Preferences:
    """What this person has chosen so far."""
    muted = mutes.of(user)
    return Preferences(user.language, user.email, [kind for kind in NEWS if kind not in muted])


@transaction.atomic
def save(user: User, chosen: Preferences, at: datetime) -> None:
    """Keep what was chosen. What waits to tell the person what they do without is cancelled."""
    user.language, user.email = chosen.language, chosen.email
    user.save(update_fields=["language", "email"])
    mutes.choose(user, {kind: kind in chosen.wanted for kind in NEWS}, at)
