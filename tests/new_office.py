"""What an office that was added a moment ago must do: test_adding_an_office.py runs it with settings that have one."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from tests.conftest import PASSWORD
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.tasks import send_whatsapp_async

pytestmark = pytest.mark.django_db

OFFICE = "agent_ivoire"
AGENT = "+2250707123456"


def test_the_migration_brought_its_permission_its_group_and_its_sender():
    group = Group.objects.get(name=OFFICE)

    assert [permission.codename for permission in group.permissions.all()] == [f"work_in_{OFFICE}"]
    assert WhatsAppSender.objects.get(code="ivoire").label == "TS Air Cargo Abidjan"


def test_there_is_no_migration_to_make():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_its_agent_logs_in_and_lands_on_its_home_page(make_user: Callable[..., User]):
    make_user(AGENT, role=OFFICE, language="en")
    answer = Browser().post("/login/", {"username": AGENT, "password": PASSWORD}, follow=True)

    assert answer.redirect_chain[-1][0] == "/agent-ivoire/"
    assert answer.status_code == 200
    assert "Côte d&#x27;Ivoire office" in answer.content.decode()


@pytest.mark.parametrize("language", ["fr", "zh-hans"])
def test_its_own_templates_win_and_speak_every_language(language: str, log_in: Callable[..., Browser]):
    page = log_in(OFFICE, language=language).get(reverse(f"{OFFICE}:whatsapp_monitoring"))

    assert f"{OFFICE}_app/whatsapp_monitoring.html" in {template.name for template in page.templates}
    assert "on WhatsApp" not in page.content.decode()


def test_its_messages_are_seen_by_itself_and_by_the_administrators_alone(
    make_user: Callable[..., User], log_in: Callable[..., Browser]
):
    client = make_user("+2250707000000")
    by_the_core = send_whatsapp_async(client, "Bonjour", source_app=OFFICE)
    integration = import_module(f"{OFFICE}_app.whatsapp_integration")
    by_itself = integration.send_whatsapp_notification_ivoire(client, "Bonsoir", title="Bienvenue à Abidjan")
    sent = {by_the_core.id, by_itself.id}

    def seen_by(office: str) -> set[str]:
        page: Any = log_in(office).get(reverse(f"{office}:whatsapp_monitoring_list"))
        return {str(notification.pk) for notification in page.context["page"]}

    assert {
        str(pk) for pk in WhatsAppNotification.objects.filter(source_app=OFFICE).values_list("pk", flat=True)
    } == sent
    assert {office: seen_by(office) for office in (OFFICE, "admin_chine", "admin_mali")} == dict.fromkeys(
        (OFFICE, "admin_chine", "admin_mali"), sent
    )
    assert seen_by("agent_mali") == seen_by("agent_chine") == set()


def test_a_number_typed_there_is_read_with_its_country_s_plan():
    send_whatsapp_async(message_content="Bonjour", source_app=OFFICE, phone_number="07 07 00 00 00")

    assert WhatsAppNotification.objects.get().phone_number == "+2250707000000"


def test_the_administrators_find_it_among_their_filters(log_in: Callable[..., Browser]):
    page: Any = log_in("admin_mali").get(reverse("admin_mali:whatsapp_monitoring_list"))

    assert OFFICE in dict(page.context["form"].fields["source_app"].choices)
