"""The line between the workers and the provider, which can be cut and jammed while requests are on it."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

PIECE = 65_536  # bytes
NO_FAREWELL = struct.pack("ii", 1, 0)  # SO_LINGER: the other side gets a reset


class Line:
    """Hands on what comes in at `port` to `target`, a port of this machine, and back. What has passed has passed."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self.mend()

    def cut(self) -> None:
        """Reset every connection and take no new ones: so does a provider that is killed."""
        self._do(self._cut)

    def mend(self) -> None:
        self._do(self._listen)

    def jam(self) -> None:
        """Let nothing pass in either direction; connections are taken all the same."""
        self._loop.call_soon_threadsafe(self._is_free.clear)

    def clear(self) -> None:
        """Let everything pass, first what has come meanwhile."""
        self._loop.call_soon_threadsafe(self._is_free.set)

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(deed(), self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._known(writer):
            try:
                there, onwards = await asyncio.open_connection("127.0.0.1", self.target)
            except ConnectionError:
                return
            with self._known(onwards):
                await asyncio.gather(self._pass_on(reader, onwards), self._pass_on(there, writer))

    @contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(PIECE):
                await self._is_free.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
