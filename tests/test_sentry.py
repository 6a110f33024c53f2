"""Errors are reported where an address is given, and the report is about the error, not about people."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli

from tests.outages import closed_port
from tests.stack import ROOT
from tests.test_production_settings import EMAIL_URL, REQUIRED

FAILING = """
import io
import logging
from wsgiref.util import setup_testing_defaults
import django
django.setup()
import sentry_sdk
from django.core.wsgi import get_wsgi_application
from structlog.contextvars import bound_contextvars

def fail():
    telephone, text = "+22376123456", "votre code est 4711"
    raise ValueError(f"{telephone} is nobody's")

try:
    with bound_contextvars(task_id="6f1c1e1a-task"):
        fail()
except ValueError:
    with bound_contextvars(task_id="6f1c1e1a-task"):
        logging.getLogger("some.module").exception("Nobody could tell %s", "+223 76 12 34 56")
form = b"username=%2B22376123456&password=hunter22-of-awa"
request = {
    "REQUEST_METHOD": "POST",
    "PATH_INFO": "/login/",
    "QUERY_STRING": "next=/22376123456/",
    "CONTENT_TYPE": "application/x-www-form-urlencoded",
    "CONTENT_LENGTH": str(len(form)),
    "HTTP_HOST": "cargo.example",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_COOKIE": "sessionid=0123456789abcdef-session",
    "REMOTE_ADDR": "203.0.113.9",
    "wsgi.input": io.BytesIO(form),
}
setup_testing_defaults(request)
list(get_wsgi_application()(request, lambda status, headers: None))
sentry_sdk.flush(10)
"""
PERSONAL = ("76123456", "12 34 56", "4711", "hunter22", "Awa", "-session", "s3cr3t", "203.0.113.9")


@contextmanager
def a_collector() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address to report to, and the events that came."""
    events: list[dict[str, Any]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Encoding"] == "br"
            parts = [json.loads(line) for line in brotli.decompress(body).splitlines() if line.startswith(b"{")]
            events.extend(part for part in parts if "event_id" in part and "level" in part)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_line: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", events
        server.shutdown()
        thread.join()


def fail(**variables: str) -> "subprocess.CompletedProcess[str]":
    database = {"DATABASE_URL": f"postgres://somebody:s3cr3t-pass@127.0.0.1:{closed_port()}/nowhere"}
    # The request comes from the proxy, which says that it was made by https.
    proxy = {"TRUSTED_PROXIES": "203.0.113.9"}
    given = {**REQUIRED, **database, **proxy, "EMAIL_URL": EMAIL_URL, "DJANGO_DEBUG": "0", **variables}
    return subprocess.run(
        [sys.executable, "-c", FAILING],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ts_air_cargo.settings", **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_a_report_tells_of_the_error_and_of_nobody():
    with a_collector() as (address, events):
        fail(SENTRY_DSN=address, SENTRY_RELEASE="1.2.3")

    logged, request = events[0], events[-1]
    assert logged["exception"]["values"][-1]["type"] == "ValueError"
    assert logged["tags"]["task_id"] == "6f1c1e1a-task"
    assert (logged["release"], logged["environment"]) == ("1.2.3", "production")
    assert request["exception"]["values"][-1]["type"] == "OperationalError"
    assert request["request"] == {"method": "POST"}
    assert len(request["tags"]["request_id"]) == 32
    for event in events:
        text = json.dumps(event)
        assert not [word for word in PERSONAL if word in text]
        assert '"vars"' not in text
        assert not {"user", "extra"} & set(event)


def test_without_an_address_nothing_is_reported_or_loaded():
    code = "import django; django.setup(); import sys; print('ts_air_cargo.sentry' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ts_air_cargo.settings", "DJANGO_DEBUG": "0", **REQUIRED},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert shown.stdout == "False\n"


def test_the_log_of_a_failure_names_nobody_either():
    said = fail().stderr

    assert "OperationalError" in said
    assert not [word for word in PERSONAL if word in said]
