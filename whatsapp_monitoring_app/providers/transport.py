"""Carries one provider request over HTTP, and says what is certain when there is no answer.

`exchange` carries many at once, with the same promises.
"""

import email.utils
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy

import requests
from django.conf import settings
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, LocationParseError, NameResolutionError, NewConnectionError

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import console
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest

CONNECT_SECONDS = 3.05
READ_SECONDS: float = settings.WHATSAPP_READ_SECONDS
ANSWER_LIMIT = 256 * 1024  # bytes
# A server closes a connection that rests (uvicorn after 5 s). A request on one that it is just closing is lost without
# an answer, and nobody can tell that it was: a connection that rested longer than this is not used again.
IDLE_SECONDS = 2
LONGEST_RETRY_AFTER = timedelta(days=1)
# A wrong address, or a token that no header can carry: found before anything is sent.
UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    LocationParseError,
    UnicodeEncodeError,
)

_local = threading.local()


class NotSent(Exception):
    """The request never left: nobody can have acted on it."""

    error_class = ErrorClass.UNREACHABLE


class Unsendable(NotSent):
    """No request could be made of the sender's address or token."""

    error_class = ErrorClass.NOT_CONFIGURED


class NoAnswer(Exception):
    """The request left, or may have; what became of it is not known."""


def send(request: HttpRequest, *, clock: Callable[[], float] = time.monotonic) -> HttpAnswer:
    """Carry the request once. Raises NotSent or NoAnswer; repeats nothing by itself."""
    if request.url == console.ADDRESS:
        return play_console(request)
    try:
        with _session(clock()).request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read(response.raw, deadline=time.monotonic() + READ_SECONDS)
            return HttpAnswer(response.status_code, body, retry_after(response.headers.get("Retry-After")))
    # Without what was behind it, which shows the address; and an address may hold a token.
    except requests.ConnectTimeout:
        raise NotSent("no connection in time") from None
    except UNSENDABLE as error:
        raise Unsendable(type(error).__name__) from None
    except requests.RequestException as error:
        if _never_connected(error):
            raise NotSent("no connection") from None
        raise NoAnswer(type(error).__name__) from None
    except (OSError, HTTPException, HTTPError) as error:
        raise NoAnswer(type(error).__name__) from None


def play_console(request: HttpRequest) -> HttpAnswer:
    """Play the provider that sends nothing."""
    if request.body:
        sys.stdout.write("WhatsApp {from} → {to}: {kind}, {length} characters\n".format_map(json.loads(request.body)))
    return HttpAnswer(200, json.dumps({"id": f"console-{uuid.uuid4()}"}).encode())


def _read(raw: HTTPResponse, deadline: float) -> bytes:
    """The body's beginning. The time-out of a socket is for each piece: a dripping server would hold us for ever."""
    body = b""
    while len(body) < ANSWER_LIMIT and (piece := raw.read1(ANSWER_LIMIT, decode_content=True)):
        body += piece
        if time.monotonic() > deadline:
            raise NoAnswer("the answer did not end in time")
    return body[:ANSWER_LIMIT]


def _session(at: float) -> requests.Session:
    """This thread's session: its connections stay open between messages that follow one another closely."""
    if not hasattr(_local, "session"):
        session = requests.Session()
        # A .netrc file would replace our Authorization header.
        session.trust_env = False
        # No message carries what the answer to another one left behind.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        _local.session = session
    session_of_thread: requests.Session = _local.session
    if at - getattr(_local, "used_at", at) > IDLE_SECONDS:
        session_of_thread.close()
    _local.used_at = at
    return session_of_thread


def _never_connected(error: requests.RequestException) -> bool:
    """Whether the connection itself could not be made: refused, no route, unknown name, wrong certificate."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | NameResolutionError) or "CERTIFICATE_VERIFY_FAILED" in str(reason)


def retry_after(header: str | None) -> timedelta | None:
    """The Retry-After header, in seconds or as a date (RFC 9110)."""
    if not header:
        return None
    try:
        if header.isdecimal():
            return timedelta(seconds=min(int(header), LONGEST_RETRY_AFTER.total_seconds()))
        moment = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - datetime.now(UTC), timedelta()), LONGEST_RETRY_AFTER)
