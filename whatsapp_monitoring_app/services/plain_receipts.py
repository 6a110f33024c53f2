"""Many receipts at once: those of messages that wait for nothing and that nobody doubts, which only go forward.

What such receipts do is decided in memory, under the locks of their messages, and written down by one statement for
each status. Every other receipt (a failure, an unknown word, a message in doubt, an id to be remembered) is left to
`receipts`, one by one. Locks are taken in the same order everywhere: notifications by their key, then receipts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection, transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppReceipt
from whatsapp_monitoring_app.models.notifications import NO_ERROR
from whatsapp_monitoring_app.models.statuses import REACHED, origins
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent

WORDS = {Kind.SENT.value: Status.SENT, Kind.DELIVERED.value: Status.DELIVERED, Kind.READ.value: Status.READ}
# No claim, no deadline, no attempt to come: a receipt changes nothing but the row itself.
SETTLED = REACHED | {Status.SENT, Status.FAILED, Status.CANCELLED}
ORIGINS = {to: origins(to) for to in WORDS.values()}

NOTIFICATIONS = WhatsAppNotification._meta.db_table
RECEIPTS = WhatsAppReceipt._meta.db_table
# In arrays: the ORM needs longer to write such statements than PostgreSQL to obey them. The lock lets those pass who
# only write rows that refer to the notification.
LOCK = f"""
    SELECT code, status, provider_message_id, sent_at, delivered_at, read_at FROM {NOTIFICATIONS}
    WHERE code = ANY(%s::uuid[]) OR provider_message_id = ANY(%s::text[])
    ORDER BY code FOR NO KEY UPDATE
"""  # noqa: S608 - our own words
STORED = f"""
    SELECT provider_message_id, raw_status, occurred_at, applied_at IS NOT NULL, tracking FROM {RECEIPTS}
    WHERE provider = %s AND provider_message_id = ANY(%s::text[])
"""  # noqa: S608 - our own words
KEEP = f"""
    INSERT INTO {RECEIPTS} (
        provider, received_at, error_code, error_class, error_message,
        provider_message_id, raw_status, occurred_at, status, tracking, notification_id, applied_at
    )
    SELECT %s, %s, '', '', '', * FROM unnest(
        %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::uuid[], %s::timestamptz[]
    )
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own words
NOTE_APPLIED = f"""
    UPDATE {RECEIPTS} AS row SET notification_id = known.code, applied_at = %s
    FROM unnest(%s::bigint[], %s::uuid[]) AS known(id, code) WHERE row.id = known.id
"""  # noqa: S608 - our own words

Told = TypeVar("Told", ReceiptEvent, WhatsAppReceipt)


@dataclass
class Standing:
    """A locked notification, and how it stands after the receipts that it was told."""

    code: UUID
    status: str
    provider_message_id: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    has_moved: bool = False

    @property
    def is_plain(self) -> bool:
        return self.status in SETTLED and self.provider_message_id is not None

    def hear(self, word: str, at: datetime) -> None:
        """Go where this word leads, if that is forward."""
        to = WORDS[word]
        if self.status not in ORIGINS[to]:
            return
        self.status, self.has_moved = to, True
        self.sent_at = self.sent_at or at
        self.delivered_at = at if to == Status.DELIVERED else self.delivered_at or at
        self.read_at = at if to == Status.READ else self.read_at

    @property
    def changes(self) -> dict[str, Any]:
        moments = {"sent_at": self.sent_at, "delivered_at": self.delivered_at, "read_at": self.read_at}
        return {**moments, **NO_ERROR}


@dataclass
class Telling(Generic[Told]):
    """A receipt, whose it is, and whether it has to be taken by itself."""

    told: Told
    standing: Standing | None
    is_odd: bool = False
    is_new: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether it can be applied now; else it waits until its notification is known, and not being sent."""
        return self.standing is not None and self.standing.status != Status.SENDING

    @property
    def names(self) -> set[object]:
        """What it is known by, as the others of the same message are."""
        names: set[object] = {self.told.provider_message_id}
        return names | {self.standing.code} if self.standing else names


class Stored(NamedTuple):
    """A fact that is written down already."""

    is_applied: bool
    tracking: str


def take(provider: str, events: Sequence[ReceiptEvent], at: datetime) -> list[int]:
    """Store and apply those that are plain; the places of the others, to be taken one by one in this order.

    What comes again is no row and has no effect. What finds no notification, or one that is being sent, waits.
    """
    if not providers.get(provider).dates_receipts:
        return list(range(len(events)))  # when each came decides what is a fact
    with transaction.atomic():
        tellings = _locked(events)
        _judge(tellings, _stored(provider, events))
        plain = [telling for telling in tellings if telling.is_new and not telling.is_odd]
        _keep(provider, plain, at)
        _take_effect(plain)
    return [place for place, telling in enumerate(tellings) if telling.is_odd]


def apply(receipts: Sequence[WhatsAppReceipt], at: datetime) -> list[WhatsAppReceipt]:
    """Apply those stored receipts that are plain; the others, to be applied one by one in this order.

    To be called within a transaction: the notifications stay locked until its end.
    """
    tellings = _locked(receipts)
    for telling in tellings:
        telling.is_odd = telling.told.status not in WORDS or not (telling.standing and telling.standing.is_plain)
    _spread(tellings)
    plain = [telling for telling in tellings if not telling.is_odd]
    _take_effect(plain)
    _note_applied(plain, at)
    return [telling.told for telling in tellings if telling.is_odd]


def code_of(tracking: str) -> UUID | None:
    """Our code, where the provider echoes one; None for no text, or somebody else's."""
    try:
        return UUID(tracking)
    except ValueError:
        return None


