"""Ringing for workers: who is told that something in the database is to be done, through which queue, and together
with what. A bell that is lost is rung again by recovery.
"""

import logging
import uuid
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any

from celery import Task, current_app
from celery.result import AsyncResult
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import bulks, cancellation, delivery, pacing, recovery
from whatsapp_monitoring_app.services.recovery import NORMAL

logger = logging.getLogger(__name__)

# The two tasks that send, by the names under which `tasks` has them.
SEND_ONE = "whatsapp_monitoring_app.tasks.send_whatsapp_notification_async"
SEND_TOGETHER = "whatsapp_monitoring_app.tasks.send_whatsapp_notifications_together"
# So many messages are sent together by one task.
TOGETHER = 100
# Waits longer than this are left to the periodic sweep: a countdown longer than the broker's visibility time-out
# would be delivered again and again. A message with a slot in the pace is not: the sweep could come too late for it.
LONGEST_COUNTDOWN = pacing.HORIZON
# Longer than any transaction of ours.
SKIPPED_AGAIN_SECONDS = 1

# A queue, and whether its messages wait for slots.
_Kind = tuple[str, bool]


class _Silence:
    """Takes the events that nobody needs."""

    def publish(self, *_event: object, **_fields: object) -> None:
        pass


_SILENCE = _Silence()


class Bell(Task):  # type: ignore[type-arg]
    """Not announced to Flower when it is rung, only when a worker has it: that would be a second message for each.

    What waits to be sent is seen in the database.
    """

    def apply_async(self, *args: Any, **options: Any) -> "AsyncResult[Any]":
        options["event_dispatcher"] = _SILENCE
        return super().apply_async(*args, **options)


def ring_for_all_after_commit(notifications: Iterable[WhatsAppNotification]) -> None:
    """Tell workers about the first few hundred once the caller's transaction is safe; the sweep does the rest."""
    at = timezone.now()
    waiting = [one for one in notifications if one.next_attempt_at and one.next_attempt_at <= at]
    transaction.on_commit(partial(ring_for_all, waiting[: bulks.RUNG_AT_ONCE]), robust=True)


def ring_after_commit(notification: WhatsAppNotification) -> None:
    """Tell a worker about the notification once the caller's transaction is safe.

    One that waits for its time, and so was not marked as rung, is left to the sweep.
    """
    if notification.rung_at is None:
        return
    code = str(notification.code)
    is_first = notification.attempt_count == 0
    task_id = code if is_first else str(uuid.uuid4())
    queue = queue_for(notification.priority, is_first=is_first)
    transaction.on_commit(partial(_ring, code, queue, task_id=task_id), robust=True)


def after_commit(task: Any, *args: Any, task_id: str | None = None) -> None:
    """Start the task once the caller's transaction is safe; a broker that is away is left to recovery."""
    transaction.on_commit(partial(publish, task, args, task_id=task_id), robust=True)


def _ring(code: str, queue: str, **options: Any) -> bool:
    return _ring_together([code], queue, **options)


def _ring_together(codes: list[str], queue: str, **options: Any) -> bool:
    """Tell a worker of these; one alone is sent as such, and keeps its own task id."""
    if len(codes) == 1:
        published = publish(_task(SEND_ONE), (codes[0],), queue=queue, **options)
    else:
        options.pop("task_id", None)
        published = publish(_task(SEND_TOGETHER), (codes,), queue=queue, **options)
    if not published:
        # Not rung after all: the next recovery does it, without waiting for a lost task.
        WhatsAppNotification.objects.filter(pk__in=codes).update(rung_at=None)
    return published


def publish(task: Any, args: tuple[Any, ...], **options: Any) -> bool:
    try:
        task.apply_async(args=args, **options)
    except (OperationalError, RuntimeError) as error:  # the RuntimeError is Celery's, of the result backend
        logger.error("The broker is away: %s%s waits for recovery (%s)", task.name, args, error)
        return False
    return True


def queue_for(priority: int, *, is_first: bool = True) -> str:
    """The queue of this priority: urgent messages do not wait behind a bulk, nor new ones behind retries."""
    if not is_first:
        return "whatsapp_retry"
    if priority <= 2:
        return "whatsapp_high"
    return "whatsapp" if priority == 3 else "whatsapp_bulk"


