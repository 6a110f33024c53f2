"""A bulk message becomes one notification per person: each once, whoever dies, sleeps or runs twice."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts.models import User
from tests.stack import ROOT, child_environment
from tests.whatsapp_monitoring_app.crowds import bulk_for, expand, people, unreachable
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, at_once
from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import Status, WhatsAppBulk, WhatsAppNotification, WhatsAppOptOut, WhatsAppSender
from whatsapp_monitoring_app.services import bulks, outbox, recovery

pytestmark = pytest.mark.django_db

AFTER_THE_LEASE = NOW + bulks.LEASE + timedelta(seconds=1)


class Died(Exception):
    """The worker's process ended."""


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulks, "CHUNK", 2)


def die(*_args: object, **_marks: object) -> None:
    raise Died


def told() -> list[User | None]:
    return [notification.user for notification in WhatsAppNotification.objects.select_related("user")]


def assert_each_is_told_once(users: list[User], bulk: WhatsAppBulk):
    assert sorted(user.pk for user in told() if user) == sorted(user.pk for user in users)
    bulk.refresh_from_db()
    assert (bulk.finished_at is not None, bulk.claimed_until) == (True, None)


@pytest.mark.usefixtures("by_twos")
def test_a_run_after_one_that_died_between_two_chunks_goes_on(make_user: Callable[..., User]):
    users = people(make_user, 5)
    bulk = bulk_for(users)
    with pytest.raises(Died):
        expand(bulk, ring=die)
    assert set(told()) == set(users[:2])

    assert recovery.lost_bulks(NOW + bulks.LEASE) == []  # it may be alive
    assert expand(bulk, NOW + bulks.LEASE) == set()
    assert recovery.lost_bulks(AFTER_THE_LEASE) == [bulk.pk]
    assert expand(bulk, AFTER_THE_LEASE) == set(users[2:])
    assert_each_is_told_once(users, bulk)
    assert recovery.lost_bulks(AFTER_THE_LEASE + timedelta(days=1)) == []
    assert expand(bulk, AFTER_THE_LEASE) == set()


def test_a_database_that_goes_away_stops_the_run_and_refuses_nobody(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulks, "CHUNK", 2)
    users = people(make_user, 5)
    bulk = bulk_for(users)
    post_all = outbox.post_all

    def lose_it_in_the_second_chunk(drafts: Any, at: Any, **marks: Any) -> outbox.Posted:
        posted = post_all(drafts, at, **marks)
        if users[3] in [draft.user for draft in drafts]:
            raise OperationalError("the connection is gone")
        return posted

    monkeypatch.setattr(outbox, "post_all", lose_it_in_the_second_chunk)
    with pytest.raises(OperationalError):
        expand(bulk)
    assert set(told()) == set(users[:2])
    bulk.refresh_from_db()
    assert (bulk.refusals, bulk.finished_at) == ({}, None)

    monkeypatch.undo()
    expand(bulk, AFTER_THE_LEASE)
    assert_each_is_told_once(users, bulk)


