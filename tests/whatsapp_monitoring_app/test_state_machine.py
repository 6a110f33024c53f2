"""Whatever happens in whatever order: no message is lost, none is doubled without need, every move is a legal one.

Hypothesis plays the clients, the provider, the workers that die, the clock and the people. The normal run always plays
the same games. A longer one, with other games:

    HYPOTHESIS_EXAMPLES=2000 python -m pytest --hypothesis-seed=7 tests/whatsapp_monitoring_app/test_state_machine.py

To have a failure reduced to its shortest game, which takes minutes, add HYPOTHESIS_SHRINK=1.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.stack import forget_pace
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, attempt, json_answer, post, refused
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
)
from whatsapp_monitoring_app.models.notification_queries import LEASE
from whatsapp_monitoring_app.models.statuses import FINAL, MOVES, REACHED, WAITING
from whatsapp_monitoring_app.providers.base import (
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Kind,
    ProviderError,
    ReceiptEvent,
    Refused,
    Uncertain,
)
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent, Unsendable
from whatsapp_monitoring_app.services import (
    cancellation,
    delivery,
    inbound,
    message_types,
    receipts,
    recording,
    recovery,
    retries,
    verdicts,
)
from whatsapp_monitoring_app.services.retry_policy import EFFECTS, Fate

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
GAMES = settings(
    max_examples=EXAMPLES or 45,
    stateful_step_count=40,
    derandomize=not EXAMPLES,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if os.environ.get("HYPOTHESIS_SHRINK") else [Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
NUMBERS = [NUMBER, "+22376123457"]
TYPES = ["notification", "colis_arrived", "payment", "otp"]
# One code of every class that an answer can have, and one that nobody knows.
CODES = [131016, 131000, 130429, 131056, 131026, 131049, 131050, 131047, 100, 132001, 190, 131048, 999_999]
LATER_CODES = [ErrorClass.TRANSIENT, ErrorClass.RECIPIENT_PERMANENT, ErrorClass.THROTTLE_PAIR, ErrorClass.ACCOUNT_STOP]
JUMPS = [SECOND, 31 * SECOND, 95 * SECOND, 6 * timedelta(minutes=1), 2 * HOUR, 25 * HOUR, 73 * HOUR]
STEPS: list[Callable[[datetime], Any]] = [
    *recovery.STEPS.values(),
    recovery.to_ring,
    recovery.next_retries_to_ring,
]

PICK = st.integers(0, 50)
MOSTLY = st.sampled_from([True, True, True, False])


@dataclass
class Copy:
    """A message that the provider took: the client has it, unless the provider says later that it failed."""

    provider_message_id: str
    code: UUID
    is_announced: bool
    has_failed: bool = False


@dataclass(frozen=True)
class Answer:
    """What the provider does with a request, and what the worker hears of it."""

    takes_it: bool = False
    http: HttpAnswer | Exception | None = None


@dataclass
class WhatsApp:
    """The provider, which knows how many copies of each message went out."""

    copies: list[Copy] = field(default_factory=list)

    def take(self, code: UUID, *, is_announced: bool) -> Copy:
        copy = Copy(f"wamid.{len(self.copies)}", code, is_announced)
        self.copies.append(copy)
        return copy

    def of(self, code: UUID) -> list[Copy]:
        return [copy for copy in self.copies if copy.code == code]


OUTCOMES = st.one_of(
    st.just(Answer(takes_it=True)),
    st.sampled_from(CODES).map(lambda code: Answer(http=refused(code))),
    st.just(Answer(http=refused(131016, 503, retry_after=3 * HOUR))),
    st.just(Answer(http=refused(130429, 429, retry_after=timedelta(minutes=2)))),
    st.booleans().map(lambda taken: Answer(takes_it=taken, http=NoAnswer("ReadTimeout"))),
    st.booleans().map(lambda taken: Answer(takes_it=taken, http=HttpAnswer(502, b"Bad Gateway"))),
    st.just(Answer(takes_it=True, http=json_answer(200, {}))),
    st.just(Answer(http=NotSent("no connection"))),
    st.just(Answer(http=Unsendable("InvalidHeader"))),
    st.just(Answer(http=HttpAnswer(403, b"Forbidden"))),
    st.just(Answer(http=HttpAnswer(404, b"Not found"))),
)


@dataclass(frozen=True)
class CallInFlight:
    """A claim whose worker has not come back."""

    claimed: WhatsAppNotification
    sender: WhatsAppSender
    started_at: datetime
    heard: HttpAnswer | Exception


class WorkerDied(Exception):
    """The process ended in the middle of the call."""


class Engine(RuleBasedStateMachine):
    """The delivery engine as its surroundings see it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.whatsapp = WhatsApp()
        self.posted: list[UUID] = []
        self.retried: set[UUID] = set()
        self.calls: list[CallInFlight] = []
        self.attempts: dict[int, Any] = {}
        self.highest: dict[UUID, Status] = {}
        verdicts._random.seed(1)  # the same games give the same waits
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        watch_moves()

    def teardown(self) -> None:
        try:
            self.let_everything_end()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @initialize(types=st.lists(st.sampled_from(TYPES), min_size=2, max_size=4))
    def a_day_begins(self, types: list[str]) -> None:
        for message_type in types:
            self.posted.append(post(self.now, message_type=message_type).pk)

    # What people and clients do

    @rule(
        message_type=st.sampled_from(TYPES),
        number=st.sampled_from(NUMBERS),
        key=st.sampled_from([None, "one", "two"]),
        fact=st.sampled_from([("", 0), ("colis:A", 1), ("colis:A", 2), ("colis:A", 3)]),
        wait=st.sampled_from([None, HOUR]),
    )
    def post(
        self, message_type: str, number: str, key: str | None, fact: tuple[str, int], wait: timedelta | None
    ) -> None:
        subject, rank = fact
        notification = post(
            self.now,
            message_type=message_type,
            phone_number=number,
            idempotency_key=key,
            subject=subject,
            fact_rank=rank,
            not_before=self.now + wait if wait else None,
        )
        if notification.pk not in self.posted:
            self.posted.append(notification.pk)

    @precondition(lambda self: self.posted)
    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        notification = self.one(pick)
        try:
            retries.retry(notification, None, self.now)
        except retries.NotRetryable:
            return
        self.retried.add(notification.pk)

    @precondition(lambda self: self.posted)
    @rule(pick=st.integers(0, 500))
    def cancel(self, pick: int) -> None:
        chosen = WhatsAppNotification.objects.filter(pk=self.one(pick).pk)
        cancellation.cancel(chosen, CancelReason.PERSON, self.now)

    @rule(word=st.sampled_from(["STOP", "START", "START", "Merci"]), number=st.just(NUMBERS[1]))
    def client_writes(self, number: str, word: str) -> None:
        event = InboundEvent(f"in.{word}.{number}.{self.now}", number, word, self.now)
        answer = inbound.take("cloud_api", event, self.now)
        if answer:
            self.posted.append(answer.pk)

    # What workers and the provider do

    @precondition(lambda self: self.posted)
    @rule(pick=PICK, calls=st.lists(st.tuples(OUTCOMES, st.booleans()), min_size=1, max_size=3), is_patient=MOSTLY)
    def deliver(self, pick: int, calls: list[tuple[Answer, bool]], is_patient: bool) -> None:
        code = self.one_that_waits(pick, is_patient=is_patient)
        for outcome, is_announced in calls:
            self.send(code, outcome, is_announced=is_announced)
            self.settle_in_time(code, is_patient=is_patient)

    @precondition(lambda self: self.posted)
    @rule(pick=PICK, outcome=OUTCOMES, is_announced=st.booleans(), is_patient=MOSTLY)
    def deliver_and_die(self, pick: int, outcome: Answer, is_announced: bool, is_patient: bool) -> None:
        code = self.one_that_waits(pick, is_patient=is_patient)
        self.send(code, outcome, is_announced=is_announced, dies=True)
        self.settle_in_time(code, is_patient=is_patient and not is_announced)

    @rule(
        pick=PICK,
        outcomes=st.tuples(OUTCOMES, OUTCOMES),
        meanwhile=st.lists(st.sampled_from(["sent", "delivered", "failed"]), max_size=2),
    )
    def two_workers_hold_the_same_message(
        self, pick: int, outcomes: tuple[Answer, Answer], meanwhile: list[str]
    ) -> None:
        """The first one stalls until the message was given to another; then both come back."""
        if not self.posted:
            return
        code = self.one_that_waits(pick, is_patient=True)
        for outcome in outcomes:
            self.send(code, outcome, is_announced=False, dies=True)
            for word in meanwhile[: len(self.whatsapp.of(code))]:
                self.announce(self.whatsapp.of(code)[0], word, ErrorClass.TRANSIENT if word == "failed" else None)
            self.settle_in_time(code, is_patient=outcome is outcomes[0])

    @precondition(lambda self: self.calls)
    @rule(pick=PICK)
    def the_answer_comes_late(self, pick: int) -> None:
        call = self.calls.pop(pick % len(self.calls))
        recording.record(call.claimed, call.sender, self.outcome_of(call))

    @precondition(lambda self: self.whatsapp.copies)
    @rule(
        pick=PICK,
        word=st.sampled_from(["sent", "delivered", "read", "failed"]),
        error_class=st.sampled_from(LATER_CODES),
        has_tracking=st.booleans(),
        times=st.integers(1, 2),
    )
    def receipt(self, pick: int, word: str, error_class: ErrorClass, has_tracking: bool, times: int) -> None:
        # Mostly of the last few: the older ones have been told everything.
        copy = self.whatsapp.copies[-1 - pick % min(len(self.whatsapp.copies), 4)]
        for _ in range(times):
            self.announce(copy, word, error_class if word == "failed" else None, has_tracking=has_tracking)

    @rule(word=st.sampled_from(["delivered", "failed"]), tracking=st.sampled_from(["", "theirs", str(UUID(int=7))]))
    def foreign_receipt(self, word: str, tracking: str) -> None:
        before = statuses()
        error = ProviderError(ErrorClass.TRANSIENT) if word == "failed" else None
        event = ReceiptEvent("wamid.stranger", Kind(word), word, self.now, tracking=tracking, error=error)
        receipts.take("cloud_api", event, self.now)
        assert statuses() == before

    # What the clock and the beat do

    @rule(step=st.sampled_from(STEPS), times=st.integers(1, 2))
    def recover(self, step: Callable[[datetime], Any], times: int) -> None:
        for _ in range(times):
            step(self.now)

    @rule()
    def recover_everything(self) -> None:
        for step in STEPS:
            step(self.now)

    @rule(jump=st.sampled_from(JUMPS))
    def time_passes(self, jump: timedelta) -> None:
        self.now += jump

    @rule(seconds=st.integers(1, 20))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.now -= seconds * SECOND

    # What must hold after each of these

    @invariant()
    def every_move_was_legal(self) -> None:
        for old, new in moves():
            assert Status(new) in MOVES[Status(old)], f"{old} → {new}"

    @invariant()
    def nothing_is_lost_and_each_state_has_its_reason(self) -> None:
        rows = list(WhatsAppNotification.objects.all())
        assert {row.pk for row in rows} == set(self.posted)
        for row in rows:
            assert has_its_reason(row), f"{row.status}: {vars(row)}"
            assert (row.status in TRIED) <= row.attempt_count <= row.max_attempts
            assert row.attempt_count <= sum(costs(record) for record in row.attempts.all())

    @invariant()
    def what_reached_the_client_stays_there(self) -> None:
        order = [Status.DELIVERED, Status.READ]
        for code, status in statuses().items():
            before = self.highest.get(code)
            if before:
                assert status in order[order.index(before) :]
            if status in REACHED:
                self.highest[code] = Status(status)

    @invariant()
    def attempts_are_only_added(self) -> None:
        rows: dict[int, Any] = {row["id"]: row for row in WhatsAppAttempt.objects.values()}
        assert {pk: rows.get(pk) for pk in self.attempts} == self.attempts
        self.attempts = rows

    # How the rules do it

    def one(self, pick: int) -> WhatsAppNotification:
        return WhatsAppNotification.objects.get(pk=self.posted[pick % len(self.posted)])

    def one_that_waits(self, pick: int, *, is_patient: bool) -> UUID:
        """A message to send, its time come for whoever is patient; any message where none waits."""
        codes = [code for code in self.posted if statuses()[code] in WAITING] or self.posted
        code = codes[pick % len(codes)]
        self.wait_for(code, is_patient=is_patient)
        return code

    def wait_for(self, code: UUID, *, is_patient: bool) -> None:
        due_at = WhatsAppNotification.objects.get(pk=code).next_attempt_at
        if is_patient and due_at:
            self.now = max(self.now, due_at)

    def settle_in_time(self, code: UUID, *, is_patient: bool) -> None:
        """Let lease and confirmation time run out, and recovery plan the next attempt."""
        if not is_patient:
            return
        for _ in range(2):
            row = WhatsAppNotification.objects.get(pk=code)
            self.now = max(self.now, (row.claimed_until or row.confirm_by or self.now) + SECOND)
            recovery.release_abandoned(self.now)
            recovery.settle_unconfirmed(self.now)
        self.wait_for(code, is_patient=True)

    def send(self, code: UUID, outcome: Answer, *, is_announced: bool, dies: bool = False) -> None:
        def send(request: HttpRequest) -> HttpAnswer:
            claimed = WhatsAppNotification.objects.select_related("user").get(pk=code)
            self.check_wanted(claimed)
            heard = self.at_the_provider(claimed, outcome, is_announced=is_announced)
            if dies:
                sender = WhatsAppSender.objects.get(code="systeme" if claimed.message_type == "otp" else "mali")
                self.calls.append(CallInFlight(claimed, sender, self.now, heard))
                raise WorkerDied
            if isinstance(heard, Exception):
                raise heard
            return heard

        forget_pace()
        with suppress(WorkerDied):
            delivery.deliver(code, send=send, now=lambda: self.now)

    def at_the_provider(
        self, claimed: WhatsAppNotification, outcome: Answer, *, is_announced: bool
    ) -> HttpAnswer | Exception:
        if not outcome.takes_it:
            assert outcome.http
            return outcome.http
        self.check_not_doubled(claimed)
        copy = self.whatsapp.take(claimed.pk, is_announced=is_announced)
        if is_announced:
            self.announce(copy, "sent")
        return outcome.http or accepted(copy.provider_message_id)

    def check_wanted(self, claimed: WhatsAppNotification) -> None:
        """Nobody is written to against their will, nor told an older fact after a newer one."""
        is_essential = claimed.message_type in message_types.ESSENTIAL_TYPES
        assert is_essential or not WhatsAppOptOut.objects.filter(phone_number=claimed.phone_number).exists()
        if claimed.fact_rank:
            newer = WhatsAppNotification.objects.filter(
                subject=claimed.subject, phone_number=claimed.phone_number, fact_rank__gt=claimed.fact_rank
            )
            assert not newer.exclude(status__in=[Status.FAILED, Status.CANCELLED]).exists()

    def check_not_doubled(self, claimed: WhatsAppNotification) -> None:
        """A second copy needs a person, or a type that may be doubled and a provider that kept silent."""
        copies = [copy for copy in self.whatsapp.of(claimed.pk) if not copy.has_failed]
        if not copies or claimed.pk in self.retried:
            return
        kind = message_types.get(claimed.message_type)
        assert kind.when_uncertain is message_types.WhenUncertain.RESEND, f"{claimed.message_type} was doubled"
        assert not any(copy.is_announced for copy in copies), "doubled in spite of its receipt"

    def announce(
        self, copy: Copy, word: str, error_class: ErrorClass | None = None, *, has_tracking: bool = True
    ) -> None:
        """The provider says what became of a copy."""
        is_the_last = self.whatsapp.of(copy.code)[-1] is copy
        before = WhatsAppNotification.objects.get(pk=copy.code)
        receipts.take(
            "cloud_api",
            ReceiptEvent(
                copy.provider_message_id,
                Kind(word),
                word,
                self.now,
                tracking=str(copy.code) if has_tracking else "",
                error=ProviderError(error_class, "code", "why") if error_class else None,
            ),
            self.now,
        )
        if word != "failed":
            copy.is_announced |= has_tracking
        else:
            copy.has_failed = True
            after = WhatsAppNotification.objects.get(pk=copy.code).status
            # Of several calls without an answer nobody knows which one failed.
            unanswered = before.attempts.filter(outcome="uncertain").count()
            is_news = before.status == Status.SENT or (
                before.status == Status.UNCONFIRMED
                and before.provider_message_id != copy.provider_message_id
                and unanswered == 1
            )
            if is_the_last and has_tracking and is_news:
                assert after in (Status.FAILED, Status.RETRY_SCHEDULED), "the failure was not noticed"

    def outcome_of(self, call: CallInFlight) -> recording.Call:
        match call.heard:
            case HttpAnswer() as answer:
                outcome = providers.get("cloud_api").read(answer)
                return recording.Call(outcome, call.started_at, self.now, answer)
            case NotSent() as error:
                refusal = Refused(ProviderError(error.error_class, message=str(error)))
                return recording.Call(refusal, call.started_at, self.now)
            case silence:
                return recording.Call(Uncertain(str(silence)), call.started_at, self.now)

    def let_everything_end(self) -> None:
        """The provider is well again, workers and the beat run on: everything ends, or waits for a person."""
        for _ in range(60):
            moments = [moment for row in WhatsAppNotification.objects.all() if (moment := next_moment(row))]
            if not moments:
                break
            self.now = max(self.now, min(moments)) + SECOND
            self.recover_everything()
            for notification in WhatsAppNotification.objects.due(self.now):
                self.send(notification.pk, Answer(takes_it=True), is_announced=True)
        self.every_move_was_legal()
        self.nothing_is_lost_and_each_state_has_its_reason()
        for row in WhatsAppNotification.objects.all():
            waits_for_a_person = row.status == Status.UNCONFIRMED and asks(row)
            assert row.status in FINAL | REACHED | {Status.SENT} or waits_for_a_person, f"{row.status} for ever"


