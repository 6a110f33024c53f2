"""The small vocabulary between the delivery engine and the providers, and the steps that all providers share.

A provider does no I/O: it builds a request and reads an answer. The transport carries both, one at a time or many.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppInbound, WhatsAppReceipt
from whatsapp_monitoring_app.providers.content import Content

Kind = WhatsAppReceipt.Kind
# Answers of a server that is not the provider's, and of something in between that lets nothing through.
SOMEBODY_ELSE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
ON_THE_WAY = {
    HTTPStatus.FORBIDDEN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
RESPONSE_LIMIT = 4000  # characters of an answer that are worth keeping


@dataclass(frozen=True)
class Account:
    """Who sends, at the provider. `address` is our own number, for providers that want to be told."""

    account_id: str
    token: str = field(repr=False)
    address: str = ""


@dataclass(frozen=True)
class Message:
    """What is said to whom. `tracking` comes back in every receipt of a provider that has receipts.

    `reply_to` is the provider's id of the message that this one answers.
    """

    to: str
    content: Content
    tracking: str
    reply_to: str = ""


@dataclass(frozen=True)
class HttpRequest:
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    # A gateway may echo what it was sent.
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None

    @property
    def excerpt(self) -> str:
        """The beginning of the body as text that PostgreSQL takes."""
        return self.body[: RESPONSE_LIMIT * 4].decode(errors="replace").replace("\x00", "")[:RESPONSE_LIMIT]

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object, or an empty one when it is anything else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class ProviderError:
    """A refusal in our words; `code` and `message` are the provider's own."""

    error_class: ErrorClass
    code: str = ""
    message: str = ""
    retry_after: timedelta | None = None
    is_classified: bool = True


@dataclass(frozen=True)
class Accepted:
    """The provider took the message. Not delivered yet, perhaps never. Without an id, only `tracking` finds it."""

    provider_message_id: str
    wa_id: str = ""


@dataclass(frozen=True)
class Refused:
    """The message certainly did not go out."""

    error: ProviderError


@dataclass(frozen=True)
class Uncertain:
    """The message may have gone out: sending it again could double it."""

    reason: str


Outcome = Accepted | Refused | Uncertain


@dataclass(frozen=True)
class Health:
    """What a provider says of an account. `is_connected` is None when it does not say.

    `detail`, `quality` and `limit` are the provider's own words.
    """

    is_connected: bool | None
    detail: str
    quality: str = ""
    limit: str = ""


@dataclass(frozen=True)
class ReceiptEvent:
    """One thing that a provider says about one message, in our words.

    `occurred_at` is None when it does not say when.
    """

    provider_message_id: str
    status: WhatsAppReceipt.Kind
    raw_status: str
    occurred_at: datetime | None
    tracking: str = ""
    error: ProviderError | None = None


@dataclass(frozen=True)
class InboundEvent:
    """Something that a person wrote to us. `phone_number` is "" when the provider hides it.

    `account_id` is the number of ours that they wrote to, "" when the provider does not tell; `occurred_at` is None
    when it does not say when.
    """

    provider_message_id: str
    phone_number: str
    text: str
    occurred_at: datetime | None
    profile_name: str = ""
    account_id: str = ""


@dataclass(frozen=True)
class PreferenceEvent:
    """What a person chose in the provider's own settings: whether we may write to them. They know that it counts."""

    phone_number: str
    wants_messages: bool
    reason: str
    occurred_at: datetime
    profile_name: str = ""
    account_id: str = ""

    @property
    def provider_message_id(self) -> str:
        """Tells it from every other one: the provider itself gives it no id."""
        word = "resume" if self.wants_messages else "stop"
        return f"{WhatsAppInbound.CHOICE_PREFIX}{self.phone_number}:{word}:{self.occurred_at.timestamp():.0f}"


