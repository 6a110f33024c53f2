"""Many messages are sent again: each at most once, none is lost, whoever decides what and whatever dies."""

import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post_in,
    refused,
    snapshot,
)
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Action,
    ErrorClass,
    Status,
    Trigger,
    WhatsAppAuditEntry,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppRetryBatch,
    WhatsAppRetryItem,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import cleanup, retries, retry_batches, retry_plans, retry_progress, retry_runs
from whatsapp_monitoring_app.services.retry_batches import By, NothingToSend, Order
from whatsapp_monitoring_app.services.retry_progress import Stage
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

MALI, ADMIN = scopes.get("agent_mali"), scopes.get("admin_mali")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
State = WhatsAppRetryBatch.State


def number(index: int) -> str:
    return f"+22376{index:06}"


def failed(index: int = 0, **fields: Any) -> WhatsAppNotification:
    return post_in(
        Status.FAILED,
        **{"error_class": ErrorClass.TRANSIENT, "phone_number": number(index), "attempt_count": 1, **fields},
    )


def failures(count: int, **fields: Any) -> list[WhatsAppNotification]:
    return [failed(index, **fields) for index in range(count)]


@pytest.fixture
def by(make_user: Callable[..., User]) -> By:
    return By(MALI, make_user())


def order(by: By, **fields: Any) -> Order:
    given: dict[str, Any] = {"filters": Filters(status="to_handle"), "request_id": uuid.uuid4(), **fields}
    return Order(scope=by.scope, person=by.person, **given)


def begin(by: By, at: datetime = NOW, **fields: Any) -> WhatsAppRetryBatch:
    batch, is_new = retry_batches.create(order(by, **fields), at)
    assert is_new
    return batch


def run(batch: WhatsAppRetryBatch, at: datetime = NOW, **options: Any) -> timedelta | None:
    pause = retry_runs.run(batch.pk, ring=list, now=lambda: at, **options)
    batch.refresh_from_db()
    return pause


def queued(batch: WhatsAppRetryBatch) -> int:
    return batch.items.exclude(queued_at=None).count()


def plan(at: datetime = NOW, *confirmed: Reason) -> retry_plans.Plan:
    return retry_plans.plan(WhatsAppNotification.objects.all(), at, frozenset(confirmed))


# The plan


def test_a_plan_counts_by_cause_and_by_reason_and_writes_nothing():
    failures(3)
    failed(10, error_class=ErrorClass.EXPIRED, created_at=NOW - HOUR)
    failed(11, error_class=ErrorClass.RECIPIENT_PERMANENT)
    failed(12, created_at=NOW - 2 * DAY)
    post_in(Status.READ)
    before = snapshot(WhatsAppNotification)
    found = plan()

    assert [(cause.error_class, cause.count) for cause in found.causes] == [("transient", 3), ("expired", 1)]
    assert dict(found.excluded) == {Reason.NO_WHATSAPP: 1, Reason.STALE: 1, Reason.NOT_FAILED: 1}
    assert (found.count, found.matching, found.stale_count, found.oldest) == (4, 7, 1, NOW - HOUR)
    assert plan(NOW, Reason.STALE).count == 5
    assert retry_plans.count(WhatsAppNotification.objects.all(), NOW) == 4
    assert snapshot(WhatsAppNotification) == before


def test_a_message_counts_once_by_the_first_reason_against_it():
    WhatsAppOptOut.objects.create(phone_number=number(0), reason="STOP", created_at=NOW)
    failed(0, error_class=ErrorClass.RECIPIENT_PERMANENT, created_at=NOW - 2 * DAY)
    assert plan(NOW, Reason.STALE).excluded == [(Reason.REFUSES, 1)]


