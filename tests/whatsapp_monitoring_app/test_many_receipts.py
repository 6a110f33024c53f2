"""Many receipts at once: the same truth as one by one, in a handful of statements, whoever else is at work."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests import rows
from tests.outages import redis_away
from tests.stack import forget_pace
from tests.whatsapp_monitoring_app.scripts import NOW, at_once, snapshot
from whatsapp_monitoring_app import bells, tasks
from whatsapp_monitoring_app.models import (
    Outcome,
    Status,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.providers import get
from whatsapp_monitoring_app.providers.base import Accepted
from whatsapp_monitoring_app.services import (
    deadlocks,
    receipts,
    recording,
    recovery,
    verdicts,
    webhook_bell,
    webhooks,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(minutes=1)
WORDS = ("sent", "delivered", "read")
STRANGER = "0d3f9a52-5c0e-4f53-9f0b-6f8a3c1f7d11"


def status(word: str, message_id: str, second: int = 0, tracking: str = "", code: int | None = None) -> dict[str, Any]:
    timestamp = str(int(NOW.timestamp()) + second)
    errors = {"errors": [{"code": code, "title": "No"}]} if code else {}
    echoed = {"biz_opaque_callback_data": tracking} if tracking else {}
    return {"id": message_id, "status": word, "timestamp": timestamp, "recipient_id": "1", **echoed, **errors}


def payload(statuses: Sequence[Any]) -> bytes:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "statuses": list(statuses)}
    return json.dumps({"entry": [{"changes": [{"value": value, "field": "messages"}]}]}).encode()


def store(*statuses: Any, at: datetime = NOW) -> WhatsAppWebhookLog:
    return webhooks.store("cloud_api", payload(statuses), at)


def accepted_ones(count: int, status: Status = Status.SENT, **fields: Any) -> list[WhatsAppNotification]:
    sender = WhatsAppSender.objects.get(code="mali")
    return [
        rows.notification(
            "agent_mali", status, provider_message_id=f"wamid.{n:04}", sender=sender, sent_at=NOW, **fields
        )
        for n in range(count)
    ]


def the_three_of(messages: Sequence[WhatsAppNotification]) -> list[dict[str, Any]]:
    return [
        status(word, str(message.provider_message_id), n, tracking=str(message.pk))
        for n, word in enumerate(WORDS)
        for message in messages
    ]


def unread_count() -> int:
    return WhatsAppWebhookLog.objects.filter(processed_at=None).count()


# --- The same truth


STATES = [
    Status.SENT, Status.SENT, Status.SENT, Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED,
    Status.CANCELLED, Status.PENDING, Status.RETRY_SCHEDULED, Status.UNCONFIRMED, Status.UNCONFIRMED, Status.SENDING,
]  # fmt: skip
MESSAGES = st.lists(st.tuples(st.sampled_from(STATES), st.booleans()), min_size=2, max_size=3)
STORIES = st.lists(
    st.tuples(
        st.integers(0, 3),  # of which message, or of a stranger's
        st.sampled_from(["sent", "delivered", "read", "sent", "delivered", "read", "failed", "teleported"]),
        st.sampled_from(["its own", "its own", "an earlier one", "another message's"]),  # whose provider's id
        st.sampled_from(["ours", "ours", "none", "a stranger's"]),  # which tracking text
        st.integers(0, 2),  # when
        st.sampled_from([131026, 131016, 131056, 131050]),  # why it failed
        st.sampled_from([False, False, False, True]),  # whether a payload ends here
    ),
    min_size=5,
    max_size=16,
)
HISTORIES = hypothesis_settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def people_wait(messages: Sequence[tuple[Status, bool]]) -> list[WhatsAppNotification]:
    """A message in each of these states, with a provider's id or without."""
    sender = WhatsAppSender.objects.get(code="mali")
    held = {"claim_id": uuid4(), "claimed_until": LATER}
    made = []
    for number, (state, has_id) in enumerate(messages):
        known = {"provider_message_id": f"wamid.{number}"} if has_id else {}
        more = held if state == Status.SENDING else {}
        made.append(rows.notification("agent_mali", state, sender=sender, created_at=NOW, **known, **more))
        if state == Status.UNCONFIRMED:
            rows.attempt(made[-1])
            made[-1].attempts.update(outcome=Outcome.UNCERTAIN)
    return made


