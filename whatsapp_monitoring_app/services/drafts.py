"""A message as the caller gives it, and what its fields may hold."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter, le
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app import scopes

LIMITS = {
    "title": 200,
    "message_type": 60,
    "category": 60,
    "subject": 120,
    "language": 10,
    "idempotency_key": 200,
    "reply_to": 200,
    "document_name": 240,
}
_texts_of = attrgetter(*LIMITS)
_KEY = list(LIMITS).index("idempotency_key")
HIGHEST_RANK = 32767
# NUL, and halves of a surrogate pair: PostgreSQL takes neither.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class InvalidNotification(ValueError):
    """The message cannot be taken in; nothing was written. `field` names what is wrong, the message says it."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as the caller gives it. `user` or `phone_number` says who gets it; the number wins.

    What is said is a text, or a `template` of ours by its code, with the values of its variables in `params`. An image
    or a document, given by an https link, has the text below it. `sender` is the code of the one that speaks instead
    of the office's own; `reply_to` is the provider's id of the client's message that this one answers. `about` gives
    the rank of each thing that it speaks of, where these are several or others than `subject`. `bulk` is the code of
    the bulk message that it belongs to.
    """

    source_app: str
    message_content: str = ""
    template: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    image_url: str = ""
    document_url: str = ""
    document_name: str = ""
    reply_to: str = ""
    sender: str = ""
    user: User | None = None
    phone_number: str = ""
    message_type: str = "notification"
    category: str = "general"
    title: str = ""
    priority: int = 3
    language: str = ""
    subject: str = ""
    fact_rank: int = 0
    about: Mapping[str, int] = field(default_factory=dict)
    context_data: dict[str, Any] = field(default_factory=dict)
    is_secret: bool = False
    idempotency_key: str | None = None
    expires_at: datetime | None = None
    not_before: datetime | None = None
    bulk: uuid.UUID | None = None

    @property
    def subjects(self) -> Mapping[str, int]:
        """Everything that it speaks of, and the rank of each."""
        return self.about or ({self.subject: self.fact_rank} if self.subject else {})


def check(draft: Draft) -> scopes.Scope:
    """The draft's office. Raises InvalidNotification or scopes.UnknownOffice when a field of it is wrong.

    What it says is looked at by `sayings`.
    """
    scope = scopes.get(draft.source_app)
    _check_texts(draft)
    _check_about(draft.about)
    if not isinstance(draft.context_data, Mapping):
        raise InvalidNotification("context_data", _("The context is given by name: a dictionary."))
    if isinstance(draft.priority, bool) or draft.priority not in range(1, 6):
        raise InvalidNotification(
            "priority",
            _("The priority goes from 1 (most urgent) to 5; “%(value)s” does not.") % {"value": draft.priority},
        )
    return scope


def _check_texts(draft: Draft) -> None:
    texts = _texts_of(draft)
    if texts[_KEY] is None:
        texts = (*texts[:_KEY], "", *texts[_KEY + 1 :])
    if _are_fine(texts):
        return
    for (name, limit), text in zip(LIMITS.items(), texts, strict=True):
        check_text(name, text, limit)


def _are_fine(texts: tuple[Any, ...]) -> bool:
    """Whether each is a text that can be stored: all in one look, since of a hundred thousand drafts none is wrong."""
    try:
        return not UNSTORABLE.search("".join(texts)) and all(map(le, map(len, texts), LIMITS.values()))
    except TypeError:  # one is no text
        return False


def _check_about(about: Mapping[str, int]) -> None:
    for name, rank in about.items():
        check_text("about", name, LIMITS["subject"])
        if not name or isinstance(rank, bool) or rank not in range(HIGHEST_RANK + 1):
            raise InvalidNotification(
                "about",
                _("Each subject has a name and a rank from 0 to %(highest)d.") % {"highest": HIGHEST_RANK},
            )


def check_text(name: str, text: object, limit: int) -> None:
    """Raises InvalidNotification when the field `name` holds what cannot be stored or is longer than `limit`."""
    if not isinstance(text, str) or UNSTORABLE.search(text):
        raise InvalidNotification(name, _("“%(field)s” is not a text that can be sent.") % {"field": name})
    if len(text) > limit:
        raise InvalidNotification(
            name,
            _("“%(field)s” has %(length)d characters; %(limit)d is the most.")
            % {"field": name, "length": len(text), "limit": limit},
        )
