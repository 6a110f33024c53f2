"""The questions that are asked of notifications, and the one door of their status."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Concat

from whatsapp_monitoring_app.models import compiled, many_rows, prepared
from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.receipts import WhatsAppReceipt
from whatsapp_monitoring_app.models.senders import WITHOUT_RECEIPTS
from whatsapp_monitoring_app.models.statuses import FINAL, ON_THE_WAY, WAITING, Status, origins

if TYPE_CHECKING:
    from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
    from whatsapp_monitoring_app.scopes import Scope

# An accepted message of which nothing was heard for this long is worth a look.
SILENCE = timedelta(hours=72)
# An accepted message that is not delivered after this long waits for its telephone.
LATE = timedelta(hours=12)
# A message is attempted promptly within this time of being due.
PROMPT = timedelta(seconds=10)
# How long a worker may hold a notification: far longer than the longest call to a provider.
LEASE = timedelta(seconds=settings.WHATSAPP_LEASE_SECONDS)
# What belongs to the state that is left.
LEFT_BEHIND = dict.fromkeys(("claimed_until", "next_attempt_at", "slot_at", "confirm_by"))
ROWS_PER_STATEMENT = 1000
# Stands for a moment that is not known yet.
EARLY = datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)


def delivery_unknown() -> Q:
    """Accepted by a provider that never tells what became of a message."""
    return Q(status=Status.SENT, sender__provider__in=WITHOUT_RECEIPTS)


def is_silent(at: datetime) -> Q:
    """Accepted long ago, and not one receipt came, though its provider would tell."""
    heard = WhatsAppReceipt.objects.filter(notification=OuterRef("pk"))
    return Q(~Exists(heard), status=Status.SENT, sent_at__lt=at - SILENCE) & ~delivery_unknown()


def is_late(at: datetime) -> Q:
    """Accepted half a day ago and not delivered yet, though its provider would tell: the telephone may be off."""
    return Q(status=Status.SENT, sent_at__lt=at - LATE) & ~delivery_unknown()


def due_at() -> Coalesce:
    """When it was to leave: at once, or at the end of what it was held for on purpose."""
    return Coalesce("held_until", "created_at")


def is_tardy(at: datetime) -> Q:
    """Attempted later than ten seconds after being due, or not at all: it does not wait any more, or is overdue.

    What was cancelled before is neither. Only what still waits becomes tardy without being written to.
    """
    waits = Q(status__in=ON_THE_WAY)
    # The same question as "due_at() < at - PROMPT", in words that need no annotation.
    is_overdue = Q(held_until__lt=at - PROMPT) | Q(held_until=None, created_at__lt=at - PROMPT)
    never = Q(first_attempt_at=None) & ~Q(status=Status.CANCELLED)
    return Q(first_attempt_at__gt=due_at() + PROMPT) | (never & (~waits | is_overdue))


def failed_to_handle() -> Q:
    """Failed, and not settled since: given up, told by a person, or sent again to the corrected number."""
    return Q(status=Status.FAILED, settled_by=None, informed_at=None, resent_as=None)


def waits_for_template() -> Q:
    """Held because the template that would say it cannot be used."""
    return Q(status__in=WAITING, error_class=ErrorClass.TEMPLATE_STOP)


class NotificationQuerySet(models.QuerySet["WhatsAppNotification"]):
    def visible_to(self, scope: "Scope") -> Self:
        """The notifications that people working in this office may see."""
        return self.all() if scope.sees_every_office else self.filter(source_app=scope.office)

    def due(self, at: datetime) -> Self:
        """Waiting, their time has come, and still worth sending."""
        return self.waiting().filter(next_attempt_at__lte=at).exclude(expires_at__lte=at)

    def waiting(self) -> Self:
        return self.filter(status__in=WAITING)

    def waiting_for_template(self) -> Self:
        return self.filter(waits_for_template())

    def expired(self, at: datetime) -> Self:
        """Still waiting, but too old to be useful."""
        return self.waiting().filter(expires_at__lte=at)

    def abandoned(self, at: datetime) -> Self:
        """Held by a worker whose lease has run out: it died, perhaps after sending."""
        return self.filter(status=Status.SENDING, claimed_until__lt=at)

    def overdue_for_confirmation(self, at: datetime) -> Self:
        return self.filter(status=Status.UNCONFIRMED, confirm_by__lte=at)

    def without_receipt(self, at: datetime) -> Self:
        return self.filter(is_silent(at))

    def late(self, at: datetime) -> Self:
        return self.filter(is_late(at))

    def failed(self) -> Self:
        return self.filter(status=Status.FAILED)

    def to_retry(self) -> Self:
        """Failed, and not settled since: what a person gave up or has told is for one person to send again."""
        return self.filter(failed_to_handle())

    def told_to(self, user: Any) -> Self:
        """What this person was told, and what their telephone was."""
        return self.filter(Q(user=user) | Q(phone_number=user.telephone))

    def known_as(self, wa_id: str) -> Self:
        """Those whose person has this WhatsApp id, though it is not the telephone that we write to."""
        # The condition of the index `notification_by_wa_id`, word for word.
        elsewhere = self.exclude(wa_id="").exclude(phone_number=Concat(models.Value("+"), "wa_id"))
        return elsewhere.filter(wa_id=wa_id)

    def finished_before(self, moment: datetime) -> Self:
        """In a final state, or accepted, and created before `moment`."""
        return self.filter(status__in=FINAL | {Status.SENT, Status.DELIVERED}, created_at__lt=moment)

    def move(self, to: Status, **changes: Any) -> int:
        """Move to `to` those that may go there; how many did. The one door of the status.

        What belongs to the state that is left (lease, next attempt, slot, deadline) is cleared unless given.
        """
        return self.filter(status__in=origins(to)).update(status=to, **(LEFT_BEHIND | changes))

    def move_each(
        self,
        to: Status,
        changes: Mapping[uuid.UUID, Mapping[str, Any]],
        *,
        claim_id: uuid.UUID | None = None,
        among: Collection[Status] = tuple(Status),
    ) -> set[uuid.UUID]:
        """Move each of these notifications to `to`, with columns of its own, in one statement; those that moved.

        The rules are those of `move`. All of them have the same columns, by field name. With `claim_id` only those
        that this claim still holds move, and only those that were `among` these statuses.
        """
        return {code for rows in _in_rows(changes) for code in self._move_rows(to, rows, claim_id, among)}

    def _move_rows(
        self,
        to: Status,
        rows: Mapping[uuid.UUID, Mapping[str, Any]],
        claim_id: uuid.UUID | None,
        among: Collection[Status],
    ) -> Iterable[uuid.UUID]:
        given = many_rows.columns(self.model, [{"code": code, **row} for code, row in rows.items()], each="code")
        changed = {name: expression for name, expression in given.expressions.items() if name != "code"}
        cleared = {name: "NULL" for name in LEFT_BEHIND if name not in changed}
        sql = f"""
            UPDATE {self.model._meta.db_table} AS row
            SET status = %s, {", ".join(f"{name} = {value}" for name, value in (changed | cleared).items())}
            FROM {given.source}
            WHERE row.code = given.code AND row.status = ANY(%s) {"AND row.claim_id = %s" if claim_id else ""}
            RETURNING row.code
        """  # noqa: S608 - names of our own columns
        legal = [status.value for status in origins(to) if status in among]
        values = [to, *given.constants, *given.arrays, legal, *([claim_id] if claim_id else [])]
        return [code for (code,) in prepared.rows(sql, values)]

    def claim(self, code: uuid.UUID, at: datetime) -> "WhatsAppNotification | None":
        """Take a due notification for sending, or None when it is not due or somebody else has it.

        The winner holds it until `claimed_until`; `claim_id` proves it.
        """
        return next(iter(self._hold([code], at, at, self._claim)), None)

    def claim_all(
        self, codes: Collection[uuid.UUID], at: datetime, ahead: timedelta = timedelta()
    ) -> list["WhatsAppNotification"]:
        """Take those of these notifications that are due and that nobody else has; one claim holds them all.

        Also those whose slot in the sender's pace comes within `ahead`. What somebody else has locked is left alone.
        """
        held = self._hold(codes, at, at + ahead, self._claim_free)
        models.prefetch_related_objects(held, "user")
        return sorted(held, key=_turn)

    def _hold(
        self, codes: Iterable[uuid.UUID], at: datetime, soon: datetime, claim: compiled.Statement
    ) -> list["WhatsAppNotification"]:
        values = {"keys": list(codes), "at": at, "soon": soon, "until": at + LEASE, "claim_id": uuid.uuid4()}
        return prepared.instances(self.model, claim.sql, claim.with_values(**values))

    @cached_property
    def _claim(self) -> compiled.Statement:
        """The statement that claims these, and waits for whoever is writing to them."""
        return self._claiming(skips_locked=False)

    @cached_property
    def _claim_free(self) -> compiled.Statement:
        """The statement that claims those of these that nobody is writing to."""
        return self._claiming(skips_locked=True)

    def _claiming(self, *, skips_locked: bool) -> compiled.Statement:
        marks: dict[str, Any] = {
            "claim_id": uuid.UUID(int=1),
            "at": EARLY,
            "soon": EARLY + timedelta(microseconds=1),
            "until": EARLY + LEASE,
        }
        has_slot = Q(slot_at__isnull=False, next_attempt_at__lte=marks["soon"])
        due = self.waiting().filter(Q(next_attempt_at__lte=EARLY) | has_slot).exclude(expires_at__lte=EARLY)
        changes = LEFT_BEHIND | {
            "status": Status.SENDING,
            "claim_id": marks["claim_id"],
            "claimed_until": marks["until"],
            "slot_at": F("slot_at"),
            "first_attempt_at": Coalesce("first_attempt_at", models.Value(EARLY)),
        }
        return compiled.update_picked(due, changes, marks, skips_locked=skips_locked)


def _turn(notification: "WhatsAppNotification") -> tuple[int, bool, datetime, datetime]:
    """The order in which claimed notifications leave: what is due before what has a slot, and by the slots."""
    slot_at, created_at = notification.slot_at, notification.created_at
    return notification.priority, slot_at is None, slot_at or created_at, created_at


def _in_rows(changes: Mapping[uuid.UUID, Mapping[str, Any]]) -> Iterable[dict[uuid.UUID, Mapping[str, Any]]]:
    """The same in parts of which each makes one statement, in the order of their keys: no two wait for each other."""
    codes = sorted(changes)
    for start in range(0, len(codes), ROWS_PER_STATEMENT):
        yield {code: changes[code] for code in codes[start : start + ROWS_PER_STATEMENT]}
