"""An account's circuit breaker: closed, open with a reason and an end, half-open with one probe at a time."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.outages import redis_away
from tests.stack import forget_pace
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
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
from whatsapp_monitoring_app.services import circuit, delivery, pacing, preparation, receipts, recovery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
OPEN_UNTIL = NOW + 5 * MINUTE
OK = Accepted("wamid.one")
TROUBLE = Refused(ProviderError(ErrorClass.TRANSIENT, "131016", "overloaded"))
TROUBLES: dict[str, Outcome] = {
    "unreachable": Refused(ProviderError(ErrorClass.UNREACHABLE, message="no connection")),
    "transient": TROUBLE,
    "unclear": Refused(ProviderError(ErrorClass.TRANSIENT_CAPPED, "131000", "?")),
    "no answer": Uncertain("ReadTimeout"),
}
BLOCKED = Refused(ProviderError(ErrorClass.ACCOUNT_STOP, "190", "expired"))
STOP, SLOW = ErrorClass.ACCOUNT_STOP, ErrorClass.ACCOUNT_SLOW


def sender(code: str = "mali") -> WhatsAppSender:
    return WhatsAppSender.objects.get(code=code)


def separate(code: str) -> WhatsAppSender:
    """A sender with an account of its own; the others share the one of the environment."""
    own = sender(code)
    own.account_id, own.token = f"account of {code}", "token"
    own.save()
    return own


def opened(until: datetime = OPEN_UNTIL, error_class: ErrorClass = STOP) -> WhatsAppSender:
    sender().stop(until, error_class, "190 expired")
    return sender()


def stop_of(code: str = "mali") -> tuple[datetime | None, str, str]:
    stopped = sender(code)
    return stopped.stopped_until, stopped.stop_class, stopped.stop_reason


def note(*outcomes: Outcome, at: datetime = NOW) -> WhatsAppSender:
    for outcome in outcomes:
        circuit.note(sender(), outcome, at)
    return sender()


def test_a_closed_circuit_lets_everybody_through():
    assert circuit.obstacle(sender(), NOW) is None
    assert not any(circuit.take_probe(sender(), NOW) for _ in range(5))
    assert sender().stopped_until is None


def test_a_refused_account_opens_it_at_once_with_reason_and_end():
    stopped = note(BLOCKED)
    assert stop_of() == (OPEN_UNTIL, STOP, "190 expired")
    obstacle = circuit.obstacle(stopped, OPEN_UNTIL - SECOND)
    assert obstacle
    assert (obstacle.error_class, obstacle.message) == (STOP, "190 expired")
    assert circuit.obstacle(stopped, OPEN_UNTIL, is_essential=True) is None
    assert circuit.obstacle(stopped, OPEN_UNTIL) is None


def test_a_run_of_failures_opens_it_for_half_a_minute():
    assert note(*[TROUBLE] * 19).stopped_until is None
    note(TROUBLE)
    assert stop_of() == (NOW + 30 * SECOND, ErrorClass.TRANSIENT, "20 failures in a row")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
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


def test_each_account_fails_for_itself():
    note(*[TROUBLE] * 19)
    circuit.note(separate("chine"), TROUBLE, NOW)
    assert (sender().stopped_until, sender("chine").stopped_until) == (None, None)


def test_the_failures_of_an_accounts_senders_are_counted_together():
    note(*[TROUBLE] * 19)
    circuit.note(sender("chine"), TROUBLE, NOW)
    assert sender().stopped_until == sender("chine").stopped_until == NOW + 30 * SECOND


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
        assert message.next_attempt_at
        assert OPEN_UNTIL <= message.next_attempt_at <= OPEN_UNTIL + preparation.SPREAD
    assert len({message.next_attempt_at for message in messages}) > 1  # they do not come back all at once
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
    later = OPEN_UNTIL + circuit.PROBE_TIME
    assert other.next_attempt_at
    assert later <= other.next_attempt_at <= later + preparation.SPREAD
    assert probe.status == Status.SENT
    assert stop_of() == stop_of("chine") == (None, "", "")
    assert attempt(other, calls, other.next_attempt_at).status == Status.SENT


def test_a_probe_whose_worker_died_lets_the_next_one_go():
    opened()
    assert circuit.take_probe(sender(), OPEN_UNTIL) is None
    later = OPEN_UNTIL + circuit.PROBE_TIME
    assert circuit.obstacle(sender(), later - SECOND)
    assert circuit.obstacle(sender(), later) is None
    assert circuit.take_probe(sender(), later) is None


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_want_to_probe_one_may():
    opened()
    probes = [partial(circuit.take_probe, sender(code), OPEN_UNTIL) for code in ("mali", "chine") * 4]
    refusals = [refusal.error_class for refusal in at_once(*probes) if refusal]
    assert refusals == [STOP] * 7


def test_whoever_may_not_probe_comes_back_soon():
    opened()
    late, other, provider = sender(), post(), Provider(accepted())
    assert circuit.take_probe(sender(), OPEN_UNTIL) is None
    refusal = circuit.take_probe(late, OPEN_UNTIL)
    assert refusal
    assert (refusal.error_class, refusal.message, late.is_probing) == (STOP, "190 expired", False)
    attempt(other, provider, OPEN_UNTIL)
    assert (other.status, other.attempt_count, provider.requests) == (Status.PENDING, 0, [])


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
    assert stop_of() == (OPEN_UNTIL + circuit.PROBE_TIME, STOP, "190 expired")
    attempt(post(), Provider(accepted()), OPEN_UNTIL + circuit.PROBE_TIME)
    assert sender().stopped_until is None


@pytest.mark.parametrize("answer", [accepted(), refused(131026), json_answer(400, {})])
def test_any_real_answer_to_a_probe_closes_it_and_starts_the_ramp(answer: HttpAnswer):
    opened()
    attempt(post(), Provider(answer), OPEN_UNTIL)
    assert stop_of() == stop_of("chine") == (None, "", "")
    assert sender().resumed_at == sender("chine").resumed_at == OPEN_UNTIL


def test_a_probe_that_is_throttled_closes_it_and_brakes():
    opened()
    attempt(post(), Provider(refused(130429, 429, MINUTE)), OPEN_UNTIL)
    assert (stop_of(), sender().resumed_at) == ((None, "", ""), OPEN_UNTIL + MINUTE)
    assert pacing.reserve(sender(), NUMBER, OPEN_UNTIL).wait > 50 * SECOND


def test_a_probe_does_not_close_a_circuit_that_was_opened_anew_since():
    opened()
    probing = sender()
    assert circuit.take_probe(probing, OPEN_UNTIL) is None
    opened(OPEN_UNTIL + 10 * MINUTE)
    circuit.note(probing, OK, OPEN_UNTIL + SECOND)
    assert stop_of() == (OPEN_UNTIL + 10 * MINUTE, STOP, "190 expired")
    assert sender().resumed_at is None


def test_an_answer_to_a_call_from_before_the_stop_does_not_close_a_circuit_that_is_being_probed():
    before = sender()
    opened()
    assert circuit.take_probe(sender(), OPEN_UNTIL) is None
    circuit.note(before, OK, OPEN_UNTIL + SECOND)
    assert stop_of() == (OPEN_UNTIL + circuit.PROBE_TIME, STOP, "190 expired")


def test_an_answer_to_an_older_call_does_not_close_a_circuit_that_opened_since():
    before = sender()
    opened()
    circuit.note(before, OK, NOW + SECOND)
    assert sender().stopped_until == OPEN_UNTIL


def test_sending_as_usual_starts_no_ramp():
    attempt(post(), Provider(accepted()))
    assert sender().resumed_at is None


@pytest.mark.parametrize(("error_class", "wait"), [(STOP, 5 * MINUTE), (SLOW, 30 * MINUTE)])
def test_a_receipt_that_names_the_account_opens_it_too(error_class: ErrorClass, wait: timedelta):
    attempt(post(), Provider(accepted()))
    error = ProviderError(error_class, "131031", "locked")
    receipts.take("cloud_api", ReceiptEvent("wamid.one", Kind.FAILED, "failed", NOW, error=error), NOW)
    assert stop_of() == (NOW + wait, error_class, "131031 locked")


def test_after_an_outage_the_most_urgent_and_then_the_newest_are_rung_first():
    opened()
    order = [(5, 0), (3, 1), (5, 2), (1, 0), (3, 3)]
    rows = {(priority, n): post(NOW + n * SECOND, priority=priority) for priority, n in order}
    for row in rows.values():
        attempt(row, Provider(accepted()), NOW + 3 * SECOND)
    rung = [bell.code for bell in recovery.to_ring(OPEN_UNTIL + preparation.SPREAD)]
    assert rung == [rows[key].pk for key in [(1, 0), (3, 3), (3, 1), (5, 2), (5, 0)]]


def test_forgetting_the_pace_forgets_the_failures():
    note(*[TROUBLE] * 19)
    forget_pace()
    assert note(TROUBLE).stopped_until is None


def receipt_of(notification: WhatsAppNotification, word: str, message_id: str = "wamid.late") -> None:
    error = ProviderError(ErrorClass.TRANSIENT, "131016", "why") if word == "failed" else None
    event = ReceiptEvent(message_id, Kind(word), word, NOW, tracking=str(notification.pk), error=error)
    receipts.take("cloud_api", event, NOW)


@pytest.mark.parametrize("word", ["sent", "delivered", "read"])
def test_a_receipt_of_a_call_without_an_answer_shows_that_the_provider_works(word: str):
    first, second = (attempt(post(), Provider(NoAnswer("ReadTimeout"))) for _ in range(2))
    note(*[TROUBLE] * 19)
    receipt_of(first, word)
    assert note(*[TROUBLE] * 19).stopped_until is None

    assert note(TROUBLE).stop_class == ErrorClass.TRANSIENT
    receipt_of(second, word, "wamid.later")
    assert stop_of() == (None, "", "")
    assert sender().resumed_at == NOW


@pytest.mark.parametrize(
    ("word", "stop"), [("failed", ErrorClass.TRANSIENT), ("read", STOP)], ids=["it failed", "the account is refused"]
)
def test_a_receipt_leaves_a_circuit_open_that_it_says_nothing_about(word: str, stop: ErrorClass):
    unanswered = attempt(post(), Provider(NoAnswer("ReadTimeout")))
    opened(error_class=stop)
    receipt_of(unanswered, word)
    assert stop_of()[:2] == (OPEN_UNTIL, stop)


def test_a_receipt_of_a_message_that_was_answered_is_no_news_of_the_account():
    answered = attempt(post(), Provider(accepted("wamid.late")))
    opened(error_class=ErrorClass.TRANSIENT)
    receipt_of(answered, "read")
    assert stop_of()[0] == OPEN_UNTIL
