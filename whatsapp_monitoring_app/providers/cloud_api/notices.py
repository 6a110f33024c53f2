"""What Meta posts about our templates, numbers and accounts.

Source: developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference, the pages named like the
fields (May 2026).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from whatsapp_monitoring_app.providers.base import AccountEvent, TemplateEvent, text_of
from whatsapp_monitoring_app.providers.cloud_api.payloads import Change, changes, dicts, members, moment, number, word
from whatsapp_monitoring_app.providers.cloud_api.templates import NAME_LIMIT, language_of, reason_of

logger = logging.getLogger(__name__)

Event = TemplateEvent | AccountEvent
DETAIL_LIMIT = 500
# What became of a template; other words are its status themselves. The last two are remarks: it stays what it is.
STATUS_OF_EVENT = {"REINSTATED": "APPROVED", "UNARCHIVED": "APPROVED", "FLAGGED": "", "LOCKED": ""}
# A flagged number has a low quality, one that is no longer flagged a high or a medium one: Meta does not say which.
QUALITY_OF_EVENT = {"FLAGGED": "RED", "UNFLAGGED": "UNKNOWN"}
# The messaging limit of a company comes as a word or as a number.
LIMITS = {
    "50": "TIER_50", "250": "TIER_250", "1000": "TIER_1K", "2000": "TIER_2K", "10000": "TIER_10K",
    "100000": "TIER_100K", "-1": "TIER_UNLIMITED", "TIER_NOT_SET": "",
}  # fmt: skip
# With this event TIER_UNLIMITED speaks of messages per second.
THROUGHPUT = "THROUGHPUT_UPGRADE"
CAN_SEND = {"ACCOUNT_DELETED": False, "ACCOUNT_OFFBOARDED": False, "ACCOUNT_RECONNECTED": True}
# SCHEDULE_FOR_DISABLE is a warning: until then everything is sent.
CAN_SEND_WHEN_BANNED = {"DISABLE": False, "REINSTATE": True}
# The one of Meta's restrictions that stops what we send: answers to clients, calls and new numbers are not it.
STOPS_SENDING = "RESTRICTED_BIZ_INITIATED_MESSAGING"


def read(payload: Mapping[str, Any]) -> list[Event]:
    """What is understood of a webhook's payload. News of an account without an id would be news of any."""
    known = (change for change in changes(payload) if change.field in READERS and change.business_account_id)
    events = (READERS[change.field](change) for change in known)
    return [event for event in events if event]


def _template(change: Change) -> TemplateEvent | None:
    name = text_of(change.value.get("message_template_name"))[:NAME_LIMIT]
    language = language_of(change.value, "message_template_language")
    if not name or not language:
        logger.warning("News of a template without name or language was left out")
        return None
    return TemplateEvent(change.business_account_id, name, language)


def _template_status(change: Change) -> TemplateEvent | None:
    template, event = _template(change), word(change.value, "event")
    if not template or not event:
        return None
    status = STATUS_OF_EVENT.get(event, event)
    other, rejection = members(change.value, "other_info"), members(change.value, "rejection_info")
    reason = _said(
        "" if status else event,
        reason_of(change.value, "reason"),
        *(text_of(other.get(name)) for name in ("title", "description")),
        *(text_of(rejection.get(name)) for name in ("reason", "recommendation")),
        _date(members(change.value, "disable_info").get("disable_date")),
    )
    return replace(template, status=status, category=word(change.value, "message_template_category"), reason=reason)


def _template_quality(change: Change) -> TemplateEvent | None:
    template, quality = _template(change), word(change.value, "new_quality_score")
    return replace(template, quality=quality) if template and quality else None


def _template_category(change: Change) -> TemplateEvent | None:
    template, category = _template(change), word(change.value, "new_category")
    coming = word(change.value, "correct_category")
    if template and coming:
        # Here new_category is the present one, which may be history when this arrives.
        return replace(
            template, reason=_said(f"becomes {coming}", _date(change.value.get("category_update_timestamp")))
        )
    return replace(template, category=category) if template and category else None


def _number_quality(change: Change) -> AccountEvent | None:
    event, ours = word(change.value, "event"), number(change.value, "display_phone_number")
    if not ours or not event:
        logger.warning("News of a number without the number or the event was left out")
        return None
    limit = "" if event == THROUGHPUT else _limit(change.value, "current_limit")
    quality = QUALITY_OF_EVENT.get(event, "")
    return AccountEvent(change.business_account_id, ours, quality=quality, limit=limit, detail=event)


def _capability(change: Change) -> AccountEvent | None:
    limit = _limit(change.value, "max_daily_conversation_per_phone")
    return AccountEvent(change.business_account_id, limit=limit) if limit else None


def _limit(value: Mapping[str, Any], older_name: str) -> str:
    limit = word(value, "max_daily_conversations_per_business") or word(value, older_name)
    return LIMITS.get(limit, limit)


def _account(change: Change) -> AccountEvent | None:
    event, ban = word(change.value, "event"), members(change.value, "ban_info")
    if not event:
        return None
    restrictions = dicts(change.value, "restriction_info")
    stops = [one for one in restrictions if word(one, "restriction_type") == STOPS_SENDING]
    unrestricted = CAN_SEND_WHEN_BANNED.get(word(ban, "waba_ban_state"), CAN_SEND.get(event))
    can_send = False if stops else unrestricted
    return AccountEvent(
        # Some events come in the name of the company that owns the account.
        text_of(members(change.value, "waba_info").get("waba_id"))[:80] or change.business_account_id,
        # It is always the whole account that is banned or restricted, whichever number is to blame.
        number="" if can_send is not None else number(change.value, "phone_number"),
        can_send=can_send,
        detail=_said(
            event,
            *(text_of(ban.get(name)) for name in ("waba_ban_state", "waba_ban_date")),
            text_of(members(change.value, "violation_info").get("violation_type")),
            *map(_restriction, restrictions),
        ),
        # A ban or a deletion beside the restriction ends with none of them.
        until=None if unrestricted is False else _end(stops),
    )


def _restriction(restriction: Mapping[str, Any]) -> str:
    parts = (text_of(restriction.get("restriction_type")), _date(restriction.get("expiration")))
    return _said(" ".join(part for part in parts if part), text_of(restriction.get("remediation")))


def _end(restrictions: list[dict[str, Any]]) -> datetime | None:
    """When the last of them ends, if each has an end."""
    ends = [moment(restriction.get("expiration")) for restriction in restrictions]
    known = [end for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


def _alert(change: Change) -> AccountEvent | None:
    alert = members(change.value, "alert_info") or change.value
    detail = _said(*(text_of(alert.get(f"alert_{name}")) for name in ("severity", "type", "description")))
    return AccountEvent(change.business_account_id, detail=detail) if detail else None


def _review(change: Change) -> AccountEvent | None:
    decision = word(change.value, "decision")
    return AccountEvent(change.business_account_id, detail=f"account review: {decision}") if decision else None


def _said(*words: str) -> str:
    return " – ".join(dict.fromkeys(part for part in words if part))[:DETAIL_LIMIT]


def _date(value: Any) -> str:
    """A moment for people; what is none stays as it is."""
    when = moment(value)
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else text_of(value)


READERS: dict[str, Callable[[Change], Event | None]] = {
    "message_template_status_update": _template_status,
    "message_template_quality_update": _template_quality,
    "template_category_update": _template_category,
    "phone_number_quality_update": _number_quality,
    "business_capability_update": _capability,
    "account_update": _account,
    "account_alerts": _alert,
    "account_review_update": _review,
}
