"""Carries many provider requests at once, with the promises of `transport`, which carries one.

One event loop per process, in a thread of its own. It knows no database: whoever starts a request takes what became of
it out of a queue, in another thread.
"""

import asyncio
import atexit
import logging
import os
import queue
import ssl
import threading
import traceback
from collections.abc import Hashable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import aiohttp
import requests
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from aiohttp.tracing import Trace
from django.utils import timezone
from multidict import CIMultiDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from yarl import URL

from whatsapp_monitoring_app.providers import console, transport
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent, Unsendable

MANY_AT_ONCE = 512  # requests in hand; the others wait, and their calls have not begun
DNS_SECONDS = 10
# What the http.client of the other transport takes, in bytes and in lines.
HEADER_LIMIT = 65_536
HEADERS_LIMIT = 100
ADDRESSES_KEPT = 256  # with their headers: nearly every request of a sender has the same ones
CLOSING_SECONDS = 5

BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError)

logger = logging.getLogger(__name__)
# The time that this task's answer has; it runs from the moment at which the connection stands.
_deadline: ContextVar[asyncio.Timeout] = ContextVar("deadline")


@dataclass(frozen=True)
class Carried:
    """One request that is over: when its call began and ended, and the answer, or why there is none."""

    key: Hashable
    started_at: datetime
    finished_at: datetime
    answer: HttpAnswer | NotSent | NoAnswer


Queue = queue.SimpleQueue[Carried]


class Exchange:
    """An event loop in a thread that ends with the process, and the connections that it keeps open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        # Several are handed over with one call of the loop: each would wake it, with a write to a socket.
        self._asked: list[tuple[Hashable, HttpRequest, Queue]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._room = asyncio.Semaphore(MANY_AT_ONCE)
        trust, is_open = _trust(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=[trust, is_open], name="exchange", daemon=True)
        self._thread.start()
        is_open.wait()

    @property
    def room(self) -> int:
        """How many more requests would begin at once; the others would wait."""
        return MANY_AT_ONCE - len(self._tasks) - len(self._asked)

    def start(self, key: Hashable, request: HttpRequest, into: Queue) -> None:
        """Begin to carry the request; what becomes of it is put `into` the queue, whatever happens, exactly once."""
        with self._lock:
            if not self._is_closed:
                self._asked.append((key, request, into))
                if len(self._asked) == 1:
                    self._loop.call_soon_threadsafe(self._begin)
                return
        at = timezone.now()
        into.put(Carried(key, at, at, NotSent("the process is ending")))

    def close(self) -> None:
        """Break off what is in hand, say so, and end the loop. The requests that come later are not sent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            # Behind every request that was started before.
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(CLOSING_SECONDS)

    def leave_to_the_parent(self) -> None:
        """In a forked child: the thread is not here, and the sockets are the parent's. Touch neither."""
        self._lock = threading.Lock()
        self._is_closed = True
        self._session.detach()

    def _run(self, trust: ssl.SSLContext, is_open: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(trust, is_open))

    async def _serve(self, trust: ssl.SSLContext, is_open: threading.Event) -> None:
        self._connector = _new_connector(trust)
        async with _new_session(self._connector) as self._session:
            is_open.set()
            await self._end.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, []
        for key, request, into in asked:
            task = self._loop.create_task(self._carry(key, request, into))
            self._tasks.add(task)
            task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # Without its words, which may hold an address or a token.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("A request broke off with %s:\n%s", type(error).__name__, frames)

    async def _carry(self, key: Hashable, request: HttpRequest, into: Queue) -> None:
        answer: HttpAnswer | NotSent | NoAnswer = NotSent("the process is ending")
        started_at = timezone.now()
        try:
            async with self._room:
                started_at = timezone.now()
                answer = NoAnswer("broken off")
                answer = await self._answer_to(request)
        finally:
            into.put(Carried(key, started_at, timezone.now(), answer))

    async def _answer_to(self, request: HttpRequest) -> HttpAnswer | NotSent | NoAnswer:
        """What the other transport would return or raise."""
        try:
            if request.url == console.ADDRESS:
                return transport.play_console(request)
            return await self._ask(request)
        except (NotSent, NoAnswer) as why:
            # It is kept for a while: without the frames, and the connections in them.
            why.__context__ = None
            return why.with_traceback(None)

    async def _ask(self, request: HttpRequest) -> HttpAnswer:
        address, headers = _prepared(request.url, tuple(request.headers.items()))
        try:
            async with asyncio.timeout(None) as deadline:
                _deadline.set(deadline)
                async with self._session.request(
                    request.method,
                    address,
                    data=request.body or None,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(connect=transport.CONNECT_SECONDS),
                    allow_redirects=False,
                ) as response:
                    body = await _beginning(response.content)
                    return HttpAnswer(
                        response.status, body, transport.retry_after(response.headers.get("Retry-After"))
                    )
        except TimeoutError:
            raise NoAnswer("the answer did not end in time") from None
        except BROKEN as error:
            raise NoAnswer(type(error).__name__) from None


