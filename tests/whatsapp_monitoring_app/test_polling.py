"""Asking the provider what became of a message: when, how often, and what the answer does."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from tests.outages import redis_away
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    open_window,
    post,
    snapshot,
)
from tests.whatsapp_monitoring_app.twilio_says import ACCOUNT_SID, SID, TOKEN, answered, refused
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppAttempt,
    WhatsAppErrorCode,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest, Kind, ReceiptEvent
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.services import polling, receipts, shared_memory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
DUE = NOW + 10 * MINUTE


@pytest.fixture(autouse=True)
def _surroundings() -> Iterator[None]:
    WhatsAppSender.objects.update(provider="twilio", account_id=ACCOUNT_SID, token=TOKEN, address="+22370000000")
    forget_questions()
    yield
    forget_questions()


def forget_questions() -> None:
    """Let ten minutes pass in Redis."""
    client = shared_memory.client()
    for key in client.scan_iter("asked:*"):
        client.delete(key)


def sent(number: int = 0, at: datetime = NOW) -> WhatsAppNotification:
    """A message that Twilio took; `number` makes another one, to somebody else."""
    sid = SID if number == 0 else f"SM{number:032}"
    open_window(number=f"+2237612{number:04}", at=at)
    return attempt(post(at, phone_number=f"+2237612{number:04}"), Provider(answered(sid=sid)), at)


def says(status: str, **members: Any) -> Provider:
    """Twilio, which says this of whatever message it is asked about."""
    return Provider(answered(200, status=status, **members))


def asked_at(*minutes: float, at: datetime = NOW) -> list[float]:
    """Those of these minutes at which something is asked, when a run comes by at each of them."""
    asked = []
    for minute in minutes:
        wire = says("queued")
        polling.poll(at + minute * MINUTE, wire)
        if wire.requests:
            asked.append(minute)
        forget_questions()
    return asked


# --- When


def test_a_message_is_asked_about_ten_minutes_after_it_was_accepted():
    sent()
    assert asked_at(0, 5, 9.9) == []
    assert asked_at(10, 19.9) == [10, 19.9]


def test_the_distance_between_the_questions_grows():
    sent()
    assert asked_at(30, 35, 39, 50, 79, 90, 159, 170, 1000, 2000) == []
    assert asked_at(20, 29, 40, 49, 80, 160, 320, 640, 1280, 2560) == [20, 29, 40, 49, 80, 160, 320, 640, 1280, 2560]


def test_in_three_days_of_runs_nine_questions_are_asked_and_none_after():
    notification = sent()
    wire, key = says("queued"), f"asked:{notification.pk}"
    asked: list[timedelta] = []
    for minute in range(5, 4 * 24 * 60, 5):
        if asked and minute * MINUTE - asked[-1] >= polling.INTERVAL:
            shared_memory.client().delete(key)  # as Redis does by itself
        before = len(wire.requests)
        polling.poll(NOW + minute * MINUTE, wire)
        if len(wire.requests) > before:
            asked.append(minute * MINUTE)
    assert asked == [minutes * MINUTE for minutes in (10, 20, 40, 80, 160, 320, 640, 1280, 2560)]


def test_a_question_is_asked_once_however_many_runs_come_by():
    sent()
    wire = says("queued")
    for second in range(0, 600, 60):
        polling.poll(DUE + second * SECOND, wire)
    assert len(wire.requests) == 1
    (key,) = shared_memory.client().scan_iter("asked:*")
    assert 0 < shared_memory.client().pttl(key) <= 600_000


def test_a_late_run_finds_what_an_earlier_one_should_have_asked():
    sent()
    assert polling.poll(DUE + 9 * MINUTE, says("delivered")) == 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_ask_once():
    for number in range(5):
        sent(number)
    wires = [says("queued") for _ in range(4)]
    at_once(*[partial(polling.poll, DUE, wire) for wire in wires])
    asked = [request.url for wire in wires for request in wire.requests]
    assert len(asked) == len(set(asked)) == 5


def test_without_redis_nothing_is_asked():
    sent()
    wire = says("delivered")
    with redis_away():
        assert polling.poll(DUE, wire) == 0
    assert wire.requests == []


# --- About what


def test_the_question_names_account_and_message():
    sent()
    wire = says("queued")
    polling.poll(DUE, wire)
    (request,) = wire.requests
    assert (request.method, request.body) == ("GET", b"")
    assert request.url.endswith(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{SID}.json")
    assert (
        base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT_SID}:{TOKEN}"
    )


def test_a_provider_that_cannot_be_asked_is_not_asked():
    WhatsAppSender.objects.update(provider="cloud_api")
    open_window()
    attempt(post(), Provider(accepted()))
    wire = says("delivered")
    assert polling.poll(DUE, wire) == 0
    assert wire.requests == []
    assert not list(shared_memory.client().scan_iter("asked:*"))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Status.DELIVERED},
        {"status": Status.READ},
        {"status": Status.FAILED, "failed_at": NOW},
        {"status": Status.CANCELLED},
        {"status": Status.RETRY_SCHEDULED, "next_attempt_at": NOW},
        {"provider_message_id": None},
        {"sender": None},
    ],
)
def test_what_is_over_or_cannot_be_named_is_not_asked_about(fields: dict[str, Any]):
    change(sent(), **fields)
    assert asked_at(10, 20, 40) == []


def test_a_sender_that_has_lost_its_token_cannot_ask():
    sent()
    WhatsAppSender.objects.update(token="")
    assert asked_at(10) == []


def test_a_lost_answer_is_asked_about_at_once_when_an_earlier_attempt_has_an_id():
    notification = sent()
    polling.poll(DUE, says("undelivered", error_code=63010))
    notification.refresh_from_db()
    assert notification.status == Status.RETRY_SCHEDULED
    again_at = notification.next_attempt_at or NOW
    attempt(notification, Provider(NoAnswer("ReadTimeout")), again_at)
    assert (notification.status, notification.provider_message_id) == (Status.UNCONFIRMED, SID)

    forget_questions()
    assert polling.poll(again_at + MINUTE, says("delivered")) == 1
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED


def test_an_earlier_attempts_failure_says_nothing_of_the_last_one():
    notification = sent()
    change(notification, status=Status.UNCONFIRMED, confirm_by=NOW + 5 * MINUTE)
    assert polling.poll(NOW + MINUTE, says("failed", error_code=63003)) == 1
    notification.refresh_from_db()
    assert notification.status == Status.UNCONFIRMED


def test_what_is_in_doubt_is_asked_about_first():
    sent(1)
    doubtful = sent(2)
    sent(3)
    change(doubtful, status=Status.UNCONFIRMED, confirm_by=DUE + 4 * MINUTE)
    wire = says("queued")
    polling.poll(DUE, wire)
    assert f"SM{2:032}" in wire.requests[0].url


# --- What the answer does


@pytest.mark.parametrize(
    ("word", "status"),
    [("delivered", Status.DELIVERED), ("read", Status.READ), ("undelivered", Status.FAILED), ("sent", Status.SENT)],
)
def test_the_answer_is_a_receipt(word: str, status: Status):
    notification = sent()
    assert polling.poll(DUE, says(word, error_code=63003 if word == "undelivered" else None)) == 1
    notification.refresh_from_db()
    assert notification.status == status
    (receipt,) = notification.receipts.all()
    assert (receipt.provider, receipt.raw_status, receipt.applied_at) == ("twilio", word, DUE)
    assert receipt.occurred_at == NOW + SECOND  # Twilio's own date, not the moment of the question


def test_an_answer_without_a_date_has_happened_now():
    notification = sent()
    polling.poll(DUE, says("delivered", date_updated=None))
    notification.refresh_from_db()
    assert notification.delivered_at == DUE


def test_a_word_that_the_webhook_has_said_is_not_kept_twice():
    sent()
    receipts.take("twilio", ReceiptEvent(SID, Kind.SENT, "sent", None), NOW + SECOND * 9)
    polling.poll(DUE, says("sent"))
    assert WhatsAppReceipt.objects.count() == 1
    forget_questions()
    polling.poll(DUE + 10 * MINUTE, says("delivered"))
    receipts.take("twilio", ReceiptEvent(SID, Kind.DELIVERED, "delivered", None), DUE + DAY)
    assert WhatsAppReceipt.objects.filter(raw_status="delivered").count() == 1


@pytest.mark.parametrize(
    "answer",
    [
        answered(200, status="queued"), answered(200, sid=None, status="read"), refused(20003, 401),
        refused(20404, 404), HttpAnswer(502, b"<html>"), HttpAnswer(200, b"[]"), NoAnswer("ReadTimeout"),
        NotSent("no connection"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_answer_that_tells_nothing_moves_nothing(answer: HttpAnswer | Exception):
    sent()
    watched = (WhatsAppNotification, WhatsAppReceipt, WhatsAppAttempt, WhatsAppSender, WhatsAppErrorCode)
    before = snapshot(*watched)
    assert polling.poll(DUE, Provider(answer)) == 0
    assert snapshot(*watched) == before


def test_the_answer_about_a_message_that_nobody_knows_moves_nothing():
    notification = sent()
    polling.poll(DUE, says("read", sid="SM" + "f" * 32))
    notification.refresh_from_db()
    assert notification.status == Status.SENT


@pytest.mark.parametrize(
    "trouble", [NoAnswer("ReadTimeout"), RuntimeError("a bug"), HttpAnswer(500, b""), answered(200, status=["?"])]
)
def test_the_trouble_of_one_does_not_stop_the_others(trouble: HttpAnswer | Exception):
    for number in range(3):
        sent(number)

    def send(request: HttpRequest) -> HttpAnswer:
        if f"SM{1:032}" not in request.url:
            return answered(200, status="delivered", sid=request.url.rpartition("/")[2].removesuffix(".json"))
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    assert polling.poll(DUE, send) == 2
    statuses = dict(WhatsAppNotification.objects.values_list("provider_message_id", "status"))
    assert statuses == {SID: "delivered", f"SM{1:032}": "sent", f"SM{2:032}": "delivered"}


# --- How much


def test_a_run_asks_about_so_many_and_the_next_one_about_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(polling, "AT_MOST", 2)
    for number in range(5):
        sent(number)
    wire = says("queued")
    counts = []
    for minute in range(4):
        polling.poll(DUE + minute * MINUTE, wire)
        counts.append(len(wire.requests))
    assert counts == [2, 4, 5, 5]
    assert len({request.url for request in wire.requests}) == 5


def test_a_provider_that_hangs_does_not_hold_the_run():
    for number in range(5):
        sent(number)
    seconds = iter([0.0, 1.0, polling.RUN_SECONDS + 1, polling.RUN_SECONDS + 2])
    wire = Provider(NoAnswer("ReadTimeout"))
    polling.poll(DUE, wire, clock=lambda: next(seconds))
    assert len(wire.requests) == 1
    late = says("queued")
    polling.poll(DUE + MINUTE, late)
    assert len(late.requests) == 4


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_and_no_row_locked_while_the_provider_is_asked():
    notification = sent()
    seen: list[object] = []

    def lock_the_row() -> bool:
        try:
            with transaction.atomic():
                WhatsAppNotification.objects.select_for_update(nowait=True).get(pk=notification.pk)
        except DatabaseError:
            return False
        return True

    def send(request: HttpRequest) -> HttpAnswer:
        seen.extend([connection.in_atomic_block, *at_once(lock_the_row)])
        return answered(200, status="read")

    assert polling.poll(DUE, send) == 1
    assert seen == [False, True]


# --- Over real HTTP


@contextmanager
def twilio_server(answer: Callable[[str], tuple[int, dict[str, Any]]]) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers questions as Twilio does, at this address, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            status, body = answer(self.path)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_answer_comes_over_http():
    for number in range(2):
        sent(number)

    def answer(path: str) -> tuple[int, dict[str, Any]]:
        sid = path.rpartition("/")[2].removesuffix(".json")
        return (200, {"sid": sid, "status": "delivered"}) if sid == SID else (404, {"code": 20404, "message": "No"})

    with twilio_server(answer) as (url, asked), override_settings(TWILIO_API_URL=url):
        assert polling.poll(DUE) == 1
    credentials = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
    assert sorted(asked) == sorted([(f"{path}/{sid}.json", credentials) for sid in (SID, f"SM{1:032}")])
    assert WhatsAppNotification.objects.get(provider_message_id=SID).status == Status.DELIVERED
