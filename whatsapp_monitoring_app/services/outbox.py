"""Taking a message in: checked, then written as a row. The row is the promise; ringing a worker comes after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils.translation import gettext as _

from accounts import phones
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    Trigger,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
    WhatsAppSubject,
    WhatsAppTemplate,
    WhatsAppWrongNumber,
    languages,
)
from whatsapp_monitoring_app.services import cancellation, drafts, message_types, quiet_hours, sayings, writing
from whatsapp_monitoring_app.services.drafts import Draft, InvalidNotification


@dataclass(frozen=True)
class _Letter:
    """A draft that can be sent, and where to."""

    draft: Draft
    scope: scopes.Scope
    kind: message_types.MessageType
    phone_number: str
    language: str
    saying: sayings.Saying
    sender: WhatsAppSender | None


@dataclass(frozen=True)
class _Refusals:
    """Who is not written to: numbers that are somebody else's, numbers without any but the essential, people without
    one type.
    """

    strangers: frozenset[str]
    numbers: frozenset[str]
    types: frozenset[tuple[int, str]]

    def reason(self, letter: _Letter) -> CancelReason | None:
        """Why this letter is not to be sent; None when it is."""
        if letter.phone_number in self.strangers:
            return CancelReason.WRONG_NUMBER
        if letter.kind.is_essential:
            return None
        user = letter.draft.user
        is_muted = user is not None and (user.pk, letter.draft.message_type) in self.types
        return CancelReason.OPT_OUT if is_muted or letter.phone_number in self.numbers else None


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
    notification = writing.row(_values(letter, at, _refusing([letter]), rung_at=at))
    first = writing.write(notification)
    if first is not notification:
        return first, False
    _name_subjects([(notification, draft)])
    cancellation.cancel_superseded_by([notification], at)
    return notification, True


def post_all(drafts: Sequence[Draft], at: datetime, *, rung_at: datetime | None = None) -> Posted:
    """Write these notifications in the caller's transaction, by as many queries for a thousand as for one.

    Each is taken in or refused as by `post`, whatever becomes of the others. They are of one office, and each has an
    idempotency key. Those that may leave at once are marked with `rung_at`, by whoever rings for them then.
    """
    known = writing.used_keys({draft.source_app for draft in drafts}, [draft.idempotency_key for draft in drafts])
    letters, refusals = _address_all([draft for draft in drafts if draft.idempotency_key not in known])
    refusing = _refusing(letters)
    new = writing.write_all([writing.row(_values(letter, at, refusing, rung_at=rung_at)) for letter in letters])
    speaking = {draft.idempotency_key: draft for draft in drafts if draft.subjects}
    _name_subjects((one, speaking[one.idempotency_key]) for one in new if one.idempotency_key in speaking)
    cancellation.cancel_superseded_by(new, at)
    return Posted(new, refusals)


def obstacles(drafts: Sequence[Draft]) -> dict[str | None, str]:
    """Why these would not be sent, a sentence each, by idempotency key; nothing is written."""
    letters, refusals = _address_all(drafts)
    refusing = _refusing(letters)
    for letter in letters:
        reason = refusing.reason(letter)
        if reason:
            refusals[letter.draft.idempotency_key] = str(reason.label)
    return refusals


def _name_subjects(posted: Iterable[tuple[WhatsAppNotification, Draft]]) -> None:
    subjects = [
        WhatsAppSubject(notification=notification, name=name, fact_rank=rank)
        for notification, draft in posted
        for name, rank in draft.subjects.items()
    ]
    if subjects:
        WhatsAppSubject.objects.bulk_create(subjects)


def _address_all(drafts: Sequence[Draft]) -> tuple[list[_Letter], dict[str | None, str]]:
    letters: list[_Letter] = []
    refusals: dict[str | None, str] = {}
    templates = sayings.templates_of(drafts)
    for draft in drafts:
        try:
            letters.append(_address(draft, templates))
        except ValueError as error:
            refusals[draft.idempotency_key] = str(error)
    return letters, refusals


def _address(draft: Draft, templates: Mapping[str, WhatsAppTemplate] | None = None) -> _Letter:
    scope = drafts.check(draft)
    language = draft.language or (draft.user.language if draft.user else languages.DEFAULT)
    return _Letter(
        draft,
        scope,
        message_types.get(draft.message_type),
        _number(draft, scope),
        language,
        sayings.of(draft, language, templates),
        _asked_sender(draft),
    )


def _asked_sender(draft: Draft) -> WhatsAppSender | None:
    if not draft.sender:
        return None
    sender = WhatsAppSender.objects.defer("token").filter(code=draft.sender).first()
    if sender is None:
        raise InvalidNotification("sender", _("There is no sender “%(code)s”.") % {"code": draft.sender})
    return sender


def _number(draft: Draft, scope: scopes.Scope) -> str:
    number = draft.phone_number or (draft.user.telephone if draft.user else "")
    if not number:
        raise InvalidNotification("phone_number", _("Say who gets the message: a person or a telephone number."))
    return phones.to_e164(number, scope.country)


_REFUSING = f"""
    SELECT 'stranger', phone_number, NULL::bigint, NULL
    FROM {WhatsAppWrongNumber._meta.db_table} WHERE phone_number = ANY(%(numbers)s)
    UNION ALL SELECT 'opt_out', phone_number, NULL, NULL
    FROM {WhatsAppOptOut._meta.db_table} WHERE phone_number = ANY(%(optional)s)
    UNION ALL SELECT 'mute', NULL, user_id, message_type
    FROM {WhatsAppMute._meta.db_table} WHERE user_id = ANY(%(users)s)
