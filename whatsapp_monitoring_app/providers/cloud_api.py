"""Meta's WhatsApp Cloud API.

Sources: developers.facebook.com/docs/whatsapp, pages "Messages", "Webhooks" and "Error codes" (September 2026).
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Account,
    Health,
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Kind,
    Message,
    Outcome,
    PreferenceEvent,
    Provider,
    ProviderError,
    ReceiptEvent,
    Uncertain,
    class_of_http_status,
    text_of,
)

logger = logging.getLogger(__name__)

STATUSES = {
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.READ,
    "played": Kind.READ,
    "failed": Kind.FAILED,
}
# What people choose in the menu of a chat with a company; Meta tells of marketing only.
WANTS_MESSAGES = {"stop": False, "resume": True}
MARKETING = "marketing_messages"

PERMISSIONS = range(200, 300)
PERMISSIONS_ENTRY = "200-299"
CODES_BY_CLASS: dict[ErrorClass, tuple[int, ...]] = {
    ErrorClass.TRANSIENT: (2, 131016, 131057, 133004),
    ErrorClass.TRANSIENT_CAPPED: (1, 131000, 131053),
    ErrorClass.THROTTLE_SENDER: (4, 613, 80007, 80008, 130429),
    ErrorClass.THROTTLE_PAIR: (131056,),
    # 131030: a test number may write to the numbers on its list only. 130472, 130497: not to this person, or country.
    ErrorClass.RECIPIENT_PERMANENT: (130403, 130472, 130497, 131021, 131026, 131030, 131062),
    ErrorClass.RECIPIENT_TEMPORARY: (131036, 131049, 137000),
    ErrorClass.OPT_OUT: (131050,),
    ErrorClass.WINDOW_CLOSED: (131047,),
    ErrorClass.MESSAGE_PERMANENT: (
        100, 131008, 131009, 131014, 131043, 131051, 131055, 132000, 132005, 132008, 132012, 132018, 135000,
    ),
    ErrorClass.TEMPLATE_STOP: (131063, 132001, 132007, 132015, 132016, 132068, 132069),
    ErrorClass.ACCOUNT_STOP: (
        0, 3, 10, 33, 104, 190, *PERMISSIONS, 368, 131005, 131031, 131037, 131042, 131044, 131045, 133010, 134011,
    ),
    ErrorClass.ACCOUNT_SLOW: (131048, 131064),
}  # fmt: skip
CLASS_BY_CODE = {str(code): error_class for error_class, codes in CODES_BY_CLASS.items() for code in codes}
# Words of a phone number's `status`; a restricted number still answers people, and sends what is allowed to it.
IS_CONNECTED = {
    **dict.fromkeys(("CONNECTED", "FLAGGED", "RATE_LIMITED", "RESTRICTED"), True),
    **dict.fromkeys(
        ("BANNED", "DELETED", "DISCONNECTED", "MIGRATED", "OFFLINE", "PAUSED", "PENDING", "UNVERIFIED"), False
    ),
}
HEALTH_FIELDS = "verified_name,quality_rating,messaging_limit_tier,status,platform_type"
UNKNOWN_OBJECT_SUBCODE = "33"  # with code 100: the phone number id is not ours, or was deleted


class CloudApi(Provider):
    code = "cloud_api"
    # One entry for the hundred permission codes.
    error_codes = {code: kind for code, kind in CLASS_BY_CODE.items() if int(code) not in PERMISSIONS} | {
        PERMISSIONS_ENTRY: ErrorClass.ACCOUNT_STOP
    }

    def build(self, account: Account, message: Message) -> HttpRequest:
        content.check(message.content, self.text_limit)
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            # With its plus sign: without it Meta puts the business number's own country code in front.
            "to": message.to,
            **_content(message.content),
            "biz_opaque_callback_data": message.tracking,
        }
        if message.reply_to:
            body["context"] = {"message_id": message.reply_to}
        return HttpRequest(
            url=f"{_address(account)}/messages",
            headers={"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def read_success(self, answer: HttpAnswer) -> Outcome:
        body = answer.json_object()
        message_id = _first(body, "messages").get("id")
        if not isinstance(message_id, str) or not message_id:
            return Uncertain(f"HTTP {answer.status} without a message id")
        return Accepted(text_of(message_id)[:200], wa_id=text_of(_first(body, "contacts").get("wa_id"))[:40])

    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        error = answer.json_object().get("error")
        if not isinstance(error, dict) or "code" not in error:
            return None
        return _error(error, answer)

    def catalogue_code(self, code: str) -> str:
        return PERMISSIONS_ENTRY if code.isdecimal() and int(code) in PERMISSIONS else code

    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        # Over the raw bytes: Meta escapes characters that a parser and writer of ours would not.
        expected = hmac.new(str(settings.WHATSAPP_CLOUD_APP_SECRET).encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("X-Hub-Signature-256", "")
        return hmac.compare_digest(f"sha256={expected}".encode(), given.encode(errors="replace"))

    def health_request(self, account: Account) -> HttpRequest:
        return HttpRequest(
            url=f"{_address(account)}?fields={HEALTH_FIELDS}",
            headers={"Authorization": f"Bearer {account.token}"},
            method="GET",
        )

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        error = self.read_error(answer)
        if error:
            is_refused = error.error_class is ErrorClass.ACCOUNT_STOP
            return Health(False if is_refused else None, f"{error.code} {error.message}".strip()[:200])
        number = answer.json_object()
        status, name, platform = (
            text_of(number.get(key))[:200] for key in ("status", "verified_name", "platform_type")
        )
        return Health(
            is_connected=IS_CONNECTED.get(status),
            detail=", ".join(part for part in (status, name, platform) if part)[:200] or f"HTTP {answer.status}",
            quality=text_of(number.get("quality_rating"))[:40],
            limit=text_of(number.get("messaging_limit_tier"))[:40],
        )

    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        events = (_receipt(status) for value in _values(payload) for status in _dicts(value, "statuses"))
        return [event for event in events if event]

    def inbound(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        events = (_inbound(message, value) for value in _values(payload) for message in _dicts(value, "messages"))
        return [event for event in events if event]

    def preferences(self, payload: Mapping[str, Any]) -> list[PreferenceEvent]:
        choices = ((choice, value) for value in _values(payload) for choice in _dicts(value, "user_preferences"))
        events = (_preference(choice, value) for choice, value in choices)
        return [event for event in events if event]


def _address(account: Account) -> str:
    return f"{settings.WHATSAPP_CLOUD_API_URL}/{settings.WHATSAPP_CLOUD_API_VERSION}/{account.account_id}"


def _content(what: content.Content) -> dict[str, Any]:
    match what:
        case content.Text(body):
            return {"type": "text", "text": {"body": body, "preview_url": False}}
        case content.Image(link, caption):
            return {"type": "image", "image": _given(link=link, caption=caption)}
        case content.Document(link, filename, caption):
            return {"type": "document", "document": _given(link=link, filename=filename, caption=caption)}
        case content.Template():
            return {"type": "template", "template": _template(what)}


def _template(template: content.Template) -> dict[str, Any]:
    components = [*_header(template.header), *_body(template.body), *map(_button, template.buttons)]
    # A template without variables must be sent without components.
    return {"name": template.name, "language": {"code": template.language}} | _given(components=components)


def _header(header: content.Text | content.Image | content.Document | None) -> list[dict[str, Any]]:
    match header:
        case None:
            return []
        case content.Text(body):
            parameter: dict[str, Any] = {"type": "text", "text": body}
        case content.Image(link, _):
            parameter = {"type": "image", "image": {"link": link}}
        case content.Document(link, filename, _):
            parameter = {"type": "document", "document": _given(link=link, filename=filename)}
    return [{"type": "header", "parameters": [parameter]}]


def _body(values: tuple[str, ...] | Mapping[str, str]) -> list[dict[str, Any]]:
    if isinstance(values, Mapping):
        parameters = [{"type": "text", "parameter_name": name, "text": text} for name, text in values.items()]
    else:
        parameters = [{"type": "text", "text": text} for text in values]
    return [{"type": "body", "parameters": parameters}] if parameters else []


def _button(button: content.UrlButton | content.QuickReply) -> dict[str, Any]:
    match button:
        case content.UrlButton(_, suffix):
            kind, parameter = "url", {"type": "text", "text": suffix}
        case content.QuickReply(_, payload):
            kind, parameter = "quick_reply", {"type": "payload", "payload": payload}
    return {"type": "button", "sub_type": kind, "index": str(button.index), "parameters": [parameter]}


def _given(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value}


def _values(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in _dicts(payload, "entry"):
        for change in _dicts(entry, "changes"):
            if isinstance(change.get("value"), dict):
                yield change["value"]


def _receipt(status: dict[str, Any]) -> ReceiptEvent | None:
    word, message_id = text_of(status.get("status")), text_of(status.get("id"))
    occurred_at = _moment(status.get("timestamp"))
    if not word or not message_id or occurred_at is None:
        logger.warning("A status without id, word or time was left out")
        return None
    errors = _dicts(status, "errors")
    return ReceiptEvent(
        provider_message_id=message_id[:200],
        status=STATUSES.get(word, Kind.UNKNOWN),
        raw_status=word[:40],
        occurred_at=occurred_at,
        tracking=text_of(status.get("biz_opaque_callback_data"))[:512],
        error=_error(errors[0]) if errors else None,
    )


def _inbound(message: dict[str, Any], value: dict[str, Any]) -> InboundEvent | None:
    message_id, occurred_at = text_of(message.get("id")), _moment(message.get("timestamp"))
    if not message_id or occurred_at is None:
        logger.warning("A message without id or time was left out")
        return None
    wa_id = text_of(message.get("from"))
    return InboundEvent(
        provider_message_id=message_id[:200],
        # Missing for people who are known by their user name only.
        phone_number=_telephone(wa_id),
        text=_words(message)[:4096],
        occurred_at=occurred_at,
        profile_name=_name_of(wa_id, value),
        account_id=_account_in(value),
    )


def _preference(choice: dict[str, Any], value: dict[str, Any]) -> PreferenceEvent | None:
    wa_id, occurred_at = text_of(choice.get("wa_id")), _moment(choice.get("timestamp"))
    wants_messages = WANTS_MESSAGES.get(text_of(choice.get("value")))
    phone_number, category = _telephone(wa_id), text_of(choice.get("category"))
    if not phone_number or wants_messages is None or occurred_at is None or category != MARKETING:
        logger.warning("A preference without number, word or time, or about something else, was left out")
        return None
    return PreferenceEvent(
        phone_number=phone_number,
        wants_messages=wants_messages,
        reason=text_of(choice.get("detail"))[:200],
        occurred_at=occurred_at,
        profile_name=_name_of(wa_id, value),
        account_id=_account_in(value),
    )


def _telephone(wa_id: str) -> str:
    return f"+{wa_id}" if wa_id.isdigit() and len(wa_id) <= 15 else ""


def _account_in(value: dict[str, Any]) -> str:
    """The number of ours that the payload speaks of."""
    metadata = value.get("metadata")
    return text_of(metadata.get("phone_number_id"))[:80] if isinstance(metadata, dict) else ""


def _name_of(wa_id: str, value: dict[str, Any]) -> str:
    """The name of this person on WhatsApp: one payload may speak of several."""
    contacts = _dicts(value, "contacts")
    profile = next((contact.get("profile") for contact in contacts if text_of(contact.get("wa_id")) == wa_id), None)
    return text_of(profile.get("name"))[:200] if isinstance(profile, dict) else ""


def _words(message: Mapping[str, Any]) -> str:
    """What the person said: text, a pressed button, a caption; else the kind of message in brackets."""
    kind = text_of(message.get("type"))
    content = message.get(kind)
    if not isinstance(content, dict):
        return f"[{kind}]"
    for name in ("body", "text", "caption", "emoji"):
        if text_of(content.get(name)):
            return text_of(content[name])
    replies = [content[name] for name in ("button_reply", "list_reply") if isinstance(content.get(name), dict)]
    return text_of(replies[0].get("title")) if replies else f"[{kind}]"


def _moment(seconds: Any) -> datetime | None:
    """Meta's timestamps: seconds since 1970, as text or as a number."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _error(error: Mapping[str, Any], answer: HttpAnswer | None = None) -> ProviderError:
    code = text_of(error.get("code"))
    return ProviderError(
        error_class=_error_class(code, error, answer),
        code=code[:40],
        message=_error_message(error),
        retry_after=answer.retry_after if answer else None,
        is_classified=code in CLASS_BY_CODE,
    )


def _error_class(code: str, error: Mapping[str, Any], answer: HttpAnswer | None) -> ErrorClass:
    if code == "100" and text_of(error.get("error_subcode")) == UNKNOWN_OBJECT_SUBCODE:
        return ErrorClass.ACCOUNT_STOP
    if code in CLASS_BY_CODE:
        return CLASS_BY_CODE[code]
    if error.get("is_transient") is True:
        return ErrorClass.TRANSIENT_CAPPED
    return class_of_http_status(answer.status) if answer else ErrorClass.UNKNOWN


def _error_message(error: Mapping[str, Any]) -> str:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else data
    parts = [text_of(error.get("message")) or text_of(error.get("title")), text_of(details)]
    return " – ".join(dict.fromkeys(part for part in parts if part))[:2000]


def _first(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(iter(_dicts(body, name)), {})


def _dicts(container: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The JSON objects in a member that should be a list of them."""
    items = container.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
