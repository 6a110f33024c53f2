"""A stopped account: what people are told, and what mending it does."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone, translation

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, post, refused
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppSender
from whatsapp_monitoring_app.services import stops
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=4)


@pytest.fixture
def mali() -> WhatsAppSender:
    return WhatsAppSender.objects.get(code="mali")


def test_nothing_is_said_while_every_account_works():
    assert stops.troubles(NOW).stops == []


def test_senders_of_one_account_are_one_stop(mali: WhatsAppSender):
    WhatsAppSender.objects.filter(code="systeme").update(account_id="2000", token="t")
    mali.stop(NOW + LATER, ErrorClass.ACCOUNT_STOP, "190 expired")
    [stop] = stops.troubles(NOW).stops
    assert sorted(sender.code for sender in stop.senders) == ["chine", "mali"]
    assert (stop.error_class, stop.reason, stop.until) == (ErrorClass.ACCOUNT_STOP, "190 expired", NOW + LATER)


def test_a_stop_that_is_over_and_a_paused_sender_are_no_stop(mali: WhatsAppSender):
    mali.stop(NOW, ErrorClass.ACCOUNT_STOP, "190 expired")
    assert stops.troubles(NOW).stops == []
    mali.stop(NOW + LATER, ErrorClass.ACCOUNT_STOP, "190 expired")
    WhatsAppSender.objects.update(is_active=False)
    assert stops.troubles(NOW).stops == []


@pytest.mark.parametrize(
    ("error_class", "words"),
    [
        (ErrorClass.ACCOUNT_STOP, "Les messages attendent et partiront d’eux-mêmes."),
        (ErrorClass.ACCOUNT_SLOW, "Comptes, codes et paiements partent encore"),
    ],
    ids=["stop", "slow"],
)
def test_the_dashboard_says_what_is_stopped_and_what_to_do(
    log_in, mali: WhatsAppSender, error_class: ErrorClass, words: str
):
    mali.stop(timezone.now() + LATER, error_class, "what WhatsApp said")
    page = log_in("agent_mali").get("/agent-mali/whatsapp/monitoring/").content.decode()
    with translation.override("fr"):
        advice = str(EXPLANATIONS[error_class].advice)
    assert "Les expéditeurs Chine, Mali, Système sont arrêtés." in page
    assert words in page
    assert advice in page
    assert "what WhatsApp said" in page


def test_a_new_token_sends_what_waited_for_it(client: Client, make_user, mali: WhatsAppSender):
    now = timezone.now()
    waiting = attempt(post(now), Provider(refused(190)), now)
    assert waiting.next_attempt_at
    assert waiting.next_attempt_at > now + LATER
    client.force_login(make_user(is_staff=True, is_superuser=True))

    form = {"label": "Mali", "provider": "cloud_api", "account_id": "", "rate_per_second": 70, "daily_limit": ""}
    answer = client.post(
        f"/admin/whatsapp_monitoring_app/whatsappsender/{mali.pk}/change/",
        {**form, "is_active": "on", "fallback": "", "new_token": "fresh"},
    )
    assert answer.status_code == 302

    waiting.refresh_from_db()
    mali.refresh_from_db()
    assert not mali.is_stopped(timezone.now())
    assert (waiting.status, waiting.rung_at) == (Status.PENDING, None)
    assert attempt(waiting, Provider(accepted()), timezone.now()).status == Status.SENT


def test_what_waits_for_another_reason_goes_on_waiting(client: Client, make_user, mali: WhatsAppSender):
    throttled = attempt(post(), Provider(refused(131056)))
    planned = throttled.next_attempt_at
    mali.stop(timezone.now() + LATER, ErrorClass.ACCOUNT_STOP, "190")
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.post(
        "/admin/whatsapp_monitoring_app/whatsappsender/",
        {"action": "resume", "_selected_action": [mali.pk]},
    )
    mali.refresh_from_db()
    throttled.refresh_from_db()
    assert mali.stopped_until is None
    assert throttled.next_attempt_at == planned


def test_a_resume_of_a_sender_that_is_not_stopped_does_not_slow_it_down(mali: WhatsAppSender):
    mali.resume(NOW)
    mali.refresh_from_db()
    assert mali.resumed_at is None


def stored_token(sender: WhatsAppSender) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM whatsapp_monitoring_app_whatsappsender WHERE id = %s", [sender.pk])
        return str(cursor.fetchone()[0])


def test_whoever_edits_a_label_leaves_a_token_alone_that_no_key_opens(client: Client, make_user, mali: WhatsAppSender):
    mali.token = "a token"
    mali.save()
    before = stored_token(mali)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    with override_settings(WHATSAPP_TOKEN_KEYS=["another key than before"]):
        answer = client.post(
            f"/admin/whatsapp_monitoring_app/whatsappsender/{mali.pk}/change/",
            {"label": "Mali 2", "provider": "cloud_api", "rate_per_second": 70, "is_active": "on"},
        )
    assert answer.status_code == 302
    mali.refresh_from_db()
    assert (mali.label, mali.token, stored_token(mali)) == ("Mali 2", "a token", before)