def test_a_plan_takes_as_long_as_the_slowest_account():
    WhatsAppSender.objects.filter(code="mali").update(account_id="1", token="t", rate_per_second=10)
    WhatsAppSender.objects.filter(code="chine").update(account_id="2", token="t", rate_per_second=1)
    failures(16)
    for index in range(20, 24):
        failed(index, source_app="agent_chine")
    found = plan()

    assert [(str(load.sender.code), load.count) for load in found.loads if load.sender] == [("chine", 4), ("mali", 16)]
    assert found.duration == 5 * SECOND
    WhatsAppSender.objects.filter(code="mali").update(is_active=False)
    assert {load.sender.code: load.is_stopped for load in plan().loads if load.sender} == {
        "chine": False,
        "mali": True,
    }


def test_a_plan_knows_who_sleeps(settings: Any):
    settings.WHATSAPP_QUIET_HOURS = ((NOW - HOUR).time(), (NOW + HOUR).time())
    failed(0)
    failed(1, message_type="payment")
    failed(2, phone_number="+8613800138000")
    assert plan().asleep_count == 1


# What is written down


def test_a_batch_holds_what_was_planned_and_who_decided_it(by: By):
    chosen = failures(7)
    failed(10, error_class=ErrorClass.RECIPIENT_PERMANENT)
    failed(11, source_app="agent_chine")
    batch = begin(by)

    assert (batch.source_app, batch.created_by, batch.state, batch.total) == ("agent_mali", by.person, State.CANARY, 7)
    assert {item.notification for item in batch.items.all()} == set(chosen)
    assert batch.excluded == {"no_whatsapp": 1}
    assert {item.sender for item in batch.items.all()} == {WhatsAppSender.objects.get(code="mali")}
    entry = WhatsAppAuditEntry.objects.get()
    assert (entry.action, entry.target, entry.actor) == (Action.BATCH_CREATE, str(batch.pk), by.person)
    assert WhatsAppNotification.objects.filter(status=Status.FAILED).count() == 9


def test_an_administrator_s_batch_holds_every_office_s(make_user: Callable[..., User]):
    failed(0)
    failed(1, source_app="agent_chine")
    batch = begin(By(ADMIN, make_user()))
    assert {item.notification.source_app for item in batch.items.all()} == {"agent_mali", "agent_chine"}
    assert not WhatsAppRetryBatch.objects.visible_to(MALI).exists()


def test_the_few_that_go_first_are_of_every_kind(by: By):
    failures(20)
    failed(30, error_class=ErrorClass.EXPIRED)
    failed(31, message_type="payment")
    batch = begin(by)
    first = [item.notification for item in batch.items.filter(is_canary=True).select_related("notification")]
    assert len(first) == retry_batches.CANARY
    assert {each.error_class for each in first} == {"transient", "expired"}
    assert "payment" in {each.message_type for each in first}


@pytest.mark.parametrize(
    ("count", "few_first", "state"), [(5, True, "running"), (6, True, "canary"), (6, False, "running")]
)
def test_few_are_not_tried_on_fewer(count: int, few_first: bool, state: str, by: By):
    failures(count)
    assert begin(by, tries_few_first=few_first).state == state


def test_the_same_form_twice_is_one_batch(by: By):
    failures(3)
    asked = order(by)
    first, is_new = retry_batches.create(asked, NOW)
    assert is_new
    assert retry_batches.create(asked, NOW) == (first, False)
    assert retry_batches.exists(asked)
    assert WhatsAppRetryItem.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_same_form_eight_times_at_once_is_one_batch(by: By):
    failures(3)
    asked = order(by)
    assert sum(is_new for _batch, is_new in at_once(*[partial(retry_batches.create, asked, NOW)] * 8)) == 1
    assert (WhatsAppRetryBatch.objects.count(), WhatsAppRetryItem.objects.count()) == (1, 3)


def test_nothing_to_send_is_no_batch(by: By):
    failed(0, error_class=ErrorClass.RECIPIENT_PERMANENT)
    with pytest.raises(NothingToSend):
        begin(by)
    assert not WhatsAppRetryBatch.objects.exists()
    assert not WhatsAppAuditEntry.objects.exists()


# Feeding


