"""PostgreSQL is started again while a worker holds a message: what the provider said is written down all the same."""

import logging
from datetime import datetime

import psycopg
import pytest
from django.db import connection

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, Together, accepted, attempt, post, refused, snapshot
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import Status, WhatsAppAttempt, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.notification_queries import LEASE
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import delivery, recording

pytestmark = pytest.mark.django_db


def restart_postgresql() -> None:
    """What a connection sees of a restart: its other end is gone."""
    terminate = "SELECT pg_terminate_backend(%s, 5000)"
    with psycopg.connect(**connection.get_connection_params()) as other:
        assert other.execute(terminate, [connection.connection.info.backend_pid]).fetchone() == (True,)


def restarting(answer: HttpAnswer | Exception) -> delivery.Send:
    """A provider whose answer comes when PostgreSQL has been restarted."""

    def send(request: HttpRequest) -> HttpAnswer:
        restart_postgresql()
        return Provider(answer)(request)

    return send


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [
        (accepted(), Status.SENT, "accepted"),
        (refused(131016), Status.RETRY_SCHEDULED, "refused"),
        (NoAnswer("ReadTimeout"), Status.UNCONFIRMED, "uncertain"),
    ],
    ids=["accepted", "refused", "no answer"],
)
def test_an_answer_is_recorded_although_postgresql_was_restarted_meanwhile(
    answer: HttpAnswer | Exception, status: Status, outcome: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recording, "RECORD_AGAIN_AFTER", (0,))
    notification = attempt(post(), restarting(answer))
    assert (notification.status, notification.attempt_count) == (status, 1)
    assert [record.outcome for record in notification.attempts.all()] == [outcome]


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_recorded_although_the_connection_is_known_to_be_closed(monkeypatch: pytest.MonkeyPatch):
    def send(_request: object) -> HttpAnswer:
        connection.connection.close()
        return accepted()

    monkeypatch.setattr(recording, "RECORD_AGAIN_AFTER", (0,))
    assert attempt(post(), send).status == Status.SENT


@pytest.mark.django_db(transaction=True)
def test_a_group_of_answers_is_recorded_although_postgresql_was_restarted_meanwhile(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "RECORD_AGAIN_AFTER", (0,))
    WhatsAppSender.objects.update(rate_per_second=100_000)
    codes = [post(phone_number=f"+22376{n:06}").pk for n in range(8)]
    first: list[HttpAnswer | Exception] = [NoAnswer("ReadTimeout"), refused(131016)]
    answers = iter([*first, *(accepted(f"wamid.{n}") for n in range(5))])

    def send(request: HttpRequest) -> HttpAnswer:
        # The last of the group comes when PostgreSQL has been restarted.
        answer = next(answers, None)
        return Provider(answer)(request) if answer else restarting(accepted())(request)

    delivery.deliver_all(codes, carrier=Together(send, NOW), now=lambda: NOW)
    statuses = sorted(WhatsAppNotification.objects.values_list("status", flat=True))
    assert statuses == [Status.RETRY_SCHEDULED, *[Status.SENT] * 6, Status.UNCONFIRMED]
    assert WhatsAppAttempt.objects.count() == 8


class Reopening(logging.Handler):
    """Opens the database again when somebody has complained so often that it is closed."""

    def __init__(self, complaints: int) -> None:
        super().__init__()
        self.complaints = complaints

    def emit(self, _record: logging.LogRecord) -> None:
        self.complaints -= 1
        if not self.complaints:
            allow_connections(True)


def allow_connections(allowed: bool) -> None:
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**{**connection.get_connection_params(), "dbname": "postgres"}, autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_recorded_when_postgresql_is_back_after_several_tries(monkeypatch: pytest.MonkeyPatch):
    def send(_request: object) -> HttpAnswer:
        restart_postgresql()
        allow_connections(False)
        return accepted()

    monkeypatch.setattr(recording, "RECORD_AGAIN_AFTER", (0, 0, 0, 0))
    reopening, notification = Reopening(complaints=3), post()
    recording.logger.addHandler(reopening)
    try:
        delivery.deliver(notification.pk, send=send, now=lambda: NOW)
    finally:
        recording.logger.removeHandler(reopening)
        allow_connections(True)
    notification.refresh_from_db()
    assert (notification.status, notification.attempts.count(), reopening.complaints) == (Status.SENT, 1, 0)


GATEWAY = HttpAnswer(403, b"<h1>Forbidden</h1>")
RECORDED_TWICE = {"accepted": accepted(), "refused": refused(131016), "502": HttpAnswer(502, b""), "gateway": GATEWAY}


@pytest.mark.parametrize("answer", RECORDED_TWICE.values(), ids=RECORDED_TWICE)
def test_an_answer_whose_commit_was_not_heard_of_is_recorded_once(answer: HttpAnswer):
    notification = attempt(post(), Provider(GATEWAY))
    at = notification.next_attempt_at or NOW
    claimed = WhatsAppNotification.objects.claim(notification.pk, at)
    assert claimed
    sender = WhatsAppSender.objects.get(code="mali")
    call = recording.Call(providers.get("cloud_api").read(answer), at, at, answer)
    recording.record(claimed, sender, call)
    before = snapshot(WhatsAppNotification, WhatsAppAttempt)
    recording.record(claimed, sender, call)  # as after a connection that broke at the end of the first time
    assert snapshot(WhatsAppNotification, WhatsAppAttempt) == before


@pytest.mark.django_db(transaction=True)
def test_a_message_that_never_left_is_given_back_although_postgresql_was_restarted_meanwhile():
    notification, provider, moments = post(message_type="otp"), Provider(accepted()), iter([NOW])

    def now() -> datetime:
        for moment in moments:
            return moment
        restart_postgresql()
        return NOW + LEASE  # too late to call

    delivery.deliver(notification.pk, send=provider, now=now)
    notification.refresh_from_db()
    assert (notification.status, notification.attempt_count, provider.requests) == (Status.PENDING, 0, [])
