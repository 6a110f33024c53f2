"""A client that only asks: how fast the provider of the benchmarks can be made to answer.

    python -m benchmarks.provider_client PORT --requests 50000 --connections 64

It prints the seconds that it took.
"""

import argparse
import asyncio
import json
import time

BODY = json.dumps(
    {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+22370000000",
        "type": "text",
        "text": {"body": "Votre colis est arrivé à Bamako. Vous pouvez venir le chercher.", "preview_url": False},
        "biz_opaque_callback_data": "6f0ad1bd-6a0e-4c7e-9f66-0a2b8f3f4c11",
    }
).encode()
REQUEST = (
    b"POST /v26.0/100000000000001/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Questions:
    """So many requests, shared by all connections."""

    def __init__(self, count: int) -> None:
        self.unasked = count
        self.unanswered = count
        self.over = asyncio.get_running_loop().create_future()

    def note_answer(self) -> None:
        self.unanswered -= 1
        if not self.unanswered:
            self.over.set_result(None)


class Connection(asyncio.Protocol):
    def __init__(self, questions: Questions) -> None:
        self.questions = questions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def data_received(self, data: bytes) -> None:
        # An answer is short enough for one segment.
        if data.endswith(b"}"):
            self.questions.note_answer()
            self.ask()

    def ask(self) -> None:
        if self.questions.unasked:
            self.questions.unasked -= 1
            self.transport.write(REQUEST)


async def ask_all(port: int, count: int, connections: int) -> float:
    questions = Questions(count)
    started = time.perf_counter()
    for _ in range(connections):
        await asyncio.get_running_loop().create_connection(lambda: Connection(questions), "127.0.0.1", port)
    await questions.over
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    print(asyncio.run(ask_all(options.port, options.requests, options.connections)))


if __name__ == "__main__":
    main()
