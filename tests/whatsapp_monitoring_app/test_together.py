"""Many messages at once: what goes beyond the promises that hold for each of them alone."""

import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from tests.stack import Stack, forget_pace
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    TEXT,
    Provider,
    Together,
    accepted,
    at_once,
    change,
    open_window,
    post,
    refused,
)
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.exchange import Carried
from whatsapp_monitoring_app.providers.transport import NoAnswer
from whatsapp_monitoring_app.services import delivery, inbound, pacing
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_whatsapp_notifications_together

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def person(n: int) -> str:
    return f"+22376{n:06}"


def post_many(count: int, **fields: Any) -> list[UUID]:
    """So many messages, each to somebody else who has written to us today."""
    for n in range(count):
        open_window(number=person(n))
    return [post(phone_number=person(n), **fields).pk for n in range(count)]


def answering(*answers: HttpAnswer | Exception) -> Provider:
    """One answer for each request, in turn; after them, acceptance under an id of its own."""
    return Provider(*answers, *(accepted(f"wamid.{uuid4()}") for _ in range(200)))


def send(codes: Sequence[UUID], provider: delivery.Send) -> list[WhatsAppNotification]:
    forget_pace()
    return delivery.deliver_all(codes, carrier=Together(provider, NOW), now=lambda: NOW)


def statuses() -> list[str]:
    return sorted(WhatsAppNotification.objects.values_list("status", flat=True))


def at_full_speed() -> None:
    WhatsAppSender.objects.update(rate_per_second=100_000)


class Late:
    """Carries requests, and lets the answers come when `release` is called, in the opposite order."""

    room = 1000

    def __init__(self) -> None:
        self.under_way: list[tuple[Hashable, queue.SimpleQueue[Carried]]] = []

    def start(self, key: Hashable, request: HttpRequest, into: "queue.SimpleQueue[Carried]") -> None:
        self.under_way.append((key, into))

    def release(self) -> None:
        for key, into in reversed(self.under_way):
            into.put(Carried(key, NOW, NOW, accepted(f"wamid.{key}")))


def test_each_message_leaves_once_and_is_recorded_as_if_it_were_alone():
    at_full_speed()
    codes = post_many(70)
    provider = answering()
    tried = send(codes, provider)

    assert {body["biz_opaque_callback_data"] for body in provider.bodies} == {str(code) for code in codes}
    assert len(provider.requests) == 70
    assert {each.status for each in tried} == {Status.SENT}
    assert statuses() == [Status.SENT] * 70
    attempts = WhatsAppAttempt.objects.values_list("number", "trigger", "outcome", "http_status", "form")
    assert set(attempts) == {(1, "auto", "accepted", 200, "text")}
    assert len(attempts) == 70
    assert len(set(WhatsAppNotification.objects.values_list("provider_message_id", flat=True))) == 70


def test_what_was_tried_shows_what_is_stored():
    at_full_speed()
    codes = post_many(6)
    tried = send(codes, answering(refused(131026), refused(130429, 429), NoAnswer("silence")))
    for each in tried:
        stored = WhatsAppNotification.objects.get(pk=each.pk)
        for field in WhatsAppNotification._meta.concrete_fields:
            assert getattr(each, field.attname) == getattr(stored, field.attname), field.name


@pytest.mark.django_db(transaction=True)
def test_answers_find_their_messages_in_whatever_order_they_come():
    at_full_speed()
    codes = post_many(40)
    carrier = Late()

    def deliver() -> None:
        delivery.deliver_all(codes, carrier=carrier, now=lambda: NOW)

    def answer() -> None:
        eventually(lambda: len(carrier.under_way) == 40, "all are under way")
        carrier.release()

    at_once(deliver, answer)
    for notification in WhatsAppNotification.objects.all():
        assert notification.provider_message_id == f"wamid.{notification.pk}"


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_messages_send_each_of_them_once():
    at_full_speed()
    codes = post_many(50)
    provider = answering()
    lock = threading.Lock()

    def one_by_one(request: HttpRequest) -> HttpAnswer:
        with lock:
            return provider(request)

    tasks = [partial(send, order, one_by_one) for order in (codes, codes[::-1], codes[10:])]
    found = at_once(*tasks)
    assert sum(len(tried) for tried in found) == 50
    assert len(provider.requests) == 50
    assert WhatsAppAttempt.objects.count() == 50


