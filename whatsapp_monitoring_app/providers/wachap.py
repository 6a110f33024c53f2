"""WaChap V4: an unofficial gateway to a WhatsApp account that is linked by QR code.

It has no 24-hour window and no templates; it never tells what became of a message. There is no public documentation:
what stands here was read from programs that use it (October 2026).
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.utils import timezone

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Account,
    Health,
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Message,
    Outcome,
    Provider,
    ProviderError,
    ReceiptEvent,
    Refused,
    Uncertain,
    class_of_http_status,
    text_of,
)

logger = logging.getLogger(__name__)

REFUSES_THE_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
MILLISECONDS = 10**11  # as seconds, this is the year 5138
YEARS = range(2000, 2100)
# What these mean needs no code.
CLEAR = (*REFUSES_THE_KEY, HTTPStatus.TOO_MANY_REQUESTS)
# How WhatsApp's own ids of people end; groups and hidden numbers have other endings.
PERSONS = ("", "c.us", "s.whatsapp.net")


class WaChap(Provider):
    code = "wachap"
    error_codes: Mapping[str, ErrorClass] = {
        "SEND_ERROR": ErrorClass.TRANSIENT_CAPPED,
        "INVALID_PHONE": ErrorClass.RECIPIENT_PERMANENT,
        "RECIPIENT_NOT_FOUND": ErrorClass.RECIPIENT_PERMANENT,
    }
    has_receipts = False
    has_window = False
    can_check_numbers = True

    def build(self, account: Account, message: Message) -> HttpRequest:
        what = message.content
        if isinstance(what, content.Template):
            what = content.Text(what.text)
        content.check(what, self.text_limit)
        data = {"accountId": account.account_id, "to": message.to, **_content(what)}
        return _post("/whatsapp/messages/send", account, {"data": data})

    def read_success(self, answer: HttpAnswer) -> Outcome:
        body = answer.json_object()
        match body.get("success"):
            case True:
                return Accepted(text_of(body.get("messageId"))[:200])
            case False:
                return Refused(_error(body, ErrorClass.UNKNOWN, answer))
        return Uncertain(f"HTTP {answer.status} that says neither yes nor no")

    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        error = _error(answer.json_object(), class_of_http_status(answer.status), answer)
        if error.is_classified:
            return error
        if answer.status in CLEAR:
            return replace(error, is_classified=True, message=error.message or f"HTTP {answer.status}")
        if answer.status >= 500 or answer.status == HTTPStatus.REQUEST_TIMEOUT:
            return None  # trouble that we do not know, perhaps after the message went through
        is_from_wachap = self.class_of_unexplained(answer.status) is not ErrorClass.NOT_CONFIGURED
        return error if error.code or (error.message and is_from_wachap) else None

    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        """Whether the address holds the secret that we chose: nobody knows of a signature."""
        expected = str(settings.WACHAP_WEBHOOK_SECRET)
        given = _tokens(url)
        return bool(expected) and len(given) == 1 and hmac.compare_digest(_bytes(given[0]), _bytes(expected))

    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        return []

    def inbound(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        data = payload.get("data")
        if payload.get("event") != "message.received" or not isinstance(data, dict):
            return []
        event = _inbound(data)
        return [event] if event else []

    def health_request(self, account: Account) -> HttpRequest:
        return HttpRequest(url=f"{settings.WACHAP_API_URL}/whatsapp/accounts", headers=_headers(account), method="GET")

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        if answer.status in REFUSES_THE_KEY:
            return Health(False, f"HTTP {answer.status}")
        body = answer.json_object()
        if body.get("success") is not True or not isinstance(body.get("accounts"), list):
            words = _error(body, ErrorClass.UNKNOWN, answer).message
            return Health(None, words[:200] or f"HTTP {answer.status}")
        of_id = {
            text_of(one.get("id")): text_of(one.get("status")) for one in body["accounts"] if isinstance(one, dict)
        }
        if account.account_id not in of_id:
            return Health(False, "WaChap does not know this account")
        status = of_id[account.account_id]
        return Health(status.casefold() == "connected" if status else None, status[:200])

    def number_check_request(self, account: Account, numbers: Sequence[str]) -> HttpRequest:
        return _post("/whatsapp/contacts/check", account, {"accountId": account.account_id, "phones": list(numbers)})

    def read_number_check(self, answer: HttpAnswer) -> list[bool | None]:
        body = answer.json_object()
        results = body.get("results")
        if body.get("success") is not True or not isinstance(results, list):
            return []
        found = [one.get("isOnWhatsApp") if isinstance(one, dict) else None for one in results]
        return [one if isinstance(one, bool) else None for one in found]


def _post(path: str, account: Account, body: dict[str, Any]) -> HttpRequest:
    headers = {**_headers(account), "Content-Type": "application/json"}
    return HttpRequest(url=f"{settings.WACHAP_API_URL}{path}", headers=headers, body=json.dumps(body).encode())


def _headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}"}


def _content(what: content.Content) -> dict[str, str]:
    match what:
        case content.Image(link, caption):
            members = {"type": "image", "imageUrl": link, "caption": caption}
        case content.Document(link, filename, caption):
            members = {"type": "document", "documentUrl": link, "filename": filename, "caption": caption}
        case content.Text(text) | content.Template(text=text):
            members = {"type": "text", "content": text}
    return {name: value for name, value in members.items() if value}


def _error(body: Mapping[str, Any], otherwise: ErrorClass, answer: HttpAnswer) -> ProviderError:
    """The error in the body; a code that no table holds has the class `otherwise`."""
    error = body.get("error")
    code, words = (error.get("code"), error.get("message")) if isinstance(error, dict) else ("", error)
    message = text_of(words) or text_of(body.get("message"))
    # Some answers put the code where others put the words.
    known = next((word for word in (text_of(code), message) if word in WaChap.error_codes), "")
    return ProviderError(
        error_class=WaChap.error_codes.get(known, otherwise),
        code=known or text_of(code)[:40],
        message=message[:2000],
        retry_after=answer.retry_after,
        is_classified=bool(known),
    )


def _inbound(data: Mapping[str, Any]) -> InboundEvent | None:
    author, text = text_of(data.get("from")), text_of(data.get("content"))
    if not author or not text:
        logger.warning("A message without author or text was left out")
        return None
    said_at = _moment(data.get("timestamp"))
    occurred_at = said_at or timezone.now()
    return InboundEvent(
        provider_message_id=text_of(data.get("id"))[:200]
        # Without a time of its own, the same words within an hour are a second delivery; later, the person insists.
        or _derived_id(text_of(data.get("accountId")), author, text, str(said_at or f"{occurred_at:%Y-%m-%d %H}")),
        phone_number=_number(author),
        text=text[:4096],
        occurred_at=occurred_at,
        account_id=text_of(data.get("accountId"))[:80],
    )


def _derived_id(*parts: str) -> str:
    return f"wachap:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _number(author: str) -> str:
    """The author's number, or "" for a group, a hidden number, or one without its country code."""
    digits, _, ending = author.partition("@")
    digits = digits.removeprefix("+").translate(str.maketrans("", "", " -()."))
    is_whole = digits.isascii() and digits.isdecimal() and 10 <= len(digits) <= 15 and not digits.startswith("0")
    return f"+{digits}" if is_whole and ending in PERSONS else ""


def _moment(value: Any) -> datetime | None:
    """Seconds or milliseconds since 1970, as text or as a number, or an ISO date; None for what is no time of ours."""
    text = text_of(value)
    moment = _unix_moment(text) or _iso_moment(text)
    return moment if moment is not None and moment.year in YEARS else None


def _unix_moment(text: str) -> datetime | None:
    try:
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tokens(url: str) -> list[str]:
    try:
        return parse_qs(urlsplit(url).query).get("token", [])
    except ValueError:
        return []


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
