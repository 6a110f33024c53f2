"""Writing down what became of claimed messages: the answers of providers, and what goes back to the queue."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, assert_never

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import Max

from whatsapp_monitoring_app.models import (
    ErrorClass,
    Outcome,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
    many_rows,
)
from whatsapp_monitoring_app.providers import base
from whatsapp_monitoring_app.providers.base import Accepted, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.services import circuit, error_catalogue, inbound, receipts, templates, verdicts
from whatsapp_monitoring_app.services.preparation import NOTHING_SAID, Refuse, Said, Wait
from whatsapp_monitoring_app.services.verdicts import Context

logger = logging.getLogger(__name__)

# Seconds between the tries to write down what a provider has answered while the database is away.
RECORD_AGAIN_AFTER = (0.5, 1, 2, 4, 8)
AWAY = (OperationalError, InterfaceError)

Written = TypeVar("Written")


@dataclass(frozen=True)
class Call:
    """One call to a provider that is over, whatever came of it. `said` is what it said, where that is known."""

    outcome: base.Outcome
    started_at: datetime
    finished_at: datetime
    answer: base.HttpAnswer | None = None
    said: Said | None = None


@dataclass(frozen=True)
class Record:
    """A call on behalf of a notification, which is as it was when it was claimed."""

    claimed: WhatsAppNotification
    sender: WhatsAppSender
    call: Call


def record(claimed: WhatsAppNotification, sender: WhatsAppSender, call: Call) -> WhatsAppNotification:
    """Write the attempt and what follows from it, unless somebody else has claimed the notification since.

    The same object, as it is stored then.
    """
    record_all([Record(claimed, sender, call)])
    return claimed


def record_all(records: Sequence[Record]) -> None:
    """Write these attempts, in this order, and what follows from them; the notifications are as stored then.

    They are of one claim. An answer that comes after its lease has run out still counts while nobody else has claimed:
    what the provider said is better than not knowing. Waits, up to a quarter of a minute, for a database that is being
    restarted. One answer that cannot be written keeps no other from it; then the first error is raised.
    """
    if not records:
        return
    try:
        plain = patiently(partial(_record, records))
    except AWAY:
        raise
    except Exception:
        # It is one of them, which has an id of another message for example. Each alone is asked more questions.
        logger.warning("%s answers could not be recorded together", len(records), exc_info=True)
        plain = _record_one_by_one(records)
    for each in records:
        _show(each.claimed, plain.get(each.claimed.pk))


def _record_one_by_one(records: Sequence[Record]) -> dict[uuid.UUID, verdicts.Moved]:
    plain: dict[uuid.UUID, verdicts.Moved] = {}
    failures: list[Exception] = []
    for each in records:
        try:
            plain |= patiently(partial(_record, [each], is_usual=False))
        except Exception as error:
            logger.exception("The answer to notification %s could not be recorded", each.claimed.pk)
            failures.append(error)
    if failures:
        raise failures[0]
    return plain


def put_back(prepared: Mapping[WhatsAppNotification, Wait | Refuse], at: datetime) -> None:
    """Put back, at no cost, those of these claimed notifications that still are; refuse what is not worth a call.

    They are of one claim, and as stored then.
    """
    if not prepared:
        return
    plain = patiently(partial(_put_back, prepared, at))
    for each in prepared:
        _show(each, plain.get(each.pk))


def _show(notification: WhatsAppNotification, moved: verdicts.Moved | None) -> None:
    """Let the object be as its row, which is known unless something unusual has happened to it."""
    if moved is None:
        notification.refresh_from_db()
    else:
        moved.show(notification)


def patiently(write: Callable[[], Written]) -> Written:
    """Write down what became of a claim, even if the database is being started again.

    An answer that is forgotten may be sent twice, and a message that never left would look as if it perhaps had.
    """
    for wait in RECORD_AGAIN_AFTER:
        try:
            return write()
        except AWAY as error:
            logger.warning("What became of a claim cannot be recorded yet: %s", type(error).__name__)
            time.sleep(wait)
            close_old_connections()
    return write()


@transaction.atomic
def _put_back(prepared: Mapping[WhatsAppNotification, Wait | Refuse], at: datetime) -> dict[uuid.UUID, verdicts.Moved]:
    returned = verdicts.put_back(
        [
            verdicts.Return(each, wait.until, wait.error, wait.slot_of)
            for each, wait in prepared.items()
            if isinstance(wait, Wait)
        ]
    )
    for claimed, refusal in prepared.items():
        if isinstance(refusal, Refuse):
            _fail(claimed, refusal.error, at)
    return _without_early_receipts(returned, prepared, at)


def _fail(claimed: WhatsAppNotification, error: ProviderError, at: datetime) -> None:
    notification = WhatsAppNotification.objects.select_for_update().get(pk=claimed.pk)
    if notification.claim_id == claimed.claim_id and notification.status == Status.SENDING:
        verdicts.fail(notification, error, Context(at=at))
        receipts.apply_waiting(notification, at)


@transaction.atomic
def _record(given: Sequence[Record], *, is_usual: bool = True) -> dict[uuid.UUID, verdicts.Moved]:
    """Write them; what became of those to which nothing unusual happened."""
    records = [_classified(each) for each in given]
    sent = _accept(records) if is_usual else {}
    write_attempts([each for each in records if each.claimed.pk in sent])
    told_of_success: set[int] = set()
    for each in records:
        if each.claimed.pk not in sent:
            _record_alone(each)
            told_of_success.discard(each.sender.pk)
        elif each.sender.pk not in told_of_success:
            circuit.note(each.sender, each.call.outcome, each.call.finished_at)
            told_of_success.add(each.sender.pk)
    return _without_early_receipts(sent, [each.claimed for each in records], records[-1].call.finished_at)


def _without_early_receipts(
    moved: Mapping[uuid.UUID, verdicts.Moved], notifications: Iterable[WhatsAppNotification], at: datetime
) -> dict[uuid.UUID, verdicts.Moved]:
    """Apply the receipts that came before this was written. If there are any, nothing is as it was written here."""
    ids = {
        each.pk: moved[each.pk].columns.get("provider_message_id", each.provider_message_id)
        for each in notifications
        if each.pk in moved
    }
    return {} if ids and receipts.apply_waiting_all(ids, at) else dict(moved)


def _classified(record: Record) -> Record:
    if not isinstance(record.call.outcome, Refused):
        return record
    outcome = error_catalogue.classified_outcome(record.sender.provider, record.call.outcome)
    return replace(record, call=replace(record.call, outcome=outcome))


def _accept(records: Iterable[Record]) -> dict[uuid.UUID, verdicts.Moved]:
    """Take note of all that was accepted and is still held; the others are for `_record_alone`."""
    accepted = {
        each.claimed: (each.call.outcome, Context(at=each.call.finished_at, sender=each.sender))
        for each in records
        if isinstance(each.call.outcome, Accepted)
    }
    return verdicts.accept_all(accepted)


def _record_alone(record: Record) -> None:
    """What the usual way does not fit: refusals, silence, lost claims, and an answer that is written twice."""
    claimed, sender, call = record.claimed, record.sender, record.call
    notification = WhatsAppNotification.objects.select_for_update().get(pk=claimed.pk)
    if notification.claim_id != claimed.claim_id:
        logger.warning("Notification %s: an answer came after another worker had claimed it", claimed.pk)
        return
    same = {"started_at": call.started_at, "finished_at": call.finished_at, "outcome": _word(call.outcome)}
    if claimed.attempts.filter(**same).exists():
        return  # the connection broke after the commit, and this is the second try to write it
    error = _error_of(call.outcome)
    _judge(notification, record)
    circuit.note(sender, call.outcome, call.finished_at)
    error_catalogue.note_unclassified(sender.provider, error, call.finished_at)
    inbound.note_opt_out(notification, error, call.finished_at)
    write_attempt(claimed, sender, call, next_attempt_at=notification.next_attempt_at)
    templates.note_stop(notification, error, call.finished_at)
    receipts.apply_waiting(notification, call.finished_at)


def _judge(notification: WhatsAppNotification, record: Record) -> None:
    context = Context(at=record.call.finished_at, sender=record.sender)
    match record.call.outcome:
        case Accepted() as accepted:
            verdicts.accept(notification, accepted, context)
        case Refused(error):
            # Sent already: a receipt said meanwhile that an earlier attempt arrived, and this one was not needed.
            if notification.status != Status.SENT:
                verdicts.refuse(notification, error, context)
        case Uncertain(reason):
            verdicts.leave_unconfirmed(notification, reason, context)
        case _ as never:
            assert_never(never)


def write_attempt(
    claimed: WhatsAppNotification, sender: WhatsAppSender | None, call: Call, next_attempt_at: datetime | None
) -> None:
    """Add the immutable record of one try. `claimed` is the notification as it was when it was claimed."""
    number = _last_numbers([claimed]).get(claimed.pk, 0) + 1
    row = _attempt(claimed, sender, call, number) | {"next_attempt_at": next_attempt_at}
    many_rows.insert(WhatsAppAttempt, [row], each="notification")


def write_attempts(records: Sequence[Record]) -> None:
    """Add the records of calls after which nothing is to be tried again."""
    # At its first call a message has no attempt yet.
    last = _last_numbers([each.claimed for each in records if not each.claimed.is_at_its_first_call])
    rows = [_attempt(each.claimed, each.sender, each.call, last.get(each.claimed.pk, 0) + 1) for each in records]
    many_rows.insert(WhatsAppAttempt, rows, each="notification")


def _last_numbers(notifications: Sequence[WhatsAppNotification]) -> dict[uuid.UUID, int]:
    if not notifications:
        return {}
    attempts = WhatsAppAttempt.objects.filter(notification__in=[each.pk for each in notifications])
    return dict(attempts.order_by().values_list("notification").annotate(last=Max("number")))


def _attempt(claimed: WhatsAppNotification, sender: WhatsAppSender | None, call: Call, number: int) -> dict[str, Any]:
    return {
        "notification": claimed.pk,
        "number": number,
        "trigger": claimed.next_trigger,
        "actor": claimed.next_actor_id,
        "started_at": call.started_at,
        "finished_at": call.finished_at,
        "duration": call.finished_at - call.started_at,
        "sender": sender.pk if sender else None,
        "outcome": _word(call.outcome),
        "http_status": call.answer.status if call.answer else None,
        **verdicts.error_fields(_error_of(call.outcome)),
        # A gateway that echoes the request would write a secret into the row.
        "provider_response": call.answer.excerpt if call.answer and not claimed.is_secret else "",
        **(call.said.as_fields(claimed) if call.said else NOTHING_SAID),
    }


def _word(outcome: base.Outcome) -> Outcome:
    words = {Accepted: Outcome.ACCEPTED, Refused: Outcome.REFUSED, Uncertain: Outcome.UNCERTAIN}
    return words[type(outcome)]


def _error_of(outcome: base.Outcome) -> ProviderError | None:
    match outcome:
        case Refused(error):
            return error
        case Uncertain(reason):
            return ProviderError(ErrorClass.UNCONFIRMED, message=reason)
        case _:
            return None
