"""Receipts: in whatever order, however often, early or late, they end in the same truth."""

import json
from datetime import datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from django.db import connection

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
    snapshot,
)
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.base import HttpAnswer, Kind, ProviderError, ReceiptEvent
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import history, receipts, recovery, retries, webhooks
from whatsapp_monitoring_app.services.retry_policy import EFFECTS, Fate
from whatsapp_monitoring_app.services.retry_reasons import Reason

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MOMENTS = {word: NOW + n * SECOND for n, word in enumerate(("sent", "delivered", "read", "failed"), 1)}
ORDERS = list(permutations(("sent", "delivered", "read")))
LATER = NOW + timedelta(minutes=1)


def event(word: str, message_id: str = "wamid.one", code: ErrorClass | None = None, **more: Any) -> ReceiptEvent:
    kind = Kind(word) if word in Kind.values else Kind.UNKNOWN
    error = ProviderError(code, "131026", "why") if code else None
    return ReceiptEvent(message_id, kind, word, **{"occurred_at": MOMENTS.get(word, NOW), "error": error, **more})


def take(*events: ReceiptEvent, at: datetime = LATER) -> None:
    for one in events:
        receipts.take("cloud_api", one, at)


def sent() -> WhatsAppNotification:
    return attempt(post(), Provider(accepted()))


def unconfirmed(**fields: Any) -> WhatsAppNotification:
    return attempt(post(**fields), Provider(NoAnswer("ReadTimeout")))


def check_read(notification: WhatsAppNotification, order: tuple[str, ...]) -> None:
    notification.refresh_from_db()
    assert notification.status == Status.READ
    assert notification.sent_at == NOW  # the provider's answer, whatever its receipts say
    assert notification.read_at == MOMENTS["read"]
    # Read implies delivered: the moment is the read one when the delivered receipt came too late to matter.
    is_in_order = order.index("delivered") < order.index("read")
    assert notification.delivered_at == MOMENTS["delivered" if is_in_order else "read"]
    assert sorted(receipt.status for receipt in notification.receipts.all()) == ["delivered", "read", "sent"]
    assert all(receipt.applied_at for receipt in notification.receipts.all())


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_the_order_of_the_receipts_does_not_matter(order: tuple[str, ...]):
    notification = sent()
    take(*map(event, order))
    check_read(notification, order)


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_receipts_that_come_twice_are_kept_once(order: tuple[str, ...]):
    notification = sent()
    for word in order:
        take(event(word), event(word))
    take(*map(event, order))
    check_read(notification, order)
    assert WhatsAppReceipt.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_same_receipts_from_many_threads_at_once_are_kept_once():
    notification = sent()
    at_once(*[partial(take, event(word)) for word in ("sent", "delivered", "read") * 3])
    notification.refresh_from_db()
    assert notification.status == Status.READ
    assert WhatsAppReceipt.objects.count() == 3


def test_a_message_that_is_read_at_once_counts_as_delivered():
    notification = sent()
    take(event("read"))
    notification.refresh_from_db()
    assert (notification.status, notification.delivered_at) == (Status.READ, MOMENTS["read"])


def test_a_word_that_nobody_knows_is_kept_and_changes_nothing():
    notification = sent()
    before = snapshot(WhatsAppNotification)
    take(event("teleported", occurred_at=NOW))
    assert snapshot(WhatsAppNotification) == before
    assert [receipt.raw_status for receipt in notification.receipts.all()] == ["teleported"]


@pytest.mark.parametrize("word", ["delivered", "read"])
@pytest.mark.parametrize("status", [Status.FAILED, Status.PENDING])
def test_a_message_that_the_client_has_counts_as_reached_whatever_was_said_before(status: Status, word: str):
    notification = post_in(status, provider_message_id="wamid.one")
    take(event(word))
    notification.refresh_from_db()
    assert (notification.status, notification.next_attempt_at) == (word, None)


@pytest.mark.parametrize("word", ["sent", "failed"])
def test_a_late_word_of_the_way_does_not_revive_a_failure(word: str):
    post_in(Status.FAILED, provider_message_id="wamid.one")
    before = snapshot(WhatsAppNotification)
    take(event(word, code=ErrorClass.TRANSIENT if word == "failed" else None))
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "failed"])
@pytest.mark.parametrize("status", [Status.READ, Status.CANCELLED])
def test_a_late_receipt_moves_nothing_that_is_finished(status: Status, word: str):
    post_in(status, provider_message_id="wamid.one")
    before = snapshot(WhatsAppNotification)
    take(event(word, code=ErrorClass.TRANSIENT if word == "failed" else None))
    assert snapshot(WhatsAppNotification) == before
    assert WhatsAppReceipt.objects.get().applied_at == LATER