def test_the_few_go_first_and_the_others_when_somebody_says_so(by: By):
    failures(12)
    batch = begin(by)
    assert run(batch) is None
    assert (queued(batch), batch.state) == (5, State.CANARY)
    assert run(batch, NOW + HOUR) is None
    assert queued(batch) == 5

    assert retry_batches.let_run(batch, by, NOW)
    assert run(batch) is None
    assert (queued(batch), batch.state, batch.finished_at) == (12, State.FINISHED, NOW)
    rows = WhatsAppNotification.objects.filter(status=Status.PENDING, next_trigger=Trigger.BULK)
    assert rows.filter(next_actor=by.person).count() == 12


def test_no_more_is_queued_than_the_sender_sends_in_twenty_seconds(by: By, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry_runs, "LEAST_AHEAD", 4)
    WhatsAppSender.objects.filter(code="mali").update(rate_per_second=0.1)
    chosen = failures(10)
    batch = begin(by, tries_few_first=False)
    assert run(batch) == retry_runs.PAUSE
    assert queued(batch) == 4
    assert run(batch, NOW + HOUR) == retry_runs.LONG_PAUSE
    assert queued(batch) == 4

    left = [item.notification for item in batch.items.exclude(queued_at=None)]
    change(left[0], status=Status.SENT, next_attempt_at=None, sent_at=NOW)
    assert run(batch, NOW + 2 * HOUR) == retry_runs.PAUSE
    assert queued(batch) == 5
    assert {each.pk for each in left} <= {each.pk for each in chosen}


def test_a_sender_that_is_stopped_does_not_hold_up_another_one(by: By, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry_runs, "LEAST_AHEAD", 2)
    WhatsAppSender.objects.update(rate_per_second=0.1)
    failures(4)
    for index in range(10, 12):
        failed(index, source_app="agent_chine")
    batch = begin(By(ADMIN, by.person), tries_few_first=False)
    run(batch)
    assert Counter(item.notification.source_app for item in batch.items.exclude(queued_at=None)) == {
        "agent_mali": 2,
        "agent_chine": 2,
    }


