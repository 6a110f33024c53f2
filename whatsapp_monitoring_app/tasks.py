"""Celery's door: the guide's function and tasks. Tasks carry ids only; the database is the queue, Celery rings.

A task that is lost is found again by `recover_whatsapp_notifications`; a task that runs twice does nothing the second
time.
"""

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import shared_task
from celery.result import AsyncResult
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppRetryBatch
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import (
    announcements,
    bulks,
    cleanup,
    delivery,
    drafts,
    exports,
    gathering,
    health,
    outbox,
    polling,
    recovery,
    retry_batches,
    retry_runs,
    templates,
    watch,
    webhook_bell,
    webhooks,
)

# So many chunks of a retry batch are fed within the request that asked for it, so that something is seen to happen.
CHUNKS_AT_ONCE = 2
# Retries take at most half of a worker's threads, so that a backlog of them cannot starve new messages.
_retries_at_once = threading.BoundedSemaphore(max(1, settings.CELERY_WORKER_CONCURRENCY // 2))
# A due task that finds no thread waits unacknowledged inside the worker, which then takes nothing from any queue,
# however urgent: what is not urgent never fills the threads.
_unhurried_at_once = threading.BoundedSemaphore(max(1, settings.CELERY_WORKER_CONCURRENCY * 3 // 4))
# Each is a hundred messages: more under way would only wait for room in the exchange, and for each other's threads. As
# many again stand in line, so that no place stays empty while a bell is on its way.
_groups_under_way = threading.BoundedSemaphore(6)
_groups_at_once = threading.BoundedSemaphore(max(1, min(12, settings.CELERY_WORKER_CONCURRENCY * 3 // 4)))
# A workbook keeps a processor busy for minutes: one at a time leaves the threads to those who wait for answers.
_export_at_once = threading.BoundedSemaphore(1)
# Each takes hundreds of payloads: a flood of receipts leaves most threads to those who wait for their message.
_payloads_at_once = threading.BoundedSemaphore(max(1, settings.CELERY_WORKER_CONCURRENCY // 4))
_PLACES = {"whatsapp_retry": (_retries_at_once, _unhurried_at_once), "whatsapp_bulk": (_unhurried_at_once,)}


def send_whatsapp_async(
    user: User | None = None,
    message_content: str = "",
    source_app: str = "",
    message_type: str = "notification",
    category: str = "general",
    title: str = "",
    priority: int = 3,
    *,
    template: str = "",
    params: Mapping[str, object] | None = None,
    image_url: str = "",
    document_url: str = "",
    document_name: str = "",
    reply_to: str = "",
    sender: str = "",
    phone_number: str = "",
    language: str = "",
    subject: str = "",
    fact_rank: int = 0,
    about: Mapping[str, int] | None = None,
    context_data: dict[str, Any] | None = None,
    is_secret: bool = False,
    idempotency_key: str | None = None,
    expires_at: datetime | None = None,
    not_before: datetime | None = None,
) -> "AsyncResult[str]":
    """Owe this person this message: written in the caller's transaction, sent in the background after its commit.

    The result's `id` is the notification's code. If the caller rolls back, nothing is sent. If the broker is down, the
    message waits. An `idempotency_key` that the office has used already sends nothing and gives the first result.
    Instead of a text, `template` names a message template and `params` gives the values of its variables; the client's
    language decides. `image_url` or `document_url` (https) is shown above the text; `reply_to` is the provider's id of
    the client's message that is answered; `sender` is the code of the sender that speaks instead of the office's own.
    `phone_number` replaces the user's own. A higher `fact_rank` about the same `subject` cancels what still waits to
    tell the person less; `about` gives the rank of each of several subjects, and what waits is then cancelled when
    something newer was said of all that it speaks of. When it is night at the person's, what is not
    urgent waits for the morning. Raises ValueError with a sentence for people when the message cannot be sent:
    drafts.InvalidNotification, scopes.UnknownOffice, phones.InvalidTelephone.
    """
    draft = drafts.Draft(
        user=user,
        message_content=message_content,
        template=template,
        params=params or {},
        image_url=image_url,
        document_url=document_url,
        document_name=document_name,
        reply_to=reply_to,
        sender=sender,
        source_app=source_app,
        message_type=message_type,
        category=category,
        title=title,
        priority=priority,
        phone_number=phone_number,
        language=language,
        subject=subject,
        fact_rank=fact_rank,
        about=about or {},
        context_data=context_data or {},
        is_secret=is_secret,
        idempotency_key=idempotency_key,
        expires_at=expires_at,
        not_before=not_before,
    )
    notification, created = outbox.post(draft, timezone.now())
    if created:
        bells.ring_after_commit(notification)
    return AsyncResult(str(notification.code))


def send_bulk_whatsapp_async(
    users: Iterable[User],
    message_content: str,
    source_app: str,
    message_type: str = "notification",
    category: str = "general",
    title: str = "",
    priority: int = 5,
    *,
    created_by: User | None = None,
) -> "AsyncResult[int]":
    """Owe these people this message: one durable row now, one notification each in the background.

    The result's `id` is the code of the WhatsAppBulk row. Raises what send_whatsapp_async raises.
    """
    draft = drafts.Draft(
        message_content=message_content,
        source_app=source_app,
        message_type=message_type,
        category=category,
        title=title,
        priority=priority,
    )
    bulk = bulks.create(draft, users, timezone.now(), created_by)
    bells.after_commit(send_bulk_whatsapp_notifications, str(bulk.code), task_id=str(bulk.code))
    return AsyncResult(str(bulk.code))


def announce(event: announcements.Event, tellings: Sequence[announcements.Telling]) -> announcements.Announced:
    """Owe each of these people their message about this event, written in the caller's transaction.

    Workers hear of them after its commit; see announcements.announce.
    """
    announced = announcements.announce(event, tellings, timezone.now())
    bells.ring_for_all_after_commit(announced.notifications)
    return announced


@shared_task(bind=True, base=bells.Bell)
def send_whatsapp_notification_async(self: Any, code: str) -> str:
    """Send one notification, if it is due and nobody else is at it; its status afterwards."""
    queue = _queue_of(self.request)
    with _place_in(queue) as is_free:
        if not is_free:
            return _later([code])
        status = _send(code)
    _ring_the_next(queue, count=1, has_left=status not in WAITING)
    return status


@shared_task(bind=True, base=bells.Bell)
def send_whatsapp_notifications_together(self: Any, codes: list[str]) -> str | int:
    """Send those of these notifications that are due and that nobody else is at, many at a time; how many."""
    queue = _queue_of(self.request)
    with _place_in(queue, _groups_at_once) as is_free:
        if not is_free:
            return _later(codes)
        with _groups_under_way if queue in _PLACES else nullcontext():
            tried = delivery.deliver_all([uuid.UUID(code) for code in codes])
    bells.ring_again(tried)
    bells.ring_for_skipped(set(codes) - {str(each.pk) for each in tried}, queue)
    waiting = sum(each.status in WAITING for each in tried)
    _ring_the_next(queue, count=len(codes), has_left=2 * waiting <= len(tried))
    return len(tried)


def _queue_of(request: Any) -> str:
    return str((request.delivery_info or {}).get("routing_key", ""))  # none when called as a plain function


@contextmanager
def _place_in(queue: str, *others: threading.Semaphore) -> Iterator[bool]:
    """Whether there is a thread for a task of this queue; it is taken until the block ends.

    What is not urgent needs one of the `others` as well.
    """
    places = _PLACES.get(queue, ())
    with ExitStack() as taken:
        for place in (*places, *others) if places else ():
            if not place.acquire(blocking=False):
                yield False
                return
            taken.callback(place.release)
        yield True


def _later(codes: list[str]) -> str:
    """Hand these to the sweep, newest first, instead of letting them go round and round in the queue."""
    WhatsAppNotification.objects.filter(pk__in=codes).update(rung_at=None)
    return "later"


def _ring_the_next(queue: str, count: int, *, has_left: bool) -> None:
    """A place is free: the next ones need not wait for the sweep."""
    if queue == "whatsapp_retry":
        bells.ring_all(recovery.next_retries_to_ring(timezone.now(), count))
    elif queue == "whatsapp_bulk" and has_left:
        # When most of these came back to wait for a slot, the others would too, a hundred thousand of them.
        bells.ring_all(recovery.next_bulk_to_ring(timezone.now(), count))


def _send(code: str) -> str:
    notification = gathering.deliver(uuid.UUID(code))
    if notification is None:
        return "not mine"
    bells.ring_again([notification])
    return notification.status


@shared_task
def send_bulk_whatsapp_notifications(code: str) -> int:
    """Write the notifications of one bulk message, and ring for the first of them; how many are new."""
    return bulks.expand(uuid.UUID(code), ring=bells.ring_for_marked)


def begin_retry_batch(order: retry_batches.Order) -> tuple[WhatsAppRetryBatch, bool]:
    """Write down what is to be sent again, and let a worker feed it; the batch, and whether it is new.

    Raises retry_batches.NothingToSend.
    """
    batch, is_new = retry_batches.create(order, timezone.now())
    if is_new:
        bells.after_commit(run_whatsapp_retry_batch, str(batch.pk))
    return batch, is_new


def retry_everything(scope: Scope, person: User) -> WhatsAppRetryBatch:
    """Send again whatever this office has to handle: the first few hundred at once, the others by a worker.

    Raises retry_batches.NothingToSend.
    """
    batch, _is_new = retry_batches.create(retry_batches.everything(scope, person), timezone.now())
    pause = retry_runs.run(batch.pk, ring=bells.ring_for_marked_after_commit, chunks=CHUNKS_AT_ONCE)
    if pause:
        transaction.on_commit(partial(run_whatsapp_retry_batch_soon, batch.pk, pause), robust=True)
    batch.refresh_from_db()
    return batch


@shared_task
def run_whatsapp_retry_batch(code: str) -> str:
    """Feed the next messages of a retry batch to the queue, and ring for the run after this one; the state."""
    pause = retry_runs.run(uuid.UUID(code), ring=bells.ring_for_marked)
    if pause is None:
        return "no more"
    run_whatsapp_retry_batch_soon(uuid.UUID(code), pause)
    return "more"


def run_whatsapp_retry_batch_soon(code: uuid.UUID, pause: timedelta) -> None:
    """Ring for the next run; recovery does it where the broker is away."""
    bells.publish(run_whatsapp_retry_batch, (str(code),), countdown=pause.total_seconds())


@shared_task
def process_whatsapp_retries_task() -> int:
    """Ring for every notification whose time has come and that no worker was told of; how many."""
    return bells.ring_all(recovery.to_ring(timezone.now()))


@shared_task
def recover_whatsapp_notifications() -> dict[str, int]:
    """Find again what was lost between the steps: dead workers, lost tasks, early receipts, unprocessed payloads."""
    at = timezone.now()
    counts = recovery.run(at)
    payloads = recovery.lost_webhooks(at)
    if payloads:
        bells.publish(apply_whatsapp_webhook, (payloads[0],))  # it rings for the others
    bulk_messages = recovery.lost_bulks(at)
    for code in bulk_messages:
        bells.publish(send_bulk_whatsapp_notifications, (str(code),))
    unwritten = exports.lost(at, recovery.PATIENCE)
    for code in unwritten:
        bells.publish(write_whatsapp_export, (str(code),))
    batches = list(retry_runs.unheld(at).values_list("pk", flat=True))
    for code in batches:
        bells.publish(run_whatsapp_retry_batch, (str(code),))
    found = {
        "payloads": len(payloads),
        "bulks": len(bulk_messages),
        "exports": len(unwritten),
        "retry_batches": len(batches),
        "rung": process_whatsapp_retries_task(),
    }
    # Last: a mail server or a provider that hangs must not hold the others up.
    watch.look(timezone.now(), bells.ring_for_all_after_commit)
    return counts | found | {"told": polling.poll(timezone.now())}


@shared_task
def write_whatsapp_export(code: str) -> bool:
    """Write the file of this export, unless somebody else does; whether it was this task."""
    if not _export_at_once.acquire(blocking=False):
        return False  # the one that is being written rings for the next
    try:
        is_mine = exports.run(uuid.UUID(code))
    finally:
        _export_at_once.release()
    waiting = exports.next_waiting(timezone.now())
    if waiting:
        bells.publish(write_whatsapp_export, (str(waiting),))
    return is_mine


@shared_task
def apply_whatsapp_webhook(_rung_by: int = 0) -> int:
    """Apply the oldest stored webhook payloads that nobody has applied yet; how many events they held.

    `_rung_by` is the payload that rang: it may have been taken together with others before.
    """
    webhook_bell.answer()
    if not _payloads_at_once.acquire(blocking=False):
        return 0  # those who have a place look again when they give it back
    try:
        reports = webhooks.apply_unread(timezone.now())
    finally:
        _payloads_at_once.release()
    if webhooks.is_anything_unread(timezone.now()):
        _ring_for_payloads()
    for notification in (answer for report in reports for answer in report.answers):
        bells.ring_after_commit(notification)
    if any(report.calls_for_sync for report in reports):
        bells.after_commit(sync_whatsapp_templates)
    return sum(report.event_count for report in reports)


def ring_for_payload_after_commit(log_id: int) -> None:
    """Let a worker apply this payload once it is safe, unless one is on its way to all that are."""
    transaction.on_commit(partial(_ring_for_payloads, log_id), robust=True)


def _ring_for_payloads(log_id: int = 0) -> None:
    if webhook_bell.press():
        bells.publish(apply_whatsapp_webhook, (log_id,))


@shared_task
def sync_whatsapp_templates() -> dict[str, int]:
    """Learn from the providers which templates there are, and in what state; how many per business account."""
    return {synced.business_account_id: synced.count for synced in templates.sync_all(timezone.now())}


@shared_task
def check_whatsapp_senders() -> int:
    """Ask the providers how the senders' accounts and tokens are; how many answered."""
    return health.check_all(timezone.now())


@shared_task
def cleanup_old_whatsapp_attempts() -> dict[str, int]:
    """Delete what is older than the retention for some seconds, and ring for the next run while there may be more.

    How many rows of each kind this run has deleted.
    """
    pace = cleanup.Pace()
    deleted = cleanup.delete_old(
        timezone.now(),
        keep=timedelta(days=settings.WHATSAPP_RETENTION_DAYS),
        keep_payloads=timedelta(days=settings.WHATSAPP_WEBHOOK_RETENTION_DAYS),
        pace=pace,
    )
    if pace.is_over:
        # Behind what waits in the queue: a worker's thread is never kept for hours.
        bells.publish(cleanup_old_whatsapp_attempts, ())
    return deleted
