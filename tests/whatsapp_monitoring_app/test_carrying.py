"""What both transports keep to beside the outcome: nothing twice, nothing left over, nobody else's certificate."""

import gzip
import socket
from base64 import b64encode
from pathlib import Path
from threading import Event

import pytest

from tests.whatsapp_monitoring_app.carriers import Carry
from tests.whatsapp_monitoring_app.test_transport import hang_up, request_to, saying, serving
from tests.whatsapp_monitoring_app.tls_server import SecureServer
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.providers.base import HttpRequest
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent


def test_an_answer_that_drips_does_not_hold_anybody(carry: Carry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "READ_SECONDS", 0.3)
    is_over = Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not is_over.wait(0.02):
            connection.sendall(b"{")

    with serving(drip) as server:
        with pytest.raises(NoAnswer):
            carry(request_to(server.url))
        is_over.set()
        assert len(server.requests) == 1


def test_a_compressed_answer_is_read(carry: Carry):
    with serving(saying(body=gzip.compress(b'{"messages": []}'), Content_Encoding="gzip")) as server:
        assert carry(request_to(server.url)).body == b'{"messages": []}'


def test_a_compressed_answer_is_cut_where_a_plain_one_is(carry: Carry):
    huge = gzip.compress(b"x" * (transport.ANSWER_LIMIT * 40))
    with serving(saying(body=huge, Content_Encoding="gzip")) as server:
        assert carry(request_to(server.url)).body == b"x" * transport.ANSWER_LIMIT


def test_a_long_header_of_the_answer_does_no_harm(carry: Carry):
    with serving(saying(body=b"{}", X_Trace="x" * 40_000)) as server:
        assert carry(request_to(server.url)).body == b"{}"


def test_the_address_goes_out_as_it_is(carry: Carry):
    with serving(saying()) as server:
        carry(request_to(f"{server.url}/a%2Fb/./é?q=a%7Cb|c+d&x=%C3%A9#part"))
    assert server.requests[0].startswith(b"POST /v26.0/1/messages/a%2Fb/%C3%A9?q=a%7Cb%7Cc+d&x=%C3%A9 HTTP/1.1\r\n")


def test_a_user_and_a_password_in_the_address_are_who_asks(carry: Carry):
    with serving(saying()) as server:
        carry(request_to(server.url.replace("http://", "http://awa:secret@")))
    assert b"\r\nAuthorization: Basic " + b64encode(b"awa:secret") + b"\r\n" in server.requests[0]


def test_no_request_carries_a_cookie_of_an_earlier_answer(carry: Carry):
    with serving(saying(Set_Cookie="session=1; Path=/")) as server:
        for _ in range(2):
            carry(request_to(server.url))
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_request_on_an_open_connection_that_breaks_is_not_repeated(carry: Carry, method: str):
    answers = iter([saying(), hang_up])
    with serving(lambda connection: next(answers)(connection)) as server:
        carry(request_to(server.url))
        with pytest.raises(NoAnswer):
            carry(HttpRequest(server.url, {}, b"{}", method))
        assert (len(server.requests), len(server.connections)) == (2, 1)


def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next_request(carry: Carry):
    with serving(saying(body=b"right")) as server:
        carry(request_to(server.url))
        saying(body=b"wrong")(server.connections[0])
        assert carry(request_to(server.url)).body == b"right"
        assert len(server.connections) == 2


def test_an_interim_answer_is_not_the_answer(carry: Carry):
    def say_twice(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        saying(body=b"done")(connection)

    with serving(say_twice) as server:
        assert carry(request_to(server.url)).body == b"done"


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    carry: Carry, secure_server: SecureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    with pytest.raises(NotSent) as refusal:
        carry(request_to(secure_server.url.replace("http://", "https://")))
    assert refusal.value.error_class == ErrorClass.UNREACHABLE
    assert secure_server.refused.get(timeout=10)
    assert secure_server.requests == []


def test_a_server_that_speaks_no_tls_gets_nothing_readable(carry: Carry):
    with serving(saying()) as server:
        server.read = lambda connection: connection.recv(65536)  # type: ignore[method-assign]
        with pytest.raises((NotSent, NoAnswer)):
            carry(request_to(server.url.replace("http://", "https://")))
        assert not any(b"Bearer" in said for said in server.requests)
