"""A worker that slept through its lease, a receipt that nobody has read yet, a connection that PostgreSQL closed."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, change, post, post_in
from ts_air_cargo.celery import drop_dead_connections
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppWebhookLog
from whatsapp_monitoring_app.models.notification_queries import LEASE
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import delivery, recording, recovery
from whatsapp_monitoring_app.services.preparation import Wait
from whatsapp_monitoring_app.services.verdicts import CONFIRMATION_TIME

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def asleep_after(first: datetime, later: datetime) -> Callable[[], datetime]:
    """A clock that tells `first` once, and `later` from then on."""
    times = iter([first])
    return lambda: next(times, later)


def test_a_worker_that_slept_through_its_lease_does_not_call_the_provider():
    provider = Provider(accepted())
    delivery.deliver(post().pk, send=provider, now=asleep_after(NOW, NOW + LEASE + SECOND))

    notification = WhatsAppNotification.objects.get()
    assert provider.requests == []
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)


def test_a_worker_that_slept_does_not_move_what_another_one_holds_now():
    slept = WhatsAppNotification.objects.claim(post().pk, NOW)
    assert slept
    change(WhatsAppNotification.objects.get(), status=Status.PENDING, claimed_until=None, next_attempt_at=NOW)
    assert WhatsAppNotification.objects.claim(slept.pk, NOW)

    recording.put_back({slept: Wait(ProviderError(ErrorClass.NOT_CONFIGURED), NOW)}, NOW)

    assert WhatsAppNotification.objects.get().status == Status.SENDING


@pytest.mark.parametrize(
    ("is_read", "status"), [(False, Status.UNCONFIRMED), (True, Status.RETRY_SCHEDULED)], ids=["unread", "read"]
)
def test_a_message_whose_receipt_is_not_read_yet_is_not_sent_again(is_read: bool, status: Status):
    notification = attempt(post(), Provider(NoAnswer("ReadTimeout")))
    stranger = attempt(post(), Provider(NoAnswer("ReadTimeout")))
    WhatsAppWebhookLog.objects.create(
        provider="cloud_api",
        payload=f'{{"biz_opaque_callback_data": "{notification.pk}"}}',
        received_at=NOW,
        processed_at=NOW if is_read else None,
    )
    recovery.settle_unconfirmed(NOW + CONFIRMATION_TIME + SECOND)

    notification.refresh_from_db()
    stranger.refresh_from_db()
    assert (notification.status, stranger.status) == (status, Status.RETRY_SCHEDULED)


@pytest.mark.django_db(transaction=True)
def test_a_task_after_a_restart_of_postgresql_gets_a_connection_that_works():
    post_in(Status.SENT)
    connection.connection.close()
    drop_dead_connections()

    assert WhatsAppNotification.objects.count() == 1