def test_one_that_is_refused_does_not_trouble_the_others():
    at_full_speed()
    send(post_many(12), answering(refused(131026), accepted("wamid.first"), NoAnswer("silence")))
    assert statuses() == [Status.FAILED, *[Status.SENT] * 10, Status.UNCONFIRMED]
    assert WhatsAppAttempt.objects.count() == 12


def test_one_that_cannot_be_said_does_not_trouble_the_others():
    at_full_speed()
    codes = post_many(5)
    change(WhatsAppNotification.objects.get(pk=codes[2]), message_content="x" * 5000)
    send(codes, answering())
    assert statuses() == [Status.FAILED, *[Status.SENT] * 4]
    assert WhatsAppAttempt.objects.count() == 4


def test_an_answer_that_cannot_be_written_keeps_no_other_from_being_written():
    """Two messages are answered with one id, which is unique: both were accepted all the same."""
    at_full_speed()
    send(post_many(10), answering(accepted("wamid.same"), accepted("wamid.same")))
    assert statuses() == [Status.SENT] * 10
    assert WhatsAppNotification.objects.filter(provider_message_id=None).count() == 1
    assert WhatsAppAttempt.objects.count() == 10


def test_an_answer_that_breaks_the_records_is_the_only_one_lost(monkeypatch: pytest.MonkeyPatch):
    at_full_speed()
    judge = inbound.note_opt_out

    def broken(notification: WhatsAppNotification, *rest: Any) -> None:
        if notification.phone_number == person(3):
            raise ZeroDivisionError
        judge(notification, *rest)

    monkeypatch.setattr(inbound, "note_opt_out", broken)
    with pytest.raises(ZeroDivisionError):
        send(post_many(9), Provider(refused(131026)))
    assert statuses() == [*[Status.FAILED] * 8, Status.SENDING]
    assert WhatsAppAttempt.objects.count() == 8


def test_an_answer_that_cannot_be_read_is_the_only_one_in_doubt(monkeypatch: pytest.MonkeyPatch):
    at_full_speed()
    read = delivery._read

    def broken(ready: Any, answer: Any, *moments: Any) -> Any:
        if b"unreadable" in answer.body:
            raise ZeroDivisionError
        return read(ready, answer, *moments)

    monkeypatch.setattr(delivery, "_read", broken)
    with pytest.raises(ZeroDivisionError):
        send(post_many(9), answering(accepted("wamid.1"), accepted("unreadable")))
    assert statuses() == [Status.SENDING, *[Status.SENT] * 8]


class TestWhenTheAccountIsStopped:
    def test_those_that_have_not_left_go_back_at_no_cost(self):
        """At 10 a second, most are held for their slots when the first answer comes."""
        WhatsAppSender.objects.update(rate_per_second=10)
        codes = post_many(14, priority=5)
        forget_pace()
        started = time.monotonic()

        def now() -> Any:
            return NOW + timedelta(seconds=time.monotonic() - started)

        provider = Provider(refused(190, 401))
        delivery.deliver_all(codes, carrier=Together(provider, NOW), now=now)
        assert 1 <= len(provider.requests) < 7
        waiting = WhatsAppNotification.objects.filter(status=Status.PENDING)
        assert waiting.count() == 14
        assert set(waiting.values_list("attempt_count", flat=True)) == {0}
        assert WhatsAppAttempt.objects.count() == len(provider.requests)

    def test_one_of_many_finds_out_whether_it_works_again(self):
        at_full_speed()
        WhatsAppSender.objects.update(stopped_until=NOW - SECOND, stop_class=ErrorClass.ACCOUNT_STOP)
        codes = post_many(20)
        provider = Provider(refused(190, 401))
        send(codes, provider)
        assert len(provider.requests) == 1
        assert statuses() == [Status.PENDING] * 20
        later = WhatsAppNotification.objects.filter(error_class=ErrorClass.ACCOUNT_STOP, next_attempt_at__gt=NOW)
        assert later.count() == 20

    def test_the_probe_lets_the_next_ones_pass(self):
        at_full_speed()
        WhatsAppSender.objects.update(stopped_until=NOW - SECOND, stop_class=ErrorClass.ACCOUNT_STOP)
        send(post_many(3), answering())
        assert statuses() == [Status.PENDING, Status.PENDING, Status.SENT]
        assert WhatsAppSender.objects.get(code="mali").stopped_until is None


