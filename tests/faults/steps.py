"""The named steps at which a worker dies, put around the real functions from outside: production code knows nothing.

The processes read their orders from a file, so that the harness can change them meanwhile. Of those that pass the
ordered step on one of the two ways, each n-th ends its whole process without warning, at most once per message.
"""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

import urllib3.connection
from aiohttp.client_proto import ResponseHandler

from tests.faults.orders import FOLDER_VARIABLE, Orders, Step, Way
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppReceipt
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.providers import exchange, transport
from whatsapp_monitoring_app.services import delivery, plain_receipts, receipts, recording

ANSWER_SECONDS = 5
_this_thread = threading.local()
# On which way each message that the exchange carries was owed.
_ways: dict[object, Way] = {}
# The message on whose behalf the exchange's task works.
_carried: ContextVar[object] = ContextVar("carried", default=None)


def install() -> None:
    """Put the steps around the real functions of this process."""
    orders = Orders(Path(os.environ[FOLDER_VARIABLE]))
    _around_claim(orders)
    _around_claim_of_many(orders)
    _around_delivery(orders)
    _around_delivery_of_many(orders)
    _around_reading(orders)
    _around_reading_of_many(orders)
    _around_recording(orders)
    _around_receipts(orders)


def _around_claim(orders: Orders) -> None:
    claim = NotificationQuerySet.claim

    def mortal_claim(self: NotificationQuerySet, code: Any, at: Any) -> Any:
        orders.pass_by(Step.BEFORE_CLAIM, code, Way.ALONE)
        notification = claim(self, code, at)
        if notification is not None:
            orders.pass_by(Step.AFTER_CLAIM, code, Way.ALONE)
        return notification

    NotificationQuerySet.claim = mortal_claim  # type: ignore[method-assign]


def _around_claim_of_many(orders: Orders) -> None:
    claim_all = NotificationQuerySet.claim_all

    def mortal_claim_all(self: NotificationQuerySet, codes: Any, at: Any, ahead: timedelta = timedelta()) -> Any:
        orders.pass_each(Step.BEFORE_CLAIM, codes, _this_thread.way)
        claimed = claim_all(self, codes, at, ahead)
        orders.pass_each(Step.AFTER_CLAIM, [each.pk for each in claimed], _this_thread.way)
        return claimed

    NotificationQuerySet.claim_all = mortal_claim_all  # type: ignore[method-assign]


def _around_delivery(orders: Orders) -> None:
    deliver = delivery.deliver

    def mortal_send(request: Any) -> Any:
        orders.pass_by(Step.BEFORE_REQUEST, _this_thread.code, Way.ALONE)
        return transport.send(request)

    def mortal_deliver(code: Any) -> Any:
        with _on_its_way(Way.ALONE, code):
            notification = deliver(code, send=mortal_send)
        if notification is not None:
            orders.pass_by(Step.AFTER_RECORDING, code, Way.ALONE)
        return notification

    delivery.deliver = mortal_deliver  # type: ignore[assignment]


def _around_delivery_of_many(orders: Orders) -> None:
    deliver_all, start = delivery.deliver_all, exchange.Exchange.start

    def mortal_start(self: exchange.Exchange, key: Any, request: Any, into: Any) -> None:
        orders.pass_by(Step.BEFORE_REQUEST, key, _this_thread.way)
        _ways[key] = _this_thread.way
        start(self, key, request, into)

    def mortal_deliver_all(codes: Any, **options: Any) -> Any:
        # Those that were owed one by one and meet in the gathering are heard of one by one.
        way = Way.ALONE if "tell" in options else Way.TOGETHER
        with _on_its_way(way):
            tried = deliver_all(codes, **options)
        orders.pass_each(Step.AFTER_RECORDING, [each.pk for each in tried], way)
        return tried

    exchange.Exchange.start = mortal_start  # type: ignore[method-assign]
    delivery.deliver_all = mortal_deliver_all


