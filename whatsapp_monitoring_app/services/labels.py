"""The types, categories and languages of messages in human words."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

TYPES: Mapping[str, Promise] = {
    "notification": _("Notice"),
    "account_creation": _("New account"),
    "credentials": _("Access to the account"),
    "otp": _("One-time code"),
    "payment": _("Payment"),
    "colis_creation": _("Parcel received in China"),
    "expedition": _("Departure from China"),
    "delay": _("Delay"),
    "delivery": _("Arrival in Mali"),
    "reminder": _("Reminder"),
    "pickup": _("Parcel handed over"),
    "promotion": _("Offer"),
    "opt_out_confirmation": _("Confirmation of a STOP"),
    "sender_test": _("Test of a sender"),
    "alert": _("Alert"),
}
CATEGORIES: Mapping[str, Promise] = {
    "general": _("General"),
    "credentials": _("Accounts and access"),
    "colis_management": _("Parcels in China"),
    "colis_status": _("Parcels on the way"),
    "colis_arrival": _("Arrivals in Mali"),
    "pickup": _("Parcels to fetch or fetched"),
    "preferences": _("Clients’ preferences"),
    "test": _("Tests"),
    "alert": _("Alerts"),
}


def type_label(value: str) -> str:
    """What a type of message is called; a type that nobody has named, as it can be read."""
    return str(TYPES.get(value) or _readable(value))


def category_label(value: str) -> str:
    """What a category is called; a category that nobody has named, as it can be read."""
    return str(CATEGORIES.get(value) or _readable(value))


def language_name(code: str) -> str:
    """What a language is called in the reader's; its code where nobody has named it."""
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code


def _readable(value: str) -> str:
    text = value.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
