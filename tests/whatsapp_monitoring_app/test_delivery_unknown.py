"""What a provider without receipts accepted: neither reached nor silent, and said so."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.whatsapp_monitoring_app import brute_force
from tests.whatsapp_monitoring_app.scripts import NOW, post_in
from whatsapp_monitoring_app import providers, scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import failures, trends

pytestmark = pytest.mark.django_db

LONG_AGO = NOW - timedelta(days=9)
WITHOUT_RECEIPTS = [provider.code for provider in providers.all_providers() if not provider.has_receipts]
WORDS = "Accepted, delivery unknown"


def everything() -> NotificationQuerySet:
    return WhatsAppNotification.objects.all()


def sender(provider: str) -> WhatsAppSender:
    return WhatsAppSender.objects.create(code=f"by-{provider}", label=provider, provider=provider)


def test_the_providers_say_it_of_themselves():
    assert set(WITHOUT_RECEIPTS) >= {"wachap", "console"}
    assert "cloud_api" not in WITHOUT_RECEIPTS
    for provider in providers.all_providers():
        assert sender(provider.code).has_receipts == provider.has_receipts


@pytest.mark.parametrize("provider", WITHOUT_RECEIPTS)
def test_it_is_counted_apart_and_is_no_part_of_the_success(provider: str):
    post_in(Status.SENT, sent_at=LONG_AGO, sender=sender(provider))
    post_in(Status.SENT, sent_at=LONG_AGO, sender=WhatsAppSender.objects.get(code="mali"))
    post_in(Status.SENT, sent_at=LONG_AGO, sender=None)
    post_in(Status.DELIVERED)
    counted = brute_force.summary(everything())
    assert (counted.total, counted.accepted, counted.unknown, counted.delivered) == (4, 2, 1, 1)
    assert counted.success_percent == 100
    (office,) = trends.of(scopes.get("admin_mali"), trends.period("today", NOW)).offices
    assert office.figures.counts == counted


@pytest.mark.parametrize("provider", WITHOUT_RECEIPTS)
def test_only_what_was_accepted_is_unknown(provider: str):
    for status in Status:
        post_in(status, sender=sender(provider) if status is Status.PENDING else None)
    WhatsAppNotification.objects.update(sender=WhatsAppSender.objects.get(code=f"by-{provider}"))
    assert brute_force.summary(WhatsAppNotification.objects.all()).unknown == 1
    unknown = [row for row in WhatsAppNotification.objects.select_related("sender") if row.is_delivery_unknown]
    assert [row.status for row in unknown] == [Status.SENT]


@pytest.mark.parametrize("provider", WITHOUT_RECEIPTS)
def test_its_silence_is_not_worth_a_look(provider: str):
    days_ago = NOW - timedelta(days=4)
    silent = [
        post_in(Status.SENT, created_at=days_ago, sent_at=days_ago, sender=WhatsAppSender.objects.get(code="mali")),
        post_in(Status.SENT, created_at=days_ago, sent_at=days_ago, sender=None),
    ]
    post_in(Status.SENT, created_at=days_ago, sent_at=days_ago, sender=sender(provider))
    assert set(everything().without_receipt(NOW)) == set(silent)
    assert failures.of(scopes.get("admin_mali"), LONG_AGO, NOW).silent == 2


def test_the_dashboard_shows_it_only_where_there_is_some(log_in: Callable[..., Client]):
    agent = log_in("agent_mali", language="en")
    address = "/agent-mali/whatsapp/monitoring/"
    post_in(Status.SENT, created_at=timezone.now(), sender=WhatsAppSender.objects.get(code="mali"))
    assert WORDS not in agent.get(address).content.decode()
    post_in(Status.SENT, created_at=timezone.now(), sender=sender("wachap"))
    page = agent.get(address)
    counts = page.context["trend"].whole.counts
    assert (counts.accepted, counts.unknown) == (1, 1)
    assert WORDS in page.content.decode()


def test_the_details_say_that_nobody_will_tell(log_in: Callable[..., Client]):
    agent = log_in("agent_mali", language="en")
    told = post_in(Status.SENT, created_at=timezone.now(), sender=WhatsAppSender.objects.get(code="mali"))
    untold = post_in(Status.SENT, created_at=timezone.now(), sender=sender("wachap"))
    pages = [agent.get(f"/agent-mali/whatsapp/monitoring/{row.pk}/").content.decode() for row in (told, untold)]
    assert [WORDS in page for page in pages] == [False, True]
    assert ["has not confirmed it yet" in page for page in pages] == [True, False]
    # Nothing changes any more without a person: the page need not ask again.
    assert ["every 10s" in page for page in pages] == [True, False]