DIE_WHILE_WRITING_THE_SECOND_CHUNK = """
import django; django.setup()
import os, signal, sys, uuid
from whatsapp_monitoring_app.services import bulks, outbox
write, writes = outbox.post_all, []
def write_and_die(drafts, at, **marks):
    writes.append(write(drafts, at, **marks))
    if len(writes) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return writes[-1]
bulks.CHUNK, outbox.post_all = 2, write_and_die
bulks.expand(uuid.UUID(sys.argv[1]), ring=list)
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_while_it_writes_a_chunk_leaves_nothing_of_it(make_user: Callable[..., User]):
    users = people(make_user, 5)
    bulk = bulk_for(users)
    environment = child_environment(DJANGO_SETTINGS_MODULE="ts_air_cargo.settings")
    command = [sys.executable, "-c", DIE_WHILE_WRITING_THE_SECOND_CHUNK, str(bulk.pk)]
    killed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert set(told()) == set(users[:2])
    now = timezone.now()
    assert expand(bulk, now) == set()  # for all anybody knows, it is alive
    assert expand(bulk, now + bulks.LEASE + timedelta(seconds=1)) == set(users[2:])
    assert_each_is_told_once(users, bulk)


@pytest.mark.django_db(transaction=True)
def test_of_several_runs_at_once_one_works(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulks, "CHUNK", 5)
    users = people(make_user, 40)
    bulk = bulk_for(users)

    counts = at_once(*[partial(bulks.expand, bulk.pk, ring=list)] * 4)

    assert sorted(counts) == [0, 0, 0, 40]
    assert_each_is_told_once(users, bulk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("by_twos")
def test_a_run_that_slept_through_its_lease_stops_when_another_one_has_gone_on(make_user: Callable[..., User]):
    users = people(make_user, 6)
    bulk = bulk_for(users)
    others: list[int] = []

    def sleep_until_another_run_is_over(_first: object) -> None:
        run = partial(bulks.expand, bulk.pk, ring=list, now=lambda: AFTER_THE_LEASE)
        other = threading.Thread(target=lambda: others.extend(at_once(run)))
        other.start()
        other.join()

    assert bulks.expand(bulk.pk, ring=sleep_until_another_run_is_over, now=lambda: NOW) == 2
    assert others == [4]
    assert_each_is_told_once(users, bulk)
    assert bulk.finished_at == AFTER_THE_LEASE


@pytest.mark.usefixtures("by_twos")
def test_each_chunk_extends_the_lease(make_user: Callable[..., User]):
    bulk = bulk_for(people(make_user, 6))
    moments = iter([NOW + minutes * bulks.LEASE * 0.9 for minutes in range(5)])
    leases = []
    bulks.expand(bulk.pk, ring=lambda _: leases.append(WhatsAppBulk.objects.get().claimed_until), now=moments.__next__)

    assert leases == [NOW + (1 + 0.9 * chunk) * bulks.LEASE for chunk in (1, 2, 3)]


def test_a_bulk_that_does_not_exist_is_nobodys():
    assert bulks.expand(WhatsAppBulk().pk, ring=die) == 0


@pytest.mark.usefixtures("by_twos")
def test_people_who_cannot_be_told_are_named_and_do_not_stop_the_others(make_user: Callable[..., User]):
    gone, unreached, *others = people(make_user, 1) + [unreachable(make_user)] + people(make_user, 3)
    bulk = bulk_for([others[0], gone, unreached, *others[1:]])
    gone_pk = gone.pk
    gone.delete()

    assert expand(bulk) == set(others)
    assert set(bulk.refusals) == {str(gone_pk), str(unreached.pk)}
    assert "+999" in bulk.refusals[str(unreached.pk)]


@pytest.mark.usefixtures("by_twos")
def test_refusals_of_a_run_that_died_stay_unless_they_are_cured(make_user: Callable[..., User]):
    cured, sick, first = unreachable(make_user), unreachable(make_user, "+997"), make_user()
    bulk = bulk_for([cured, sick, first, *people(make_user, 3)])
    with pytest.raises(Died):
        expand(bulk, ring=die)
    bulk.refresh_from_db()
    assert set(bulk.refusals) == {str(cured.pk), str(sick.pk)}

    User.objects.filter(pk=cured.pk).update(telephone=NUMBER)
    # Who has been told stays told, whatever becomes of the account.
    User.objects.filter(pk=first.pk).update(telephone="+998")
    assert cured in expand(bulk, AFTER_THE_LEASE)
    assert set(bulk.refusals) == {str(sick.pk)}


@pytest.mark.django_db(transaction=True)
def test_an_account_that_goes_while_its_chunk_is_written_does_not_stop_the_others(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    users = people(make_user, 7)
    bulk = bulk_for(users)
    gone, post_all = users[4], outbox.post_all
    pk = gone.pk

    def while_somebody_goes(drafts: Any, at: Any, **marks: Any) -> outbox.Posted:
        # Over a connection of its own, hence committed before the chunk: its foreign key then points nowhere.
        at_once(User.objects.filter(pk=pk).delete)
        return post_all(drafts, at, **marks)

    monkeypatch.setattr(outbox, "post_all", while_somebody_goes)
    assert expand(bulk) == {user for user in users if user != gone}
    assert list(bulk.refusals) == [str(pk)]


@pytest.mark.parametrize("error", [DataError("too long"), RuntimeError("a bug")], ids=repr)
def test_somebody_who_breaks_a_chunk_is_put_aside(
    error: Exception, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    users = people(make_user, 9)
    bulk = bulk_for(users)
    post_all, odd = outbox.post_all, users[5]

    def refuse_one(drafts: Any, at: Any, **marks: Any) -> outbox.Posted:
        posted = post_all(drafts, at, **marks)
        if odd in [draft.user for draft in drafts]:
            raise error
        return posted

    monkeypatch.setattr(outbox, "post_all", refuse_one)
    assert expand(bulk) == {user for user in users if user != odd}
    assert list(bulk.refusals) == [str(odd.pk)]
    assert bulk.finished_at == NOW
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error]


def test_what_is_wrong_with_everybody_stops_the_run_and_the_next_one_tells_them_all(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulks, "BROKEN_FROM_THE_START", 3)
    users = people(make_user, 9)
    bulk = bulk_for(users)
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "post_all", die)
        with pytest.raises(Died):
            expand(bulk)
    bulk.refresh_from_db()
    assert (len(bulk.refusals), bulk.finished_at) == (2, None)

    assert expand(bulk, at=AFTER_THE_LEASE) == set(users)
    assert bulk.refusals == {}


def test_a_bulk_for_nobody_is_finished_at_once():
    bulk = bulk_for([])
    assert expand(bulk, ring=die) == set()
    assert (bulk.finished_at, bulk.refusals) == (NOW, {})


def test_a_chunk_takes_as_many_queries_for_many_as_for_one(make_user: Callable[..., User]):
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    counts = []
    for users in ([make_user(NUMBER)], people(make_user, 20)):
        bulk = bulk_for(users)
        with CaptureQueriesContext(connection) as queries:
            bulks.expand(bulk.pk, ring=list, now=lambda: NOW)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.usefixtures("by_twos")
def test_what_is_written_is_counted_with_each_chunk_and_not_again_by_the_next_run(make_user: Callable[..., User]):
    users = [*people(make_user, 3), unreachable(make_user), *people(make_user, 3)]
    bulk, counts = bulk_for(users), []

    def count_then_die(_first: object) -> None:
        bulk.refresh_from_db()
        counts.append((bulk.written_count, bulk.refused_count))
        if len(counts) == 2:
            raise Died

    with pytest.raises(Died):
        expand(bulk, ring=count_then_die)
    assert counts == [(2, 0), (3, 1)]
    assert (bulk.people_count, bulk.handled_count) == (7, 4)

    expand(bulk, AFTER_THE_LEASE)
    assert (bulk.written_count, bulk.refused_count, bulk.handled_count) == (6, 1, 7)


def test_the_notifications_of_a_bulk_message_are_found_from_it(make_user: Callable[..., User]):
    bulk, _other = bulk_for(people(make_user, 3)), expand(bulk_for(people(make_user, 2)))
    expand(bulk)
    assert bulk.notifications.count() == 3
    assert WhatsAppNotification.objects.filter(bulk=None).count() == 0


def test_people_who_are_given_as_a_query_are_not_read_when_they_are_noted(make_user: Callable[..., User]):
    users = people(make_user, 3)
    with CaptureQueriesContext(connection) as asked:
        bulk = bulk_for(User.objects.order_by("-pk"))

    assert bulk.user_ids == [user.pk for user in reversed(users)]
    assert not any("telephone" in query["sql"] for query in asked)


@pytest.mark.usefixtures("by_twos")
def test_people_are_read_a_chunk_at_a_time(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch):
    sizes, post_all = [], outbox.post_all

    def note_the_size(drafts: Any, at: Any, **marks: Any) -> outbox.Posted:
        sizes.append(len(drafts))
        return post_all(drafts, at, **marks)

    monkeypatch.setattr(outbox, "post_all", note_the_size)
    expand(bulk_for(people(make_user, 7)))
    assert sizes == [2, 2, 2, 1]


def test_several_hundred_people_are_told_by_few_statements(make_user: Callable[..., User]):
    bulk = bulk_for(
        User.objects.bulk_create(User(telephone=f"+2237{number:07}", password="!") for number in range(600))
    )
    with CaptureQueriesContext(connection) as queries:
        assert len(expand(bulk)) == 600
    assert len(queries) < 25


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """For what a worker is rung, and by which queue, while the broker is there."""
    seen: list[tuple[str, str]] = []

    def note_one(args: tuple[str], queue: str, task_id: str) -> None:
        assert args == (task_id,)
        seen.append((task_id, queue))

    def note_together(args: tuple[list[str]], queue: str) -> None:
        seen.extend((code, queue) for code in args[0])

    monkeypatch.setattr(tasks.send_whatsapp_notification_async, "apply_async", note_one)
    monkeypatch.setattr(tasks.send_whatsapp_notifications_together, "apply_async", note_together)
    return seen


@pytest.mark.usefixtures("by_twos")
def test_the_first_are_rung_for_at_once_and_the_sweep_finds_the_others(
    rung: list[tuple[str, str]], make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulks, "RUNG_AT_ONCE", 3)
    WhatsAppSender.objects.update(rate_per_second=0.01)
    users = people(make_user, 8)
    WhatsAppOptOut.objects.create(phone_number=users[0].telephone, reason="STOP", created_at=NOW)
    assert tasks.send_bulk_whatsapp_notifications(str(bulk_for(users).pk)) == 8

    first = {str(row.pk) for row in WhatsAppNotification.objects.filter(user__in=users[1:4])}
    rest = {row.pk for row in WhatsAppNotification.objects.filter(user__in=users[4:])}
    assert {code for code, _queue in rung} == first
    assert {queue for _code, queue in rung} == {"whatsapp_bulk"}
    assert {str(row.pk) for row in WhatsAppNotification.objects.exclude(rung_at=None)} == first
    assert {bell.code for bell in recovery.to_ring(timezone.now())} == rest


def test_a_broker_that_is_away_is_asked_once_and_loses_nothing(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def be_away(**options: Any) -> None:
        asked.append(options)
        raise BrokerAway("no broker")

    monkeypatch.setattr(tasks.send_whatsapp_notifications_together, "apply_async", be_away)
    assert tasks.send_bulk_whatsapp_notifications(str(bulk_for(people(make_user, 5)).pk)) == 5
    assert len(asked) == 1
    later = timezone.now() + recovery.PATIENCE + timedelta(seconds=1)
    assert len(recovery.to_ring(later)) == 5
    assert {row.status for row in WhatsAppNotification.objects.all()} == {Status.PENDING}