def test_a_late_sent_does_not_revive_a_failed_message():
    notification = sent()
    take(event("failed", code=ErrorClass.RECIPIENT_PERMANENT), event("sent"))
    notification.refresh_from_db()
    assert (notification.status, notification.failed_at) == (Status.FAILED, LATER)
    assert (notification.error_code, notification.error_message) == ("131026", "why")


@pytest.mark.parametrize("word", ["delivered", "read"])
def test_a_failure_after_the_client_has_it_is_no_failure(word: str):
    notification = sent()
    take(event(word), event("failed", code=ErrorClass.RECIPIENT_PERMANENT))
    notification.refresh_from_db()
    assert (notification.status, notification.failed_at) == (word, None)


@pytest.mark.parametrize(
    ("error_class", "status"),
    [
        (ErrorClass.TRANSIENT, Status.RETRY_SCHEDULED),
        (ErrorClass.THROTTLE_SENDER, Status.RETRY_SCHEDULED),
        (ErrorClass.RECIPIENT_TEMPORARY, Status.RETRY_SCHEDULED),
        (ErrorClass.ACCOUNT_STOP, Status.RETRY_SCHEDULED),
        (ErrorClass.ACCOUNT_SLOW, Status.RETRY_SCHEDULED),
        (ErrorClass.RECIPIENT_PERMANENT, Status.FAILED),
        (ErrorClass.WINDOW_CLOSED, Status.RETRY_SCHEDULED),
        (ErrorClass.OPT_OUT, Status.FAILED),
        (ErrorClass.UNKNOWN, Status.FAILED),
        (None, Status.FAILED),
    ],
)
def test_a_failure_after_the_acceptance_follows_its_class(error_class: ErrorClass | None, status: Status):
    notification = sent()
    take(event("failed", code=error_class))
    notification.refresh_from_db()
    costs = error_class is None or EFFECTS[error_class].fate is not Fate.GIVE_BACK
    assert (notification.status, notification.attempt_count) == (status, int(costs))
    assert notification.error_class == (error_class or ErrorClass.UNKNOWN)
    assert notification.attempts.count() == 1
    is_stopped = WhatsAppSender.objects.get(code="mali").stopped_until is not None
    assert is_stopped == (error_class in (ErrorClass.ACCOUNT_STOP, ErrorClass.ACCOUNT_SLOW))


def test_a_failure_of_an_earlier_attempt_does_not_fail_the_later_one():
    notification = sent()
    take(event("failed", code=ErrorClass.TRANSIENT))
    notification.refresh_from_db()
    attempt(notification, Provider(accepted("wamid.two")), notification.next_attempt_at or NOW)
    before = snapshot(WhatsAppNotification)
    tracking = str(notification.pk)
    take(event("failed", code=ErrorClass.TRANSIENT, occurred_at=LATER, tracking=tracking))
    assert snapshot(WhatsAppNotification) == before
    take(event("delivered", "wamid.two"))
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED


@pytest.mark.parametrize("words", [("sent",), ("delivered",), ("read", "sent"), ("sent", "delivered", "read")])
def test_a_receipt_that_is_faster_than_the_answer_waits_for_it(words: tuple[str, ...]):
    notification = post()

    def send(_request: object) -> HttpAnswer:
        take(*[event(word, tracking=str(notification.pk)) for word in words])
        assert not WhatsAppReceipt.objects.exclude(applied_at=None).exists()
        return accepted()

    attempt(notification, send)
    assert notification.status == max(words, key=["sent", "delivered", "read"].index)
    assert (notification.provider_message_id, notification.attempt_count) == ("wamid.one", 1)
    assert not WhatsAppReceipt.objects.filter(applied_at=None).exists()


def test_a_receipt_before_the_id_is_known_is_found_again():
    notification = post()
    take(event("delivered"))  # without our code: nobody knows whose it is
    assert WhatsAppReceipt.objects.get().notification is None
    attempt(notification, Provider(accepted()))
    assert (notification.status, notification.delivered_at) == (Status.DELIVERED, MOMENTS["delivered"])


def test_recovery_applies_what_came_too_early():
    notification = post()
    take(event("delivered"))
    change(notification, status=Status.SENT, next_attempt_at=None, provider_message_id="wamid.one")
    assert recovery.apply_early_receipts(LATER) == 1
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED
    assert recovery.apply_early_receipts(LATER) == 0


def test_an_early_receipt_is_given_up_after_a_day():
    take(event("delivered"))
    post_in(Status.SENT, provider_message_id="wamid.one")
    before = snapshot(WhatsAppNotification, WhatsAppReceipt)
    assert recovery.apply_early_receipts(LATER + recovery.ORPHANS_FOR + SECOND) == 0
    assert snapshot(WhatsAppNotification, WhatsAppReceipt) == before


