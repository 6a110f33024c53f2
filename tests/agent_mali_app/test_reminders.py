"""Reminders of what waits in Mali: at most one a day for each client, and none once it is fetched."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from agent_chine_app.models import Client, Colis
from agent_mali_app import arrivals, reminders, tasks
from tests.agent_mali_app import freight
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _days(settings: Any) -> None:
    settings.STORAGE_REMINDER_AFTER_DAYS, settings.STORAGE_REMINDER_EVERY_DAYS = 5, 3


def days(count: float) -> timedelta:
    return timedelta(days=count)


def text_of_the_last() -> str:
    return WhatsAppNotification.objects.order_by("created_at").last().message_content  # type: ignore[union-attr]


def test_the_first_reminder_leaves_after_five_days_and_the_next_every_three():
    freight.stored(freight.client(), NOON)

    reminded_on = [day for day in range(15) if reminders.remind(NOON + days(day))]

    assert reminded_on == [5, 8, 11, 14]


def test_a_reminder_does_not_leave_later_in_the_day_each_time():
    freight.stored(freight.client(), NOON)
    assert reminders.remind(NOON + days(5)) == 1

    assert reminders.remind(NOON + days(8) - timedelta(hours=3)) == 1


@pytest.mark.parametrize("hour", [8, 12, 18])
def test_days_are_those_of_bamako_whenever_the_parcel_arrived(hour: int):
    freight.stored(freight.client(), NOON.replace(hour=hour, minute=59))

    assert reminders.remind(NOON.replace(hour=18) + days(4)) == 0
    assert reminders.remind(NOON.replace(hour=8) + days(5)) == 1


def test_a_reminder_names_all_that_waits_for_the_client_and_nothing_else():
    client = freight.client()
    waiting = [freight.stored(client, NOON), freight.stored(client, NOON + days(4), status=Colis.Status.READY)]
    others = [
        Colis.objects.create(client=client, status=Colis.Status.SHIPPED),
        Colis.objects.create(client=client, status=Colis.Status.LOST),
        freight.stored(freight.client(1), NOON + days(4)),
    ]

    assert reminders.remind(NOON + days(5)) == 1
    text = text_of_the_last()
    assert all(one.numero_suivi in text for one in waiting)
    assert not any(one.numero_suivi in text for one in others)


def test_a_client_is_reminded_once_a_day_whatever_becomes_due():
    client = freight.client()
    freight.stored(client, NOON)
    assert reminders.remind(NOON + days(5)) == 1
    freight.stored(client, NOON - days(1))

    assert reminders.remind(NOON + days(5) + timedelta(hours=1)) == 0
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_moment_remind_each_client_once():
    for number in range(3):
        freight.stored(freight.client(number), NOON)

    assert sum(freight.at_once(4, lambda _number: reminders.remind(NOON + days(5)))) == 3
    assert WhatsAppNotification.objects.count() == 3


def test_who_has_fetched_everything_is_reminded_no_more():
    client = freight.client()
    colis = freight.stored(client, NOON)
    assert reminders.remind(NOON + days(5)) == 1
    owed = WhatsAppNotification.objects.get()
    arrivals.hand_over(client, [colis.pk], "Awa", uuid.uuid4(), freight.agent(), NOON + days(6))

    assert reminders.remind(NOON + days(8)) == 0
    owed.refresh_from_db()
    assert (owed.status, owed.cancel_reason) == (Status.CANCELLED, CancelReason.SUPERSEDED)


def refuse(client: Client) -> None:
    WhatsAppOptOut.objects.create(phone_number=client.user.telephone, reason="STOP", created_at=NOON)


def mute(client: Client) -> None:
    WhatsAppMute.objects.create(user=client.user, message_type="reminder")


def misdial(client: Client) -> None:
    WhatsAppWrongNumber.objects.create(phone_number=client.user.telephone, created_at=NOON)


@pytest.mark.parametrize("act", [refuse, mute, misdial])
def test_who_does_without_reminders_gets_none(act: Any):
    unwilling, willing = freight.client(0), freight.client(1)
    act(unwilling)
    for client in (unwilling, willing):
        freight.stored(client, NOON)

    reminders.remind(NOON + days(5))

    waiting = WhatsAppNotification.objects.exclude(status=Status.CANCELLED)
    assert [owed.user for owed in waiting] == [willing.user]
    assert set(reminders.next_days([unwilling.pk, willing.pk], NOON + days(5))) == {willing.pk}


def test_the_next_reminder_is_that_of_the_parcel_that_is_due_first():
    client = freight.client()
    freight.stored(client, NOON)
    freight.stored(client, NOON + days(2))

    def next_day(at: datetime) -> Any:
        return reminders.next_days([client.pk], at).get(client.pk)

    assert next_day(NOON) == (NOON + days(5)).date()
    assert next_day(NOON + days(6)) == (NOON + days(6)).date()
    reminders.remind(NOON + days(6))
    assert next_day(NOON + days(6)) == (NOON + days(9)).date()
    assert reminders.next_days([freight.client(1).pk], NOON) == {}


def test_reminders_that_were_sent_are_counted_for_each_parcel():
    client = freight.client()
    first = freight.stored(client, NOON)
    reminders.remind(NOON + days(5))
    second = freight.stored(client, NOON + days(6))
    reminders.remind(NOON + days(8))

    assert reminders.counts([first, second]) == {first.subject: 2, second.subject: 1}
    WhatsAppNotification.objects.update(status=Status.CANCELLED, cancel_reason="opt_out", next_attempt_at=None)
    assert reminders.counts([first, second]) == {}


def test_the_beat_reminds_by_day():
    freight.stored(freight.client(), timezone.now() - days(6))
    entry: dict[str, Any] = settings.CELERY_BEAT_SCHEDULE["remind-of-stored-parcels-hourly"]

    assert entry["task"] == tasks.remind_of_stored_parcels.name
    assert min(entry["schedule"].hour) >= 8
    assert max(entry["schedule"].hour) < 20
    assert tasks.remind_of_stored_parcels() == 1
    assert tasks.remind_of_stored_parcels() == 0
