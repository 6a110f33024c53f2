"""What machines ask: is the process alive (/healthz), can messages leave (/readyz), how is everything (/metrics).

Answered before anything else looks at the request: they are asked by the address of a container, without TLS and
without a session.
"""

import hmac
import json
import threading
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound
from django.utils import timezone

from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.services import metrics, readiness

# Seconds for which an answer of /readyz is true: however often it is asked, the database hears of it once.
FRESH = 1.0


class Readiness:
    """The last look at the parts, taken again when it is older than FRESH; by one thread, for all that ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._checks: Sequence[readiness.Check] = ()
        self._looked_at = float("-inf")

    def checks(self) -> Sequence[readiness.Check]:
        with self._lock:
            if time.monotonic() - self._looked_at > FRESH:
                self._checks = readiness.look(timezone.now())
                self._looked_at = time.monotonic()
            return self._checks


ready = Readiness()


class ProbesMiddleware:
    """Answers the three addresses, and lets all others pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = _PROBES.get(request.path_info)
        if answer is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = answer(request)
        response["Cache-Control"] = "no-store"
        # Django would log each 503 as an error of ours, several times a minute: readiness.py has said what is away.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_request: HttpRequest) -> HttpResponse:
    checks = ready.checks()
    is_ready = all(check.is_well for check in checks)
    page = {"ready": is_ready, "checks": {check.name: check.problem or "ok" for check in checks}}
    text = json.dumps(page, indent=1) + "\n"
    return HttpResponse(text, status=200 if is_ready else 503, content_type="application/json")


def measured(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN:
        return HttpResponseNotFound()
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(metrics.page(timezone.now(), bells.queue_for), content_type=metrics.CONTENT_TYPE)


_PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": measured,
}
