"""An administrator at the senders' screens, and a provider that answers over HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.contrib.messages import get_messages
from django.urls import reverse

from whatsapp_monitoring_app.models import WhatsAppSender

TOKEN = "EAAG-nobody-may-read-this"
CONNECTED = {"status": "CONNECTED", "quality_rating": "GREEN", "messaging_limit_tier": "TIER_10K"}
REFUSED = {"error": {"code": 190, "message": f"Error validating access token {TOKEN}"}}
DAY = timedelta(days=1)


class Graph:
    """A provider on the other side of HTTP: answers every question alike, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.answer = 200, dict[str, Any](CONNECTED)
        self.requests: list[tuple[str, str]] = []
        self.on_request: Callable[[], None] = lambda: None


def _handler(graph: Graph) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            graph.requests.append((self.path, self.headers["Authorization"]))
            graph.on_request()
            body = json.dumps(graph.answer).encode()
            self.send_response(graph.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


@contextmanager
def answering() -> Iterator[tuple[Graph, str]]:
    """A provider, and its address."""
    graph = Graph()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(graph)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield graph, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def configured(code: str, **fields: Any) -> WhatsAppSender:
    sender, _ = WhatsAppSender.objects.get_or_create(code=code, defaults={"label": code})
    for name, value in fields.items():
        setattr(sender, name, value)
    sender.save()
    return sender


def url(name: str, sender: WhatsAppSender | None = None) -> str:
    return reverse(f"admin_mali:whatsapp_{name}", args=[sender.pk] if sender else [])


def said(answer: Any) -> str:
    """What the person was told with the redirect."""
    return " ".join(map(str, get_messages(answer.wsgi_request)))


def values(sender: WhatsAppSender, **changes: Any) -> dict[str, Any]:
    """The form of this sender as a browser sends it back."""
    names = ("label", "provider", "account_id", "address", "business_account_id", "rate_per_second")
    given = {name: getattr(sender, name) for name in names} | {"daily_limit": "", "fallback": ""}
    return {f"initial-{name}": value for name, value in given.items()} | given | changes