def as_statuses(story: Any, people: Sequence[WhatsAppNotification]) -> Iterator[tuple[dict[str, Any], bool]]:
    for which, word, whose_id, text, second, code, ends in story:
        message = people[which] if which < len(people) else None
        ids = {"its own": f"wamid.{which}", "an earlier one": f"wamid.{which}.old", "another message's": "wamid.0"}
        ours = str(message.pk) if message else ""
        tracking = {"ours": ours, "none": "", "a stranger's": STRANGER}[text]
        yield status(word, ids[whose_id], second, tracking, code if word == "failed" else None), ends


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written meanwhile is forgotten, and the dice fall as they did before."""
    verdicts._random.seed(1)
    forget_pace()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def facts() -> Any:
    """Every row that a receipt can change, whatever its number."""
    told = [{**row, "id": None} for row in WhatsAppReceipt.objects.values()]
    in_order = sorted(told, key=lambda row: (row["provider_message_id"], row["raw_status"], row["occurred_at"]))
    opt_outs = [{**row, "id": None} for row in WhatsAppOptOut.objects.order_by("phone_number").values()]
    return snapshot(WhatsAppNotification, WhatsAppSender), in_order, opt_outs


@HISTORIES
@given(MESSAGES, STORIES)
def test_receipts_end_in_the_same_rows_many_at_once_as_one_by_one(messages: Any, story: Any):
    with undone():
        told = list(as_statuses(story, people_wait(messages)))
        verdicts._random.seed(1)
        with undone():
            for one, _ends in told:
                for event in get("cloud_api").receipts(json.loads(payload([one]))):
                    receipts.take("cloud_api", event, LATER)
            one_by_one = facts()
        payloads: list[list[Any]] = [[]]
        for one, ends in told:
            payloads[-1].append(one)
            if ends:
                payloads.append([])
        with undone():
            for statuses in payloads:
                assert webhooks.process(store(*statuses).pk, LATER).errors == []
            assert facts() == one_by_one


@pytest.mark.parametrize(("words", "failed_at"), [(("failed", "delivered"), LATER), (("delivered", "failed"), None)])
def test_what_speaks_of_a_message_that_failed_is_taken_in_its_order(
    words: tuple[str, str], failed_at: datetime | None
):
    (message,) = accepted_ones(1)
    store(*[status(word, "wamid.0000", code=131026 if word == "failed" else None) for word in words])
    webhooks.apply_unread(LATER)
    message.refresh_from_db()
    assert (message.status, message.failed_at) == (Status.DELIVERED, failed_at)


@pytest.mark.parametrize("size", [1, 7, 90])
def test_three_receipts_of_each_message_arrive_in_payloads_of_any_size(size: int):
    messages = accepted_ones(30)
    told = the_three_of(messages)
    for start in range(0, len(told), size):
        store(*told[start : start + size])
    webhooks.apply_unread(LATER)
    for message in messages:
        message.refresh_from_db()
        moments = (message.sent_at, message.delivered_at, message.read_at)
        assert (message.status, moments) == (Status.READ, (NOW, NOW + SECOND, NOW + 2 * SECOND))
    assert WhatsAppReceipt.objects.filter(applied_at=LATER, notification__isnull=False).count() == 90


def test_a_payload_of_a_thousand_statuses_takes_a_handful_of_statements():
    messages = accepted_ones(40)
    store(*the_three_of(messages[:1]))
    with CaptureQueriesContext(connection) as few:
        webhooks.apply_unread(LATER)
    store(*the_three_of(messages))
    with CaptureQueriesContext(connection) as many:
        webhooks.apply_unread(LATER)
    assert len(many) == len(few) <= 15


def test_what_comes_again_among_news_is_no_row_and_has_no_effect():
    messages = accepted_ones(5)
    store(*the_three_of(messages))
    webhooks.apply_unread(LATER)
    before = snapshot(WhatsAppNotification, WhatsAppReceipt)
    store(*the_three_of(messages), *the_three_of(messages))
    webhooks.apply_unread(LATER + SECOND)
    assert snapshot(WhatsAppNotification, WhatsAppReceipt) == before


# --- Early receipts


def ids_of(messages: Iterable[WhatsAppNotification]) -> dict[UUID, str | None]:
    return {message.pk: message.provider_message_id for message in messages}


def test_asking_for_early_receipts_of_a_hundred_messages_is_one_query_when_none_waits(django_assert_num_queries: Any):
    messages = accepted_ones(100)
    with django_assert_num_queries(1):
        assert not receipts.apply_waiting_all(ids_of(messages), LATER)


def test_the_early_receipts_of_many_messages_are_applied_together():
    messages = accepted_ones(20, Status.SENDING, claim_id=uuid4(), claimed_until=LATER)
    store(*the_three_of(messages))
    webhooks.apply_unread(LATER)
    assert WhatsAppReceipt.objects.filter(applied_at=None).count() == 60
    WhatsAppNotification.objects.update(status=Status.SENT)
    with CaptureQueriesContext(connection) as queries:
        assert receipts.apply_waiting_all(ids_of(messages), LATER)
    assert len(queries) <= 6
    stored = WhatsAppNotification.objects.values_list("status", "read_at")
    assert set(stored) == {(Status.READ, NOW + 2 * SECOND)}
    assert not WhatsAppReceipt.objects.filter(applied_at=None).exists()


# --- Whoever else is at work


@pytest.mark.django_db(transaction=True)
def test_workers_with_the_same_receipts_and_one_that_records_answers_lose_nothing():
    sent = accepted_ones(25)
    called = [
        rows.notification("agent_mali", Status.SENDING, claim_id=uuid4(), claimed_until=LATER) for _ in range(15)
    ]
    told = the_three_of(sent)
    told += [status(word, f"wamid.call{n}", tracking=str(one.pk)) for n, one in enumerate(called) for word in WORDS]
    orders = [told, told[::-1], told[1::2] + told[::2]]
    logs = [store(*order[start : start + 30]) for order in orders for start in range(0, len(order), 30)]
    own = [[log.pk for n, log in enumerate(logs) if n % 3 == turn] for turn in range(3)]
    sender = WhatsAppSender.objects.get(code="mali")

    def apply(pks: list[int]) -> None:
        for pk in pks:
            webhooks.process(pk, LATER)

    def record() -> None:
        for number, claimed in enumerate(called):
            recording.record(claimed, sender, recording.Call(Accepted(f"wamid.call{number}"), NOW, NOW))

    at_once(*[partial(apply, pks) for pks in own], record, partial(webhooks.apply_unread, LATER))
    recovery.apply_early_receipts(LATER)
    assert set(WhatsAppNotification.objects.values_list("status", flat=True)) == {Status.READ}
    assert WhatsAppReceipt.objects.exclude(applied_at=None).count() == WhatsAppReceipt.objects.count() == 120
    assert set(WhatsAppWebhookLog.objects.values_list("processed_at", "error")) == {(LATER, "")}


@pytest.mark.django_db(transaction=True)
def test_workers_that_drain_at_the_same_time_share_the_payloads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhooks, "PAYLOADS_AT_ONCE", 5)
    messages = accepted_ones(15)
    for one in the_three_of(messages):
        store(one)

    def drain() -> int:
        reports = iter(lambda: webhooks.apply_unread(LATER), [])
        return sum(report.event_count for some in reports for report in some)

    assert sum(at_once(drain, drain, drain)) == 45
    assert unread_count() == 0
    assert set(WhatsAppNotification.objects.values_list("status", flat=True)) == {Status.READ}


@pytest.mark.django_db(transaction=True)
def test_two_that_meet_head_on_both_arrive():
    first, second = accepted_ones(2)
    seen: list[Any] = []

    def lock(pks: list[Any]) -> None:
        with transaction.atomic():
            for pk in pks:
                WhatsAppNotification.objects.select_for_update().get(pk=pk)
                seen.append(pk)
                while len(seen) < 2:
                    pass  # until the other one holds its first too

    orders = [[first.pk, second.pk], [second.pk, first.pk]]
    at_once(*[partial(deadlocks.again_after_deadlock, partial(lock, order)) for order in orders])
    assert len(seen) > 4  # one was broken off, and came again


# --- What is bad, and what is somebody else's


def test_a_bad_payload_does_not_hold_up_those_behind_it():
    (message,) = accepted_ones(1)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {WhatsAppReceipt._meta.db_table} ADD CHECK (raw_status <> 'played')")
    bad = store(status("played", "wamid.0000", 3), status("sent", "wamid.0000"))
    unreadable = WhatsAppWebhookLog.objects.create(provider="cloud_api", payload="{", received_at=NOW)
    orphan = WhatsAppWebhookLog.objects.create(provider="pigeon", payload="{}", received_at=NOW)
    store(*the_three_of([message]))
    webhooks.apply_unread(LATER)
    message.refresh_from_db()
    assert (message.status, unread_count()) == (Status.READ, 0)
    flawed = WhatsAppWebhookLog.objects.exclude(error="").order_by("pk")
    assert list(flawed) == [bad, unreadable, orphan]


def test_a_payload_that_the_database_cannot_take_now_stays_and_the_others_do_not():
    (message,) = accepted_ones(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '55P03'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER busy BEFORE INSERT ON {WhatsAppReceipt._meta.db_table} "
            "FOR EACH ROW WHEN (NEW.raw_status = 'played') EXECUTE FUNCTION busy()"
        )
    stuck = store(status("played", "wamid.0000", 3))
    store(*the_three_of([message]))
    webhooks.apply_unread(LATER)
    message.refresh_from_db()
    assert message.status == Status.READ
    assert list(WhatsAppWebhookLog.objects.filter(processed_at=None)) == [stuck]
    assert not webhooks.is_anything_unread(LATER)
    assert webhooks.is_anything_unread(LATER + webhooks.LEASE)


def test_a_payload_in_the_hands_of_a_worker_is_left_alone_until_its_lease_ends():
    log = store(status("read", "wamid.0000"))
    webhooks._claim(LATER)
    assert webhooks.apply_unread(LATER + webhooks.LEASE - SECOND) == []
    assert not webhooks.is_anything_unread(LATER + webhooks.LEASE - SECOND)
    (report,) = webhooks.apply_unread(LATER + webhooks.LEASE)
    log.refresh_from_db()
    assert (report.event_count, log.processed_at) == (1, LATER + webhooks.LEASE)


def test_a_worker_takes_no_more_text_than_it_can_hold_but_one_payload_always(monkeypatch: pytest.MonkeyPatch):
    size = len(store(status("read", "wamid.0000")).payload)
    for _ in range(4):
        store(status("read", "wamid.0000"))
    monkeypatch.setattr(webhooks, "BYTES_AT_ONCE", 2 * size)
    assert len(webhooks.apply_unread(LATER)) == 2
    monkeypatch.setattr(webhooks, "BYTES_AT_ONCE", 1)
    assert len(webhooks.apply_unread(LATER)) == 1


# --- The bell


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The payloads for which a worker was rung."""
    heard: list[int] = []

    def publish(_task: Any, args: tuple[int], **_options: Any) -> bool:
        heard.append(args[0])
        return True

    monkeypatch.setattr(bells, "publish", publish)
    forget_pace()
    return heard


