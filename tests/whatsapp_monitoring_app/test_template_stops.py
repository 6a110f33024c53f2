"""What offices are told of templates that hold their messages back, and what the details say of a template."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import rows
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppAttempt, WhatsAppNotification, WhatsAppTemplate
from whatsapp_monitoring_app.services import template_stops
from whatsapp_monitoring_app.services.rendering import FIRST_PASSWORD_LINK

pytestmark = pytest.mark.django_db


def held(office: str = "agent_mali", status: Status = Status.PENDING, **fields: Any) -> WhatsAppNotification:
    reason = "mali: “avis (fr)” is PAUSED at the provider."
    return rows.notification(
        office, status, error_class=ErrorClass.TEMPLATE_STOP, **{"error_message": reason, **fields}
    )


def holds() -> list[tuple[str, int]]:
    found = template_stops.held(WhatsAppNotification.objects.all())
    return [(hold.template.code if hold.template else "", hold.count) for hold in found]


def test_nothing_is_said_while_nothing_waits_for_a_template():
    held(status=Status.FAILED)
    rows.notification("agent_mali", Status.PENDING)
    assert holds() == []


def test_messages_are_counted_by_the_template_that_would_say_them():
    own = rows.template()
    for _ in range(3):
        held()
    held(status=Status.RETRY_SCHEDULED, message_type="delivery")
    held(template=own, message_type="delivery")
    held(template=own)
    assert holds() == [("colis_expedie", 3), ("retard", 2), ("colis_arrive", 1)]


def test_the_general_template_answers_for_types_without_one_and_for_templates_out_of_use():
    held(message_type="anything")
    held(message_type="expedition")
    WhatsAppTemplate.objects.filter(code="colis_expedie").update(is_active=False)
    assert holds() == [("avis", 2)]
    WhatsAppTemplate.objects.update(is_active=False)
    assert holds() == [("", 2)]


def test_the_reasons_are_the_engine_s_own_words_the_most_frequent_first():
    for reason, count in (("one", 1), ("three", 3), ("two", 2), ("", 4), ("another", 1)):
        for _ in range(count):
            held(error_message=reason)
    (hold,) = template_stops.held(WhatsAppNotification.objects.all())
    assert hold.count == 11
    assert hold.reasons == ["three", "two"]


def dashboard(browser: Client, office: str) -> str:
    return browser.get(reverse(f"{office}:whatsapp_monitoring")).content.decode()


def test_every_office_is_told_of_its_own_messages_and_what_to_do(log_in: Callable[..., Client]):
    held("agent_mali")
    held("agent_mali")
    held("agent_chine")
    link = reverse("admin_mali:whatsapp_templates")
    mali = dashboard(log_in("agent_mali", language="en"), "agent_mali")
    admin = dashboard(log_in("admin_mali", language="en"), "admin_mali")

    assert "2 messages wait for the template “Colis expédié”, which cannot be used now." in mali
    assert "Tell an administrator." in mali
    assert "mali: “avis (fr)” is PAUSED at the provider." in mali
    assert "See the message templates" not in mali
    assert "3 messages wait for the template “Colis expédié”" in admin
    assert f'<a href="{link}">See the message templates</a>' in admin
    assert "wait for" not in dashboard(log_in("admin_chine", language="en"), "admin_chine").replace(
        "3 messages wait for the template", ""
    )


def test_an_office_without_held_messages_is_told_nothing(log_in: Callable[..., Client]):
    held("agent_chine")
    assert "which cannot be used now" not in dashboard(log_in("agent_mali", language="en"), "agent_mali")


def details(browser: Client, notification: WhatsAppNotification, office: str = "agent_mali") -> str:
    answer = browser.get(reverse(f"{office}:whatsapp_attempt_details", args=[notification.pk]))
    assert answer.status_code == 200
    return str(answer.content.decode())


def tried(notification: WhatsAppNotification, **fields: Any) -> WhatsAppAttempt:
    attempt = rows.attempt(notification)
    WhatsAppAttempt.objects.filter(pk=attempt.pk).update(**fields)
    return attempt


def test_an_attempt_tells_its_form_its_sender_and_its_words(log_in: Callable[..., Client]):
    one = rows.notification("agent_mali", Status.SENT)
    tried(
        one,
        form="template",
        template_name="avis",
        template_language="fr",
        route="fallback",
        route_reason="The sender “mali” is paused.",
        text="TS Air Cargo vous informe : <b>parti</b>.",
        outcome="accepted",
    )
    page = details(log_in("agent_mali", language="en"), one)
    assert "Template <code>avis</code> (fr) · Stands in for another sender – The sender “mali” is paused." in page
    assert "The client reads:" in page
    assert "TS Air Cargo vous informe : &lt;b&gt;parti&lt;/b&gt;." in page


def test_what_was_refused_was_read_by_nobody(log_in: Callable[..., Client]):
    one = rows.notification("agent_mali")
    tried(one, form="text", route="office", text="Autrement dit")
    page = details(log_in("agent_mali", language="en"), one)
    assert "Free text · The office’s sender" in page
    assert "In these words:" in page
    assert "The client reads:" not in page


def test_an_attempt_of_before_says_nothing_of_it(log_in: Callable[..., Client]):
    one = rows.notification("agent_mali")
    rows.attempt(one)
    page = details(log_in("agent_mali", language="en"), one)
    assert "In these words:" not in page
    assert '<p class="meta"></p>' not in page


def test_a_secret_stays_hidden_in_the_words_of_an_attempt_too(log_in: Callable[..., Client]):
    one = rows.notification("agent_mali", message_content=f"Ici : {FIRST_PASSWORD_LINK}", is_secret=True)
    tried(one, form="template", template_name="compte_cree", text=f"Bonjour, {FIRST_PASSWORD_LINK} 72 heures")
    for office in ("agent_mali", "admin_mali"):
        page = details(log_in(office, language="en"), one, office)
        assert "Bonjour, [personal link, never stored] 72 heures" in page
        assert FIRST_PASSWORD_LINK not in page


def test_the_template_is_named_and_leads_there_for_administrators(log_in: Callable[..., Client]):
    template = rows.template(label="Retard <3")
    one = rows.notification("agent_mali", template=template)
    link = reverse("admin_mali:whatsapp_template", args=[template.pk])
    assert "<dd>Retard &lt;3</dd>" in details(log_in("agent_mali", language="en"), one)
    assert f'<a href="{link}">Retard &lt;3</a>' in details(log_in("admin_mali"), one, "admin_mali")


@pytest.mark.parametrize(
    ("link", "is_secret", "is_shown", "is_link"),
    [
        ("https://cargo.example/a.pdf", False, True, True),
        ("https://cargo.example/a.pdf", True, False, False),
        ("javascript:alert(1)", False, True, False),
        ("http://cargo.example/a.pdf", False, True, False),
    ],
)
def test_a_link_of_media_can_be_pressed_only_where_it_is_safe(
    link: str, is_secret: bool, is_shown: bool, is_link: bool, log_in: Callable[..., Client]
):
    one = rows.notification("agent_mali", media="document", media_link=link, is_secret=is_secret)
    page = details(log_in("agent_mali", language="en"), one)
    assert (link in page) == is_shown
    assert (f'<a href="{link}" target="_blank" rel="noopener noreferrer">' in page) == is_link