"""  # noqa: S608 - the tables' own names


def _refusing(letters: Sequence[_Letter]) -> _Refusals:
    """Who of the people of these letters is not written to, in one question."""
    optional = [letter for letter in letters if not letter.kind.is_essential]
    parameters: dict[str, list[Any]] = {
        "numbers": [letter.phone_number for letter in letters],
        "optional": [letter.phone_number for letter in optional],
        "users": [letter.draft.user.pk for letter in optional if letter.draft.user],
    }
    found: dict[str, list[Any]] = {"stranger": [], "opt_out": [], "mute": []}
    with connection.cursor() as cursor:
        cursor.execute(_REFUSING, parameters)
        for why, number, user, message_type in cursor.fetchall():
            found[why].append(number or (user, message_type))
    return _Refusals(frozenset(found["stranger"]), frozenset(found["opt_out"]), frozenset(found["mute"]))


def _values(letter: _Letter, at: datetime, refusing: _Refusals, rung_at: datetime | None) -> dict[str, Any]:
    draft, kind = letter.draft, letter.kind
    reason = refusing.reason(letter)
    leaves_at = quiet_hours.first_moment(draft.message_type, letter.phone_number, draft.user, draft.not_before or at)
    return {
        "source_app": letter.scope.office,
        "user_id": draft.user and draft.user.pk,
        "phone_number": letter.phone_number,
        "language": letter.language,
        "message_type": draft.message_type,
        "category": draft.category,
        "title": draft.title or letter.saying.title,
        "message_content": letter.saying.text,
        "priority": draft.priority,
        "idempotency_key": draft.idempotency_key or None,
        "bulk_id": draft.bulk,
        "max_attempts": kind.max_attempts,
        **(_cancelled(reason, at) if reason else _waiting(leaves_at, at, rung_at)),
        "expires_at": draft.expires_at or leaves_at + kind.max_age,
        "created_at": at,
        **_more_than_text(letter),
    }


def _more_than_text(letter: _Letter) -> dict[str, Any]:
    draft, saying = letter.draft, letter.saying
    return {
        "template_id": saying.template and saying.template.pk,
        "template_params": saying.params,
        "media": saying.media,
        "media_link": saying.media_link,
        "media_name": draft.document_name,
        "reply_to": draft.reply_to,
        "asked_sender_id": letter.sender and letter.sender.pk,
        "subject": draft.subject,
        "fact_rank": max(draft.subjects.values(), default=draft.fact_rank),
        "context_data": draft.context_data,
        "is_secret": draft.is_secret,
    }


def _cancelled(reason: CancelReason, at: datetime) -> dict[str, Any]:
    return {"status": Status.CANCELLED, "cancel_reason": reason, "cancelled_at": at}


def _waiting(leaves_at: datetime, at: datetime, rung_at: datetime | None) -> dict[str, Any]:
    is_held = leaves_at != at
    return {
        "next_attempt_at": leaves_at,
        "held_until": leaves_at if is_held else None,
        "next_trigger": Trigger.AUTO,
        "rung_at": None if is_held else rung_at,
    }


def default_expiry(notification: WhatsAppNotification, at: datetime) -> datetime:
    """Until when a message of this type is useful when it starts anew at `at`."""
    return at + message_types.get(notification.message_type).max_age
