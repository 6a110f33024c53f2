"""Reports of errors to Sentry, where an address (DSN) is given: no local variables, nothing about people."""

from typing import Any

import sentry_sdk
from structlog.contextvars import get_contextvars

from ts_air_cargo.scrubbing import scrub_all

# What a report of an error needs to know of the request: nothing that a visitor typed.
_KEPT_OF_REQUESTS = ("method",)
# Who reads it needs them as they are: marks of the report itself, which hold no text of ours.
_MARKS = ("event_id", "timestamp", "platform", "level", "release", "environment", "sdk", "modules")


def start(dsn: str, environment: str, release: str) -> None:
    """Report the errors of this process from now on."""
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release or None,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=0,
        before_send=report,
    )


def report(event: Any, _hint: dict[str, Any]) -> Any:
    """The event without telephones and secrets, with the ids that lead to the log."""
    shown = {name: value if name in _MARKS else scrub_all(value) for name, value in event.items()}
    for name in ("user", "extra"):  # an address, a person; a task's arguments
        shown.pop(name, None)
    if "request" in shown:
        shown["request"] = {name: word for name, word in shown["request"].items() if name in _KEPT_OF_REQUESTS}
    shown["tags"] = {**dict(shown.get("tags") or {}), **scrub_all(get_contextvars())}
    return shown