@pytest.mark.django_db(transaction=True)
def test_payloads_that_come_before_a_worker_looks_share_one_ring(rings: list[int]):
    logs = [store(status("read", f"wamid.{n}")) for n in range(3)]
    for log in logs:
        tasks.ring_for_payload_after_commit(log.pk)
    assert rings == [logs[0].pk]
    assert tasks.apply_whatsapp_webhook(logs[0].pk) == 3
    late = store(status("read", "wamid.late"))
    tasks.ring_for_payload_after_commit(late.pk)
    assert rings == [logs[0].pk, late.pk]


@pytest.mark.django_db(transaction=True)
def test_while_redis_is_away_every_payload_rings(rings: list[int]):
    logs = [store(status("read", f"wamid.{n}")) for n in range(2)]
    with redis_away():
        for log in logs:
            tasks.ring_for_payload_after_commit(log.pk)
        webhook_bell.answer()
    assert rings == [log.pk for log in logs]


def test_a_worker_that_leaves_payloads_behind_rings_for_them(rings: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhooks, "PAYLOADS_AT_ONCE", 1)
    for n in range(2):
        store(status("read", f"wamid.{n}"))
    assert (tasks.apply_whatsapp_webhook(), unread_count(), len(rings)) == (1, 1, 1)
    assert (tasks.apply_whatsapp_webhook(), unread_count(), len(rings)) == (1, 0, 1)
    assert tasks.apply_whatsapp_webhook() == 0


