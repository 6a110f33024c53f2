"""A request over real sockets, by either transport: what is certain when the answer does not come."""

import email.utils
import logging
import queue
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from tests.whatsapp_monitoring_app.carriers import Carry
from tests.whatsapp_monitoring_app.scripts import at_once
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent, Unsendable

Answer = Callable[[socket.socket], None]
TOKEN = "EAA"
AnyServer = TypeVar("AnyServer", bound="Server")


class Server:
    """A listening socket that reads each request and then does as it is told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v26.0/1/messages"
        self.connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        # The connections that the client has closed.
        self.left: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()

    def accept(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        try:
            while request := self.read(connection):
                self.requests.append(request)
                self.answer(connection)
            self.left.put(connection)
        except OSError:
            pass  # closed, by one side or the other

    def read(self, connection: socket.socket) -> bytes:
        """One whole request, or nothing when the client has left."""
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(b"}"):
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            data += chunk
        return data


@contextmanager
def listening(server: AnyServer) -> Iterator[AnyServer]:
    threading.Thread(target=server.accept, daemon=True).start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        for connection in server.connections:
            connection.close()


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    with listening(Server(answer)) as server:
        yield server


def saying(status: str = "200 OK", body: bytes = b"{}", **headers: str) -> Answer:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]).encode("latin-1")
    return lambda connection: connection.sendall(head + b"\r\n\r\n" + body)


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def say_nothing(connection: socket.socket) -> None:
    """Keep the connection open."""


def request_to(url: str, token: str = TOKEN) -> HttpRequest:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return HttpRequest(url, headers, b'{"to": "+22376123456"}')


def get_answer(carry: Carry, answer: Answer) -> HttpAnswer:
    with serving(answer) as server:
        return carry(request_to(server.url))


@pytest.fixture(autouse=True)
def _fresh_session() -> Iterator[None]:
    yield
    transport._local.__dict__.pop("session", None)


def test_the_request_goes_out_once_as_it_was_built(carry: Carry):
    with serving(saying(body=b'{"messages": []}')) as server:
        answer = carry(request_to(server.url))
    assert answer == HttpAnswer(200, b'{"messages": []}', None)
    (request,) = server.requests
    assert request.startswith(b"POST /v26.0/1/messages HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer EAA\r\n" in request
    assert b"\r\nContent-Type: application/json\r\n" in request
    assert request.endswith(b'\r\n\r\n{"to": "+22376123456"}')


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


@pytest.mark.parametrize(
    "url", ["graph.facebook.com/v26.0", "http://", "htp://x/", "http://[/", "http://x..y/", "http://x:99999/"]
)
def test_an_address_to_which_no_request_can_be_made_is_not_configured(carry: Carry, url: str):
    with pytest.raises(Unsendable) as refusal:
        carry(request_to(url))
    assert refusal.value.error_class == ErrorClass.NOT_CONFIGURED


def test_a_name_that_leads_nowhere_sends_nothing(carry: Carry):
    with pytest.raises(NotSent) as refusal:
        carry(request_to("http://nowhere.invalid/"))
    assert refusal.value.error_class == ErrorClass.UNREACHABLE


def test_a_refused_connection_sends_nothing(carry: Carry):
    with pytest.raises(NotSent) as refusal:
        carry(request_to(free_address()))
    assert refusal.value.error_class == ErrorClass.UNREACHABLE


def test_a_connection_that_is_not_made_in_time_sends_nothing(carry: Carry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(NotSent):
            carry(request_to(f"http://127.0.0.1:{full.getsockname()[1]}/"))
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("token", ["EAA\n", "EAA\r\nX-Other: 1", "“EAA”"])
def test_a_token_that_no_header_can_carry_sends_nothing(carry: Carry, token: str):
    with serving(saying()) as server:
        with pytest.raises(Unsendable):
            carry(request_to(server.url, token))
        assert server.requests == []


def reset(connection: socket.socket) -> None:
    linger_for_nothing = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
    connection.close()


def half_a_status(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 2")
    hang_up(connection)


def half_a_body(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"messages": [')
    hang_up(connection)


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")
    hang_up(connection)


def broken_gzip(connection: socket.socket) -> None:
    saying(body=b"not gzip at all", Content_Encoding="gzip")(connection)


@pytest.mark.parametrize("answer", [hang_up, reset, half_a_status, half_a_body, no_http, broken_gzip])
def test_a_connection_that_breaks_after_the_request_leaves_it_open_whether_it_was_sent(carry: Carry, answer: Answer):
    with serving(answer) as server:
        with pytest.raises(NoAnswer):
            carry(request_to(server.url))
        assert len(server.requests) == 1  # and it is not repeated


def test_a_provider_that_does_not_answer_in_time_may_have_sent(carry: Carry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "READ_SECONDS", 0.05)
    with serving(say_nothing) as server:
        with pytest.raises(NoAnswer):
            carry(request_to(server.url))
        assert len(server.requests) == 1


def test_the_next_message_after_a_broken_connection_finds_a_new_one(carry: Carry):
    answers = iter([hang_up, saying()])
    with serving(lambda connection: next(answers)(connection)) as server:
        with pytest.raises(NoAnswer):
            carry(request_to(server.url))
        assert carry(request_to(server.url)).status == 200


def test_a_redirect_is_not_followed(carry: Carry):
    with serving(saying()) as elsewhere:
        answer = get_answer(carry, saying("307 Temporary Redirect", Location=elsewhere.url))
        assert answer.status == 307
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "429 Too Many Requests", "503 Unavailable"])
def test_an_error_answer_is_an_answer(carry: Carry, status: str):
    answer = get_answer(carry, saying(status, b'{"error": {}}'))
    assert (answer.status, answer.body) == (int(status[:3]), b'{"error": {}}')


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("40", 40),
        ("9" * 30, 86_400),
        ("9" * 5000, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 99 Foo 2026", None),
        ("Wed, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Fri, 31 Dec 9999 23:59:59", 86_400),
    ],
)
def test_retry_after_is_understood_or_left_out(carry: Carry, header: str, seconds: int | None):
    answer = get_answer(carry, saying("429 Too Many Requests", Retry_After=header))
    assert answer.status == 429
    assert answer.retry_after == (None if seconds is None else timedelta(seconds=seconds))


def test_retry_after_may_be_a_date(carry: Carry):
    moment = email.utils.format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    wait = get_answer(carry, saying("429 Too Many Requests", Retry_After=moment)).retry_after
    assert wait
    assert timedelta(minutes=9) < wait <= timedelta(minutes=10)


def test_a_large_body_is_cut(carry: Carry):
    assert get_answer(carry, saying(body=b"x" * (transport.ANSWER_LIMIT + 1000))).body == b"x" * transport.ANSWER_LIMIT


def test_a_connection_stays_open_between_messages(carry: Carry):
    with serving(saying()) as server:
        for _ in range(3):
            carry(request_to(server.url))
        assert (len(server.requests), len(server.connections)) == (3, 1)


def test_two_threads_share_no_connection():
    with serving(saying()) as server:
        at_once(*[lambda: transport.send(request_to(server.url))] * 2)
        assert (len(server.requests), len(server.connections)) == (2, 2)


def test_a_netrc_file_and_a_proxy_do_not_change_the_request(
    carry: Carry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", free_address())
    with serving(saying()) as server:
        carry(request_to(server.url))
    assert b"\r\nAuthorization: Bearer EAA\r\n" in server.requests[0]


# --- A token in an address

SECRET = "EAAverysecret"


def malformed_headers(connection: socket.socket) -> None:
    """An answer about which urllib3 warns, and shows the address."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\xffbad\r\n\r\n{}")


@pytest.mark.parametrize("answer", [saying(), hang_up, malformed_headers], ids=["answers", "hangs up", "garbles"])
def test_an_address_is_neither_logged_nor_shown(carry: Carry, answer: Answer, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    shown = ""
    with serving(answer) as server:
        request = HttpRequest(f"{server.url}?input_token={SECRET}", {"Authorization": f"Bearer {SECRET}"}, b"{}")
        try:
            carry(request)
        except NoAnswer:
            shown = traceback.format_exc()
    assert any(SECRET.encode() in sent for sent in server.requests)
    assert SECRET not in caplog.text + repr(request) + shown


def test_an_address_where_nobody_listens_is_not_shown(carry: Carry, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NotSent) as error:
        carry(HttpRequest(f"http://127.0.0.1:9/debug_token?input_token={SECRET}", {}))
    assert SECRET not in "".join(traceback.format_exception(error.value)) + caplog.text
