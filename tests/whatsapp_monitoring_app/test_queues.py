"""Who waits for whom: queues by urgency, retries behind first attempts and on half of the threads."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_celery_beat.schedulers import ModelEntry

from accounts.models import User
from tests.outages import closed_port
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NUMBER, TEXT, change, post, post_in
from ts_air_cargo.celery import app
from whatsapp_monitoring_app import bells, tasks
from whatsapp_monitoring_app.models import (
    Status,
    Trigger,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import pacing, recovery, webhooks
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_whatsapp_async

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
STALLING = "+22370000005"  # accepts, and answers late
SEND = "send_whatsapp_notification_async"
TOGETHER = "send_whatsapp_notifications_together"


@pytest.fixture
def published() -> Iterator[list[tuple[str, str, str]]]:
    """Every task that is really published, as (name, queue, id)."""
    seen: list[tuple[str, str, str]] = []

    here = threading.current_thread()

    def note(sender: str, headers: dict[str, Any], routing_key: str, **more: Any) -> None:
        # Not what the web server of other tests still publishes, in its own threads.
        if threading.current_thread() is here:
            seen.append((sender.rpartition(".")[2], routing_key, headers["id"]))

    before_task_publish.connect(note, weak=False)
    yield seen
    before_task_publish.disconnect(note)


def test_a_worker_empties_the_urgent_queues_first():
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    assert names == ["whatsapp_high", "whatsapp", "default", "whatsapp_retry", "whatsapp_bulk"]
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["queue_order_strategy"] == "priority"
    assert settings.CELERY_WORKER_PREFETCH_MULTIPLIER == 1


BY_PRIORITY = [(1, "whatsapp_high"), (2, "whatsapp_high"), (3, "whatsapp"), (4, "whatsapp_bulk"), (5, "whatsapp_bulk")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("priority", "queue"), BY_PRIORITY)
def test_a_first_attempt_goes_to_the_queue_of_its_urgency(published: list[Any], priority: int, queue: str):
    code = send_whatsapp_async(None, TEXT, "agent_mali", priority=priority, phone_number=NUMBER).id
    assert published == [(SEND, queue, code)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("priority", range(1, 6))
def test_a_further_attempt_goes_to_the_queue_of_retries_whatever_its_urgency(published: list[Any], priority: int):
    notification = post(priority=priority)
    change(notification, attempt_count=1)
    bells.ring_after_commit(notification)
    ((name, queue, task_id),) = published
    assert (name, queue) == (SEND, "whatsapp_retry")
    assert task_id != str(notification.pk)  # the first task's id is the notification's


@pytest.mark.django_db(transaction=True)
def test_nobody_is_told_of_what_waits_for_its_time(published: list[Any], settings: Any):
    now = timezone.now()
    send_whatsapp_async(None, TEXT, "agent_mali", phone_number=NUMBER, not_before=now + MINUTE)
    settings.WHATSAPP_QUIET_HOURS = ((now - 60 * MINUTE).time(), (now + 60 * MINUTE).time())
    send_whatsapp_async(None, TEXT, "agent_mali", phone_number=NUMBER)
    assert published == []
    urgent = send_whatsapp_async(None, TEXT, "agent_mali", "otp", phone_number=NUMBER).id
    assert published == [(SEND, "whatsapp", urgent)]


@pytest.mark.django_db(transaction=True)
def test_what_the_sweep_finds_goes_to_the_same_queues(published: list[Any]):
    rows = {post(timezone.now(), priority=priority): queue for priority, queue in BY_PRIORITY}
    WhatsAppNotification.objects.update(rung_at=None)
    retry = next(row for row in rows if row.priority == 1)
    change(retry, attempt_count=2)
    assert tasks.process_whatsapp_retries_task() == 5
    # Those of one queue go together.
    expected = ["whatsapp_retry", "whatsapp_high", "whatsapp", "whatsapp_bulk"]
    assert [queue for _name, queue, _id in published] == expected
    assert [name for name, _queue, _id in published] == [SEND, SEND, SEND, TOGETHER]
    published.clear()
    assert tasks.process_whatsapp_retries_task() == 0
    assert published == []


@pytest.mark.django_db(transaction=True)
def test_bulk_messages_and_webhooks_have_their_places(published: list[Any], make_user: Callable[..., User]):
    send_bulk_whatsapp_async([make_user()], TEXT, "agent_mali")
    log = webhooks.store("cloud_api", b"{}", timezone.now())
    bells.after_commit(tasks.apply_whatsapp_webhook, log.pk)
    assert [(name, queue) for name, queue, _id in published] == [
        ("send_bulk_whatsapp_notifications", "whatsapp_bulk"),
        ("apply_whatsapp_webhook", "default"),
    ]


def behind_others(rate: float) -> WhatsAppNotification:
    """A message that a worker took when both of its lanes were in use at this rate."""
    WhatsAppSender.objects.update(rate_per_second=rate)
    sender = WhatsAppSender.objects.get(code="mali")
    for n in range(2):
        pacing.reserve(sender, f"+2237612340{n}", timezone.now(), priority=3)
    notification = post(timezone.now())
    tasks._send(str(notification.pk))
    notification.refresh_from_db()
    return notification


@pytest.mark.parametrize("rate", [0.02, 0.0105], ids=["after a minute", "just before the horizon"])
def test_whoever_holds_a_slot_is_rung_for_it(published: list[Any], rate: float):
    """The sweep comes once a minute: it would find the message too late, and its slot would be wasted."""
    notification = behind_others(rate)
    assert notification.slot_at
    assert notification.slot_at > timezone.now() + MINUTE
    assert notification.rung_at == notification.slot_at
    assert [(name, queue) for name, queue, _id in published] == [(SEND, "whatsapp")]


def test_whoever_is_to_ask_for_a_slot_again_is_left_to_the_sweep(published: list[Any]):
    notification = behind_others(rate=0.01)
    assert (notification.slot_at, notification.rung_at, published) == (None, None, [])
    assert notification.next_attempt_at
    assert recovery.to_ring(notification.next_attempt_at) == [(notification.pk, 3, True)]


def test_a_far_away_attempt_is_left_to_the_sweep(published: list[Any]):
    notification = post(timezone.now())
    WhatsAppSender.objects.update(stopped_until=timezone.now() + 10 * MINUTE)
    tasks._send(str(notification.pk))
    notification.refresh_from_db()
    assert notification.rung_at is None
    assert published == []


@pytest.fixture
def _no_thread_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """All threads that retries, or with the parameter "unhurried" all that anything not urgent may take, are busy."""
    places = {"retries": tasks._retries_at_once, "unhurried": tasks._unhurried_at_once}
    place, taken = places[getattr(request, "param", "retries")], 0
    while place.acquire(blocking=False):
        taken += 1
    yield
    for _ in range(taken):
        place.release()


def as_delivered_from(queue: str, notification: WhatsAppNotification) -> str:
    """Run the task as a worker does that took it from this queue."""
    task = tasks.send_whatsapp_notification_async
    request: dict[str, Any] = {"delivery_info": {"routing_key": queue}, "args": (str(notification.pk),)}
    task.push_request(**request)
    try:
        return str(task.run(str(notification.pk)))
    finally:
        task.pop_request()


@pytest.mark.usefixtures("_no_thread_left")
@pytest.mark.parametrize("_no_thread_left", ["unhurried"], indirect=True)
@pytest.mark.parametrize(
    ("queue", "waits"),
    [("whatsapp_bulk", True), ("whatsapp_retry", True), ("whatsapp", False), ("whatsapp_high", False)],
)
def test_what_is_not_urgent_leaves_threads_for_what_is(queue: str, waits: bool):
    notification = post(timezone.now())
    assert (as_delivered_from(queue, notification) == "later") == waits
    notification.refresh_from_db()
    assert (notification.rung_at is None) == waits
    assert WhatsAppAttempt.objects.exists() != waits


def test_a_place_is_free_again_after_its_message():
    for _ in range(settings.CELERY_WORKER_CONCURRENCY + 1):
        assert as_delivered_from("whatsapp_bulk", post(timezone.now())) != "later"


@pytest.mark.usefixtures("_no_thread_left")
def test_a_retry_without_a_thread_is_left_to_the_sweep_and_goes_round_no_queue(published: list[Any]):
    notification = post(timezone.now())
    change(notification, attempt_count=1)
    assert as_delivered_from("whatsapp_retry", notification) == "later"
    assert published == []
    notification.refresh_from_db()
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 1)
    assert not WhatsAppAttempt.objects.exists()
    assert [bell.code for bell in recovery.to_ring(timezone.now())] == [notification.pk]


@pytest.mark.usefixtures("_no_thread_left")
def test_a_first_attempt_needs_none_of_the_retries_threads():
    notification = post(timezone.now())
    WhatsAppSender.objects.update(is_active=False)
    assert as_delivered_from("whatsapp", notification) == Status.PENDING


def test_a_retry_gives_its_thread_back():
    notification = post(timezone.now())
    WhatsAppSender.objects.update(is_active=False)
    for _ in range(settings.CELERY_WORKER_CONCURRENCY):
        assert as_delivered_from("whatsapp_retry", notification) != "later"


def test_a_retry_that_is_over_rings_the_next_one_that_waits_for_a_place(published: list[Any]):
    first, second = [post(timezone.now() - n * MINUTE) for n in range(2)]
    WhatsAppNotification.objects.update(attempt_count=1, rung_at=None)
    for notification in (first, second):
        assert as_delivered_from("whatsapp_retry", post_in(Status.SENT)) == "not mine"
        notification.refresh_from_db()
        assert notification.rung_at
        assert [(name, queue) for name, queue, _id in published] == [(SEND, "whatsapp_retry")]
        published.clear()
    assert as_delivered_from("whatsapp_retry", post_in(Status.SENT)) == "not mine"
    assert published == []


def test_a_first_attempt_that_is_over_rings_nobody(published: list[Any]):
    post(timezone.now())
    WhatsAppNotification.objects.update(attempt_count=1, rung_at=None)
    as_delivered_from("whatsapp", post_in(Status.SENT))
    assert published == []


SWEEP = """
import django; django.setup()
from whatsapp_monitoring_app.tasks import process_whatsapp_retries_task
print(process_whatsapp_retries_task())
"""


@pytest.mark.django_db(transaction=True)
def test_a_sweep_without_a_broker_tries_once_and_leaves_everything_to_the_next():
    rows = {post(timezone.now()).pk for _ in range(5)}
    WhatsAppNotification.objects.update(rung_at=None)
    environment = child_environment(
        REDIS_URL=f"redis://127.0.0.1:{closed_port()}/0", DJANGO_SETTINGS_MODULE="ts_air_cargo.settings"
    )
    sweep = subprocess.run(
        [sys.executable, "-c", SWEEP], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert sweep.stdout.split() == ["0"], sweep.stderr
    assert sweep.stderr.count("The broker is away") == 1
    assert {bell.code for bell in recovery.to_ring(timezone.now())} == rows


@pytest.mark.parametrize("name", [name for name in settings.CELERY_BEAT_SCHEDULE if "every-minute" in name])
def test_what_the_beat_asks_for_every_minute_expires_before_it_asks_again(name: str):
    entry = ModelEntry.from_entry(name, app=app, **settings.CELERY_BEAT_SCHEDULE[name])
    assert entry.model.interval.every == 60
    assert 30 < entry.options.get("expires", 0) < 60


def sent_order(stack: Stack) -> list[str]:
    return [str(message["tracking"]) for message in stack.messages()]


@pytest.mark.django_db(transaction=True)
def test_a_credential_does_not_wait_behind_three_hundred_bulk_messages(stack: Stack, make_user: Callable[..., User]):
    WhatsAppSender.objects.update(rate_per_second=1000)
    with transaction.atomic():
        bulk = [
            send_whatsapp_async(None, TEXT, "agent_mali", priority=5, phone_number=f"+223761{n:05}").id
            for n in range(300)
        ]
        urgent = send_whatsapp_async(
            make_user(), TEXT, "agent_mali", message_type="credentials", category="account", priority=1
        ).id
    eventually(lambda: urgent in sent_order(stack), "the credential is at the provider")
    eventually(lambda: len(stack.messages()) == 301, "everything is at the provider", seconds=90)
    order = sent_order(stack)
    assert set(order) == {urgent, *bulk}
    # It was posted last of all, after the workers had begun with the others.
    assert order.index(urgent) < 200


@pytest.mark.django_db(transaction=True)
def test_retries_that_hang_let_a_new_message_pass(stack: Stack):
    """More of them than the worker has threads: they take half of these at most."""
    retries = [post(timezone.now(), phone_number=STALLING) for _ in range(6)]
    WhatsAppNotification.objects.update(attempt_count=1, next_trigger=Trigger.RETRY)
    for retry in retries:
        retry.refresh_from_db()
        bells.ring_after_commit(retry)
    eventually(lambda: len(stack.requests()) >= 1, "the first retry is at the provider")
    new = send_whatsapp_async(None, TEXT, "agent_mali", phone_number=NUMBER).id

    def all_are_tried() -> bool:
        tasks.process_whatsapp_retries_task()  # as the beat does
        return WhatsAppAttempt.objects.count() == 7

    eventually(all_are_tried, "all have been tried", seconds=90)
    finished = WhatsAppAttempt.objects.order_by("finished_at").values_list("notification", flat=True)
    assert [str(code) for code in finished].index(new) < 5


@pytest.mark.django_db(transaction=True)
def test_a_bulk_message_that_is_sent_rings_the_next_one(stack: Stack):
    sent, waiting = (post(timezone.now(), priority=5) for _ in range(2))
    WhatsAppNotification.objects.update(rung_at=None)
    assert as_delivered_from("whatsapp_bulk", sent) != Status.PENDING
    eventually(lambda: sent_order(stack) == [str(sent.pk), str(waiting.pk)], "the next one is at the provider")


def test_a_bulk_message_that_comes_back_to_wait_rings_for_no_other(published: list[Any]):
    WhatsAppSender.objects.update(rate_per_second=0.01)
    first, second, third = (post(timezone.now(), priority=5) for _ in range(3))
    WhatsAppNotification.objects.update(rung_at=None)
    as_delivered_from("whatsapp_bulk", first)
    published.clear()
    assert as_delivered_from("whatsapp_bulk", second) == Status.PENDING
    third.refresh_from_db()
    assert str(third.pk) not in [code for _name, _queue, code in published]
