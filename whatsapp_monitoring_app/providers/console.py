"""A provider that sends nothing: the transport prints one line per message. For development only."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Account,
    Health,
    HttpAnswer,
    HttpRequest,
    Message,
    Outcome,
    Provider,
    ProviderError,
    ReceiptEvent,
    Uncertain,
    text_of,
)

ADDRESS = "console:"
SHOWN_DIGITS = 2


class Console(Provider):
    code = "console"
    error_codes: Mapping[str, ErrorClass] = {}
    has_receipts = False
    has_window = False

    def build(self, account: Account, message: Message) -> HttpRequest:
        content.check(message.content, self.text_limit)
        # Nothing that must not be printed goes any further than this.
        body = {
            "from": account.account_id,
            "to": _masked(message.to),
            "kind": type(message.content).__name__.lower(),
            "length": len(_text(message.content)),
        }
        return HttpRequest(url=ADDRESS, headers={}, body=json.dumps(body).encode())

    def read_success(self, answer: HttpAnswer) -> Outcome:
        message_id = text_of(answer.json_object().get("id"))
        return Accepted(message_id[:200]) if message_id else Uncertain("nothing was printed")

    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        return None

    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        return False

    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        return []

    def health_request(self, account: Account) -> HttpRequest:
        return HttpRequest(url=ADDRESS, headers={}, method="GET")

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        return Health(True, "prints, sends nothing")


def _text(what: content.Content) -> str:
    match what:
        case content.Text(body):
            return body
        case content.Image(caption=text) | content.Document(caption=text) | content.Template(text=text):
            return text


def _masked(number: str) -> str:
    hidden = max(len(number) - SHOWN_DIGITS, 0)
    return "•" * hidden + number[hidden:]