STRANGERS = ["", "somebody else's text", "0d3f9a52-5c0e-4f53-9f0b-6f8a3c1f7d11", "0", "é" * 512]


@pytest.mark.parametrize("tracking", STRANGERS, ids=["nothing", "words", "a code", "a digit", "much"])
@pytest.mark.parametrize("seconds", [-1, 1], ids=["before", "after"])
def test_strangers_receipts_do_not_keep_ours_from_being_applied(
    seconds: int, tracking: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "BATCH", 5)
    moments = [MOMENTS["delivered"] + n * seconds * SECOND for n in range(1, 21)]
    take(*[event("sent", f"wamid.{at}", occurred_at=at, tracking=tracking) for at in moments], at=NOW)
    take(event("delivered"), at=NOW)
    take(*[event("read", f"wamid.{at}", occurred_at=at, tracking=tracking) for at in moments], at=LATER)
    notification = post_in(Status.SENT, provider_message_id="wamid.one")
    assert recovery.apply_early_receipts(LATER) == 1
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED


def test_receipts_of_what_is_being_sent_wait_and_do_not_keep_the_others_from_being_applied(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(recovery, "BATCH", 5)
    held = post_in(Status.SENDING)
    moments = [NOW - n * SECOND for n in range(20)]
    take(*[event("delivered", "wamid.held", occurred_at=at, tracking=str(held.pk)) for at in moments], at=NOW)
    take(event("delivered"))
    post_in(Status.SENT, provider_message_id="wamid.one")
    assert recovery.apply_early_receipts(LATER) == 1
    assert WhatsAppReceipt.objects.filter(applied_at=None).count() == 20


def test_recovery_finds_the_message_of_an_early_receipt_by_our_code_too():
    held = post_in(Status.SENDING, attempt_count=1)
    take(event("delivered", tracking=str(held.pk)))
    change(held, status=Status.UNCONFIRMED, claimed_until=None, confirm_by=LATER)
    assert recovery.apply_early_receipts(LATER) == 1
    held.refresh_from_db()
    assert (held.status, held.provider_message_id) == (Status.DELIVERED, "wamid.one")


def test_receipts_of_a_message_that_was_answered_with_another_ones_id_find_it_by_our_code():
    first, second = sent(), sent()
    assert (first.provider_message_id, second.provider_message_id) == ("wamid.one", None)
    take(event("delivered", tracking=str(second.pk)))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (Status.SENT, Status.DELIVERED)


@pytest.mark.parametrize("word", ["sent", "delivered", "read"])
def test_a_receipt_settles_what_was_unconfirmed(word: str):
    notification = unconfirmed()
    take(event(word, "wamid.unseen", tracking=str(notification.pk)))
    notification.refresh_from_db()
    assert notification.status == word
    assert notification.provider_message_id == "wamid.unseen"
    assert (notification.confirm_by, notification.attempt_count) == (None, 1)
    assert (notification.sent_at is not None, notification.error_class, notification.error_message) == (True, "", "")


def test_a_failure_settles_what_was_unconfirmed():
    notification = unconfirmed()
    tracking = str(notification.pk)
    take(event("failed", "wamid.unseen", code=ErrorClass.RECIPIENT_PERMANENT, tracking=tracking))
    notification.refresh_from_db()
    assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.RECIPIENT_PERMANENT)


@pytest.mark.parametrize("word", ["delivered", "read"])
@pytest.mark.parametrize("is_throttled_meanwhile", [False, True])
def test_a_receipt_of_the_first_attempt_stops_the_second(word: str, is_throttled_meanwhile: bool):
    notification = unconfirmed()
    recovery.settle_unconfirmed(NOW + timedelta(minutes=5))
    notification.refresh_from_db()
    assert notification.status == Status.RETRY_SCHEDULED
    if is_throttled_meanwhile:
        attempt(notification, Provider(refused(130429)), notification.next_attempt_at or NOW)

    take(event(word, "wamid.first", tracking=str(notification.pk)))

    provider = Provider(accepted("wamid.double"))
    attempt(notification, provider, NOW + timedelta(hours=1))
    assert (notification.status, provider.requests) == (word, [])


@pytest.mark.parametrize(
    "tracking", ["", "somebody else's text", "0d3f9a52-5c0e-4f53-9f0b-6f8a3c1f7d11", "0", "{}", "é" * 512]
)
def test_a_strangers_receipt_is_kept_and_moves_nothing(tracking: str):
    sent()
    before = snapshot(WhatsAppNotification)
    take(event("failed", "wamid.stranger", code=ErrorClass.TRANSIENT, tracking=tracking))
    assert snapshot(WhatsAppNotification) == before
    receipt = WhatsAppReceipt.objects.get()
    assert (receipt.notification, receipt.applied_at) == (None, None)


