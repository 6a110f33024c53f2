"""Many requests in hand at once: each is told of exactly once, whatever becomes of it, or of the process."""

import logging
import multiprocessing
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.carriers import send_by_exchange
from tests.whatsapp_monitoring_app.test_transport import (
    Server,
    free_address,
    request_to,
    reset,
    say_nothing,
    saying,
    serving,
)
from tests.whatsapp_monitoring_app.tls_server import SecureServer
from whatsapp_monitoring_app.providers import exchange
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.exchange import Carried, Exchange
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent, Unsendable

SECRET = "EAAverysecret"
Open = Callable[[], Exchange]


@pytest.fixture
def open_exchange() -> Iterator[Open]:
    """Opens exchanges of their own, with the limits of the moment; closes them in the end."""
    opened: list[Exchange] = []

    def open_another() -> Exchange:
        opened.append(Exchange())
        return opened[-1]

    yield open_another
    for one in opened:
        one.close()


def collected(into: "queue.SimpleQueue[Carried]", count: int) -> list[Carried]:
    return [into.get(timeout=30) for _ in range(count)]


def started(by: Exchange, url: str, count: int) -> "queue.SimpleQueue[Carried]":
    into: queue.SimpleQueue[Carried] = queue.SimpleQueue()
    for key in range(count):
        by.start(key, request_to(url), into)
    return into


