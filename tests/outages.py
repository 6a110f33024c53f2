"""What is away for a while, really: addresses at which nobody answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings

from whatsapp_monitoring_app.services import pacing, shared_memory


def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def redis_away() -> Iterator[None]:
    """Nobody answers at the address of the Redis that holds pace and circuits."""
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{closed_port()}/0"):
        _connect_anew()
        try:
            yield
        finally:
            _connect_anew()


def _connect_anew() -> None:
    shared_memory.client.cache_clear()
    pacing._script.cache_clear()
