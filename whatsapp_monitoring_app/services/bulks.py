"""One text for many people, turned into one notification each, a few hundred at a time."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, ProgrammingError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppBulk, WhatsAppNotification
from whatsapp_monitoring_app.services import drafts, outbox, pacing, sayings
from whatsapp_monitoring_app.services.drafts import Draft

logger = logging.getLogger(__name__)

CHUNK = 1000  # people per transaction
# So many at least are rung for as soon as they are written, and as many as the senders can send before the next sweep,
# which rings for the others. More would find no place in the workers; each that ends rings for the next.
RUNG_AT_ONCE, RUNG_AT_MOST = 2000, 5000
UNTIL_THE_SWEEP = timedelta(minutes=1)
# How long a run may hold a bulk message between two chunks: far longer than a chunk takes.
LEASE = timedelta(minutes=3)

Clock = Callable[[], datetime]
Ring = Callable[[list[WhatsAppNotification]], object]


class Taken(Exception):
    """The run slept through its lease, and another one holds the bulk message now."""


# So many broke, one after the other, and nobody did not: it is not them.
BROKEN_FROM_THE_START = 20
# What goes wrong with these is wrong for everybody: the run stops, and recovery lets another one go on.
WRONG_FOR_EVERYBODY = (Taken, OperationalError, InterfaceError, ProgrammingError)


def create(draft: Draft, users: Iterable[User], at: datetime, created_by: User | None = None) -> WhatsAppBulk:
    """Write the bulk message in the caller's transaction. Raises what outbox.post raises, and then writes nothing."""
    drafts.check(draft)
    sayings.check(draft)
    user_ids = list(dict.fromkeys(_keys(users)))
    return WhatsAppBulk.objects.create(
        source_app=draft.source_app,
        message_content=draft.message_content,
        message_type=draft.message_type,
        category=draft.category,
        title=draft.title,
        priority=draft.priority,
        user_ids=user_ids,
        people_count=len(user_ids),
        created_by=created_by,
        created_at=at,
    )


def _keys(users: Iterable[User]) -> Iterable[int]:
    if isinstance(users, QuerySet):
        return users.values_list("pk", flat=True)  # a hundred thousand accounts need not be in memory for that
    return (user.pk for user in users)


def unheld(at: datetime) -> QuerySet[WhatsAppBulk]:
    """The unfinished bulk messages that no living run works on."""
    return WhatsAppBulk.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=at), finished_at=None)


def expand(code: uuid.UUID, *, ring: Ring, now: Clock = timezone.now) -> int:
    """Write one notification per person; how many are new. `ring` is given the first of them, marked as rung for, once
    they are safe.

    One run works at a time: a second one does nothing, and a run after a dead one goes on where it stopped.
    People who cannot be told are listed in the bulk's `refusals` with the reason, and do not stop the others.
    """
    bulk = _claim(code, now())
    if bulk is None:
        return 0
    new_count = 0
    for new in _chunk_by_chunk(bulk, now):
        new_count += len(new)
        first = [notification for notification in new if notification.rung_at]
        if first:
            ring(first)
    return new_count


def _claim(code: uuid.UUID, at: datetime) -> WhatsAppBulk | None:
    claimed_until = at + LEASE
    if not unheld(at).filter(pk=code).update(claimed_until=claimed_until):
        return None
    return WhatsAppBulk.objects.get(pk=code, claimed_until=claimed_until)


def _chunk_by_chunk(bulk: WhatsAppBulk, now: Clock) -> Iterator[list[WhatsAppNotification]]:
    """The new notifications of each chunk, after its commit."""
    to_ring_count = min(max(RUNG_AT_ONCE, pacing.most_within(UNTIL_THE_SWEEP)), RUNG_AT_MOST)
    luck = _Luck()
    try:
        for start in range(0, len(bulk.user_ids), CHUNK):
            new = _tell(bulk, bulk.user_ids[start : start + CHUNK], now, luck, is_rung=to_ring_count > 0)
            to_ring_count -= sum(notification.rung_at is not None for notification in new)
            yield new
        _save(bulk, claimed_until=None, finished_at=now())
    except Taken:
        logger.warning("Another run holds the bulk message %s now", bulk.pk)


