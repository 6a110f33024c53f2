"""Messages that WhatsApp accepted and of which nothing was heard for three days."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, post, post_in
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.services import receipts

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
THREE_DAYS = timedelta(hours=72)


KINDS = {"deleted": Kind.UNKNOWN} | {kind.value: kind for kind in Kind}


def silent_ones() -> list[WhatsAppNotification]:
    return list(WhatsAppNotification.objects.without_receipt(NOW + THREE_DAYS + SECOND))


def test_after_three_days_without_a_word_it_is_flagged():
    notification = attempt(post(), Provider(accepted()))
    assert list(WhatsAppNotification.objects.without_receipt(NOW + THREE_DAYS)) == []
    assert silent_ones() == [notification]


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "failed", "deleted"])
def test_a_receipt_takes_the_flag_away(word: str):
    attempt(post(), Provider(accepted()))
    assert len(silent_ones()) == 1
    receipts.take("cloud_api", ReceiptEvent("wamid.one", KINDS[word], word, NOW), NOW)
    assert silent_ones() == []


def test_somebody_elses_receipt_does_not_take_it_away():
    notification = attempt(post(), Provider(accepted()))
    attempt(post(), Provider(accepted("wamid.two")))
    receipts.take("cloud_api", ReceiptEvent("wamid.two", Kind.SENT, "sent", NOW), NOW)
    assert silent_ones() == [notification]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SENT}))
def test_only_what_was_accepted_is_flagged(status: Status):
    post_in(status, sent_at=NOW)
    assert silent_ones() == []


def test_the_list_and_the_dashboard_show_them(log_in: Callable[..., Client]):
    now = timezone.now()
    post_in(Status.SENT, title="Silencieux", created_at=now - THREE_DAYS - SECOND, sent_at=now - THREE_DAYS - SECOND)
    post_in(Status.SENT, title="Patience", sent_at=now - THREE_DAYS + timedelta(minutes=1))
    post_in(
        Status.SENT,
        title="Ailleurs",
        created_at=now - 2 * THREE_DAYS,
        sent_at=now - 2 * THREE_DAYS,
        source_app="agent_chine",
    )
    agent = log_in("agent_mali")
    html = agent.get("/agent-mali/whatsapp/monitoring/list/?status=silent").content.decode()
    assert "Silencieux" in html
    assert "Patience" not in html
    assert "Ailleurs" not in html
    heard = post_in(
        Status.SENT,
        title="Entendu",
        created_at=now - 2 * THREE_DAYS,
        sent_at=now - 2 * THREE_DAYS,
        provider_message_id="wamid.heard",
    )
    receipts.take("cloud_api", ReceiptEvent("wamid.heard", Kind.SENT, "sent", heard.created_at), now)
    dashboard = agent.get("/agent-mali/whatsapp/monitoring/")
    assert dashboard.context["failures"].silent == 1
    assert "status=silent" in dashboard.content.decode()