class _Connector(aiohttp.TCPConnector):
    """Says what is certain: nothing leaves before there is a connection."""

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        try:
            connection = await super().connect(req, traces, timeout)
            while _has_spoken_unasked(connection):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise Unsendable(type(error).__name__) from None
        except TimeoutError:
            raise NotSent("no connection in time") from None
        except BROKEN:
            raise NotSent("no connection") from None
        _deadline.get().reschedule(self._loop.time() + transport.READ_SECONDS)
        return connection

    def __del__(self, _warnings: object = None) -> None:
        """Nothing: `Exchange` closes it, and in a forked child the sockets are the parent's."""


def _has_spoken_unasked(connection: Connection) -> bool:
    """Whether bytes wait on a connection that rested. They would be taken for the answer to what is asked next."""
    return connection.protocol is not None and connection.protocol.should_close


def _new_connector(trust: ssl.SSLContext) -> _Connector:
    return _Connector(
        limit=0,  # bounded by the room that the exchange has
        keepalive_timeout=transport.IDLE_SECONDS,
        ttl_dns_cache=DNS_SECONDS,
        ssl=trust,
    )


def _new_session(connector: _Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,
        max_headers=HEADERS_LIMIT,
        trust_env=False,
        middlewares=[_only_once],
    )


def _trust() -> ssl.SSLContext:
    """The authorities that the other transport trusts, whatever the environment says."""
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _only_once(request: ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Ask, and let nobody ask again: aiohttp repeats a GET for which a connection broke that had been kept open."""
    try:
        return await handler(request)
    except BROKEN as error:
        raise NoAnswer(type(error).__name__) from None


@lru_cache(ADDRESSES_KEPT)
def _prepared(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[URL, CIMultiDict[str]]:
    """The address and the headers as the other transport sends them. Raises Unsendable for what it refuses."""
    try:
        prepared = requests.Request("GET", url, dict(headers)).prepare()
        address = URL(str(prepared.url), encoded=True).with_user(None)
    except ValueError as error:  # all of requests' own are ValueErrors too
        raise Unsendable(type(error).__name__) from None
    if address.scheme not in {"http", "https"}:
        raise Unsendable("no HTTP")
    if not all(text.isascii() and text.isprintable() for header in prepared.headers.items() for text in header):
        raise Unsendable("no header")
    return address, CIMultiDict(prepared.headers)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """The body's beginning."""
    body = b""
    while len(body) < transport.ANSWER_LIMIT and (piece := await content.readany()):
        body += piece
    return body[: transport.ANSWER_LIMIT]


_exchange: Exchange | None = None
_lock = threading.Lock()
_of_parents: list[Exchange] = []


def exchange() -> Exchange:
    """The one of this process, opened at first use."""
    global _exchange
    with _lock:
        if _exchange is None:
            _exchange = Exchange()
        return _exchange


def _close() -> None:
    if _exchange is not None:
        _exchange.close()


def _begin_anew() -> None:
    """In a forked child. The parent's is kept unused: to collect it would close sockets that are not the child's."""
    global _exchange, _lock
    _lock = threading.Lock()
    if _exchange is not None:
        _exchange.leave_to_the_parent()
        _of_parents.append(_exchange)
        _exchange = None


atexit.register(_close)
os.register_at_fork(after_in_child=_begin_anew)
