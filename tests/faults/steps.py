"""The named steps at which a worker dies, put around the real functions from outside: production code knows nothing.

The processes read their orders from a file, so that the harness can change them meanwhile. Of those that pass the
ordered step, each n-th ends its whole process without warning, at most once per message.
"""

import os
import select
import threading
from pathlib import Path
from typing import Any

import urllib3.connection

from tests.faults.orders import FOLDER_VARIABLE, Orders, Step
from whatsapp_monitoring_app.models import WhatsAppReceipt
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.services import delivery, plain_receipts, receipts, recording

ANSWER_SECONDS = 5
_this_thread = threading.local()


def install() -> None:
    """Put the steps around the real functions of this process."""
    orders = Orders(Path(os.environ[FOLDER_VARIABLE]))
    _around_claim(orders)
    _around_sending(orders)
    _around_reading(orders)
    _around_recording(orders)
    _around_receipts(orders)


def _around_claim(orders: Orders) -> None:
    claim = NotificationQuerySet.claim

    def mortal_claim(self: NotificationQuerySet, code: Any, at: Any) -> Any:
        orders.pass_by(Step.BEFORE_CLAIM, code)
        notification = claim(self, code, at)
        if notification is not None:
            orders.pass_by(Step.AFTER_CLAIM, code)
        return notification

    NotificationQuerySet.claim = mortal_claim  # type: ignore[method-assign]


def _around_sending(orders: Orders) -> None:
    deliver = delivery.deliver

    def mortal_send(request: Any) -> Any:
        orders.pass_by(Step.BEFORE_REQUEST, _this_thread.code)
        answer = transport.send(request)
        orders.pass_by(Step.AFTER_ANSWER, _this_thread.code)
        return answer

    def mortal_deliver(code: Any) -> Any:
        _this_thread.code = code
        notification = deliver(code, send=mortal_send)
        _this_thread.code = None
        if notification is not None:
            orders.pass_by(Step.AFTER_RECORDING, code)
        return notification

    delivery.deliver = mortal_deliver  # type: ignore[assignment]


def _around_reading(orders: Orders) -> None:
    getresponse = urllib3.connection.HTTPConnection.getresponse

    def mortal_getresponse(self: Any) -> Any:
        code = getattr(_this_thread, "code", None)
        # What can be read is the provider's answer, hence its acceptance.
        if code and orders.concern(Step.BEFORE_READING) and select.select([self.sock], [], [], ANSWER_SECONDS)[0]:
            orders.pass_by(Step.BEFORE_READING, code)
        return getresponse(self)

    urllib3.connection.HTTPConnection.getresponse = mortal_getresponse  # type: ignore[method-assign]


def _around_recording(orders: Orders) -> None:
    write_attempt = recording.write_attempt

    def mortal_write_attempt(claimed: Any, *args: Any, **options: Any) -> None:
        write_attempt(claimed, *args, **options)
        orders.pass_by(Step.WHILE_RECORDING, claimed.pk)

    recording.write_attempt = mortal_write_attempt


def _around_receipts(orders: Orders) -> None:
    apply = receipts.apply

    def mortal_apply(receipt: WhatsAppReceipt, at: Any) -> bool:
        applied = apply(receipt, at)
        orders.pass_by(Step.WHILE_APPLYING, receipt.pk)
        return applied

    receipts.apply = mortal_apply
    take_effect = plain_receipts._take_effect

    def mortal_take_effect(tellings: Any) -> None:
        take_effect(tellings)
        for telling in tellings:
            if telling.is_ready:
                orders.pass_by(Step.WHILE_APPLYING, f"{telling.standing.code}-{telling.told.status}")

    plain_receipts._take_effect = mortal_take_effect
