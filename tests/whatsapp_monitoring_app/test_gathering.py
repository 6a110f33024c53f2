"""Messages that are rung for one by one, and leave together while many do."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DataError
from django.utils import timezone

from tests.stack import forget_pace
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import at_once, open_window, post
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.services import gathering
from whatsapp_monitoring_app.services.gathering import Gathering

pytestmark = pytest.mark.django_db(transaction=True)


class SlowProvider(ThreadingHTTPServer):
    """Takes every message, and answers when it may: all at once, or these numbers later."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: Counter[str] = Counter()
        self.held_back: dict[str, threading.Event] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SlowProvider

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken[asked["to"]] += 1
        held_back = self.server.held_back.get(asked["to"])
        if held_back:
            held_back.wait(30)
        answer = json.dumps({"messages": [{"id": f"wamid.{uuid4()}"}], "contacts": [{"wa_id": asked["to"][1:]}]})
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def provider(settings: Any) -> Iterator[SlowProvider]:
    with SlowProvider() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings.WHATSAPP_CLOUD_API_URL = server.url
        yield server
        for event in server.held_back.values():
            event.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for all threads of a test to come, however busy the machine is."""
    monkeypatch.setattr(gathering, "MOMENT_SECONDS", 1)


def person(n: int) -> str:
    return f"+22377{n:06}"


def post_to(*numbers: int) -> list[UUID]:
    at = timezone.now()
    forget_pace()
    for n in numbers:
        open_window(number=person(n), at=at)
    return [post(at, phone_number=person(n), message_type="payment", priority=2).pk for n in numbers]


def sending(place: Gathering, codes: list[UUID]) -> list[Callable[[], WhatsAppNotification | None]]:
    return [partial(place.deliver, code) for code in codes]


def busy(provider: SlowProvider, place: Gathering) -> list[threading.Thread]:
    """Threads whose messages are under way until the provider lets go of them."""
    codes = post_to(*range(900, 900 + gathering.BUSY))
    release = threading.Event()
    provider.held_back |= {person(n): release for n in range(900, 900 + gathering.BUSY)}
    threads = []
    for count, code in enumerate(codes, 1):
        threads.append(started(partial(place.deliver, code)))
        eventually(partial(has_taken, provider, count), "it is under way")
    return threads


def has_taken(provider: SlowProvider, count: int) -> bool:
    return sum(provider.taken.values()) == count


def started(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=at_once, args=[function])
    thread.start()
    return thread


def let_go(provider: SlowProvider, threads: list[threading.Thread]) -> None:
    for event in provider.held_back.values():
        event.set()
    for thread in threads:
        thread.join()


def claims(codes: list[UUID]) -> set[UUID | None]:
    """The claims by which these were taken: as many as groups."""
    return set(WhatsAppNotification.objects.filter(pk__in=codes).values_list("claim_id", flat=True))


def test_a_few_messages_leave_alone_and_wait_for_nobody(provider: SlowProvider):
    codes = post_to(1, 2)
    place = Gathering()
    sent = [place.deliver(code) for code in codes]

    assert [each and each.status for each in sent] == [Status.SENT, Status.SENT]
    assert len(claims(codes)) == 2


def test_while_a_worker_is_busy_messages_leave_together(provider: SlowProvider):
    codes, place = post_to(*range(8)), Gathering()
    threads = busy(provider, place)
    sent = at_once(*sending(place, codes))
    let_go(provider, threads)

    assert [each and (each.pk, each.status) for each in sent] == [(code, Status.SENT) for code in codes]
    assert len(claims(codes)) == 1
    assert set(provider.taken.values()) == {1}


def test_one_message_that_two_threads_have_is_sent_once(provider: SlowProvider):
    (code,), place = post_to(1), Gathering()
    threads = busy(provider, place)
    sent = at_once(*sending(place, [code] * 3))
    let_go(provider, threads)

    assert [each.status for each in sent if each] == [Status.SENT]
    assert provider.taken[person(1)] == 1


def test_a_call_that_hangs_keeps_no_other_thread_of_its_group(provider: SlowProvider):
    hanging, *others = codes = post_to(*range(6))
    place = Gathering()
    threads = busy(provider, place)
    provider.held_back[person(0)] = threading.Event()
    ends: list[UUID] = []

    def send(code: UUID) -> None:
        if place.deliver(code):
            ends.append(code)

    threads += [started(partial(send, code)) for code in codes]

    # All but the one that hangs, and whoever carries the group.
    eventually(lambda: len(ends) >= len(others) - 1, "the others have heard")
    assert hanging not in ends
    let_go(provider, threads)
    assert sorted(ends) == sorted(codes)


def test_what_goes_wrong_with_a_group_is_told_to_all_of_it(provider: SlowProvider):
    (good,), place = post_to(1), Gathering()
    threads = busy(provider, place)

    def heard(code: object) -> str:
        try:
            place.deliver(code)  # type: ignore[arg-type]
        except DataError as error:
            return type(error).__name__
        return ""

    told = at_once(partial(heard, good), partial(heard, "no code at all"))
    let_go(provider, threads)

    assert told == ["DataError", "DataError"]
    assert WhatsAppNotification.objects.get(pk=good).status == Status.PENDING
    assert provider.taken[person(1)] == 0


def test_one_that_is_not_due_is_left_where_it_is(provider: SlowProvider):
    codes, place = post_to(1, 2), Gathering()
    WhatsAppNotification.objects.filter(pk=codes[0]).update(next_attempt_at=None, status=Status.CANCELLED)
    threads = busy(provider, place)
    sent = at_once(*sending(place, codes))
    let_go(provider, threads)

    assert [each and each.pk for each in sent] == [None, codes[1]]
    assert provider.taken[person(1)] == 0