def ring_again(tried: Iterable[WhatsAppNotification]) -> None:
    """Ring for those of these that are to be tried again soon, when it is their time; the sweep rings for the others.

    Those of one queue that wait for slots within a short time are rung for together, for the first of them: whoever
    takes them keeps to the slots. What waits for something else is rung for when it is due.
    """
    now = timezone.now()
    soon = [each for each in tried if each.next_attempt_at and each.next_attempt_at - now < LONGEST_COUNTDOWN]
    codes = [each.pk for each in soon]
    if codes:
        WhatsAppNotification.objects.filter(pk__in=codes).update(rung_at=F("next_attempt_at"))
    for (queue, has_slot), group in _in_groups(soon):
        moments = [each.next_attempt_at for each in group if each.next_attempt_at]
        wait = (moments[0] if has_slot else moments[-1]) - now
        _ring_together([str(each.pk) for each in group], queue, countdown=max(wait.total_seconds(), 0))


def ring_for_skipped(codes: Collection[str], queue: str) -> None:
    """Ring again in a moment for those of these that are due all the same: they were locked when they were claimed.

    Whoever looks for what is to be rung for locks, for some milliseconds, also what another one has just rung for.
    """
    if not codes:
        return
    due = cancellation.still_wanted().due(timezone.now()).filter(pk__in=codes)
    skipped = [str(code) for code in due.values_list("pk", flat=True)]
    if skipped:
        _ring_together(skipped, queue or queue_for(NORMAL), countdown=SKIPPED_AGAIN_SECONDS)


def _in_groups(notifications: Iterable[WhatsAppNotification]) -> Iterator[tuple[_Kind, list[WhatsAppNotification]]]:
    """Those that may be rung for together, each group in the order of their times."""
    kinds: dict[_Kind, list[WhatsAppNotification]] = {}
    for each in sorted(notifications, key=lambda each: each.next_attempt_at or each.created_at):
        kind = queue_for(each.priority, is_first=each.attempt_count == 0), each.slot_at is not None
        group = kinds.setdefault(kind, [])
        if group and _is_apart(group, each):
            yield kind, group
            kinds[kind] = group = []
        group.append(each)
    yield from kinds.items()


def _is_apart(group: list[WhatsAppNotification], other: WhatsAppNotification) -> bool:
    first = group[0].next_attempt_at
    is_later = bool(first and other.next_attempt_at and other.next_attempt_at - first > delivery.AHEAD)
    return is_later or len(group) == TOGETHER


def ring_for_all(notifications: list[WhatsAppNotification]) -> None:
    bells = [recovery.Bell(notification.pk, notification.priority, is_first=True) for notification in notifications]
    recovery.mark_rung(bells, timezone.now())
    ring_all(bells)


def ring_for_marked_after_commit(notifications: list[WhatsAppNotification]) -> None:
    transaction.on_commit(partial(ring_for_marked, notifications), robust=True)


def ring_for_marked(notifications: list[WhatsAppNotification]) -> None:
    bells = [recovery.Bell(each.pk, each.priority, is_first=each.attempt_count == 0) for each in notifications]
    ring_all(bells)


def ring_all(bells: list[recovery.Bell]) -> int:
    """Ring for all of these, those of one queue together; how many."""
    groups = list(_by_queue(bells))
    for number, (queue, group) in enumerate(groups):
        # The id that the caller was given, where one message is rung for alone.
        task_id = str(group[0].code) if group[0].is_first else str(uuid.uuid4())
        if not _ring_together([str(bell.code) for bell in group], queue, task_id=task_id):
            # No use in asking a broker that is away for each of them: the next sweep rings for the others.
            recovery.mark_rung([bell for _queue, rest in groups[number:] for bell in rest], None)
            return sum(len(rung) for _queue, rung in groups[:number])
    return len(bells)


def _by_queue(bells: Iterable[recovery.Bell]) -> Iterator[tuple[str, list[recovery.Bell]]]:
    """The bells of each queue in their order, as many together as one task sends."""
    queues: dict[str, list[recovery.Bell]] = {}
    for bell in bells:
        queues.setdefault(queue_for(bell.priority, is_first=bell.is_first), []).append(bell)
    for queue, theirs in queues.items():
        for start in range(0, len(theirs), TOGETHER):
            yield queue, theirs[start : start + TOGETHER]


def _task(name: str) -> Any:
    if name not in current_app.tasks:  # whoever rings need not have imported the tasks
        current_app.loader.import_default_modules()
    return current_app.tasks[name]
