"""Whom WhatsApp took our number for."""

from collections.abc import Callable

import pytest
from django.test import Client, override_settings

from accounts import phones
from tests.whatsapp_monitoring_app.scripts import NUMBER, Provider, accepted, attempt, post
from whatsapp_monitoring_app.models import WhatsAppNotification

pytestmark = pytest.mark.django_db


def accepted_as(wa_id: str) -> WhatsAppNotification:
    return attempt(post(), Provider(accepted(wa_id=wa_id)))


@pytest.mark.parametrize(
    ("wa_id", "understood"),
    [
        (NUMBER[1:], ""),
        ("22306123456", "+22306123456"),
        ("", ""),
        ("ML.1234567890", ""),
        ("8622376123456", "+8622376123456"),
    ],
    ids=["ours", "another", "not told", "a name", "with our country in front"],
)
def test_another_number_than_ours_is_noticed(wa_id: str, understood: str):
    assert accepted_as(wa_id).understood_number == understood


@override_settings(WHATSAPP_TEST_PHONE="+22370000000")
def test_the_test_phone_is_no_stranger():
    assert accepted_as("22370000000").understood_number == ""


def test_the_page_of_the_message_warns(log_in: Callable[..., Client]):
    agent = log_in("agent_mali", language="fr")
    stranger = accepted_as("8622376123456")
    page = agent.get(f"/agent-mali/whatsapp/monitoring/{stranger.pk}/").content.decode()
    assert "qui n’est pas le numéro que nous avons donné" in page
    assert phones.for_people("+8622376123456") in page
    stranger.wa_id = NUMBER[1:]
    stranger.save()
    assert (
        "pas le numéro que nous" not in agent.get(f"/agent-mali/whatsapp/monitoring/{stranger.pk}/").content.decode()
    )