def _locked(receipts: Sequence[Told]) -> list[Telling[Told]]:
    """Each receipt with its notification, locked: by our code that the provider echoes, else by the provider's id."""
    codes = [code_of(receipt.tracking) for receipt in receipts]
    ids = {receipt.provider_message_id for receipt in receipts}
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [list({code for code in codes if code}), list(ids)])
        standings = [Standing(*row) for row in cursor.fetchall()]
    by_code = {standing.code: standing for standing in standings}
    by_id = {standing.provider_message_id: standing for standing in standings}
    return [
        Telling(receipt, (by_code.get(code) if code else None) or by_id.get(receipt.provider_message_id))
        for receipt, code in zip(receipts, codes, strict=True)
    ]


def _stored(provider: str, events: Sequence[ReceiptEvent]) -> dict[tuple[Any, ...], Stored]:
    """What is known already of these messages."""
    ids = {event.provider_message_id for event in events}
    with connection.cursor() as cursor:
        cursor.execute(STORED, [provider, list(ids)])
        return {tuple(fact): Stored(applied, tracking) for *fact, applied, tracking in cursor.fetchall()}


def _judge(tellings: list[Telling[ReceiptEvent]], stored: dict[tuple[Any, ...], Stored]) -> None:
    """Find out which are new, and which are odd."""
    for telling in tellings:
        event = telling.told
        fact = (event.provider_message_id, event.raw_status, event.occurred_at)
        telling.is_new = fact not in stored
        # A second one of the same payload finds the first one stored.
        known = stored.setdefault(fact, Stored(is_applied=True, tracking=event.tracking))
        brings_nothing = known.is_applied and (known.tracking or not event.tracking)
        telling.is_odd = not (brings_nothing and _is_plain(telling))
    _spread(tellings)


def _is_plain(telling: Telling[ReceiptEvent]) -> bool:
    event, standing = telling.told, telling.standing
    if event.status not in WORDS or event.error or event.occurred_at is None:
        return False
    return not telling.is_ready or (standing is not None and standing.is_plain)


def _spread(tellings: Sequence[Telling[Any]]) -> None:
    """Let whatever speaks of the same message as an odd one be odd too: within a message the order counts."""
    names = set[object]().union(*(telling.names for telling in tellings if telling.is_odd))
    while touched := [telling for telling in tellings if names and not telling.is_odd and telling.names & names]:
        for telling in touched:
            telling.is_odd = True
            names |= telling.names


def _keep(provider: str, tellings: Iterable[Telling[ReceiptEvent]], at: datetime) -> None:
    """Write them down, as applied where nothing has to be waited for."""
    rows = [
        (
            telling.told.provider_message_id,
            telling.told.raw_status,
            telling.told.occurred_at,
            str(telling.told.status),
            telling.told.tracking,
            telling.standing.code if telling.standing and telling.is_ready else None,
            at if telling.is_ready else None,
        )
        for telling in tellings
    ]
    if not rows:
        return
    # In one order for everybody, so that no two wait for each other's facts.
    rows.sort(key=lambda row: row[:3])
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [provider, at, *(list(column) for column in zip(*rows, strict=True))])


def _take_effect(tellings: Iterable[Telling[Any]]) -> None:
    """Let each notification go where its receipts lead: one statement for each status that any of them reaches."""
    heard: dict[UUID, Standing] = {}
    for telling in tellings:
        if telling.standing and telling.is_ready:
            telling.standing.hear(telling.told.status, telling.told.occurred_at)
            heard[telling.standing.code] = telling.standing
    for to in ORIGINS:
        moved = {code: one.changes for code, one in heard.items() if one.has_moved and one.status == to}
        if moved:
            WhatsAppNotification.objects.all().move_each(to, moved)


def _note_applied(tellings: Sequence[Telling[WhatsAppReceipt]], at: datetime) -> None:
    codes = [telling.standing.code for telling in tellings if telling.standing]
    with connection.cursor() as cursor:
        cursor.execute(NOTE_APPLIED, [at, [telling.told.pk for telling in tellings], codes])