def test_who_waits_for_room_is_asked_again_whether_it_may_leave():
    """A carrier that takes one at first; its answer stops the account."""
    at_full_speed()
    rooms = iter([1, 0])

    class Narrow(Together):
        @property
        def room(self) -> int:  # type: ignore[override]
            return next(rooms, 1)

    class Stopping(Provider):
        def __call__(self, request: HttpRequest) -> HttpAnswer:
            answer = super().__call__(request)
            WhatsAppSender.objects.update(
                stopped_until=NOW + MINUTE, stop_class=ErrorClass.ACCOUNT_STOP, stop_reason="No"
            )
            return answer

    provider = Stopping(refused(190, 401))
    codes = post_many(8)
    forget_pace()
    carrier = Narrow(provider, NOW)
    delivery.deliver_all(codes, carrier=carrier, now=lambda: NOW)
    assert len(provider.requests) == 1
    assert statuses() == [Status.PENDING] * 8


class TestThePace:
    def test_those_whose_slots_come_soon_are_held_and_the_others_wait_for_theirs(self):
        WhatsAppSender.objects.update(rate_per_second=5)
        codes = post_many(20, priority=5)
        forget_pace()
        began = time.monotonic()
        delivery.deliver_all(
            codes,
            carrier=Together(answering(), NOW),
            now=lambda: NOW + timedelta(seconds=time.monotonic() - began),
        )
        sent = WhatsAppNotification.objects.filter(status=Status.SENT).count()
        # Four a second for two seconds, and the first.
        assert 8 <= sent <= 10
        waiting = WhatsAppNotification.objects.filter(status=Status.PENDING)
        slots = sorted(slot for slot in waiting.values_list("slot_at", flat=True) if slot)
        assert len(slots) == 20 - sent
        assert slots[0] > NOW + delivery.AHEAD
        gaps = {round((after - before).total_seconds(), 2) for before, after in zip(slots, slots[1:], strict=False)}
        assert gaps == {0.25}
        assert set(waiting.values_list("sender__code", "next_attempt_at")) == {("mali", slot) for slot in slots}

    def test_a_slot_that_comes_soon_is_kept(self):
        codes = post_many(3)
        mali = WhatsAppSender.objects.get(code="mali")
        WhatsAppNotification.objects.update(sender=mali, slot_at=NOW + SECOND, next_attempt_at=NOW + SECOND)
        assert [each.pk for each in WhatsAppNotification.objects.claim_all(codes, NOW)] == []
        began = time.monotonic()
        carrier = Together(answering(), NOW)
        delivery.deliver_all(codes, carrier=carrier, now=lambda: NOW + timedelta(seconds=time.monotonic() - began))
        assert statuses() == [Status.SENT] * 3
        assert time.monotonic() - began >= 1

    def test_one_person_gets_no_more_than_the_burst(self):
        at_full_speed()
        open_window()
        codes = [post(phone_number=NUMBER).pk for _ in range(pacing.PAIR_BURST + 4)]
        provider = answering()
        send(codes, provider)
        assert len(provider.requests) == pacing.PAIR_BURST
        assert WhatsAppNotification.objects.filter(status=Status.PENDING, slot_at__gt=NOW).count() == 4


class TestTheDailyLimit:
    def test_many_at_once_keep_to_it_exactly(self):
        at_full_speed()
        WhatsAppSender.objects.update(daily_limit=7, fallback=None)
        provider = answering()
        send(post_many(20), provider)
        assert len(provider.requests) == 7
        assert WhatsAppNotification.objects.filter(error_class=ErrorClass.DAILY_LIMIT).count() == 13

    @pytest.mark.django_db(transaction=True)
    def test_two_workers_keep_to_it_together(self):
        at_full_speed()
        WhatsAppSender.objects.update(daily_limit=9, fallback=None)
        codes = post_many(30)
        forget_pace()
        provider = answering()
        lock = threading.Lock()

        def one_by_one(request: HttpRequest) -> HttpAnswer:
            with lock:
                return provider(request)

        def work(some: Sequence[UUID]) -> None:
            delivery.deliver_all(some, carrier=Together(one_by_one, NOW), now=lambda: NOW)

        at_once(partial(work, codes[:15]), partial(work, codes[15:]))
        assert len(provider.requests) == 9

    def test_somebody_who_was_written_to_today_may_be_written_to_again(self):
        at_full_speed()
        WhatsAppSender.objects.update(daily_limit=1, fallback=None)
        open_window()
        provider = answering()
        send([post().pk], provider)
        send([post().pk, post().pk, *post_many(1)], provider)
        assert len(provider.requests) == 3