class Gate:
    """Answers nobody before `size` requests are in hand together, and knows how many ever were."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=20)
        self.lock = threading.Lock()
        self.in_hand = self.most = 0

    def __call__(self, connection: socket.socket) -> None:
        with self.lock:
            self.in_hand += 1
            self.most = max(self.most, self.in_hand)
        self.barrier.wait()
        with self.lock:
            self.in_hand -= 1
        saying()(connection)


def test_many_requests_are_in_hand_at_once():
    with serving(Gate(60)) as server:
        carried = collected(started(exchange.exchange(), server.url, 60), 60)
    assert sorted(str(one.key) for one in carried) == sorted(map(str, range(60)))
    assert {one.answer for one in carried} == {HttpAnswer(200, b"{}")}
    assert len(server.requests) == 60


def test_no_more_than_the_limit_are_in_hand_and_the_wait_is_no_part_of_the_call(
    open_exchange: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exchange, "MANY_AT_ONCE", 3)
    gate = Gate(3)
    with serving(gate) as server:
        carried = collected(started(open_exchange(), server.url, 9), 9)
    assert gate.most == 3
    assert {one.answer for one in carried} == {HttpAnswer(200, b"{}")}
    first_end = min(one.finished_at for one in carried)
    assert sum(one.started_at < first_end for one in carried) == 3
    assert all(one.started_at <= one.finished_at for one in carried)


def test_each_request_has_its_own_fate():
    into: queue.SimpleQueue[Carried] = queue.SimpleQueue()
    with serving(saying(body=b"yes")) as server, serving(reset) as broken:
        requests = {
            "answered": request_to(server.url),
            "broken": request_to(broken.url),
            "refused": request_to(free_address()),
            "unsendable": request_to(server.url, "“EAA”"),
        }
        for key, request in requests.items():
            exchange.exchange().start(key, request, into)
        fates = {one.key: one.answer for one in collected(into, len(requests))}
    assert fates["answered"] == HttpAnswer(200, b"yes")
    assert {key: type(why) for key, why in fates.items() if key != "answered"} == {
        "broken": NoAnswer,
        "refused": NotSent,
        "unsendable": Unsendable,
    }
    assert into.empty()


def test_what_did_not_work_keeps_nothing_of_the_request():
    into: queue.SimpleQueue[Carried] = queue.SimpleQueue()
    with serving(reset) as server:
        exchange.exchange().start("broken", request_to(server.url), into)
        why = into.get(timeout=30).answer
    assert isinstance(why, NoAnswer)
    assert (why.__traceback__, why.__context__, why.__cause__) == (None, None, None)


def test_a_request_that_nobody_foresaw_ends_alone(caplog: pytest.LogCaptureFixture):
    into: queue.SimpleQueue[Carried] = queue.SimpleQueue()
    with serving(saying()) as server:
        impossible = HttpRequest(server.url, {}, b"{}", f"POST {SECRET}\n")
        exchange.exchange().start("impossible", impossible, into)
        assert isinstance(into.get(timeout=30).answer, NoAnswer)
        assert send_by_exchange(request_to(server.url)).status == 200
        assert len(server.requests) == 1
    (record,) = eventually(lambda: [one for one in caplog.records if one.levelno == logging.ERROR])
    assert "ValueError" in record.getMessage()
    assert SECRET not in caplog.text
    assert into.empty()


def test_what_is_in_hand_when_the_process_ends_may_have_left_and_the_rest_has_not(
    open_exchange: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exchange, "MANY_AT_ONCE", 2)
    ending = open_exchange()
    with serving(say_nothing) as server:
        into = started(ending, server.url, 5)
        eventually(lambda: len(server.requests) == 2)
        ending.close()
        fates = {one.key: type(one.answer) for one in collected(into, 5)}
        ending.start("late", request_to(server.url), into)
        assert isinstance(into.get(timeout=30).answer, NotSent)
        assert len(server.requests) == 2
    assert fates == {0: NoAnswer, 1: NoAnswer, 2: NotSent, 3: NotSent, 4: NotSent}
    assert into.empty()


def test_requests_that_were_started_right_before_the_end_are_told_of_too(open_exchange: Open):
    ending = open_exchange()
    into = started(ending, free_address(), 20)
    ending.close()
    assert sorted(int(str(one.key)) for one in collected(into, 20)) == list(range(20))


def test_an_authority_that_the_environment_names_is_not_believed(
    open_exchange: Open, secure_server: SecureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    with pytest.raises(NotSent):
        send_by_exchange(request_to(secure_server.url.replace("http://", "https://")), open_exchange())


def test_what_is_said_to_a_server_that_can_be_believed_is_encrypted(
    open_exchange: Open, secure_server: SecureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exchange, "DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "server.pem"))
    trusting = open_exchange()
    for _ in range(2):
        answer = send_by_exchange(request_to(secure_server.url.replace("http://", "https://")), trusting)
        assert answer.status == 200
    assert len(secure_server.connections) == 1


def ask_in_a_child(url: str, of_the_parent: Exchange, said: "multiprocessing.SimpleQueue[object]") -> None:
    said.put(exchange.exchange() is of_the_parent)
    said.put(send_by_exchange(request_to(url)).status)
    try:
        send_by_exchange(request_to(url), of_the_parent)
    except NotSent:
        said.put("not sent")


def test_a_forked_child_has_its_own_and_leaves_the_parent_its_connections():
    forking = multiprocessing.get_context("fork")
    said = forking.SimpleQueue()
    with serving(saying()) as server:
        assert send_by_exchange(request_to(server.url)).status == 200
        child = forking.Process(target=ask_in_a_child, args=[server.url, exchange.exchange(), said])
        child.start()
        child.join(30)
        assert (child.exitcode, said.get(), said.get(), said.get()) == (0, False, 200, "not sent")
        assert send_by_exchange(request_to(server.url)).status == 200
        assert len(server.requests) == 3


SCRIPT = """
import os, queue, sys, time
import django
django.setup()
from whatsapp_monitoring_app.providers.base import HttpRequest
from whatsapp_monitoring_app.providers.exchange import exchange
into = queue.SimpleQueue()
def ask(url):
    exchange().start("key", HttpRequest(url, {}, b"{}"), into)
ask(sys.argv[1])
print(into.get().answer.status, flush=True)
is_child = sys.argv[3:] == ["fork"] and os.fork() == 0
if is_child:
    ask(sys.argv[1])
    print(into.get().answer.status, flush=True)
elif sys.argv[3:]:
    os.wait()
ask(sys.argv[2])
"""


@pytest.mark.parametrize("more", [[], ["fork"]], ids=["alone", "with a child"])
def test_a_process_ends_quietly_with_connections_open_and_a_request_in_hand(server: Server, more: list[str]):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "ts_air_cargo.settings"}
    with serving(say_nothing) as silent:
        command = [sys.executable, "-W", "error", "-c", SCRIPT, server.url, silent.url, *more]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["200"] * (1 + len(more)), "")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(saying()) as server:
        yield server