class Provider(ABC):
    """One provider's dialect."""

    code: str
    error_codes: Mapping[str, ErrorClass]
    # Whether it ever tells what became of a message after accepting it.
    has_receipts = True
    # Whether it takes free text only within 24 hours of the client's last message.
    has_window = True
    text_limit = 4096  # characters
    # What it posts to our webhook, and the kind and text of the answer that it wants.
    content_types: tuple[str, ...] = ("application/json",)
    acknowledgement = ("application/json", '{"received": true}')
    # Whether its receipts say when it happened; else each word of a message counts once, whenever it is heard.
    dates_receipts = True
    # Whether it says what became of a message when it is asked.
    can_be_asked = False

    @abstractmethod
    def build(self, account: Account, message: Message) -> HttpRequest:
        """The request that hands `message` over. Raises content.Unsendable, before anything is sent."""

    @abstractmethod
    def read_success(self, answer: HttpAnswer) -> Outcome:
        """What a 2xx answer means."""

    @abstractmethod
    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        """The provider's own error in a non-2xx answer, or None when the body holds none."""

    def catalogue_code(self, code: str) -> str:
        """The entry of `error_codes` that speaks of this code; several codes may share one."""
        return code

    @abstractmethod
    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        """Whether the provider really posted these bytes to this address. `secrets` are the tokens of our senders."""

    def payload(self, body: bytes, *, url: str = "") -> dict[str, Any]:
        """A webhook's body as the JSON object that is stored. Raises ValueError when it is none."""
        try:
            value = json.loads(body.decode())
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        return value

    def payload_text(self, body: bytes, *, url: str = "") -> str:
        """The payload as JSON text, byte for byte as it came where it came as JSON. Raises ValueError."""
        self.payload(body, url=url)
        return body.decode()

    @abstractmethod
    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        """The receipts in a webhook's payload; what is not understood is left out."""

    def inbound(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        """What people wrote, in a webhook's payload; a provider that does not tell has none."""
        return []

    def preferences(self, payload: Mapping[str, Any]) -> list[PreferenceEvent]:
        """What people chose, in a webhook's payload; a provider that does not tell has none."""
        return []

    def health_request(self, account: Account) -> HttpRequest | None:
        """The request that asks how the account is, and sends nothing; None when the provider cannot be asked."""
        return None

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        """What the answer to `health_request` says of this account."""
        return Health(None, "no health check")

    def build_status_request(self, account: Account, message_id: str) -> HttpRequest:
        """The question what became of a message, for a provider that can be asked."""
        raise NotImplementedError

    def read_status(self, answer: HttpAnswer) -> ReceiptEvent | None:
        """What became of the message, or None when the answer says nothing new."""
        raise NotImplementedError

    def read(self, answer: HttpAnswer) -> Outcome:
        """What the provider answered."""
        if 200 <= answer.status < 300:
            return self.read_success(answer)
        error = self.read_error(answer)
        if error:
            return Refused(error)
        if answer.status >= 500 or answer.status == HTTPStatus.REQUEST_TIMEOUT:
            # A gateway in front of the provider may have failed after the message went through.
            return Uncertain(f"HTTP {answer.status} without an explanation")
        return Refused(
            ProviderError(
                self.class_of_unexplained(answer.status),
                message=f"HTTP {answer.status}",
                retry_after=answer.retry_after,
            )
        )

    def class_of_unexplained(self, status: int) -> ErrorClass:
        """What a refusal means that does not seem to come from the provider itself."""
        if status < 400 or status in SOMEBODY_ELSE:
            return ErrorClass.NOT_CONFIGURED
        return ErrorClass.GATEWAY_REFUSAL if status in ON_THE_WAY else class_of_http_status(status)


def class_of_http_status(status: int) -> ErrorClass:
    """What an error means when only its HTTP status is understood."""
    if status in (401, 403):
        return ErrorClass.ACCOUNT_STOP
    if status == 429:
        return ErrorClass.THROTTLE_SENDER
    if status >= 500:
        return ErrorClass.TRANSIENT_CAPPED
    return ErrorClass.UNKNOWN


def text_of(value: Any) -> str:
    """A JSON value as text that PostgreSQL takes; "" for what is no single value."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).replace("\x00", "").encode(errors="replace").decode()