def test_those_that_wait_for_the_morning_are_queued_and_hold_up_nobody(
    by: By, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(retry_runs, "LEAST_AHEAD", 2)
    WhatsAppSender.objects.update(rate_per_second=0.1)
    settings.WHATSAPP_QUIET_HOURS = ((NOW - HOUR).time(), (NOW + HOUR).time())
    failures(5)
    batch = begin(by)
    rung: list[WhatsAppNotification] = []
    assert retry_runs.run(batch.pk, ring=rung.extend, now=lambda: NOW) is None
    batch.refresh_from_db()
    assert (batch.state, rung) == (State.FINISHED, [])
    progress = retry_progress.of(batch.items.all(), NOW)
    assert (progress.counts, progress.done_count, progress.is_moving) == ({Stage.ASLEEP: 5}, 0, False)
    assert retry_progress.of(batch.items.all(), NOW + HOUR).counts == {Stage.WAITING: 5}


def test_what_changed_since_is_refused_with_the_reason_and_stops_nobody(by: By):
    chosen = failures(3)
    batch = begin(by)
    WhatsAppOptOut.objects.create(phone_number=number(0), reason="STOP", created_at=NOW)
    retries.retry(chosen[1], None, NOW)
    assert run(batch) is None

    assert batch.state == State.FINISHED
    progress = retry_progress.of(batch.items.all(), NOW)
    assert progress.counts == {Stage.REFUSED: 2, Stage.WAITING: 1}
    assert dict(progress.refused) == {Reason.REFUSES: 1, Reason.NOT_FAILED: 1}


def test_one_that_breaks_is_put_aside_and_stops_nobody(by: By, monkeypatch: pytest.MonkeyPatch):
    chosen = failures(3)
    real = retries.queue

    def breaking(notification: WhatsAppNotification, *arguments: Any) -> None:
        if notification.pk == chosen[1].pk:
            raise ValueError("bad row")
        real(notification, *arguments)

    monkeypatch.setattr(retries, "queue", breaking)
    batch = begin(by)
    run(batch)
    assert (batch.state, queued(batch)) == (State.FINISHED, 2)
    assert batch.items.get(notification=chosen[1]).refusal == Reason.BROKEN


@pytest.mark.parametrize(("after", "stage"), [(20 * HOUR, Stage.WAITING), (30 * HOUR, Stage.REFUSED)])
def test_what_was_fresh_when_somebody_decided_is_fresh_for_a_day(after: timedelta, stage: Stage, by: By):
    failed(0, created_at=NOW - 20 * HOUR)
    batch = begin(by)
    run(batch, NOW + after)
    assert retry_progress.of(batch.items.all(), NOW + after).counts == {stage: 1}


def test_progress_tells_what_became_of_each(by: By):
    chosen = failures(4)
    batch = begin(by)
    run(batch)
    attempt(chosen[0], Provider(accepted("wamid.0")))
    attempt(chosen[1], Provider(refused(131026)))
    attempt(chosen[2], Provider(refused(131016)))
    change(attempt(chosen[3], Provider(accepted("wamid.3"))), status=Status.DELIVERED)
    progress = retry_progress.of(batch.items.all(), NOW)
    assert progress.counts == {Stage.ACCEPTED: 1, Stage.FAILED: 1, Stage.PLANNED: 1, Stage.REACHED: 1}
    assert [(cause.error_class, cause.count) for cause in progress.failed] == [("recipient_permanent", 1)]
    assert (progress.done_count, progress.failed_count, progress.open_count) == (4, 1, 0)


# Decisions


def test_each_decision_is_written_down_and_a_second_one_changes_nothing(by: By):
    failures(8)
    batch = begin(by)
    assert not retry_batches.pause(batch, by, NOW)
    assert retry_batches.let_run(batch, by, NOW)
    assert not retry_batches.let_run(batch, by, NOW)
    assert retry_batches.pause(batch, by, NOW)
    assert run(batch) is None
    assert queued(batch) == 0
    assert retry_batches.let_run(batch, by, NOW)
    assert retry_batches.stop(batch, by, NOW)
    for decide in (retry_batches.let_run, retry_batches.pause, retry_batches.stop):
        assert not decide(batch, by, NOW)
    assert run(batch) is None
    assert (batch.state, batch.finished_at, queued(batch)) == (State.CANCELLED, NOW, 0)
    actions = WhatsAppAuditEntry.objects.order_by("pk").values_list("action", flat=True)
    words = ["batch_create", "batch_run", "batch_pause", "batch_run", "batch_cancel"]
    assert list(actions) == words


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_decide_at_once_one_does(by: By):
    failures(8)
    batch = begin(by)
    decided = at_once(*[partial(retry_batches.stop, batch, by, NOW)] * 4)
    assert sum(decided) == 1
    assert WhatsAppAuditEntry.objects.filter(action=Action.BATCH_CANCEL).count() == 1


# Runs


@pytest.mark.django_db(transaction=True)
def test_eight_runs_at_once_queue_each_message_once(by: By, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry_runs, "CHUNK", 3)
    failures(20)
    batch = begin(by, tries_few_first=False)
    rung: list[Any] = []
    at_once(*[lambda: retry_runs.run(batch.pk, ring=rung.extend, now=lambda: NOW)] * 8)
    batch.refresh_from_db()
    assert (batch.state, queued(batch)) == (State.FINISHED, 20)
    assert len({each.pk for each in rung}) == len(rung) == 20


@pytest.mark.django_db(transaction=True)
def test_two_batches_with_the_same_messages_queue_each_once(by: By, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry_runs, "CHUNK", 5)
    failures(20)
    batches = [begin(by, tries_few_first=False) for _ in range(2)]
    at_once(*[partial(run, batch) for batch in batches])
    assert {batch.state for batch in batches} == {State.FINISHED}
    assert sum(queued(batch) for batch in batches) == 20


def test_a_run_that_is_rung_for_too_early_or_twice_does_nothing(by: By, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry_runs, "CHUNK", 2)
    failures(10)
    batch = begin(by, tries_few_first=False)
    assert run(batch, chunks=1) == retry_runs.PAUSE
    assert run(batch, NOW + SECOND, chunks=1) is None
    assert queued(batch) == 2
    assert run(batch, NOW + retry_runs.PAUSE, chunks=1) == retry_runs.PAUSE
    assert queued(batch) == 4


def test_recovery_goes_on_with_what_no_living_run_holds(by: By):
    failures(8)
    batch = begin(by)

    def is_lost(at: datetime) -> bool:
        return retry_runs.unheld(at).filter(pk=batch.pk).exists()

    assert is_lost(NOW)
    run(batch)
    assert not is_lost(NOW + DAY)  # it waits for a person
    retry_batches.let_run(batch, by, NOW)
    assert is_lost(NOW)
    WhatsAppRetryBatch.objects.update(claimed_until=NOW + retry_runs.LEASE)  # a run that died
    assert not is_lost(NOW + retry_runs.LEASE)
    assert is_lost(NOW + retry_runs.LEASE + retry_runs.PATIENCE + SECOND)
    retry_batches.pause(batch, by, NOW)
    assert not is_lost(NOW + DAY)


class Death(BaseException):
    """The worker is killed."""


def dying_after(chunks: int) -> retry_runs.Ring:
    """A bell at whose `chunks`-th ring the worker is dead."""
    rings = iter(range(chunks, -1, -1))

    def ring(_notifications: list[WhatsAppNotification]) -> None:
        if not next(rings):
            raise Death

    return ring


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 3)),
        st.tuples(st.just("die"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["pause", "let_run", "send"]), st.just(0)),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, stops=st.booleans())