@contextmanager
def _on_its_way(way: Way, code: object = None) -> Iterator[None]:
    """Let the functions that both ways share know which of them this thread is on."""
    _this_thread.way, _this_thread.code = way, code
    try:
        yield
    finally:
        _this_thread.way = _this_thread.code = None


def _around_reading(orders: Orders) -> None:
    getresponse = urllib3.connection.HTTPConnection.getresponse

    def mortal_getresponse(self: Any) -> Any:
        code = getattr(_this_thread, "code", None)
        # What can be read is the provider's answer, hence its acceptance.
        if code and orders.concern(Step.BEFORE_READING) and select.select([self.sock], [], [], ANSWER_SECONDS)[0]:
            orders.pass_by(Step.BEFORE_READING, code, Way.ALONE)
        return getresponse(self)

    urllib3.connection.HTTPConnection.getresponse = mortal_getresponse  # type: ignore[method-assign]


def _around_reading_of_many(orders: Orders) -> None:
    """The first bytes of an answer have come, and aiohttp has not looked at them. A connection knows its message."""
    carry, connect = exchange.Exchange._carry, exchange._Connector.connect
    data_received = ResponseHandler.data_received

    async def named_carry(self: exchange.Exchange, key: Any, request: Any, into: Any) -> None:
        _carried.set(key)
        await carry(self, key, request, into)

    async def named_connect(self: Any, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's own
        connection = await connect(self, req, traces, timeout)
        vars(connection.protocol)["carried"] = _carried.get()
        return connection

    def mortal_data_received(self: ResponseHandler, data: bytes) -> None:
        key = vars(self).pop("carried", None)
        if key:
            orders.pass_by(Step.BEFORE_READING, key, _ways[key])
        data_received(self, data)

    exchange.Exchange._carry = named_carry  # type: ignore[method-assign]
    exchange._Connector.connect = named_connect  # type: ignore[method-assign]
    ResponseHandler.data_received = mortal_data_received  # type: ignore[method-assign]


def _around_recording(orders: Orders) -> None:
    record_all, write_attempts, write_attempt = (
        recording.record_all,
        recording.write_attempts,
        recording.write_attempt,
    )

    def mortal_record_all(records: Any) -> None:
        answered = [each.claimed.pk for each in records if each.call.answer]
        orders.pass_each(Step.AFTER_ANSWER, answered, _this_thread.way)
        record_all(records)

    def mortal_write_attempts(records: Any) -> None:
        write_attempts(records)
        orders.pass_each(Step.WHILE_RECORDING, [each.claimed.pk for each in records], _this_thread.way)

    def mortal_write_attempt(claimed: Any, *args: Any, **options: Any) -> None:
        write_attempt(claimed, *args, **options)
        way = getattr(_this_thread, "way", None)
        if way:  # recovery writes attempts too
            orders.pass_by(Step.WHILE_RECORDING, claimed.pk, way)

    recording.record_all = mortal_record_all
    recording.write_attempts = mortal_write_attempts
    recording.write_attempt = mortal_write_attempt


def _way_of(notification: WhatsAppNotification) -> Way:
    is_of_many = (notification.idempotency_key or "").startswith("bulk:")
    return Way.TOGETHER if is_of_many else Way.ALONE


def _around_receipts(orders: Orders) -> None:
    apply = receipts.apply

    def mortal_apply(receipt: WhatsAppReceipt, at: Any) -> bool:
        applied = apply(receipt, at)
        if receipt.notification:
            orders.pass_by(Step.WHILE_APPLYING, receipt.pk, _way_of(receipt.notification))
        return applied

    receipts.apply = mortal_apply
    take_effect = plain_receipts._take_effect

    def mortal_take_effect(tellings: Any) -> None:
        take_effect(tellings)
        ready = {telling.standing.code: telling for telling in tellings if telling.is_ready}
        for notification in WhatsAppNotification.objects.filter(pk__in=ready):
            name = f"{notification.pk}-{ready[notification.pk].told.status}"
            orders.pass_by(Step.WHILE_APPLYING, name, _way_of(notification))

    plain_receipts._take_effect = mortal_take_effect
