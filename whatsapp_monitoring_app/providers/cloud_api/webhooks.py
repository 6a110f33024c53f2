"""What Meta posts about messages: receipts, what people write, and what they choose.

Source: developers.facebook.com/docs/whatsapp, page "Webhooks" (September 2026).
"""

import logging
from collections.abc import Mapping
from typing import Any

from whatsapp_monitoring_app.providers.base import InboundEvent, Kind, PreferenceEvent, ReceiptEvent, text_of
from whatsapp_monitoring_app.providers.cloud_api import errors
from whatsapp_monitoring_app.providers.cloud_api.payloads import changes, dicts, moment

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


def receipts(payload: Mapping[str, Any]) -> list[ReceiptEvent]:
    events = (_receipt(status) for change in changes(payload) for status in dicts(change.value, "statuses"))
    return [event for event in events if event]


def inbound(payload: Mapping[str, Any]) -> list[InboundEvent]:
    said = ((message, change.value) for change in changes(payload) for message in dicts(change.value, "messages"))
    events = (_inbound(message, value) for message, value in said)
    return [event for event in events if event]


def preferences(payload: Mapping[str, Any]) -> list[PreferenceEvent]:
    chosen = ((one, change.value) for change in changes(payload) for one in dicts(change.value, "user_preferences"))
    events = (_preference(choice, value) for choice, value in chosen)
    return [event for event in events if event]


def _receipt(status: dict[str, Any]) -> ReceiptEvent | None:
    word, message_id = text_of(status.get("status")), text_of(status.get("id"))
    occurred_at = moment(status.get("timestamp"))
    if not word or not message_id or occurred_at is None:
        logger.warning("A status without id, word or time was left out")
        return None
    reasons = dicts(status, "errors")
    return ReceiptEvent(
        provider_message_id=message_id[:200],
        status=STATUSES.get(word, Kind.UNKNOWN),
        raw_status=word[:40],
        occurred_at=occurred_at,
        tracking=text_of(status.get("biz_opaque_callback_data"))[:512],
        error=errors.read(reasons[0]) if reasons else None,
    )


def _inbound(message: dict[str, Any], value: dict[str, Any]) -> InboundEvent | None:
    message_id, occurred_at = text_of(message.get("id")), moment(message.get("timestamp"))
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
    wa_id, occurred_at = text_of(choice.get("wa_id")), moment(choice.get("timestamp"))
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
    contacts = dicts(value, "contacts")
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
