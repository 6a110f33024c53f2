"""The ledger of counts says what counting every row would say, at any moment, whatever happened before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from tests import rows
from tests.whatsapp_monitoring_app import brute_force
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post,
    post_in,
    refused,
)
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    InformedHow,
    Status,
    WhatsAppNotification,
    WhatsAppTally,
    WhatsAppTallyChange,
    WhatsAppTimeTally,
)
from whatsapp_monitoring_app.models.notification_queries import is_tardy
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.services import (
    cancellation,
    cleanup,
    corrections,
    decisions,
    drafts,
    outbox,
    receipts,
    recovery,
    retries,
    tallies,
    trends,
)

ADMIN, AGENT = scopes.get("admin_mali"), scopes.get("agent_mali")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
ZONES = ("Africa/Bamako", "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
ANSWERS: dict[str, Callable[[], Any]] = {
    "accepted": lambda: accepted(f"wamid.{uuid4()}"),
    "refused": lambda: refused(131026),
    "throttled": lambda: refused(131056),
    "busy": lambda: refused(131000, 500),
    "lost": lambda: requests.ReadTimeout(),
}
WORDS = {"sent": Kind.SENT, "delivered": Kind.DELIVERED, "read": Kind.READ, "failed": Kind.FAILED}


def assert_right(purged: list[WhatsAppNotification] | None = None) -> None:
    assert brute_force.said() == brute_force.counted(purged or [])


@dataclass
class History:
    """What happens to some messages, one thing after the other, through the doors that everybody uses."""

    person: User
    at: datetime = NOW
    purged: list[WhatsAppNotification] = field(default_factory=list)

    def one(self, choice: int) -> WhatsAppNotification | None:
        found = list(WhatsAppNotification.objects.order_by("created_at", "code"))
        return found[choice % len(found)] if found else None

    def post(self, choice: int) -> None:
        held = {"not_before": self.at + choice * HOUR} if choice % 3 == 0 else {}
        office = ("agent_mali", "agent_chine")[choice % 2]
        post(self.at, source_app=office, message_type=("expedition", "payment")[choice % 2], **held)

    def post_many(self, choice: int) -> None:
        number = choice % 5
        draft = drafts.Draft(message_content="Fermé", source_app="agent_mali", phone_number=f"+2237611000{number}")
        outbox.post_all([draft] * (1 + number), self.at)

    def send(self, choice: int) -> None:
        if one := self.one(choice):
            attempt(one, Provider(list(ANSWERS.values())[choice % len(ANSWERS)]()), self.at)

    def accept(self, choice: int) -> None:
        if one := self.one(choice):
            attempt(one, Provider(accepted(f"wamid.{uuid4()}")), self.at)

    def hear(self, choice: int) -> None:
        one = self.one(choice)
        if one and one.provider_message_id:
            word = list(WORDS)[choice % len(WORDS)]
            receipts.take("cloud_api", ReceiptEvent(one.provider_message_id, WORDS[word], word, self.at), self.at)

    def retry(self, choice: int) -> None:
        retries.retry_each(WhatsAppNotification.objects.failed(), self.person, self.at)

    def cancel(self, choice: int) -> None:
        if one := self.one(choice):
            cancellation.cancel(WhatsAppNotification.objects.filter(pk=one.pk), CancelReason.PERSON, self.at)

    def decide(self, choice: int) -> None:
        one = self.one(choice)
        if one and one.status == Status.UNCONFIRMED:
            (decisions.confirm_arrival if choice % 2 else decisions.give_up)(one, self.person, self.at)

    def inform(self, choice: int) -> None:
        if one := self.one(choice):
            change(one, informed_at=self.at, informed_by=self.person, informed_how=InformedHow.PHONE)

    def correct(self, choice: int) -> None:
        corrections.say_again(WhatsAppNotification.objects.failed().filter(resent_as=None), self.at)

    def forget_person(self, choice: int) -> None:
        """What they settled is settled by nobody from then on."""
        self.person.delete()
        self.person = User.objects.create_user(f"+2237{70_000_00 + choice % 100_000:07}")

    def recover(self, choice: int) -> None:
        recovery.run(self.at)

    def purge(self, choice: int) -> None:
        keep = choice % 30 * HOUR
        old = list(WhatsAppNotification.objects.finished_before(self.at - keep))
        cleanup.delete_old(self.at, keep, keep)
        self.purged += old

    def fold(self, choice: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT whatsapp_fold(%s)", [1 + choice % 5])

    def fold_all(self, choice: int) -> None:
        tallies.fold()

    def wait(self, choice: int) -> None:
        self.at += (9 * SECOND, 11 * SECOND, 20 * timedelta(minutes=1), 50 * timedelta(minutes=1), 7 * HOUR)[
            choice % 5
        ]


DEEDS = [name for name in vars(History) if not name.startswith("_") and name not in ("one", "at")]
STEPS = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 30)), min_size=1, max_size=18)
FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@contextmanager
def a_world_that_ends() -> Iterator[History]:
    with transaction.atomic():
        yield History(User.objects.create_user("+22375000000"))
        transaction.set_rollback(True)


@pytest.mark.django_db
@FIXED
@given(STEPS)
def test_it_is_right_after_each_step_of_any_history(steps: list[tuple[str, int]]):
    with a_world_that_ends() as history:
        for deed, choice in [("post", 1), ("post_many", 4), ("accept", 1), *steps]:
            getattr(history, deed)(choice)
            assert_right(history.purged)
        tallies.fold()
        assert_right(history.purged)
        assert not WhatsAppTallyChange.objects.exists()


@pytest.mark.django_db
@FIXED
@given(STEPS, st.sampled_from(ZONES), st.sampled_from(sorted(trends.PERIODS)))
def test_the_figures_are_those_of_the_list_by_every_clock(steps: list[tuple[str, int]], zone: str, name: str):
    with a_world_that_ends() as history, timezone.override(zone):
        for deed, choice in [("post", 1), ("post_many", 4), ("accept", 1), *steps]:
            if deed != "purge":
                getattr(history, deed)(choice)
        period = trends.period(name, history.at)
        for scope in (ADMIN, AGENT):
            visible = WhatsAppNotification.objects.visible_to(scope)
            listed = period.filters.apply(visible, history.at)
            found = trends.of(scope, period)
            assert found.whole.counts == brute_force.summary(listed)
            assert found.whole.tardy == listed.filter(is_tardy(history.at)).count()
            assert sum(point.figures.counts.total for point in found.points) == listed.count()
            assert sum(office.figures.tardy for office in found.offices) in (0, found.whole.tardy)


@pytest.mark.django_db
def test_what_is_not_counted_writes_nothing():
    one = post()
    noted = WhatsAppTallyChange.objects.count()
    change(one, rung_at=NOW, slot_at=NOW, title="Autrement")
    assert WhatsAppTallyChange.objects.count() == noted


@pytest.mark.django_db
def test_many_that_are_alike_are_one_change():
    draft = drafts.Draft(message_content="Fermé", source_app="agent_mali", phone_number="+22376110000")
    outbox.post_all([draft] * 50, NOW)
    (noted,) = WhatsAppTallyChange.objects.all()
    assert (noted.count, noted.state, noted.pace) == (50, "waiting", "untried")


@pytest.mark.django_db
def test_a_statement_that_is_undone_was_never_counted():
    with transaction.atomic():
        post()
        transaction.set_rollback(True)
    assert not WhatsAppTallyChange.objects.exists()


@pytest.mark.django_db
def test_what_comes_to_nothing_leaves_no_row():
    one = attempt(post(), Provider(accepted()))
    tallies.fold()
    assert [(tally.sender, tally.total) for tally in WhatsAppTally.objects.all()] == [(one.sender_id, 1)]
    change(one, first_attempt_at=None, sent_at=None)
    tallies.fold()
    assert not WhatsAppTimeTally.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "moments",
    [{"sent_at": NOW - DAY}, {"sent_at": NOW + 400_000 * DAY}, {"delivered_at": NOW, "held_until": NOW + DAY}],
    ids=["before it was due", "in a thousand years", "while it was held"],
)
def test_impossible_times_are_counted_too(moments: dict[str, datetime]):
    post_in(Status.DELIVERED, **moments)
    assert_right()
    tallies.fold()
    assert_right()


@pytest.mark.django_db(transaction=True)
def test_senders_do_not_wait_for_one_another():
    one, other = post(), post()

    def send_the_other() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        change(other, status=Status.CANCELLED, next_attempt_at=None)

    with transaction.atomic():
        change(one, status=Status.CANCELLED, next_attempt_at=None)
        at_once(send_the_other)
    assert_right()


@pytest.mark.django_db(transaction=True)
def test_two_folds_at_once_count_nothing_twice():
    for _ in range(30):
        post()
    at_once(*[lambda: tallies.fold()] * 4)
    assert_right()


@pytest.mark.django_db(transaction=True)
def test_it_is_counted_anew_while_others_write_and_keeps_what_was_purged():
    gone, changed, deleted = (post_in(Status.READ, created_at=NOW - days * DAY) for days in (3, 2, 1))
    purged = [WhatsAppNotification.objects.get(pk=each.pk) for each in (gone, deleted)]
    gone.delete()
    WhatsAppTally.objects.update(total=99)
    tallies.fold()
    WhatsAppTally.objects.filter(is_purged=False).update(total=99, read=7)
    seen: list[int] = []

    def write() -> None:
        if not seen:
            post()
            change(changed, status=Status.DELIVERED)
            deleted.delete()
            seen.append(tallies.fold())

    counted = tallies.rebuild(lambda day, count: (at_once(write), None)[1])

    assert (counted, seen) == (2, [0])  # as it was when it began; and nobody folds meanwhile
    assert_right(purged)
    tallies.fold()
    assert_right(purged)


@pytest.mark.django_db(transaction=True)
def test_the_command_counts_what_came_without_the_triggers():
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # as a restored table would
        rows.notification("agent_mali", Status.READ, created_at=NOW)
        rows.notification("agent_mali", Status.FAILED, created_at=NOW + 3 * DAY)
        cursor.execute("SET session_replication_role = DEFAULT")
    assert trends.of(ADMIN, trends.period("week", NOW + 3 * DAY)).whole.counts.total == 0
    said = StringIO()
    call_command("rebuild_whatsapp_statistics", stdout=said)

    assert said.getvalue().splitlines() == ["2026-10-05: 1", "2026-10-08: 1", "2 messages counted."]
    assert_right()