def test_a_ring_that_finds_all_places_taken_is_heard_by_those_who_have_them(
    rings: list[int], monkeypatch: pytest.MonkeyPatch
):
    look = webhooks.apply_unread

    def look_while_others_ring(at: datetime) -> Any:
        found = look(at)
        store(status("read", "wamid.meanwhile"))
        tasks._ring_for_payloads()
        places = [tasks._payloads_at_once.acquire(blocking=False) for _ in range(100)]
        assert tasks.apply_whatsapp_webhook() == 0  # no place
        for _ in filter(None, places):
            tasks._payloads_at_once.release()
        return found

    monkeypatch.setattr(webhooks, "apply_unread", look_while_others_ring)
    store(status("read", "wamid.first"))
    assert tasks.apply_whatsapp_webhook() == 1
    assert len(rings) == 2  # the one that was turned away, and its successor


def test_tokens_are_looked_at_only_where_they_sign():
    body = payload([])
    with override_settings(WHATSAPP_CLOUD_APP_SECRET="app secret"), CaptureQueriesContext(connection) as queries:
        Client().post("/webhooks/whatsapp/cloud/", body, content_type="application/json")
    assert [get(code).signs_with_tokens for code in ("cloud_api", "wachap", "twilio")] == [False, False, True]
    assert not any("whatsappsender" in query["sql"] for query in queries.captured_queries)
