"""Taking a message in: checked, then written as a row. The row is the promise; ringing a worker comes after."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import CancelReason, Status, Trigger, WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.services import cancellation, message_types

TEXT_LIMIT = 4096  # characters: WhatsApp's own limit for a text message
LIMITS = {"title": 200, "message_type": 60, "category": 60, "subject": 120, "language": 10, "idempotency_key": 200}
# NUL, and halves of a surrogate pair: PostgreSQL takes neither.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class InvalidNotification(ValueError):
    """The message cannot be taken in; nothing was written. `field` names what is wrong, the message says it."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as the caller gives it. `user` or `phone_number` says who gets it; the number wins."""

    message_content: str
    source_app: str
    user: User | None = None
    phone_number: str = ""
    message_type: str = "notification"
    category: str = "general"
    title: str = ""
    priority: int = 3
    language: str = ""
    subject: str = ""
    fact_rank: int = 0
    context_data: dict[str, Any] = field(default_factory=dict)
    is_secret: bool = False
    idempotency_key: str | None = None
    expires_at: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class _Letter:
    """A draft that can be sent, and where to."""

    draft: Draft
    scope: scopes.Scope
    kind: message_types.MessageType
    phone_number: str


class Posted(NamedTuple):
    """What became of many drafts: the notifications that are new, and why there is none, by idempotency key."""

    new: list[WhatsAppNotification]
    refusals: dict[str | None, str]


def post(draft: Draft, at: datetime) -> tuple[WhatsAppNotification, bool]:
    """Write the notification in the caller's transaction; with it, whether it is new.

    An idempotency key that its office has used already gives the first notification, and writes nothing.
    Raises InvalidNotification, scopes.UnknownOffice or phones.InvalidTelephone, all of them ValueErrors.
    """
    letter = _address(draft)
    notification, created = _write(_values(letter, at, _refusing([letter]), rung_at=at))
    if created:
        cancellation.cancel_superseded_by(notification, at)
    return notification, created


def _write(values: dict[str, Any]) -> tuple[WhatsAppNotification, bool]:
    if values["idempotency_key"] is None:
        return WhatsAppNotification.objects.create(**values), True
    key = {name: values.pop(name) for name in ("source_app", "idempotency_key")}
    return WhatsAppNotification.objects.get_or_create(**key, defaults=values)


def post_all(drafts: Sequence[Draft], at: datetime) -> Posted:
    """Write these notifications in the caller's transaction, by as many queries for a thousand as for one.

    Each is taken in or refused as by `post`, whatever becomes of the others. They are of one office, each has an
    idempotency key, and none a subject: nothing is superseded. Nobody is rung for.
    """
    known = _known(drafts)
    letters, refusals = _address_all(draft for draft in drafts if draft.idempotency_key not in known)
    refusing = _refusing(letters)
    rows = [WhatsAppNotification(**_values(letter, at, refusing, rung_at=None)) for letter in letters]
    return Posted(_write_all(rows), refusals)


def _known(drafts: Sequence[Draft]) -> set[str | None]:
    """The idempotency keys that their office has used already."""
    offices = {draft.source_app for draft in drafts}
    keys = [draft.idempotency_key for draft in drafts]
    used = WhatsAppNotification.objects.filter(source_app__in=offices, idempotency_key__in=keys)
    return set(used.values_list("idempotency_key", flat=True))


def _address_all(drafts: Iterable[Draft]) -> tuple[list[_Letter], dict[str | None, str]]:
    letters, refusals = [], {}
    for draft in drafts:
        try:
            letters.append(_address(draft))
        except ValueError as error:
            refusals[draft.idempotency_key] = str(error)
    return letters, refusals


def _write_all(rows: list[WhatsAppNotification]) -> list[WhatsAppNotification]:
    """Write the rows whose keys nobody has used meanwhile; those that are written."""
    WhatsAppNotification.objects.bulk_create(rows, ignore_conflicts=True)
    # The database does not say which ones it left out.
    codes = [row.code for row in rows]
    written = set(WhatsAppNotification.objects.filter(code__in=codes).values_list("code", flat=True))
    return [row for row in rows if row.code in written]