def test_receipts_that_were_faster_than_the_answers_take_effect():
    at_full_speed()
    codes = post_many(4)
    for code in codes[:2]:
        WhatsAppReceipt.objects.create(
            provider="cloud_api",
            provider_message_id=f"wamid.early.{code}",
            status="delivered",
            raw_status="delivered",
            occurred_at=NOW,
            received_at=NOW,
            tracking=str(code),
        )
    tried = send(codes, answering())
    assert statuses() == [Status.DELIVERED] * 2 + [Status.SENT] * 2
    assert {each.pk for each in tried if each.status == Status.DELIVERED} == set(codes[:2])


def test_what_was_replaced_or_refused_or_is_too_late_is_left_alone():
    at_full_speed()
    codes = post_many(4)
    first, second, third, _fourth = (WhatsAppNotification.objects.get(pk=code) for code in codes)
    change(first, status=Status.CANCELLED, next_attempt_at=None, cancel_reason="person")
    change(second, expires_at=NOW)
    change(third, next_attempt_at=NOW + MINUTE)
    provider = answering()
    assert len(send(codes, provider)) == len(provider.requests) == 1


def test_nothing_leaves_when_the_lease_is_nearly_over(monkeypatch: pytest.MonkeyPatch):
    """A worker that slept between its claim and the call."""
    at_full_speed()
    codes = post_many(3)
    moments = iter([NOW])
    provider = answering()
    late = NOW + timedelta(seconds=80)
    delivery.deliver_all(codes, carrier=Together(provider, NOW), now=lambda: next(moments, late))
    assert provider.requests == []
    assert statuses() == [Status.PENDING] * 3


def test_no_more_is_asked_of_the_database_for_a_hundred_than_for_ten(
    django_assert_max_num_queries: Callable[..., Any],
):
    at_full_speed()
    few, many = post_many(100)[:10], WhatsAppNotification.objects.values_list("pk", flat=True)
    with django_assert_max_num_queries(30) as asked:
        send(few, answering())
    with django_assert_max_num_queries(len(asked) + 3 * 7):  # each group of answers is one more transaction
        send(list(many), answering())


@pytest.mark.django_db(transaction=True)
def test_a_bulk_message_goes_out_once_to_each(stack: Stack):
    at_full_speed()
    people = User.objects.bulk_create(User(telephone=person(n), first_name="Awa") for n in range(120))
    send_bulk_whatsapp_async(people, TEXT, "agent_mali")
    eventually(lambda: len(stack.messages()) >= 120, "everything is at the provider", seconds=90)
    eventually(
        lambda: not WhatsAppNotification.objects.exclude(status__in=["sent", "delivered", "read"]).exists(),
        "all of it is recorded",
        seconds=60,
    )
    assert sorted(message["to"] for message in stack.messages()) == sorted(person.telephone for person in people)
    assert WhatsAppAttempt.objects.count() == 120


@pytest.mark.django_db(transaction=True)
def test_what_was_locked_when_its_group_was_claimed_leaves_a_moment_later(stack: Stack):
    at_full_speed()
    now = timezone.now()
    locked, *others = codes = [post(now, phone_number=person(n), message_type="payment").pk for n in range(3)]
    with transaction.atomic():
        list(WhatsAppNotification.objects.filter(pk=locked).select_for_update())
        send_whatsapp_notifications_together.delay([str(code) for code in codes])
        eventually(lambda: has_left(*others), "the others have left")
        assert not has_left(locked)
    eventually(lambda: has_left(locked), "it has left too")


def has_left(*codes: UUID) -> bool:
    return not WhatsAppNotification.objects.filter(pk__in=codes, status=Status.PENDING).exists()