def test_whatever_dies_and_whoever_decides_each_is_queued_once_and_none_is_lost(
    events: list[tuple[str, int]], stops: bool, by: By
):
    WhatsAppNotification.objects.all().delete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry_runs, "CHUNK", 2)
        patch.setattr(retry_runs, "LEAST_AHEAD", 5)
        WhatsAppSender.objects.update(rate_per_second=0.1)
        failures(9)
        batch, at = begin(by), NOW
        for word, count in [
            *events,
            *([("stop", 0)] if stops else []),
            *[("let_run", 0), ("run", 3), ("send", 0)] * 4,
        ]:
            at += 2 * retry_runs.LEASE
            before = queued(batch)
            happen(word, count, batch, by, at)
            assert queued(batch) == before or batch.state in retry_runs.FEEDING or batch.state == State.FINISHED
    progress = retry_progress.of(batch.items.all(), at)
    assert progress.total == 9
    # Whoever is queued twice is refused the second time.
    assert Stage.REFUSED not in progress.counts
    if batch.state == State.FINISHED:
        assert progress.counts == {Stage.ACCEPTED: 9}
    else:
        assert (stops, batch.state, progress.open_count) == (True, State.CANCELLED, 9 - queued(batch))


def happen(word: str, count: int, batch: WhatsAppRetryBatch, by: By, at: datetime) -> None:
    match word:
        case "run":
            retry_runs.run(batch.pk, ring=list, now=lambda: at, chunks=count)
        case "die":
            with suppress(Death):
                retry_runs.run(batch.pk, ring=dying_after(count), now=lambda: at)
        case "send":
            waiting = WhatsAppNotification.objects.filter(status=Status.PENDING)
            waiting.update(status=Status.SENT, next_attempt_at=None, sent_at=at)
        case "pause":
            retry_batches.pause(batch, by, at)
        case "stop":
            retry_batches.stop(batch, by, at)
        case _:
            retry_batches.let_run(batch, by, at)
    batch.refresh_from_db()


def test_old_batches_are_forgotten_when_they_are_over(by: By):
    failures(6)
    finished = begin(by, tries_few_first=False)
    run(finished)
    WhatsAppNotification.objects.update(status=Status.FAILED, failed_at=NOW, next_attempt_at=None)
    waiting = begin(by)
    cleanup.delete_old(NOW + 400 * DAY, keep=365 * DAY, keep_payloads=30 * DAY)
    assert list(WhatsAppRetryBatch.objects.all()) == [waiting]