def _save(bulk: WhatsAppBulk, **changes: object) -> None:
    """Write these changes, which proves that the lease is still this run's. Raises Taken."""
    if not WhatsAppBulk.objects.filter(pk=bulk.pk, claimed_until=bulk.claimed_until).update(**changes):
        raise Taken


def _lock(bulk: WhatsAppBulk) -> None:
    """Let no other run begin before the transaction is over. Raises Taken."""
    if not WhatsAppBulk.objects.filter(pk=bulk.pk, claimed_until=bulk.claimed_until).select_for_update().exists():
        raise Taken


@dataclass
class _Luck:
    """What a run has met: whether anything could be written, and how many people it put aside before that."""

    is_proven: bool = False
    broken: int = 0

    def breaks(self) -> bool:
        """One more is to be put aside; whether this is bad luck no longer."""
        self.broken += 1
        return not self.is_proven and self.broken >= BROKEN_FROM_THE_START


def _tell(
    bulk: WhatsAppBulk, user_ids: list[int], now: Clock, luck: _Luck, *, is_rung: bool
) -> list[WhatsAppNotification]:
    """Write the notifications of these people; those that are new. Somebody who breaks a chunk is put aside."""
    try:
        new = _write(bulk, user_ids, now(), is_rung=is_rung)
    except WRONG_FOR_EVERYBODY:
        raise
    except Exception:
        if len(user_ids) == 1:
            if luck.breaks():
                raise
            logger.exception("The bulk message %s could not be written for %s", bulk.pk, user_ids[0])
            _note_refusals(bulk, {user_ids[0]: _("An unexpected error, which the log explains.")})
            return []
    else:
        luck.is_proven = True
        return new
    middle = len(user_ids) // 2
    halves = (user_ids[:middle], user_ids[middle:])
    return [new for half in halves for new in _tell(bulk, half, now, luck, is_rung=is_rung)]


def _write(bulk: WhatsAppBulk, user_ids: list[int], at: datetime, *, is_rung: bool) -> list[WhatsAppNotification]:
    claimed_until = at + LEASE
    with transaction.atomic():
        # First, because the row's lock lets no other run begin before this chunk is written.
        _lock(bulk)
        people = _people(user_ids)
        drafts = {user_id: _draft(bulk, people.get(user_id), user_id) for user_id in user_ids}
        new, refusals = outbox.post_all(list(drafts.values()), at, rung_at=at if is_rung else None)
        # In the same transaction as the rows: a run that goes on after a dead one counts none of them again.
        _save(bulk, claimed_until=claimed_until, written_count=F("written_count") + len(new))
    bulk.claimed_until = claimed_until
    if refusals or bulk.refusals:
        reasons = {user_id: refusals.get(draft.idempotency_key) for user_id, draft in drafts.items()}
        _note_refusals(bulk, reasons)
    return new


def _people(user_ids: list[int]) -> dict[int, User]:
    """These people, by their keys, as far as a message needs to know them."""
    return User.objects.only("telephone", "language", "time_zone").in_bulk(user_ids)


def _note_refusals(bulk: WhatsAppBulk, reasons: Mapping[int, str | None]) -> None:
    """Note of each of these people why they are not told, or None; it replaces what a run that died has noted."""
    refusals = bulk.refusals | {str(user_id): reason for user_id, reason in reasons.items()}
    refusals = {user_id: reason for user_id, reason in refusals.items() if reason}
    if refusals != bulk.refusals:
        _save(bulk, refusals=refusals, refused_count=len(refusals))
        bulk.refusals = refusals


def _draft(bulk: WhatsAppBulk, user: User | None, user_id: int) -> Draft:
    return Draft(
        user=user,
        message_content=bulk.message_content,
        source_app=bulk.source_app,
        message_type=bulk.message_type,
        category=bulk.category,
        title=bulk.title,
        priority=bulk.priority,
        idempotency_key=f"bulk:{bulk.pk}:{user_id}",
        bulk=bulk.pk,
    )
