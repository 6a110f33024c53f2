"""A new agents' office: its app, written from `office_template/`. Nothing of what is there already is touched."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import phonenumbers
from django.core.management.templates import TemplateCommand

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.scopes import Scope

TEMPLATE = Path(__file__).resolve().parent / "office_template"
PREFIX = "agent_"
# source_app and a person's role hold as many characters.
LONGEST_NAME = 40
LONGEST_LABEL = 60


class CannotBeAnOffice(ValueError):
    """The office cannot be written like this. Its message is a sentence for people."""


def place_of(office: str) -> str:
    """What stands behind the prefix: "ivoire" of "agent_ivoire"."""
    return office.removeprefix(PREFIX)


def write(scope: Scope) -> None:
    """Write the office's app into the current folder. Raises CannotBeAnOffice, before anything is written."""
    _check_name(scope)
    _check_that_it_is_new(scope)
    _check_values(scope)
    TemplateCommand().handle(
        "app",
        scope.app,
        template=str(TEMPLATE),
        extensions=["py"],
        files=[],
        verbosity=0,
        office=scope.office,
        place=place_of(scope.office),
        config="".join(word.capitalize() for word in scope.office.split("_")) + "Config",
        label=_as_code(str(scope.label)),
        country=scope.country,
        sender=scope.sender,
        sender_label=_as_code(scope.sender_label),
    )


def _check_name(scope: Scope) -> None:
    name = scope.office
    if name.endswith("_app"):
        raise CannotBeAnOffice(f"Write {name.removesuffix('_app')}: the “_app” of its folder comes by itself.")
    if not re.fullmatch(rf"{PREFIX}[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise CannotBeAnOffice(
            f"“{name}” cannot be an office: write {PREFIX} and the place in plain small letters, like agent_ivoire."
        )
    if len(name) > LONGEST_NAME:
        raise CannotBeAnOffice(f"“{name}” is too long: an office has at most {LONGEST_NAME} characters.")


def _check_that_it_is_new(scope: Scope) -> None:
    if scope.office in scopes.all_scopes():
        raise CannotBeAnOffice(f"{scope.office} is an office already.")
    if Path(scope.app).exists():
        raise CannotBeAnOffice(f"There is a folder {scope.app} already.")
    if find_spec(scope.app):
        raise CannotBeAnOffice(f"There is a Python module {scope.app} already.")


def _check_values(scope: Scope) -> None:
    if scope.country not in phonenumbers.SUPPORTED_REGIONS:
        raise CannotBeAnOffice(f"“{scope.country}” is no country: write its two letters, like CI.")
    if not re.fullmatch(r"[a-z0-9_-]{1,50}", scope.sender):
        raise CannotBeAnOffice(
            f"“{scope.sender}” cannot be a sender: write plain small letters, digits and hyphens, at most 50."
        )
    for label in (str(scope.label), scope.sender_label):
        if not label.strip() or not label.isprintable() or len(label) > LONGEST_LABEL:
            raise CannotBeAnOffice(
                f"“{label}” cannot be a name for people: write one line of at most {LONGEST_LABEL} characters."
            )


def _as_code(text: str) -> str:
    """The text as a Python literal, as the formatter writes it."""
    return json.dumps(text, ensure_ascii=False)
