"""The words that the engine and the providers say to each other: requests, answers, outcomes, events and facts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from whatsapp_monitoring_app.models import ErrorClass, WhatsAppInbound, WhatsAppReceipt
from whatsapp_monitoring_app.providers.content import Content

RESPONSE_LIMIT = 4000  # characters of an answer that are worth keeping


@dataclass(frozen=True)
class Account:
    """Who sends, at the provider. `address` is our own number, for providers that want to be told.

    `business_account_id` is the provider's id of the whole company account (Meta: WABA id).
    """

    account_id: str
    token: str = field(repr=False)
    address: str = ""
    business_account_id: str = ""


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
    # The question about a token has the token in its address.
    url: str = field(repr=False)
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

    `detail`, `quality` and `limit` are the provider's own words. `number` is our own number there, E.164 with plus, ""
    when it does not say.
    """

    is_connected: bool | None
    detail: str
    quality: str = ""
    limit: str = ""
    number: str = ""


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


@dataclass(frozen=True)
class TemplateFacts:
    """A template as its provider knows it; words are the provider's own, `status` in capitals.

    `body_variables` are names in the order of their first appearance, or "1", "2", … in the order of their numbers.
    `header` is "", "TEXT", "IMAGE", "DOCUMENT", "VIDEO", "LOCATION", or a newer word. `url_buttons` are the places of
    the buttons whose address has a variable end. `reason` says why it was rejected or paused.
    """

    name: str
    language: str
    status: str
    category: str = ""
    quality: str = ""
    reason: str = ""
    body_variables: tuple[str, ...] = ()
    has_named_variables: bool = False
    header: str = ""
    header_variables: tuple[str, ...] = ()
    url_buttons: tuple[int, ...] = ()


@dataclass(frozen=True)
class TemplatePage:
    """Some of a company's templates. `after` is the cursor of the next page, "" on the last one."""

    templates: tuple[TemplateFacts, ...]
    after: str = ""


@dataclass(frozen=True)
class TemplateEvent:
    """What a provider says of one template; an empty field was not spoken of.

    The words are the provider's own, in capitals; `reason` is for people, and has at most 500 characters.
    """

    business_account_id: str
    name: str
    language: str
    status: str = ""
    quality: str = ""
    category: str = ""
    reason: str = ""


@dataclass(frozen=True)
class AccountEvent:
    """What a provider says of a company account, or of one number of it; an empty field was not spoken of.

    `number` is E.164 with plus, "" for all of them. `can_send` is False when it was banned, disabled or restricted,
    True when it may send again. `until` is when that ends by itself, None when nobody says so. `detail` is the
    provider's words for people, at most 500 characters.
    """

    business_account_id: str
    number: str = ""
    quality: str = ""
    limit: str = ""
    can_send: bool | None = None
    detail: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class TokenFacts:
    """What a provider says of a token. `is_valid` is None when it is not known.

    `expires_at` is None for never, or when it is not known. `detail` is the provider's words for people, and may
    repeat the token: hide it before it is kept.
    """

    is_valid: bool | None
    expires_at: datetime | None = None
    detail: str = ""
