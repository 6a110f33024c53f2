"""What each line of the log knows of the request or task that it was written in: ids, the office, the person's key.

Never a telephone, a name, a text or a token.
"""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from ts_air_cargo.scrubbing import scrub
from whatsapp_monitoring_app import scopes

HEADER = "X-Request-ID"
# As proxies write them; anything else gets an id of ours.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{6,62}[A-Za-z0-9]")

logger = structlog.stdlib.get_logger(__name__)


class LogContextMiddleware:
    """Gives each request an id, which its answer carries too, and writes one line when it is over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        clear_contextvars()
        request_id = _id_of(request)
        bind_contextvars(request_id=request_id)
        began = time.monotonic()
        response = self.get_response(request)
        response[HEADER] = request_id
        _log(request, response, time.monotonic() - began)
        return response

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> None:
        match = request.resolver_match
        if match and match.namespace in scopes.all_scopes():
            bind_contextvars(office=match.namespace)
        if request.user.is_authenticated:
            bind_contextvars(user_id=request.user.pk)


def _id_of(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if _WELL_FORMED.fullmatch(given) and scrub(given) == given else uuid.uuid4().hex


@receiver(request_finished)
def forget_the_request(**_signal: Any) -> None:
    """Not before: Django logs refusals when all middleware is done."""
    clear_contextvars()


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """The route, not the address: an address may hold a number or a link of somebody's."""
    route = request.resolver_match.route if request.resolver_match else ""
    # Probes and static files have no route, and are no news.
    write = logger.info if route else logger.debug
    write(
        "request",
        method=request.method,
        route=route,
        status=response.status_code,
        milliseconds=round(1000 * seconds, 1),
    )


def hand_over(headers: dict[str, Any]) -> None:
    """Let a task that is asked for now know the request that asks for it."""
    request_id = get_contextvars().get("request_id")
    if request_id:
        headers["request_id"] = request_id


def begin_task(task_id: str, name: str, request_id: str | None) -> None:
    """What this thread logs from now on belongs to this task."""
    clear_contextvars()
    bind_contextvars(task_id=task_id, task=name)
    if request_id:
        bind_contextvars(request_id=request_id)


def end_task() -> None:
    clear_contextvars()
