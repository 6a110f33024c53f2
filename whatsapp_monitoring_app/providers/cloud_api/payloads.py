"""How to find things in Meta's JSON, whatever its shape."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from whatsapp_monitoring_app.providers.base import text_of

DIGITS = frozenset("0123456789")


class Change(NamedTuple):
    """One piece of news in a webhook: of which company account, about what, and what it says."""

    business_account_id: str
    field: str
    value: dict[str, Any]


def changes(payload: Mapping[str, Any]) -> Iterator[Change]:
    for entry in dicts(payload, "entry"):
        for change in dicts(entry, "changes"):
            if isinstance(change.get("value"), dict):
                yield Change(text_of(entry.get("id"))[:80], text_of(change.get("field")), change["value"])


def dicts(container: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The JSON objects in a member that should be a list of them."""
    items = container.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def members(container: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that should be a JSON object."""
    value = container.get(name)
    return value if isinstance(value, dict) else {}


def word(container: Mapping[str, Any], name: str) -> str:
    """One of Meta's words, in capitals, no longer than a column is wide."""
    return text_of(container.get(name)).strip().upper()[:40]


def number(container: Mapping[str, Any], name: str) -> str:
    """A telephone number that is written for people, as E.164 with its plus sign; "" when it is none."""
    digits = "".join(sign for sign in text_of(container.get(name)) if sign in DIGITS)
    return f"+{digits}" if 7 <= len(digits) <= 15 and not digits.startswith("0") else ""


def moment(seconds: Any) -> datetime | None:
    """Meta's timestamps: seconds since 1970, as text or as a number."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
