"""The templates of a company account, as Meta lists them.

Source: developers.facebook.com/docs/whatsapp, page "WhatsApp Business Account > Message Templates" (November 2026).
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from whatsapp_monitoring_app.providers.base import Account, HttpRequest, TemplateFacts, TemplatePage, text_of
from whatsapp_monitoring_app.providers.cloud_api import graph
from whatsapp_monitoring_app.providers.cloud_api.payloads import dicts, members, word

logger = logging.getLogger(__name__)

FIELDS = "name,language,status,category,quality_score,rejected_reason,parameter_format,components"
# Templates with all their words and examples: a hundred may be more than we read of an answer.
PAGE_SIZE = 50
NAME_LIMIT, LANGUAGE_LIMIT = 512, 40
REASON_LIMIT = 500
NUMBERED = re.compile(r"\{\{\s*([0-9]{1,3})\s*\}\}")
NAMED = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,200})\s*\}\}")


def request(account: Account, after: str) -> HttpRequest | None:
    """The question for a page of templates; None when we do not know whose."""
    if not account.business_account_id:
        return None
    query = {"fields": FIELDS, "limit": str(PAGE_SIZE)} | ({"after": after} if after else {})
    return graph.question(f"{graph.address(account.business_account_id)}/message_templates", account, query)


def read(body: Mapping[str, Any]) -> TemplatePage | None:
    """The templates in an answer, or None when it holds no list of them."""
    data = body.get("data")
    if not isinstance(data, list):
        return None
    return TemplatePage(tuple(_understood(data)), _cursor(members(body, "paging")))


def language_of(container: Mapping[str, Any], name: str) -> str:
    """A template's language as it is sent: webhooks write en-US what is en_US everywhere else."""
    return text_of(container.get(name)).replace("-", "_")[:LANGUAGE_LIMIT]


def reason_of(container: Mapping[str, Any], name: str) -> str:
    """Why Meta refused a template; its NONE means that it did not."""
    reason = text_of(container.get(name))[:REASON_LIMIT]
    return "" if reason == "NONE" else reason


def _cursor(paging: Mapping[str, Any]) -> str:
    # The last page has a cursor too, but no next page.
    return text_of(members(paging, "cursors").get("after")) if text_of(paging.get("next")) else ""


def _understood(data: list[Any]) -> Iterator[TemplateFacts]:
    for entry in data:
        if _is_whole(entry):
            yield _facts(entry)
        else:
            logger.warning("A template without name, language, status or parts was left out")


def _is_whole(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("components"), list):
        return False
    return all(text_of(entry.get(name)).strip() for name in ("name", "language", "status"))


def _facts(entry: dict[str, Any]) -> TemplateFacts:
    parts = {word(part, "type"): part for part in dicts(entry, "components")}
    header, body = parts.get("HEADER", {}), text_of(parts.get("BODY", {}).get("text"))
    headline = text_of(header.get("text"))
    is_named = _is_named(word(entry, "parameter_format"), body + headline)
    return TemplateFacts(
        name=text_of(entry.get("name"))[:NAME_LIMIT],
        language=language_of(entry, "language"),
        status=word(entry, "status"),
        category=word(entry, "category"),
        quality=word(members(entry, "quality_score"), "score") or word(entry, "quality_score"),
        reason=reason_of(entry, "rejected_reason"),
        body_variables=_variables(body, is_named),
        has_named_variables=is_named,
        header=word(header, "format"),
        header_variables=_variables(headline, is_named),
        url_buttons=_url_buttons(parts.get("BUTTONS", {}).get("buttons")),
    )


def _is_named(parameter_format: str, text: str) -> bool:
    """Whether the variables have names; templates from before there were names do not say."""
    if parameter_format in ("NAMED", "POSITIONAL"):
        return parameter_format == "NAMED"
    return any(not name.isdecimal() for name in NAMED.findall(text))


def _variables(text: str, is_named: bool) -> tuple[str, ...]:
    if is_named:
        return tuple(dict.fromkeys(NAMED.findall(text)))
    return tuple(str(number) for number in sorted({int(digits) for digits in NUMBERED.findall(text)}))


def _url_buttons(buttons: Any) -> tuple[int, ...]:
    """The places, among all buttons, of those whose address has a variable end."""
    listed = buttons if isinstance(buttons, list) else []
    return tuple(place for place, button in enumerate(listed) if isinstance(button, dict) and _has_variable(button))


def _has_variable(button: Mapping[str, Any]) -> bool:
    return word(button, "type") == "URL" and "{{" in text_of(button.get("url"))
