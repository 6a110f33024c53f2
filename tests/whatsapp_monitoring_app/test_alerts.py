"""What is wrong with the whole opens an alert, once; and is over when it is."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests import rows
from tests.whatsapp_monitoring_app.scripts import NOW, at_once
from whatsapp_monitoring_app.models import (
    AlertKind,
    ErrorClass,
    Status,
    WhatsAppAlert,
    WhatsAppNotification,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.services import alerts, cleanup, incidents, pulses
from whatsapp_monitoring_app.services.pulses import Part

pytestmark = pytest.mark.django_db

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MOST_QUERIES = 10


def sender(code: str = "mali") -> WhatsAppSender:
    return WhatsAppSender.objects.get(code=code)


def change_sender(code: str = "mali", **fields: Any) -> None:
    WhatsAppSender.objects.filter(code=code).update(**fields)


def failed(count: int, at: datetime = NOW, office: str = "agent_mali", **fields: Any) -> None:
    for _ in range(count):
        rows.notification(office, created_at=at - HOUR, failed_at=at - MINUTE, **fields)


def sent(count: int, ago: timedelta = MINUTE, office: str = "agent_mali", **fields: Any) -> None:
    for _ in range(count):
        rows.notification(office, Status.SENT, sender=sender(), created_at=NOW - HOUR, sent_at=NOW - ago, **fields)


def waiting(ago: timedelta, office: str = "agent_mali", **fields: Any) -> WhatsAppNotification:
    return rows.notification(office, Status.PENDING, created_at=NOW - DAY, **{"next_attempt_at": NOW - ago, **fields})


def heard(ago: timedelta, provider: str = "cloud_api") -> None:
    WhatsAppWebhookLog.objects.create(provider=provider, payload="{}", received_at=NOW - ago)


def open_kinds(at: datetime = NOW) -> list[tuple[str, str]]:
    """Kind and office of what is open after an evaluation at this moment."""
    alerts.evaluate(at)
    return sorted(WhatsAppAlert.objects.open().values_list("kind", "source_app"))


def one_alert() -> WhatsAppAlert:
    return WhatsAppAlert.objects.open().get()


def test_nothing_is_wrong_with_an_installation_in_which_nothing_ever_ran():
    assert alerts.evaluate(NOW) == 0
    assert open_kinds() == []


def stop_mali() -> None:
    change_sender(account_id="2001", stopped_until=NOW + MINUTE, stop_class=ErrorClass.ACCOUNT_STOP, stop_reason="190")


def let_mali_go() -> None:
    change_sender(stopped_until=None, stop_class="", stop_reason="")


def hold_a_message() -> None:
    waiting(MINUTE, error_class=ErrorClass.TEMPLATE_STOP)


def fall_silent(part: Part) -> None:
    pulses.note(Part.WORKER, NOW)
    pulses.note(part, NOW - 4 * MINUTE)


def hear_nothing() -> None:
    WhatsAppWebhookLog.objects.all().delete()
    sent(5, 40 * MINUTE)
    WhatsAppNotification.objects.update(source_app="agent_chine")


def forget_messages() -> None:
    WhatsAppNotification.objects.all().delete()


TROUBLES: dict[AlertKind, tuple[Callable[[], object], Callable[[], object], str]] = {
    AlertKind.FAILURE_RATE: (lambda: failed(20), forget_messages, "agent_mali"),
    AlertKind.QUEUE_AGE: (lambda: waiting(15 * MINUTE), forget_messages, "agent_mali"),
    AlertKind.CIRCUIT_OPEN: (stop_mali, let_mali_go, ""),
    AlertKind.TOKEN_EXPIRY: (
        lambda: change_sender(token_expires_at=NOW + 6 * DAY),
        lambda: change_sender(token_expires_at=NOW + 60 * DAY),
        "",
    ),
    AlertKind.TEMPLATE_HELD: (hold_a_message, forget_messages, "agent_mali"),
    AlertKind.BEAT_SILENT: (lambda: fall_silent(Part.BEAT), lambda: pulses.note(Part.BEAT, NOW), ""),
    AlertKind.WORKERS_SILENT: (lambda: fall_silent(Part.WORKER), lambda: pulses.note(Part.WORKER, NOW), ""),
    AlertKind.WEBHOOK_SILENT: (hear_nothing, lambda: heard(SECOND), ""),
}
EVERY_KIND = pytest.mark.parametrize("kind", TROUBLES, ids=str)


def test_every_kind_of_alert_has_a_trouble_here():
    assert set(TROUBLES) == set(AlertKind)


@EVERY_KIND
def test_a_trouble_opens_one_alert_and_ends_it(kind: AlertKind):
    begin, end, office = TROUBLES[kind]
    begin()
    assert alerts.evaluate(NOW) == 1
    assert open_kinds(NOW + SECOND) == [(kind, office)]
    alert = one_alert()
    assert (alert.opened_at, alert.last_seen_at) == (NOW, NOW + SECOND)

    end()
    assert alerts.evaluate(NOW + 2 * SECOND) == 1
    alert.refresh_from_db()
    assert alert.resolved_at == NOW + 2 * SECOND
    assert alerts.evaluate(NOW + 3 * SECOND) == 0

    begin()
    assert alerts.evaluate(NOW + 4 * SECOND) == 1
    assert WhatsAppAlert.objects.filter(kind=kind).count() == 2


def test_the_database_holds_one_open_alert_per_kind_and_key():
    rows.alert("agent_mali")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.alert("agent_mali")
    rows.alert("agent_mali", resolved_at=NOW)
    rows.alert("agent_chine")


@pytest.mark.django_db(transaction=True)
def test_evaluations_at_once_open_and_end_an_alert_once():
    TROUBLES[AlertKind.QUEUE_AGE][0]()
    at_once(*[lambda: alerts.evaluate(NOW)] * 4)
    assert WhatsAppAlert.objects.count() == 1
    forget_messages()
    assert sum(at_once(*[lambda: alerts.evaluate(NOW + MINUTE)] * 4)) == 1


def test_an_alert_that_others_opened_meanwhile_is_not_ended_by_what_was_found_before(monkeypatch: pytest.MonkeyPatch):
    find = incidents.find

    def find_slowly(at: datetime) -> list[incidents.Incident]:
        found = find(at)
        rows.alert("agent_mali")  # by another process
        return found

    monkeypatch.setattr(incidents, "find", find_slowly)
    assert alerts.evaluate(NOW) == 0
    assert one_alert().resolved_at is None


class TestFailures:
    @pytest.mark.parametrize(
        ("bad", "good", "is_open"), [(4, 16, True), (3, 17, False), (4, 15, False), (20, 0, True)], ids=str
    )
    def test_a_fifth_of_twenty_decided_messages_is_too_much(self, bad: int, good: int, is_open: bool):
        failed(bad)
        sent(good)
        assert bool(open_kinds()) == is_open

    def test_it_is_over_when_fewer_than_a_tenth_fail(self):
        failed(4)
        sent(16)
        assert open_kinds() == [("failure_rate", "agent_mali")]
        sent(20)
        assert open_kinds() == [("failure_rate", "agent_mali")]
        sent(1)
        assert open_kinds() == []

    def test_only_the_office_whose_messages_fail_is_told(self):
        failed(20)
        sent(20, office="agent_chine")
        assert open_kinds() == [("failure_rate", "agent_mali")]
        assert one_alert().facts == {"failed": 20, "total": 20, "percent": 100}

    def test_what_failed_an_hour_ago_what_was_given_up_and_alerts_themselves_do_not_count(self, make_user):
        failed(20, at=NOW - HOUR)
        failed(20, settled_by=make_user())
        failed(20, message_type="alert")
        assert open_kinds() == []


class TestQueues:
    @pytest.mark.parametrize(
        ("ago", "priority", "is_open"),
        [
            (15 * MINUTE, 3, True),
            (14 * MINUTE, 3, False),
            (15 * MINUTE, 1, True),
            (15 * MINUTE, 4, False),
            (2 * HOUR, 5, True),
        ],
        ids=["late", "soon", "urgent", "bulk", "late bulk"],
    )
    def test_what_is_in_a_hurry_waits_for_a_quarter_of_an_hour_and_bulk_for_two_hours(
        self, ago: timedelta, priority: int, is_open: bool
    ):
        waiting(ago, priority=priority)
        assert bool(open_kinds()) == is_open

    def test_it_is_over_when_the_oldest_waits_for_less_than_five_minutes(self):
        one = waiting(15 * MINUTE)
        assert open_kinds()
        WhatsAppNotification.objects.filter(pk=one.pk).update(next_attempt_at=NOW - 5 * MINUTE)
        assert open_kinds()
        WhatsAppNotification.objects.filter(pk=one.pk).update(next_attempt_at=NOW - 4 * MINUTE)
        assert open_kinds() == []

    def test_what_waits_for_its_time_is_no_delay(self):
        waiting(-HOUR)  # a planned retry, the morning, or a later wish
        waiting(HOUR, expires_at=NOW - HOUR)
        assert open_kinds() == []

    def test_what_has_an_alert_of_its_own_makes_no_second_one(self):
        stop_mali()
        waiting(HOUR)
        waiting(HOUR, error_class=ErrorClass.TEMPLATE_STOP, office="agent_chine")
        assert [kind for kind, _office in open_kinds()] == ["circuit_open", "template_held"]

    def test_what_waits_for_a_paused_sender_is_a_delay(self):
        change_sender(is_active=False)
        waiting(HOUR)
        assert open_kinds() == [("queue_age", "agent_mali")]

    def test_when_nothing_is_sent_at_all_that_is_the_alert(self):
        fall_silent(Part.WORKER)
        waiting(HOUR)
        assert open_kinds() == [("workers_silent", "")]


class TestSenders:
    def test_senders_of_one_account_are_one_alert(self):
        WhatsAppSender.objects.update(stopped_until=NOW + MINUTE, stop_class=ErrorClass.ACCOUNT_STOP)
        assert open_kinds() == [("circuit_open", "")]
        assert one_alert().facts["senders"] == ["Chine", "Mali", "Système"]

    def test_a_circuit_that_is_half_open_is_still_open_and_a_short_stop_that_is_over_opens_nothing(self):
        stop_mali()
        assert open_kinds(NOW + 2 * MINUTE) == []
        assert open_kinds() == [("circuit_open", "")]
        assert open_kinds(NOW + 10 * MINUTE) == [("circuit_open", "")]
        assert open_kinds(NOW + 11 * MINUTE) == []

    def test_a_sender_that_is_not_in_use_is_no_trouble(self):
        WhatsAppSender.objects.update(
            is_active=False, stopped_until=NOW + DAY, stop_class=ErrorClass.ACCOUNT_STOP, token_expires_at=NOW
        )
        assert open_kinds() == []

    def test_of_two_tokens_of_an_account_the_one_that_ends_first_is_the_alert(self):
        change_sender(token_expires_at=NOW + 6 * DAY)
        change_sender("chine", token_expires_at=NOW - DAY)
        assert open_kinds() == [("token_expiry", "")]
        assert (one_alert().facts["senders"], one_alert().facts["is_past"]) == (["Chine"], True)


def test_a_template_that_two_offices_need_concerns_the_company():
    hold_a_message()
    waiting(MINUTE, office="agent_chine", error_class=ErrorClass.TEMPLATE_STOP)
    assert open_kinds() == [("template_held", "")]
    assert one_alert().facts["count"] == 2


class TestReceipts:
    @pytest.mark.parametrize(
        ("count", "ago", "payload", "is_open"),
        [
            (5, 30 * MINUTE, None, True),
            (4, 30 * MINUTE, None, False),
            (5, 29 * MINUTE, None, False),
            (5, 61 * MINUTE, None, False),
            (5, 40 * MINUTE, 45 * MINUTE, True),
            (5, 40 * MINUTE, 35 * MINUTE, False),
        ],
        ids=["late", "few", "soon", "long ago", "a payload before", "a payload since"],
    )
    def test_accepted_messages_without_any_payload_since(
        self, count: int, ago: timedelta, payload: timedelta | None, is_open: bool
    ):
        sent(count, ago)
        if payload:
            heard(payload)
        assert bool(open_kinds()) == is_open

    def test_it_stays_open_until_a_payload_comes_although_nothing_is_sent_any_more(self):
        hear_nothing()
        assert open_kinds() == [("webhook_silent", "")]
        assert open_kinds(NOW + 3 * HOUR) == [("webhook_silent", "")]
        heard(-3 * HOUR)
        assert open_kinds(NOW + 3 * HOUR) == []

    def test_a_provider_without_receipts_owes_none_and_another_one_s_payload_is_none_of_this_one_s(self):
        change_sender(provider="wachap")
        sent(5, 40 * MINUTE)
        assert open_kinds() == []
        change_sender(provider="twilio")
        heard(MINUTE)
        assert open_kinds() == [("webhook_silent", "")]


def test_an_evaluation_asks_few_questions_whatever_the_number_of_rows():
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            alerts.evaluate(NOW)
        return len(asked)

    failed(20)
    alerts.evaluate(NOW)
    few = question_count()
    failed(40)
    sent(40)
    for office in ("agent_mali", "agent_chine"):
        waiting(MINUTE, office=office)
    alerts.evaluate(NOW)
    assert question_count() == few <= MOST_QUERIES


def test_what_is_over_is_forgotten_in_the_end_and_what_is_open_never():
    for age, office in ((91 * DAY, "agent_mali"), (89 * DAY, "agent_chine")):
        rows.alert(office, opened_at=NOW - age, resolved_at=NOW - age)
    still_open = rows.alert("agent_mali", opened_at=NOW - 91 * DAY)
    deleted = cleanup.delete_old(NOW, keep=90 * DAY, keep_payloads=7 * DAY)
    assert deleted["alerts"] == 1
    assert still_open in WhatsAppAlert.objects.all()


class TestTaking:
    def test_whoever_takes_an_alert_first_has_it(self, make_user):
        first, second = make_user(), make_user()
        alert, scope = rows.alert("agent_mali"), _scope("agent_mali")
        alerts.take(alert.pk, first, scope, NOW)
        alerts.take(alert.pk, first, scope, NOW + MINUTE)  # twice is once
        with pytest.raises(alerts.NothingToTake):
            alerts.take(alert.pk, second, scope, NOW)
        alert.refresh_from_db()
        assert (alert.taken_by, alert.taken_at) == (first, NOW)

    def test_what_is_over_or_foreign_cannot_be_taken(self, make_user):
        over = rows.alert("agent_mali", resolved_at=NOW)
        with pytest.raises(alerts.NothingToTake):
            alerts.take(over.pk, make_user(), _scope("agent_mali"), NOW)
        for code in (rows.alert("agent_chine").pk, uuid.uuid4()):
            with pytest.raises(WhatsAppAlert.DoesNotExist):
                alerts.take(code, make_user(), _scope("agent_mali"), NOW)


def _scope(office: str) -> Any:
    from whatsapp_monitoring_app import scopes

    return scopes.get(office)