def status(word: str, message_id: str = "wamid.one", timestamp: str = "1790000000", **more: Any) -> dict[str, Any]:
    return {"id": message_id, "status": word, "timestamp": timestamp, "recipient_id": "22376123456", **more}


def process(*statuses: Any) -> str:
    """Store and apply a payload as Meta posts it; what went wrong."""
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "statuses": list(statuses)}
    payload = {"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value, "field": "messages"}]}]}
    log = webhooks.store("cloud_api", json.dumps(payload).encode(), NOW)
    webhooks.process(log.pk, LATER)
    log.refresh_from_db()
    assert log.processed_at == LATER
    return log.error


@pytest.mark.parametrize(
    "bad",
    [
        None,
        status("read", timestamp="never"),
        status("read", "wamid.stranger", biz_opaque_callback_data="not a code of ours"),
        status("read", "wamid.stranger\ud800", biz_opaque_callback_data="\ud800\x00"),
        status("\x00", "wamid.\x00" + "x" * 300),
        status("failed", "wamid.stranger", errors=[{"code": "9" * 400, "message": "\ud800" * 9000}]),
    ],
)
def test_one_bad_receipt_does_not_lose_the_others(bad: Any):
    notification = sent()
    assert process(status("sent"), bad, status("delivered")) == ""
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED


def test_a_receipt_that_the_database_refuses_is_named_and_does_not_lose_the_others():
    notification = sent()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {WhatsAppReceipt._meta.db_table} ADD CHECK (raw_status <> 'cursed')")
    error = process(status("sent"), status("cursed"), status("delivered"))
    assert error.startswith("ReceiptEvent wamid.one: IntegrityError")
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED
    assert notification.receipts.count() == 2


def test_a_payload_that_is_processed_twice_changes_nothing_the_second_time():
    sent()
    process(status("sent"), status("read"))
    before = snapshot(WhatsAppNotification, WhatsAppReceipt)
    process(status("sent"), status("read"))
    assert snapshot(WhatsAppNotification, WhatsAppReceipt) == before


def test_of_two_calls_without_an_answer_nobody_knows_which_one_failed():
    notification = attempt(post(message_type="payment"), Provider(NoAnswer("ReadTimeout")))
    retries.retry(notification, None, NOW + timedelta(minutes=1), confirmed=[Reason.PERHAPS_SENT])
    attempt(notification, Provider(NoAnswer("ReadTimeout")), NOW + timedelta(minutes=1))
    failed = ProviderError(ErrorClass.TRANSIENT, "131016", "why")
    event = ReceiptEvent("wamid.first", Kind.FAILED, "failed", NOW, tracking=str(notification.pk), error=failed)
    receipts.take("cloud_api", event, NOW + timedelta(minutes=2))
    notification.refresh_from_db()
    assert (notification.status, notification.next_attempt_at) == (Status.UNCONFIRMED, None)


def test_a_throttle_that_a_receipt_tells_gives_the_attempt_back_and_waits_longer_each_time():
    notification, waits = post(), []
    for number in range(3):
        at = notification.next_attempt_at or NOW
        attempt(notification, Provider(accepted(f"wamid.{number}")), at)
        throttled = ProviderError(ErrorClass.THROTTLE_PAIR, "131056", "pair")
        receipts.take("cloud_api", ReceiptEvent(f"wamid.{number}", Kind.FAILED, "failed", at, error=throttled), at)
        notification.refresh_from_db()
        assert (notification.status, notification.attempt_count) == (Status.RETRY_SCHEDULED, 0)
        assert notification.next_attempt_at
        waits.append(notification.next_attempt_at - at)
    assert waits == [timedelta(seconds=4), timedelta(seconds=16), timedelta(seconds=64)]


def test_a_receipt_that_comes_again_with_our_code_finds_its_message_by_it():
    notification = unconfirmed()
    take(event("delivered", "wamid.unheard"))
    assert WhatsAppNotification.objects.get(pk=notification.pk).status == Status.UNCONFIRMED
    take(event("delivered", "wamid.unheard", tracking=str(notification.pk)))
    assert WhatsAppNotification.objects.get(pk=notification.pk).status == Status.DELIVERED
    assert WhatsAppReceipt.objects.count() == 1


def test_the_history_puts_a_receipt_of_the_same_second_behind_what_it_speaks_of():
    within = NOW + timedelta(milliseconds=400)
    attempt(post(within), Provider(accepted("wamid.one")), within)
    take(event("sent", occurred_at=NOW), event("read", occurred_at=NOW))
    moments = history.timeline(WhatsAppNotification.objects.get())
    assert [bool(moment.attempt) for moment in moments] == [False, True, False, False]
    assert [moment.receipt and moment.receipt.status for moment in moments] == [None, None, "sent", "read"]
