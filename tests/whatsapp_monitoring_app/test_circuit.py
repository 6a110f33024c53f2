"""A sender's circuit breaker: closed, open with a reason and an end, half-open with one probe at a time."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.outages import redis_away
from tests.stack import forget_pace
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    json_answer,
    post,
    refused,
)
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    HttpAnswer,
    Kind,
    Outcome,
    ProviderError,
    ReceiptEvent,
    Refused,
    Uncertain,
)
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.services import circuit, delivery, receipts, recovery

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
OPEN_UNTIL = NOW + 5 * MINUTE
OK = Accepted("wamid.one")
TROUBLE = Refused(ProviderError(ErrorClass.TRANSIENT, "131016", "overloaded"))
TROUBLES = [TROUBLE, Refused(ProviderError(ErrorClass.TRANSIENT_CAPPED, "131000", "?")), Uncertain("ReadTimeout")]
BLOCKED = Refused(ProviderError(ErrorClass.ACCOUNT_STOP, "190", "expired"))


def sender(code: str = "mali") -> WhatsAppSender:
    return WhatsAppSender.objects.get(code=code)


def opened(until: datetime = OPEN_UNTIL) -> WhatsAppSender:
    sender().stop(until, "190 expired")
    return sender()


def note(*outcomes: Outcome, at: datetime = NOW) -> WhatsAppSender:
    for outcome in outcomes:
        circuit.note(sender(), outcome, at)
    return sender()


def test_a_closed_circuit_lets_everybody_through():
    assert circuit.obstacle(sender(), NOW) is None
    assert all(circuit.take_probe(sender(), NOW) for _ in range(5))
    assert sender().stopped_until is None


def test_a_refused_account_opens_it_at_once_with_reason_and_end():
    stopped = note(BLOCKED)
    assert (stopped.stopped_until, stopped.stop_reason) == (OPEN_UNTIL, "190 expired")
    obstacle = circuit.obstacle(stopped, OPEN_UNTIL - SECOND)
    assert obstacle
    assert (obstacle.error_class, obstacle.message) == (ErrorClass.ACCOUNT_STOP, "190 expired")
    assert circuit.obstacle(stopped, OPEN_UNTIL) is None


def test_a_run_of_failures_opens_it_for_half_a_minute():
    assert note(*[TROUBLE] * 19).stopped_until is None
    stopped = note(TROUBLE)
    assert (stopped.stopped_until, stopped.stop_reason) == (NOW + 30 * SECOND, "20 failures in a row")


@pytest.mark.parametrize("trouble", TROUBLES, ids=["transient", "unclear", "no answer"])
def test_every_kind_of_trouble_counts(trouble: Outcome):
    assert note(*[trouble] * 20).stopped_until


@pytest.mark.parametrize(
    "answer",
    [OK, *(Refused(ProviderError(c)) for c in (ErrorClass.RECIPIENT_PERMANENT, ErrorClass.THROTTLE_SENDER))],
    ids=["accepted", "a refused recipient", "a throttle"],
)
def test_an_answer_that_shows_a_working_account_ends_the_run(answer: Outcome):
    assert note(*[TROUBLE] * 19, answer, *[TROUBLE] * 19).stopped_until is None
    assert note(TROUBLE).stopped_until


def test_after_opening_the_next_run_is_counted_anew():
    note(*[TROUBLE] * 20)
    WhatsAppSender.objects.update(stopped_until=None)
    assert note(*[TROUBLE] * 19).stopped_until is None


def test_each_sender_fails_for_itself():
    note(*[TROUBLE] * 19)
    circuit.note(sender("chine"), TROUBLE, NOW)
    assert (sender().stopped_until, sender("chine").stopped_until) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_failures_in_eight_threads_are_counted_together():
    at_once(*[partial(note, TROUBLE, TROUBLE)] * 8)
    assert sender().stopped_until is None
    at_once(*[partial(note, TROUBLE)] * 4)
    assert sender().stopped_until == NOW + 30 * SECOND


def test_without_redis_nothing_is_counted_and_a_refused_account_still_opens_it():
    with redis_away():
        assert note(*[TROUBLE] * 25, OK).stopped_until is None
        assert note(BLOCKED).stopped_until == OPEN_UNTIL


def test_while_it_is_open_its_queue_waits_at_no_cost():
    opened()
    provider, messages = Provider(accepted()), [post() for _ in range(5)]
    for message in messages:
        attempt(message, provider)
        assert (message.status, message.attempt_count) == (Status.PENDING, 0)
        assert message.next_attempt_at == OPEN_UNTIL
    assert provider.requests == []
    assert not WhatsAppAttempt.objects.exists()
    assert recovery.to_ring(OPEN_UNTIL - SECOND) == []


def test_half_open_one_message_probes_and_the_others_wait_for_it():
    opened()
    probe, other, calls = post(), post(), Provider(accepted("wamid.other"))

    def send(_request: object) -> HttpAnswer:
        attempt(other, calls, OPEN_UNTIL)
        return accepted("wamid.probe")

    attempt(probe, send, OPEN_UNTIL)
    assert (other.status, other.attempt_count, calls.requests) == (Status.PENDING, 0, [])
    assert other.next_attempt_at == OPEN_UNTIL + circuit.PROBE_TIME
    assert probe.status == Status.SENT
    assert (sender().stopped_until, sender().stop_reason) == (None, "")
    assert attempt(other, calls, OPEN_UNTIL + circuit.PROBE_TIME).status == Status.SENT


def test_a_probe_whose_worker_died_lets_the_next_one_go():
    opened()
    assert circuit.take_probe(sender(), OPEN_UNTIL)
    later = OPEN_UNTIL + circuit.PROBE_TIME
    assert circuit.obstacle(sender(), later - SECOND)
    assert circuit.obstacle(sender(), later) is None
    assert circuit.take_probe(sender(), later)


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_want_to_probe_one_may():
    half_open = opened()
    assert sum(at_once(*[partial(circuit.take_probe, half_open, OPEN_UNTIL)] * 8)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_messages_after_the_open_time_one_goes():
    opened()
    provider = Provider(NoAnswer("ReadTimeout"))
    messages = [post(phone_number=f"+2237612340{n}") for n in range(8)]
    at_once(*[partial(delivery.deliver, row.pk, send=provider, now=lambda: OPEN_UNTIL) for row in messages])
    assert len(provider.requests) == WhatsAppAttempt.objects.count() == 1
    assert sorted(WhatsAppNotification.objects.values_list("status", "attempt_count")) == [
        *[(Status.PENDING, 0)] * 7,
        (Status.UNCONFIRMED, 1),
    ]


def test_a_probe_that_is_refused_opens_it_again():
    opened()
    message = attempt(post(), Provider(refused(190, 401)), OPEN_UNTIL)
    assert (message.status, message.attempt_count) == (Status.PENDING, 0)
    assert sender().stopped_until == OPEN_UNTIL + 5 * MINUTE


@pytest.mark.parametrize("answer", [NoAnswer("ReadTimeout"), NotSent("no connection"), HttpAnswer(502, b"")])
def test_a_probe_that_proves_nothing_leaves_it_open_for_the_next(answer: Any):
    opened()
    attempt(post(), Provider(answer), OPEN_UNTIL)
    assert sender().stopped_until == OPEN_UNTIL + circuit.PROBE_TIME
    assert sender().stop_reason == "190 expired"
    attempt(post(), Provider(accepted()), OPEN_UNTIL + circuit.PROBE_TIME)
    assert sender().stopped_until is None


@pytest.mark.parametrize("answer", [accepted(), refused(131026), refused(130429), json_answer(400, {})])
def test_any_real_answer_to_a_probe_closes_it_and_starts_the_ramp(answer: HttpAnswer):
    opened()
    attempt(post(), Provider(answer), OPEN_UNTIL)
    assert (sender().stopped_until, sender().stop_reason, sender().resumed_at) == (None, "", OPEN_UNTIL)


def test_an_answer_to_an_older_call_does_not_close_a_circuit_that_opened_since():
    before = sender()
    opened()
    circuit.note(before, OK, NOW + SECOND)
    assert sender().stopped_until == OPEN_UNTIL


def test_sending_as_usual_starts_no_ramp():
    attempt(post(), Provider(accepted()))
    assert sender().resumed_at is None


def test_a_receipt_that_names_the_account_opens_it_too():
    attempt(post(), Provider(accepted()))
    error = ProviderError(ErrorClass.ACCOUNT_STOP, "131031", "locked")
    receipts.take("cloud_api", ReceiptEvent("wamid.one", Kind.FAILED, "failed", NOW, error=error), NOW)
    assert (sender().stopped_until, sender().stop_reason) == (OPEN_UNTIL, "131031 locked")


def test_after_an_outage_the_most_urgent_and_then_the_newest_are_rung_first():
    opened()
    order = [(5, 0), (3, 1), (5, 2), (1, 0), (3, 3)]
    rows = {(priority, n): post(NOW + n * SECOND, priority=priority) for priority, n in order}
    for row in rows.values():
        attempt(row, Provider(accepted()), NOW + 3 * SECOND)
    rung = [bell.code for bell in recovery.to_ring(OPEN_UNTIL)]
    assert rung == [rows[key].pk for key in [(1, 0), (3, 3), (3, 1), (5, 2), (5, 0)]]


def test_forgetting_the_pace_forgets_the_failures():
    note(*[TROUBLE] * 19)
    forget_pace()
    assert note(TROUBLE).stopped_until is None