def _address(draft: Draft) -> _Letter:
    scope = check(draft)
    return _Letter(draft, scope, message_types.get(draft.message_type), _number(draft, scope))


def _number(draft: Draft, scope: scopes.Scope) -> str:
    number = draft.phone_number or (draft.user.telephone if draft.user else "")
    if not number:
        raise InvalidNotification("phone_number", _("Say who gets the message: a person or a telephone number."))
    return phones.to_e164(number, scope.country)


def _refusing(letters: Iterable[_Letter]) -> set[str]:
    """The numbers whose people refuse such messages."""
    numbers = {letter.phone_number for letter in letters if not letter.kind.is_essential}
    return set(WhatsAppOptOut.objects.filter(phone_number__in=numbers).values_list("phone_number", flat=True))


def _values(letter: _Letter, at: datetime, refusing: set[str], rung_at: datetime | None) -> dict[str, Any]:
    draft, kind = letter.draft, letter.kind
    is_refused = letter.phone_number in refusing and not kind.is_essential
    return {
        "source_app": letter.scope.office,
        "user": draft.user,
        "phone_number": letter.phone_number,
        "language": draft.language or (draft.user.language if draft.user else "fr"),
        "message_type": draft.message_type,
        "category": draft.category,
        "title": draft.title,
        "message_content": draft.message_content,
        "priority": draft.priority,
        "subject": draft.subject,
        "fact_rank": draft.fact_rank,
        "context_data": draft.context_data,
        "is_secret": draft.is_secret,
        "idempotency_key": draft.idempotency_key or None,
        "max_attempts": kind.max_attempts,
        **(_cancelled(at) if is_refused else _waiting(draft, at, rung_at)),
        "expires_at": draft.expires_at or (draft.not_before or at) + kind.max_age,
        "created_at": at,
    }


def _cancelled(at: datetime) -> dict[str, Any]:
    return {"status": Status.CANCELLED, "cancel_reason": CancelReason.OPT_OUT, "cancelled_at": at}


def _waiting(draft: Draft, at: datetime, rung_at: datetime | None) -> dict[str, Any]:
    return {
        "next_attempt_at": draft.not_before or at,
        "next_trigger": Trigger.AUTO,
        "rung_at": None if draft.not_before else rung_at,
    }


def check(draft: Draft) -> scopes.Scope:
    """The draft's office. Raises InvalidNotification or scopes.UnknownOffice when the message could not be sent."""
    scope = scopes.get(draft.source_app)
    _check_text("message_content", draft.message_content, TEXT_LIMIT)
    if not draft.message_content.strip():
        raise InvalidNotification("message_content", _("The message is empty."))
    for name, limit in LIMITS.items():
        value = getattr(draft, name)
        if name != "idempotency_key" or value is not None:
            _check_text(name, value, limit)
    if isinstance(draft.priority, bool) or draft.priority not in range(1, 6):
        raise InvalidNotification(
            "priority",
            _("The priority goes from 1 (most urgent) to 5; “%(value)s” does not.") % {"value": draft.priority},
        )
    return scope


def _check_text(name: str, text: object, limit: int) -> None:
    if not isinstance(text, str) or UNSTORABLE.search(text):
        raise InvalidNotification(name, _("“%(field)s” is not a text that can be sent.") % {"field": name})
    if len(text) > limit:
        raise InvalidNotification(
            name,
            _("“%(field)s” has %(length)d characters; %(limit)d is the most.")
            % {"field": name, "length": len(text), "limit": limit},
        )


def default_expiry(notification: WhatsAppNotification, at: datetime) -> datetime:
    """Until when a message of this type is useful when it starts anew at `at`."""
    return at + message_types.get(notification.message_type).max_age
