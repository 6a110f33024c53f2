"""Deleting what is old: what goes, what stays, how long a run lasts, and what a killed one leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from tests import rows
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, change, post, post_in
from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppAttempt,
    WhatsAppBulk,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppRetryBatch,
    WhatsAppSubject,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.services import cleanup, deletion, receipts
from whatsapp_monitoring_app.services.cleanup import Pace

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
LATER = NOW + 90 * DAY + SECOND

KEPT = [Status.PENDING, Status.SENDING, Status.RETRY_SCHEDULED, Status.UNCONFIRMED]
NOTHING = {**dict.fromkeys([old.name for old in cleanup.everything_old(NOW, NOW)], 0), "files": 0}


def clean(at: datetime = LATER, pace: Pace | None = None) -> dict[str, int]:
    return cleanup.delete_old(at, keep=90 * DAY, keep_payloads=7 * DAY, pace=pace)


def old_messages(number: int) -> list[WhatsAppNotification]:
    """Messages that were sent and read, with an attempt and a receipt each."""
    made = []
    for n in range(number):
        made.append(attempt(post(), Provider(accepted(f"wamid.{n}"))))
        receive("read", f"wamid.{n}")
    return made


def receive(word: str, message_id: str, at: datetime = NOW) -> None:
    receipts.take("cloud_api", ReceiptEvent(message_id, Kind(word), word, occurred_at=at), at)


@contextmanager
def another_connection() -> Iterator["psycopg.Connection[Any]"]:
    """Somebody else who works on the same database, and who gives up what they hold at the end."""
    settings = connection.get_connection_params()
    wanted = ("dbname", "host", "port", "user", "password")
    with psycopg.connect(**{name: settings[name] for name in wanted if name in settings}) as other:
        yield other
        other.rollback()


@pytest.mark.parametrize("status", Status)
def test_only_what_is_finished_is_deleted_when_it_is_old(status: Status):
    notification = post_in(status)
    assert clean(NOW + 90 * DAY) == NOTHING
    deleted = clean()["notifications"]
    assert deleted == (status not in KEPT)
    assert WhatsAppNotification.objects.filter(pk=notification.pk).exists() == (status in KEPT)


def test_attempts_and_receipts_go_with_their_notification_in_batches():
    old_messages(5)
    young = attempt(post(at=NOW + DAY), Provider(accepted("wamid.young")), NOW + DAY)
    receive("read", "wamid.young", NOW + DAY)
    receive("read", "wamid.stranger")
    receive("read", "wamid.young stranger", NOW + DAY)
    WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{}", received_at=NOW)
    WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{}", received_at=NOW + 84 * DAY)
    for moment in (NOW, NOW + DAY):
        WhatsAppInbound.objects.create(
            provider="cloud_api", provider_message_id=f"in.{moment:%d}", occurred_at=moment, received_at=moment
        )
        WhatsAppBulk.objects.create(source_app="agent_mali", user_ids=[], created_at=moment, finished_at=moment)
    WhatsAppBulk.objects.create(source_app="agent_mali", user_ids=[], created_at=NOW)

    one_each = {"receipts": 1, "inbound": 1, "bulks": 1, "payloads": 1}
    assert clean(pace=Pace(largest_batch=2)) == {**NOTHING, "notifications": 5, **one_each}
    assert [row.pk for row in WhatsAppNotification.objects.all()] == [young.pk]
    assert [row.notification_id for row in WhatsAppAttempt.objects.all()] == [young.pk]
    assert {row.provider_message_id for row in WhatsAppReceipt.objects.all()} == {
        "wamid.young",
        "wamid.young stranger",
    }
    assert (WhatsAppInbound.objects.count(), WhatsAppBulk.objects.count()) == (1, 2)
    assert clean() == NOTHING


def test_every_table_that_hangs_on_a_notification_goes_with_it(make_user: Callable[..., User]):
    old = attempt(post(user=make_user(), subject="colis:TS1", fact_rank=1), Provider(accepted("wamid.old")))
    receive("read", "wamid.old")
    change(post_in(Status.FAILED), created_at=NOW + DAY, resent_as=old)
    announced = rows.announcement("agent_mali", [old], created_at=NOW + DAY)
    batch = rows.retry_batch("agent_mali", [old])
    children = deletion.children_of(WhatsAppNotification)
    without = {c.model.__name__ for c in children if not c.model._base_manager.filter(**{c.field.name: old}).exists()}
    assert without == set(), "a new table hangs on notifications: give it a row here, and see that it goes"

    assert clean() == {**NOTHING, "notifications": 1}

    for model in {child.model for child in children} - {WhatsAppNotification}:
        assert not model._base_manager.exists(), model
    assert WhatsAppNotification.objects.get().resent_as is None
    assert set(WhatsAppAnnouncement.objects.all()) == {announced}
    assert set(WhatsAppRetryBatch.objects.all()) == {batch}


def test_an_announcement_goes_with_its_addressees_before_their_messages(make_user: Callable[..., User]):
    told = post_in(Status.UNCONFIRMED, user=make_user())
    rows.announcement("agent_mali", [told], created_at=NOW)
    assert clean() == {**NOTHING, "announcements": 1}
    assert not WhatsAppAddressee.objects.exists()
    assert WhatsAppNotification.objects.get() == told


def test_whatever_refers_to_what_is_deleted_is_known_and_found_by_an_index():
    models = {old.rows.model for old in cleanup.everything_old(NOW, NOW)}
    fields = [child.field for model in models for child in deletion.children_of(model)]
    assert {field.model for field in fields} >= {WhatsAppAttempt, WhatsAppReceipt, WhatsAppSubject}
    for field in fields:
        assert field.column in columns_that_begin_an_index(field.model._meta.db_table), field


@pytest.mark.parametrize("name", ["notifications", "inbound", "calls", "payloads"])
def test_the_oldest_of_what_there_may_be_millions_of_are_found_by_an_index(name: str):
    (old,) = [old for old in cleanup.everything_old(NOW, NOW) if old.name == name]
    assert old.moment in columns_that_begin_an_index(old.rows.model._meta.db_table)


def columns_that_begin_an_index(table: str) -> set[str]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    # A unique constraint is an index too.
    return {
        each["columns"][0] for each in constraints.values() if (each["index"] or each["unique"]) and each["columns"]
    }


@pytest.mark.django_db(transaction=True)
def test_what_somebody_holds_is_left_to_the_next_run():
    held, child_held, *others = old_messages(5)
    with another_connection() as other:
        other.execute(
            "SELECT 1 FROM whatsapp_monitoring_app_whatsappnotification WHERE code = %s FOR UPDATE", [held.pk]
        )
        other.execute(
            "SELECT 1 FROM whatsapp_monitoring_app_whatsappattempt WHERE notification_id = %s FOR UPDATE",
            [child_held.pk],
        )
        assert clean(pace=Pace(largest_batch=1))["notifications"] == len(others)
    assert set(WhatsAppNotification.objects.values_list("pk", flat=True)) == {held.pk, child_held.pk}
    assert WhatsAppAttempt.objects.count() == WhatsAppReceipt.objects.count() == 2
    assert clean()["notifications"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_second_run_does_nothing_while_the_first_is_at_work():
    old_messages(1)
    with another_connection() as other:
        other.execute(f"SELECT pg_advisory_lock({cleanup.LOCK})")
        assert clean() == NOTHING
        other.execute(f"SELECT pg_advisory_unlock({cleanup.LOCK})")
    assert clean()["notifications"] == 1


class Clock:
    """A second passes whenever it is asked; what is slept passes too."""

    def __init__(self) -> None:
        self.seconds = count()
        self.slept: list[float] = []

    def __call__(self) -> float:
        return next(self.seconds) + sum(self.slept)


def paced(seconds: float, **more: Any) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(now=clock, sleep=clock.slept.append, seconds=seconds, **more), clock


def test_a_run_ends_when_its_time_is_over_and_the_next_one_goes_on():
    for n in range(6):
        change(post_in(Status.SENT), created_at=NOW + n * SECOND)
    oldest = list(WhatsAppNotification.objects.order_by("created_at").values_list("pk", flat=True))
    # Four looks at the clock before the first notification goes, and two in between with the rest.
    pace, _clock = paced(12, largest_batch=1)
    deleted = clean(NOW + 91 * DAY, pace)["notifications"]
    assert 0 < deleted < 6
    assert pace.is_over
    assert set(WhatsAppNotification.objects.values_list("pk", flat=True)) == set(oldest[deleted:])

    pace, _clock = paced(1000, largest_batch=1)
    assert clean(NOW + 91 * DAY, pace)["notifications"] == 6 - deleted
    assert not pace.is_over


def test_a_run_rests_after_each_batch_for_four_times_as_long_as_it_took():
    old_messages(3)
    pace, clock = paced(1000, largest_batch=1)
    clean(pace=pace)
    assert len(clock.slept) >= 3
    assert set(clock.slept) == {4.0}
    assert pace.worked == sum(clock.slept) / 4


@pytest.mark.parametrize(
    ("took", "next_size"),
    [(0.2, 200), (0.021, 200), (0.015, 400), (0.005, 601)],
    ids=["far too long", "too long", "right", "short"],
)
def test_batches_become_as_large_as_their_time_allows(took: float, next_size: int):
    assert Pace().next_size(400, took, smallest=100) == next_size


def test_batches_are_never_smaller_or_larger_than_is_useful():
    assert Pace().next_size(150, 9, smallest=100) == 100
    assert Pace().next_size(1, 9, smallest=1) == 1
    assert Pace().next_size(cleanup.LARGEST_BATCH, 0.001, smallest=1) == cleanup.LARGEST_BATCH


def test_a_run_rings_for_the_next_one_while_there_may_be_more(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    change(post_in(Status.SENT), created_at=timezone.now() - 91 * DAY)
    monkeypatch.setattr(cleanup, "Pace", partial(Pace, seconds=0))
    assert tasks.cleanup_old_whatsapp_attempts() == NOTHING
    eventually(lambda: not WhatsAppNotification.objects.exists(), "a worker has made the next run")


def test_each_run_says_in_one_line_what_it_did(caplog: pytest.LogCaptureFixture):
    post_in(Status.SENT)
    WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{}", received_at=NOW)
    with caplog.at_level("INFO", logger=cleanup.__name__):
        clean(pace=paced(1000)[0])
    (line,) = caplog.messages
    assert "deleted 1 notifications, 1 payloads in" in line


DELETING_SLOWLY = """
import django
django.setup()
from datetime import datetime, timedelta
from whatsapp_monitoring_app.services import cleanup
day = timedelta(days=1)
pace = cleanup.Pace(largest_batch=1)
cleanup.delete_old(datetime.fromisoformat("{at}"), keep=90 * day, keep_payloads=7 * day, pace=pace)
"""


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_killed_leaves_whole_messages_and_the_next_one_finishes():
    copies_of(old_messages(1)[0], 3_000)
    run = subprocess.Popen(
        [sys.executable, "-c", DELETING_SLOWLY.format(at=LATER.isoformat())], cwd=ROOT, env=child_environment()
    )
    try:
        eventually(lambda: WhatsAppNotification.objects.count() < 2_990, "some are deleted")
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    eventually(lambda: not is_somebody_at_work(), "PostgreSQL notices that the run is dead")

    left = WhatsAppNotification.objects.count()
    assert 0 < left < 3_001
    assert not WhatsAppNotification.objects.filter(attempts=None).exists()
    assert not WhatsAppNotification.objects.filter(receipts=None).exists()
    assert WhatsAppAttempt.objects.count() == WhatsAppReceipt.objects.count() == left
    assert clean()["notifications"] == left
    assert not WhatsAppAttempt.objects.exists()
    assert not WhatsAppReceipt.objects.exists()


def copies_of(notification: WhatsAppNotification, number: int) -> None:
    """So many more like this one, each with its attempt and its receipt."""
    numbers = range(number)
    made = [copy(notification, code=uuid4(), provider_message_id=f"copy.{n}") for n in numbers]
    WhatsAppNotification.objects.bulk_create(made)
    attempted, received = notification.attempts.get(), notification.receipts.get()
    WhatsAppAttempt.objects.bulk_create(copy(attempted, id=None, notification=each) for each in made)
    WhatsAppReceipt.objects.bulk_create(
        copy(received, id=None, notification=made[n], provider_message_id=f"copy.{n}") for n in numbers
    )


def copy(row: Any, **changes: Any) -> Any:
    fields = {field.name: getattr(row, field.name) for field in row._meta.concrete_fields}
    return type(row)(**{**fields, **changes})


def is_somebody_at_work() -> bool:
    with another_connection() as other:
        found = other.execute(f"SELECT pg_try_advisory_lock({cleanup.LOCK})").fetchone()
        return not (found and found[0])
