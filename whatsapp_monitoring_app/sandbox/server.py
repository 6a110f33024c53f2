"""Running the sandbox: in the foreground for developers, in a thread for tests."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from whatsapp_monitoring_app.sandbox.app import create_app
from whatsapp_monitoring_app.sandbox.config import SandboxConfig

SHUTDOWN_SECONDS = 1


class PortTaken(Exception):
    """Another program listens on the port."""


@dataclass(frozen=True)
class RunningSandbox:
    """Where the sandbox listens, without a slash at the end."""

    url: str


def serve(config: SandboxConfig) -> None:
    """Run until interrupted.

    Raises `PortTaken`.
    """
    listener = listen(config)
    with suppress(KeyboardInterrupt):
        build_server(config).run(sockets=[listener])


@contextmanager
def running(config: SandboxConfig) -> Iterator[RunningSandbox]:
    """Run in a thread for the length of the block. Requests are answered from the first line of the block on.

    Raises `PortTaken`.
    """
    listener = listen(config)
    host, port = listener.getsockname()[:2]
    server = build_server(config, quiet=True)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        yield RunningSandbox(f"http://{host}:{port}")
    finally:
        server.should_exit = True
        thread.join()


def listen(config: SandboxConfig) -> socket.socket:
    """Open the port before the server starts: a taken port is known at once, a free one has its number."""
    try:
        return socket.create_server((config.host, config.port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(f"Port {config.port} is taken.") from error


def build_server(config: SandboxConfig, quiet: bool = False) -> uvicorn.Server:
    app = create_app(config)
    settings = uvicorn.Config(
        app,
        http="h11",
        lifespan="on",
        access_log=not quiet,
        log_level="critical" if quiet else "info",
        # Clients are told apart by their own address.
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(settings)
    app.state.hang_up = partial(hang_up, server)
    return server


def hang_up(server: uvicorn.Server, request: Request) -> None:
    """Close the connection a request came by, without an answer. ASGI has no word for it."""
    for connection in server.server_state.connections:
        if isinstance(connection, H11Protocol) and connection.client == request.client:
            connection.transport.close()