def asks(row: WhatsAppNotification) -> bool:
    return row.message_type in message_types.TYPES_THAT_ASK


def next_moment(row: WhatsAppNotification) -> datetime | None:
    """When something happens to the notification by itself."""
    if row.status == Status.UNCONFIRMED and asks(row):
        return None
    return row.next_attempt_at or row.claimed_until or row.confirm_by


# Handed to the provider at least once.
TRIED = REACHED | {Status.SENT, Status.UNCONFIRMED}
# What a row must say in each state.
REASONS: dict[Status, tuple[str, ...]] = {
    Status.PENDING: ("next_attempt_at",),
    Status.RETRY_SCHEDULED: ("next_attempt_at",),
    Status.SENDING: ("claim_id", "claimed_until"),
    Status.UNCONFIRMED: ("confirm_by", "error_class"),
    Status.FAILED: ("failed_at", "error_class"),
    Status.CANCELLED: ("cancelled_at", "cancel_reason"),
    Status.SENT: ("sent_at", "provider_message_id"),
    Status.DELIVERED: ("sent_at", "provider_message_id", "delivered_at"),
    Status.READ: ("sent_at", "provider_message_id", "delivered_at", "read_at"),
}


def has_its_reason(row: WhatsAppNotification) -> bool:
    return all(getattr(row, name) for name in REASONS[Status(row.status)])


