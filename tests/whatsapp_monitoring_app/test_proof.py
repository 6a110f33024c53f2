"""Proof of notice: what was said about one parcel, to whom, and how far it came."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Colis, ColisStep
from tests import rows
from whatsapp_monitoring_app.models import (
    Outcome,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.services import announcements
from whatsapp_monitoring_app.services.announcements import Event, Telling

pytestmark = pytest.mark.django_db

SUBJECT = "colis:TS1A2B3C4D"
# 16:04 in Guangzhou.
AT = datetime(2026, 11, 22, 8, 4, 5, tzinfo=UTC)


def notice(office: str = "agent_mali", status: Status = Status.READ, **fields: Any) -> WhatsAppNotification:
    notification = rows.notification(office, status, **fields)
    WhatsAppSubject.objects.create(notification=notification, name=SUBJECT)
    return notification


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Keïta")


def page(browser: Browser, subject: str = SUBJECT, office: str = "agent_mali") -> str:
    answer = browser.get(reverse(f"{office}:whatsapp_proof"), {"subject": subject})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_a_message_that_was_read_is_proved_by_its_words_times_and_receipts(
    agent: Browser, make_user: Callable[..., User]
):
    mali = WhatsAppSender.objects.get(code="mali")
    one = notice(
        user=make_user("+22376123456", first_name="Jean", last_name="Dupont"),
        sender=mali,
        provider_message_id="wamid.one",
        sent_at=AT,
        delivered_at=AT,
        read_at=AT,
    )
    WhatsAppReceipt.objects.create(
        notification=one,
        provider="cloud_api",
        provider_message_id="wamid.one",
        status="read",
        raw_status="read",
        occurred_at=AT,
        received_at=AT,
    )
    html = page(agent)

    for piece in ("Jean Dupont", "+223 76 12 34 56", "Votre colis est parti.", "wamid.one", "Mali", str(one.pk)):
        assert piece in html, piece
    assert html.count("16:04:05 Guangzhou") == html.count("08:04:05 Bamako") == 4
    assert "Issued by Awa Keïta, Mali office:" in html


def test_what_was_really_said_stands_in_place_of_what_was_meant(agent: Browser):
    one = notice()
    rows.attempt(one)
    WhatsAppAttempt.objects.update(outcome=Outcome.ACCEPTED, text="TS Air Cargo vous informe : parti.")
    html = page(agent)
    assert "TS Air Cargo vous informe : parti." in html
    assert "Votre colis est parti." not in html


def test_a_failure_a_refusal_and_a_call_are_told_as_they_are(agent: Browser, make_user: Callable[..., User]):
    notice(status=Status.FAILED, failed_at=AT)
    notice(status=Status.CANCELLED, cancel_reason="opt_out", cancelled_at=AT)
    told: dict[str, Any] = {
        "informed_at": AT,
        "informed_by": make_user(first_name="Moussa", last_name="Ba"),
        "informed_how": "phone",
    }
    notice(status=Status.FAILED, failed_at=AT, **told)
    html = page(agent)

    assert "131026" in html
    assert "The person does not want messages" in html
    assert "Told by Moussa Ba" in html


def test_whoever_got_no_message_is_on_the_page_too(agent: Browser, make_user: Callable[..., User]):
    user = make_user(first_name="Jean", last_name="Dupont")
    User.objects.filter(pk=user.pk).update(telephone="+999")
    user.refresh_from_db()
    event = Event(source_app="agent_mali", idempotency_key="e", message_type="delivery", category="c", title="Arrivée")
    params = {"nom": "Jean", "colis": "colis TS1A2B3C4D"}
    announcements.announce(
        event, [Telling(user=user, template="envoi_arrive", params=params, about={SUBJECT: 30})], AT
    )

    html = page(agent)
    assert "No message was made" in html
    assert "Jean Dupont" in html


def test_a_personal_link_never_appears(agent: Browser):
    one = notice(message_content="Choose: {first_password_link}", is_secret=True)
    rows.attempt(one)
    WhatsAppAttempt.objects.update(outcome=Outcome.ACCEPTED, text="Go to {first_password_link}")
    html = page(agent)
    assert "{first_password_link}" not in html
    assert "[personal link, never stored]" in html


def test_an_office_proves_what_it_has_sent_and_the_administration_everything(
    agent: Browser, log_in: Callable[..., Browser]
):
    notice(title="of Mali")
    notice("agent_chine", title="of China")
    mine, everything = page(agent), page(log_in("admin_mali"), office="admin_mali")

    assert ("of Mali" in mine, "of China" in mine) == (True, False)
    assert "another office’s messages are on its own page" in mine
    assert "of Mali" in everything
    assert "of China" in everything


@pytest.mark.parametrize("subject", ["", "colis:TS0", "x\x00y"], ids=repr)
def test_what_nothing_speaks_of_has_an_empty_page(subject: str, agent: Browser):
    notice()
    html = page(agent, subject)
    assert "Votre colis est parti." not in html
    assert 'class="empty"' in html
    assert "data-print" not in html


def test_the_page_of_a_message_leads_to_its_proof(agent: Browser):
    one = notice()
    html = agent.get(reverse("agent_mali:whatsapp_attempt_details", args=[one.pk])).content.decode()
    assert f"{reverse('agent_mali:whatsapp_proof')}?subject=colis%3ATS1A2B3C4D" in html


@pytest.mark.parametrize("office", ["agent_chine", "agent_mali"])
def test_a_parcel_s_proof_has_its_facts_its_steps_and_its_messages(office: str, log_in: Callable[..., Browser]):
    client, _ = create_client("+22376123456", "Jean", "Dupont")
    colis = Colis.objects.create(client=client, numero_suivi="TS1A2B3C4D", description="Téléphones")
    ColisStep.objects.create(colis=colis, kind="received", at=AT, note="for the agents alone")
    notice(office, title="the message")
    url = reverse(f"{office}:colis_proof", args=[colis.pk])
    html = log_in(office, language="en").get(url).content.decode()

    for piece in ("TS1A2B3C4D", "Jean Dupont", "Téléphones", "16:04 Guangzhou", "the message", "data-print"):
        assert piece in html, piece
    assert "for the agents alone" not in html


def test_a_parcel_without_messages_says_so(agent: Browser):
    client, _ = create_client("+22376123456", "Jean", "Dupont")
    url = reverse("agent_mali:colis_proof", args=[Colis.objects.create(client=client).pk])
    assert 'class="empty"' in agent.get(url).content.decode()
