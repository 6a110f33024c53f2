"""How a number of ours is, and how long our token is good.

Sources: developers.facebook.com/docs, pages "WhatsApp Business Account to Number" and "debug_token" (November 2026).
"""

from typing import Any

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers.base import (
    Account,
    Health,
    HttpAnswer,
    HttpRequest,
    ProviderError,
    TokenFacts,
    text_of,
)
from whatsapp_monitoring_app.providers.cloud_api import graph
from whatsapp_monitoring_app.providers.cloud_api.payloads import members, moment, number

# Words of a phone number's `status`; a restricted number still answers people, and sends what is allowed to it.
IS_CONNECTED = {
    **dict.fromkeys(("CONNECTED", "FLAGGED", "RATE_LIMITED", "RESTRICTED"), True),
    **dict.fromkeys(
        ("BANNED", "DELETED", "DISCONNECTED", "MIGRATED", "OFFLINE", "PAUSED", "PENDING", "UNVERIFIED"), False
    ),
}
# The limit is one of the whole company since October 2025; the older field is one of a number.
LIMIT_FIELDS = ("whatsapp_business_manager_messaging_limit", "messaging_limit_tier")
HEALTH_FIELDS = ",".join(
    ("verified_name", "quality_rating", *LIMIT_FIELDS, "status", "platform_type", "display_phone_number")
)
# Meta could not tell who asks: the token, which is the one that is asked about, is wrong, expired or withdrawn.
NOT_A_TOKEN = ("0", "190")


def health_request(account: Account) -> HttpRequest:
    return graph.question(graph.address(account.account_id), account, {"fields": HEALTH_FIELDS})


def health(facts: dict[str, Any], http_status: int) -> Health:
    """What Meta says of a number."""
    status, name, platform = (text_of(facts.get(key))[:200] for key in ("status", "verified_name", "platform_type"))
    limits = (text_of(facts.get(name))[:40] for name in LIMIT_FIELDS)
    return Health(
        is_connected=IS_CONNECTED.get(status),
        detail=", ".join(part for part in (status, name, platform) if part)[:200] or f"HTTP {http_status}",
        quality=text_of(facts.get("quality_rating"))[:40],
        limit=next((limit for limit in limits if limit), ""),
        number=number(facts, "display_phone_number"),
    )


def unhealthy(error: ProviderError) -> Health:
    """What a refusal says of a number."""
    is_refused = error.error_class is ErrorClass.ACCOUNT_STOP
    return Health(False if is_refused else None, _words(error))


def token_request(account: Account) -> HttpRequest:
    return graph.question(graph.address("debug_token"), account, {"input_token": account.token})


def token(answer: HttpAnswer) -> TokenFacts:
    """What Meta says of a token."""
    facts = members(answer.json_object(), "data")
    is_valid = facts.get("is_valid")
    # 0 means never.
    expires_at = moment(facts.get("expires_at")) if facts.get("expires_at") else None
    words = [members(facts, "error").get("message"), facts.get("type"), facts.get("application")]
    detail = ", ".join(text for text in map(text_of, words) if text)
    return TokenFacts(
        is_valid=is_valid if isinstance(is_valid, bool) else None,
        expires_at=expires_at,
        detail=detail[:200] or f"HTTP {answer.status}",
    )


def bad_token(error: ProviderError) -> TokenFacts:
    """What a refusal says of a token."""
    return TokenFacts(False if error.code in NOT_A_TOKEN else None, detail=_words(error))


def _words(error: ProviderError) -> str:
    return f"{error.code} {error.message}".strip()[:200]
