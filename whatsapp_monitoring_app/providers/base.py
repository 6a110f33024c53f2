"""What a provider can be asked to do, and the steps that all providers share.

A provider does no I/O: it builds a request and reads an answer. The transport carries both, one at a time or many.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppReceipt
from whatsapp_monitoring_app.providers.vocabulary import (
    Accepted,
    Account,
    AccountEvent,
    Health,
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Message,
    Outcome,
    PreferenceEvent,
    ProviderError,
    ReceiptEvent,
    Refused,
    TemplateEvent,
    TemplateFacts,
    TemplatePage,
    TokenFacts,
    Uncertain,
)

__all__ = [
    "Accepted", "Account", "AccountEvent", "Health", "HttpAnswer", "HttpRequest", "InboundEvent", "Kind", "Message",
    "Outcome", "PreferenceEvent", "Provider", "ProviderError", "ReceiptEvent", "Refused", "TemplateEvent",
    "TemplateFacts", "TemplatePage", "TokenFacts", "Uncertain", "class_of_http_status", "text_of",
]  # fmt: skip

Kind = WhatsAppReceipt.Kind
# Answers of a server that is not the provider's, and of something in between that lets nothing through.
SOMEBODY_ELSE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
ON_THE_WAY = {
    HTTPStatus.FORBIDDEN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}


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
    # Whether what it posts is signed with the token of one of our senders.
    signs_with_tokens = False
    # Whether its receipts say when it happened; else each word of a message counts once, whenever it is heard.
    dates_receipts = True
    # Whether it says what became of a message when it is asked.
    can_be_asked = False
    # Whether its templates have names that we choose, and it lists those that it has approved or refused.
    has_templates = False
    # Whether it says which numbers are on WhatsApp.
    can_check_numbers = False

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

    def notices(self, payload: Mapping[str, Any]) -> list[TemplateEvent | AccountEvent]:
        """What it says of our templates and accounts, in a webhook's payload; one that does not tell has none."""
        return []

    def health_request(self, account: Account) -> HttpRequest | None:
        """The request that asks how the account is, and sends nothing; None when the provider cannot be asked."""
        return None

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        """What the answer to `health_request` says of this account."""
        return Health(None, "no health check")

    def token_request(self, account: Account) -> HttpRequest | None:
        """The request that asks how long the token is good; None when the provider cannot be asked.

        Its address may hold the token.
        """
        return None

    def read_token(self, answer: HttpAnswer) -> TokenFacts:
        """What the answer to `token_request` says."""
        return TokenFacts(None, detail="no token check")

    def templates_request(self, account: Account, after: str = "") -> HttpRequest | None:
        """The request for the page of templates behind the cursor `after`; None when there is nobody to ask."""
        return None

    def read_templates(self, answer: HttpAnswer) -> TemplatePage | ProviderError:
        """The templates in the answer, for a provider that has some; what is not understood is left out."""
        raise NotImplementedError

    def number_check_request(self, account: Account, numbers: Sequence[str]) -> HttpRequest:
        """The request that asks which of these numbers are on WhatsApp; it sends nothing to anybody."""
        raise NotImplementedError

    def read_number_check(self, answer: HttpAnswer) -> list[bool | None]:
        """For each number asked, in order, whether it is on WhatsApp; None where the provider does not say.

        The list may be shorter than the question, or empty: then nothing is known of the others.
        """
        raise NotImplementedError

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
        return Refused(self.unexplained(answer))

    def unexplained(self, answer: HttpAnswer) -> ProviderError:
        """What a refusal means whose body holds no error of the provider."""
        error_class = self.class_of_unexplained(answer.status)
        return ProviderError(error_class, message=f"HTTP {answer.status}", retry_after=answer.retry_after)

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
