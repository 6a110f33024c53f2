"""A server closes connections that rest, without notice: a message must not be lost on one that it is just closing."""

import socket
from collections.abc import Iterator

import pytest

from tests.whatsapp_monitoring_app.carriers import send_by_exchange
from tests.whatsapp_monitoring_app.test_transport import Server, hang_up, request_to, saying, serving
from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.providers.exchange import Exchange
from whatsapp_monitoring_app.providers.transport import IDLE_SECONDS, NoAnswer


@pytest.fixture
def server() -> Iterator[Server]:
    """One that answers the first request of each connection, and hangs up on the second."""
    answered: set[socket.socket] = set()

    def answer(connection: socket.socket) -> None:
        if connection in answered:
            hang_up(connection)
        answered.add(connection)
        saying()(connection)

    with serving(answer) as server:
        yield server


def test_a_connection_that_rested_is_not_used_again(server: Server):
    moments = iter([0, IDLE_SECONDS + 1, 2 * IDLE_SECONDS + 2])
    for _ in range(3):
        assert transport.send(request_to(server.url), clock=lambda: next(moments)).status == 200

    assert len(server.connections) == 3


def test_what_carries_many_closes_a_connection_that_rested(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.05)
    hasty = Exchange()
    send_by_exchange(request_to(server.url), hasty)
    assert server.left.get(timeout=10) is server.connections[0]
    assert send_by_exchange(request_to(server.url), hasty).status == 200
    assert len(server.connections) == 2
    hasty.close()


def test_what_carries_many_uses_a_connection_in_use_again(server: Server):
    send_by_exchange(request_to(server.url))
    with pytest.raises(NoAnswer):
        send_by_exchange(request_to(server.url))

    assert len(server.connections) == 1
    assert len(server.requests) == 2


def test_a_connection_in_use_is_used_again(server: Server):
    transport.send(request_to(server.url), clock=lambda: 100)
    with pytest.raises(NoAnswer):
        transport.send(request_to(server.url), clock=lambda: 100 + IDLE_SECONDS)

    assert len(server.connections) == 1
    assert len(server.requests) == 2
