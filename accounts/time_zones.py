"""The places whose clocks people go by."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Zones that are named after another town than the one where our people are, or that other languages write otherwise.
_PLACES: dict[str, str | Promise] = {
    "Asia/Shanghai": _("Guangzhou"),
    "Africa/Bamako": _("Bamako"),
    "UTC": _("Bamako"),
    "Africa/Abidjan": _("Abidjan"),
}


def place(zone: str) -> str:
    """The town that people name the time zone by: "Bamako" for "Africa/Bamako"."""
    return str(_PLACES.get(zone, "")) or zone.rpartition("/")[2].replace("_", " ")
