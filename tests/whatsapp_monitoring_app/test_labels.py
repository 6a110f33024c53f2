"""Types and categories have names that people understand."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from agent_chine_app import events
from client_app.preferences import NEWS
from whatsapp_monitoring_app.services import default_templates, labels, message_types
from whatsapp_monitoring_app.services.drafts import Draft

SOURCES = [
    path
    for app in ("whatsapp_monitoring_app", "agent_chine_app", "agent_mali_app", "client_app", "ts_air_cargo")
    for path in Path(settings.BASE_DIR, app).rglob("*.py")
    # What the provider calls a category is another word.
    if not {"sandbox", "providers", "migrations"} & set(path.parts)
]


def written_in_the_code(word: str) -> set[str]:
    """The values that our code gives to this argument of a message."""
    text = "\n".join(path.read_text() for path in SOURCES)
    return set(re.findall(rf"\b{word}(?:: str)? ?= ?\"(\w+)\"", text)) - {"en", "fr"}


def kinds_of_events() -> list[events.Kind]:
    return [kind for kind in vars(events).values() if isinstance(kind, events.Kind)]


def test_every_type_that_is_used_has_a_label():
    used = written_in_the_code("message_type") | set(message_types.MESSAGE_TYPES) | set(NEWS)
    used |= {kind.message_type for kind in kinds_of_events()} | {Draft.message_type}
    assert {"expedition", "delivery", "otp", "notification", "sender_test"} <= used
    assert used - set(labels.TYPES) == set()


def test_every_category_that_is_used_has_a_label():
    used = written_in_the_code("category") | {kind.category for kind in kinds_of_events()} | {Draft.category}
    assert {"colis_status", "colis_arrival", "credentials", "general", "test"} <= used
    assert used - set(labels.CATEGORIES) == set()


def test_every_template_s_type_has_a_label():
    assert {values["message_type"] for values in default_templates.DEFAULTS} - {"", "*"} <= set(labels.TYPES)


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_no_two_types_and_no_two_categories_have_the_same_label(language: str):
    with translation.override(language):
        assert len({labels.type_label(value) for value in labels.TYPES}) == len(labels.TYPES)
        assert len({labels.category_label(value) for value in labels.CATEGORIES}) == len(labels.CATEGORIES)


@pytest.mark.parametrize(
    ("value", "readable"), [("retard_douane", "Retard douane"), ("ADR", "ADR"), ("", ""), ("_x", "X")]
)
def test_what_nobody_has_named_is_shown_as_it_can_be_read(value: str, readable: str):
    assert labels.type_label(value) == labels.category_label(value) == readable