def costs(record: WhatsAppAttempt) -> bool:
    """Whether this call counts against the message: the others were not its fault."""
    return record.outcome != "refused" or EFFECTS[ErrorClass(record.error_class)].fate is not Fate.GIVE_BACK


def statuses() -> dict[UUID, str]:
    return dict(WhatsAppNotification.objects.values_list("pk", "status"))


def watch_moves() -> None:
    """Let the database itself note each single move, however many an operation makes."""
    table = WhatsAppNotification._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE moves (old text, new text) ON COMMIT DROP")
        cursor.execute(
            "CREATE FUNCTION pg_temp.note_move() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO moves VALUES (OLD.status, NEW.status); RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER note_move AFTER UPDATE ON {table} FOR EACH ROW "
            "WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION pg_temp.note_move()"
        )


def moves() -> list[tuple[str, str]]:
    """The moves since the last question."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM moves RETURNING old, new")
        return cursor.fetchall()


@pytest.mark.django_db
def test_no_order_of_events_loses_doubles_or_misplaces_a_message():
    run_state_machine_as_test(Engine, settings=GAMES)


@pytest.mark.django_db
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_failure_of_the_last_attempt_is_noticed_although_only_an_earlier_ones_id_is_known(is_announced: bool):
    def receipt(message_id: str, word: str) -> None:
        error = ProviderError(ErrorClass.TRANSIENT, "131016", "why") if word == "failed" else None
        event = ReceiptEvent(message_id, Kind(word), word, NOW, tracking=str(notification.pk), error=error)
        receipts.take("cloud_api", event, NOW)
        notification.refresh_from_db()

    notification = attempt(post(), Provider(accepted("wamid.first")))
    receipt("wamid.first", "failed")
    attempt(notification, Provider(NoAnswer("ReadTimeout")), notification.next_attempt_at or NOW)
    assert (notification.status, notification.attempt_count) == (Status.UNCONFIRMED, 2)
    receipt("wamid.first", "sent")  # old news
    assert notification.status == Status.UNCONFIRMED
    if is_announced:
        receipt("wamid.second", "sent")
        assert (notification.status, notification.provider_message_id) == (Status.SENT, "wamid.second")
    receipt("wamid.second", "failed")
    assert (notification.status, notification.error_code) == (Status.RETRY_SCHEDULED, "131016")


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["sent", "delivered", "read"])
def test_the_receipt_of_an_unconfirmed_attempt_stops_a_second_one_that_was_held_up(word: str):
    notification = attempt(post(), Provider(NoAnswer("ReadTimeout")))
    recovery.settle_unconfirmed(NOW + verdicts.CONFIRMATION_TIME)
    notification.refresh_from_db()
    attempt(notification, Provider(refused(130429)), notification.next_attempt_at or NOW)
    event = ReceiptEvent("wamid.first", Kind(word), word, NOW, tracking=str(notification.pk))
    receipts.take("cloud_api", event, NOW)

    second = Provider(accepted("wamid.second"))
    attempt(notification, second, NOW + HOUR)
    assert (notification.status, notification.provider_message_id, second.requests) == (word, "wamid.first", [])


@pytest.mark.django_db
@pytest.mark.parametrize("code", [131016, 190, 131026])
def test_a_late_refusal_does_not_undo_what_an_earlier_attempts_receipt_has_said(code: int):
    notification = attempt(post(), Provider(NoAnswer("ReadTimeout")))
    recovery.settle_unconfirmed(NOW + verdicts.CONFIRMATION_TIME)
    notification.refresh_from_db()
    second_at = notification.next_attempt_at or NOW
    claimed = WhatsAppNotification.objects.claim(notification.pk, second_at)
    assert claimed
    event = ReceiptEvent("wamid.first", Kind.SENT, "sent", NOW, tracking=str(notification.pk))
    receipts.take("cloud_api", event, second_at)
    late = second_at + LEASE + SECOND
    recovery.release_abandoned(late)
    outcome = providers.get("cloud_api").read(refused(code))
    recording.record(claimed, WhatsAppSender.objects.get(code="mali"), recording.Call(outcome, second_at, late))

    notification.refresh_from_db()
    assert (notification.status, notification.error_code, notification.next_attempt_at) == (Status.SENT, "", None)
    assert [record.outcome for record in notification.attempts.all()] == ["uncertain", "uncertain", "refused"]
