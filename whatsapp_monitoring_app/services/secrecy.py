"""A provider's words without ours: a gateway that echoes requests would write tokens and texts into our rows."""

import html
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote, quote_plus

from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import Account, HttpAnswer, HttpRequest, Message, Outcome, Refused

HIDDEN = "[…]"
SHORTEST = 8  # characters: anything shorter stands in many an answer by chance
PLAIN = re.compile(r"[A-Za-z0-9]+")


def of(
    notification: WhatsAppNotification, account: Account, message: Message, request: HttpRequest, stored: str = ""
) -> tuple[str, ...]:
    """What no answer may repeat, the longest first. `stored` is what is kept of the text: its words are no secret."""
    texts = content.texts(message.content)
    # A link that was filled in is a secret by itself, wherever a gateway cuts the text.
    filled_in = {word for text in texts for word in text.split()} - set(
        f"{notification.message_content} {stored}".split()
    )
    credentials = request.headers.get("Authorization", "").rpartition(" ")[2]
    secrets = {account.token, credentials, *texts, *(word.strip(".,;:!?()«»“”\"'") for word in filled_in)}
    return tuple(sorted((secret for secret in secrets if len(secret) >= SHORTEST), key=len, reverse=True))


def of_account(sender: WhatsAppSender) -> tuple[str, ...]:
    """What no answer about an account may repeat: the token that it was asked with, which may be the environment's."""
    return tuple(token for token in (sender.credentials or ("", ""))[1:] if token)


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, in whatever spelling an echo has."""
    folded = text.casefold()
    for secret in secrets:
        if _core(secret) in folded:
            for spelling in _spellings(secret):
                text = text.replace(spelling, HIDDEN)
    return text


def hide_in_answer(answer: HttpAnswer, secrets: Iterable[str]) -> HttpAnswer:
    said = answer.body.decode(errors="replace")
    shown = hide(said, secrets)
    return answer if shown == said else replace(answer, body=shown.encode())


def hide_in_outcome(outcome: Outcome, secrets: Iterable[str]) -> Outcome:
    if not isinstance(outcome, Refused):
        return outcome
    error = outcome.error
    return Refused(replace(error, code=hide(error.code, secrets), message=hide(error.message, secrets)))


@lru_cache(maxsize=1024)
def _core(secret: str) -> str:
    """The longest part of the secret that every spelling leaves as it is, but for its case; "" when there is none.

    Most answers repeat nothing, and each costs a dozen searches where one is enough to know.
    """
    return max(PLAIN.findall(secret), key=len, default="").casefold()


@lru_cache(maxsize=64)
def _spellings(secret: str) -> tuple[str, ...]:
    """As it is and as JSON spells it; either of them again as it stands in a page or in an address."""
    as_json = json.dumps(secret)[1:-1]
    plain = (secret, as_json, _upper(as_json), json.dumps(secret, ensure_ascii=False)[1:-1])
    slashed = dict.fromkeys(each for one in plain for each in (one, one.replace("/", "\\/")))
    return tuple(dict.fromkeys(spelling for each in slashed for spelling in _quoted(each)))


def _quoted(text: str) -> tuple[str, ...]:
    return (
        text,
        html.escape(text),
        quote(text, errors="replace"),
        quote(text, safe="", errors="replace"),
        quote_plus(text, errors="replace"),
    )


def _upper(escaped: str) -> str:
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda digits: digits[0].upper(), escaped)
