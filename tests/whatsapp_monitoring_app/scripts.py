"""Notifications to send, and a provider that answers by script: what the delivery tests share."""

import json
import queue
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from django.db import connections

from tests.stack import forget_pace
from whatsapp_monitoring_app.models import Status, WhatsAppInbound, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.exchange import Carried
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.services import delivery, drafts, outbox

Result = TypeVar("Result")

NOW = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)
NUMBER = "+22376123456"
TEXT = "Votre colis est arrivé à Bamako 📦"
# What the database demands of a row in each state.
NEEDS: dict[Status, dict[str, Any]] = {
    Status.PENDING: {"next_attempt_at": NOW},
    Status.RETRY_SCHEDULED: {"next_attempt_at": NOW},
    Status.SENDING: {"claim_id": uuid4(), "claimed_until": NOW + timedelta(seconds=90)},
    Status.UNCONFIRMED: {"confirm_by": NOW},
    Status.FAILED: {"failed_at": NOW},
}


class Provider:
    """The far side of the wire: gives these answers in turn, the last one for ever, and keeps what it was sent."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests]


class Together:
    """The way of many messages at once, with a script on the far side of its wire."""

    room = 1000

    def __init__(self, send: delivery.Send, at: datetime) -> None:
        self.send = send
        self.at = at

    def start(self, key: Hashable, request: HttpRequest, into: "queue.SimpleQueue[Carried]") -> None:
        answer: HttpAnswer | NotSent | NoAnswer
        try:
            answer = self.send(request)
        except (NotSent, NoAnswer) as error:
            answer = error
        into.put(Carried(key, self.at, self.at, answer))


# Which way `attempt` takes; the fixture `each_way` changes it.
way = {"together": False}


def accepted(message_id: str = "wamid.one", wa_id: str = "22376123456") -> HttpAnswer:
    contacts = [{"input": NUMBER, "wa_id": wa_id}]
    return json_answer(200, {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": message_id}]})


def refused(code: int | str, http_status: int = 400, retry_after: timedelta | None = None) -> HttpAnswer:
    error = {
        "message": f"(#{code}) No",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": "Some detail."},
        "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
    }
    return json_answer(http_status, {"error": error}, retry_after)


def json_answer(status: int, body: object, retry_after: timedelta | None = None) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(body).encode(), retry_after)


def post(at: datetime = NOW, **fields: Any) -> WhatsAppNotification:
    """A new notification, waiting to be sent."""
    given = {"message_content": TEXT, "source_app": "agent_mali", "phone_number": NUMBER} | fields
    notification, _created = outbox.post(drafts.Draft(**given), at)
    return notification


def post_in(status: Status, **fields: Any) -> WhatsAppNotification:
    """A notification that has come to this status, by whatever way."""
    notification = post()
    change(notification, **{"status": status, "next_attempt_at": None, **NEEDS.get(status, {}), **fields})
    return notification


def change(notification: WhatsAppNotification, **fields: Any) -> None:
    WhatsAppNotification.objects.filter(pk=notification.pk).update(**fields)
    notification.refresh_from_db()


def attempt(notification: WhatsAppNotification, send: delivery.Send, at: datetime = NOW) -> WhatsAppNotification:
    """Let the engine try once at this moment, whatever was sent before; the notification as stored afterwards."""
    forget_pace()
    if way["together"]:
        delivery.deliver_all([notification.pk], carrier=Together(send, at), now=lambda: at)
    else:
        delivery.deliver(notification.pk, send=send, now=lambda: at)
    notification.refresh_from_db()
    return notification


def open_window(sender: str = "mali", number: str = NUMBER, at: datetime = NOW) -> WhatsAppInbound:
    """Let the client write to this sender's number: for 24 hours, free text may leave."""
    ours = WhatsAppSender.objects.get(code=sender)
    return WhatsAppInbound.objects.create(
        provider=ours.provider,
        provider_message_id=f"wamid.{uuid4()}",
        account_id=ours.account,
        phone_number=number,
        text="Bonjour",
        occurred_at=at,
        received_at=at,
    )


def snapshot(*models: Any) -> list[dict[str, Any]]:
    """Every row of these models: equal snapshots mean that nothing moved."""
    return [row for model in models for row in model.objects.order_by("pk").values()]


def at_once(*functions: Callable[[], Result]) -> list[Result]:
    """Call these functions at the same moment, in a thread each; their results in order."""
    barrier = threading.Barrier(len(functions), timeout=10)

    def run(function: Callable[[], Result]) -> Result:
        barrier.wait()
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))
