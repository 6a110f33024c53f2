"""What no log and no report of an error may show: telephones, tokens, passwords, and what a failed statement quotes.

A net under the rule that nobody writes such things: libraries put whole addresses and rows into their exceptions.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.conf import settings

HIDDEN = "[…]"
_SHORTEST = 8  # characters: a shorter secret stands in many a word by chance

_PATTERNS = (
    # PostgreSQL quotes the row, or the key, that it refused: up to the end of the line, and of the text's own lines.
    (re.compile(r"Failing row contains \(.*?\)\.?(?=\n(?:CONTEXT|The above|Traceback|$)|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(Key \([^)]*\)=)\(.*?\)(?= (?:already|is not|conflicts|is still))", re.DOTALL), rf"\1({HIDDEN})"),
    # Whoever has one of these is the company, or the client.
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bEAA[A-Za-z0-9]{16,}"), HIDDEN),
    (
        re.compile(
            r"(?i)([\w.-]*(?:token|secret|password|passwd|api_?key|signature|cookie|authorization)['\"]?\s*[=:]\s*['\"]?)"
            r"[^\s'\"&,;)}\]]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), HIDDEN),
    (re.compile(r"(first-password/)[^\s'\"?]+"), rf"\1{HIDDEN}"),
    # Telephones: written for people (+223 76 12 34 56), and as addresses and providers have them (22376123456).
    (re.compile(r"(?:\+|%2B)\d(?:[ .()/-]{0,2}\d){6,14}", re.IGNORECASE), HIDDEN),
    (re.compile(r"(?<![\w-])(?<!\d\.)\d{8,15}(?![\w-])"), HIDDEN),
)


def scrub(text: str) -> str:
    """The text without telephones and secrets."""
    for secret in _own_secrets() if settings.configured else ():
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def scrub_all(value: Any) -> Any:
    """The same of every text in it, however deep; numbers that are no telephones stay."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrub(str(key)): scrub_all(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [scrub_all(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


@cache
def _own_secrets() -> tuple[str, ...]:
    """The secrets of the settings, word for word."""
    names = (
        "SECRET_KEY",
        "METRICS_TOKEN",
        "WHATSAPP_CLOUD_APP_SECRET",
        "WHATSAPP_CLOUD_TOKEN",
        "WHATSAPP_CLOUD_VERIFY_TOKEN",
        "WACHAP_WEBHOOK_SECRET",
        "EMAIL_HOST_PASSWORD",
    )
    given = [str(getattr(settings, name, "") or "") for name in names] + list(settings.WHATSAPP_TOKEN_KEYS)
    given.append(str(settings.DATABASES["default"].get("PASSWORD") or ""))
    return tuple(sorted({secret for secret in given if len(secret) >= _SHORTEST}, key=len, reverse=True))
