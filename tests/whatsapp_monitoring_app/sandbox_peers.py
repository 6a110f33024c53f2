"""Both sides of a sandbox: someone who sends through it, and a webhook that hears what it says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import parse_qs, urlsplit

import requests

from tests.waiting import eventually
from whatsapp_monitoring_app.sandbox import SandboxConfig

SENDER = "106540352242922"
CUSTOMER = "+22376123456"
AT_ONCE = (0.0, 0.0)
CONFIG = SandboxConfig(
    app_secret="app secret",
    verify_token="verify me",
    token="good token",
    sent_delay=AT_ONCE,
    delivered_delay=AT_ONCE,
    read_delay=AT_ONCE,
    webhook_retry_delays=(0.01, 0.01),
    stall_seconds=60,
    phone_number_id=SENDER,
)


class Receiver:
    """A webhook that keeps what it gets and answers as it is told."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/webhook"
        self.posts: list[tuple[str, bytes]] = []
        self.answers: Queue[int] = Queue()
        self.verify_token = CONFIG.verify_token

    @property
    def changes(self) -> list[dict]:
        return [json.loads(body)["entry"][0]["changes"][0] for _, body in list(self.posts)]

    @property
    def values(self) -> list[dict]:
        return [change["value"] for change in self.changes]

    @property
    def statuses(self) -> list[dict]:
        return [status for value in self.values for status in value.get("statuses", [])]


class ReceiverHandler(BaseHTTPRequestHandler):
    def __init__(self, receivers: list[Receiver], *arguments: object) -> None:
        self.receivers = receivers
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        (receiver,) = self.receivers
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.posts.append((self.headers["X-Hub-Signature-256"], body))
        self._answer(200 if receiver.answers.empty() else receiver.answers.get())

    def do_GET(self) -> None:
        (receiver,) = self.receivers
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        is_known = query["hub.mode"] == "subscribe" and query["hub.verify_token"] == receiver.verify_token
        self._answer(200 if is_known else 403, query["hub.challenge"] if is_known else "")

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests read the posts, not the console."""

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Client:
    """Someone who sends messages through the sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, body: object, token: str | None = CONFIG.token, timeout: float = 5) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) else json.dumps(body)
        return requests.post(f"{self.url}/v24.0/{SENDER}/messages", data=data, headers=headers, timeout=timeout)

    def say(self, to: str, text: str = "Bonjour", timeout: float = 5, **members: object) -> requests.Response:
        return self.post(text_message(to, text, **members), timeout=timeout)

    @property
    def messages(self) -> list[dict]:
        return requests.get(f"{self.url}/_sandbox/messages", timeout=5).json()

    @property
    def requests(self) -> list[dict]:
        return requests.get(f"{self.url}/_sandbox/requests", timeout=5).json()

    def page(self, path: str) -> str:
        return requests.get(f"{self.url}{path}", timeout=5).text


def text_message(to: str = CUSTOMER, text: str = "Bonjour", **members: object) -> dict:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}, **members}


def typed(kind: str, **members: object) -> dict:
    return {"messaging_product": "whatsapp", "to": CUSTOMER, "type": kind, kind: members}


def template(**members: object) -> dict:
    return typed("template", **{"name": "cargo_arrived", "language": {"code": "fr"}, **members})


def statuses_of(receiver: Receiver, count: int) -> list[str]:
    eventually(lambda: len(receiver.statuses) >= count)
    return [status["status"] for status in receiver.statuses]


@contextmanager
def listening() -> Iterator[Receiver]:
    receivers: list[Receiver] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(ReceiverHandler, receivers))
    receivers.append(Receiver(server))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield receivers[0]
    server.shutdown()
    server.server_close()
