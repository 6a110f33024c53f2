"""Taking a message in: checked, then written as a row. The row is the promise; ringing a worker comes after."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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


def post(draft: Draft, at: datetime) -> tuple[WhatsAppNotification, bool]:
    """Write the notification in the caller's transaction; with it, whether it is new.

    An idempotency key that its office has used already gives the first notification, and writes nothing.
    Raises InvalidNotification, scopes.UnknownOffice or phones.InvalidTelephone, all of them ValueErrors.
    """
    notification, created = _write(_values(draft, at), draft.idempotency_key or None)
    if created:
        cancellation.cancel_superseded_by(notification, at)
    return notification, created


def _write(values: dict[str, Any], idempotency_key: str | None) -> tuple[WhatsAppNotification, bool]:
    if idempotency_key is None:
        return WhatsAppNotification.objects.create(**values), True
    return WhatsAppNotification.objects.get_or_create(
        source_app=values.pop("source_app"), idempotency_key=idempotency_key, defaults=values
    )


def _values(draft: Draft, at: datetime) -> dict[str, Any]:
    scope = check(draft)
    kind = message_types.get(draft.message_type)
    phone_number = _number(draft, scope)
    return {
        "source_app": scope.office,
        "user": draft.user,
        "phone_number": phone_number,
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
        "max_attempts": kind.max_attempts,
        **_state(phone_number, kind, draft, at),
        "expires_at": draft.expires_at or (draft.not_before or at) + kind.max_age,
        "created_at": at,
    }


def _state(phone_number: str, kind: message_types.MessageType, draft: Draft, at: datetime) -> dict[str, Any]:
    """Where the message starts: waiting for its time, or cancelled because the person refuses such messages."""
    if not kind.is_essential and WhatsAppOptOut.objects.filter(phone_number=phone_number).exists():
        return {"status": Status.CANCELLED, "cancel_reason": CancelReason.OPT_OUT, "cancelled_at": at}
    return {
        "next_attempt_at": draft.not_before or at,
        "next_trigger": Trigger.AUTO,
        "rung_at": None if draft.not_before else at,
    }


def _number(draft: Draft, scope: scopes.Scope) -> str:
    number = draft.phone_number or (draft.user.telephone if draft.user else "")
    if not number:
        raise InvalidNotification("phone_number", _("Say who gets the message: a person or a telephone number."))
    return phones.to_e164(number, scope.country)


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
