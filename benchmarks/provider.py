"""A provider on loopback: speaks the Cloud API's POST …/messages as fast as Python can, so that it is in nobody's way.

    python -m benchmarks.provider --latency 0.1

It prints its port. `GET /_counts` tells how many messages it took, by how many connections, and its processor time.
The requests are parsed by hand, which is enough for well-behaved clients and for nothing else.
"""

import argparse
import asyncio
import json
import secrets
import time

RECIPIENT = b'"to": "'
ANSWER = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"%b","wa_id":"%b"}],"messages":[{"id":"wamid.%b%012d"}]}'
)
HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
BACKLOG = 2048


class Counts:
    """What the provider knows, and the beginning of its ids: no two providers give the same."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests = 0
        self.connections = 0
        self.run = secrets.token_hex(8).upper().encode()

    def accept(self, body: bytes) -> bytes:
        """The answer to one message."""
        self.requests += 1
        start = body.find(RECIPIENT) + len(RECIPIENT)
        to = body[start : body.find(b'"', start)] if start >= len(RECIPIENT) else b""
        return ANSWER % (to, to.lstrip(b"+"), self.run, self.requests)

    def as_json(self) -> bytes:
        told = {"requests": self.requests, "connections": self.connections, "cpu": time.process_time()}
        return json.dumps(told).encode()


class Conversation(asyncio.Protocol):
    """One connection, kept open for as long as the client likes."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            whole = end + 4 + _length(head)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST") and b"/messages " in head:
            if self.counts.latency:
                self.loop.call_later(self.counts.latency, self.say, 200, self.counts.accept(body))
            else:
                self.say(200, self.counts.accept(body))
        elif head.startswith(b"GET /_counts "):
            self.say(200, self.counts.as_json())
        else:
            self.say(404, b'{"error":{"code":100,"message":"There is nothing here."}}')

    def say(self, status: int, body: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(HEAD % (status, len(body)) + body)


def _length(head: bytes) -> int:
    """The Content-Length; 0 without one."""
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    start += len(b"\r\ncontent-length:")
    end = lowered.find(b"\r\n", start)
    return int(lowered[start : end if end >= 0 else len(lowered)])


async def serve(latency: float, port: int) -> None:
    counts = Counts(latency)

    def meet() -> Conversation:
        counts.connections += 1
        return Conversation(counts)

    server = await asyncio.get_running_loop().create_server(meet, "127.0.0.1", port, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.latency, options.port))


if __name__ == "__main__":
    main()
