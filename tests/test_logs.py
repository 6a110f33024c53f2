"""A line of the log says in which request or task it was written, and nothing about people."""

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client as Browser
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from accounts.models import User
from tests import rows
from tests.stack import Stack, running_worker
from tests.waiting import eventually
from ts_air_cargo import embedded, logs
from ts_air_cargo.scrubbing import HIDDEN
from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import Status

Lines = Callable[[], list[dict[str, Any]]]


def formatter(*, is_json: bool) -> logging.Formatter:
    config = logs.config(is_json=is_json, level="INFO")
    made = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    assert isinstance(made, logging.Formatter)
    return made


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What this process logs, as production writes it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter(is_json=True))
    requests = logging.getLogger("ts_air_cargo.log_context")
    before = requests.level
    logging.getLogger().addHandler(handler)
    requests.setLevel("DEBUG")
    yield text
    requests.setLevel(before)
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def lines(written: io.StringIO) -> Lines:
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_an_object(lines: Lines):
    logging.getLogger("some.module").warning("It waits for %d s", 3)

    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "It waits for 3 s", "level": "warning", "logger": "some.module"}


def test_an_error_hides_who_it_was_about(lines: Lines, written: io.StringIO):
    try:
        raise IntegrityError("duplicate\nDETAIL:  Key (phone_number)=(+22376123456) already exists.")
    except IntegrityError:
        logging.getLogger("some.module").exception("Nobody could tell %s", "+223 76 12 34 56")

    (line,) = lines()
    assert line["event"] == f"Nobody could tell {HIDDEN}"
    assert line["exception"].startswith("Traceback")
    assert "IntegrityError" in line["exception"]
    assert "2376" not in written.getvalue()


def test_a_person_can_read_a_line_of_the_development():
    record = logging.LogRecord("some.module", logging.INFO, "", 0, "Told %s", ("+22376123456",), None)
    with bound_contextvars(task_id="6f1c"):
        moment, _, rest = formatter(is_json=False).format(record).partition(" ")

    assert moment.endswith("Z")
    assert rest == f"INFO some.module Told {HIDDEN} task_id=6f1c"


def test_a_request_keeps_the_id_that_a_proxy_gave_it(lines: Lines):
    response = Browser().get("/healthz", headers={"X-Request-ID": "0af7651916cd43dd-8448eb211c80319c"})

    assert response["X-Request-ID"] == lines()[0]["request_id"] == "0af7651916cd43dd-8448eb211c80319c"


@pytest.mark.parametrize(
    "given", ["", "short", "a b c d e f g", "x" * 65, "<script>alert", "22376123456", "ab\u00e9cdefgh"]
)
def test_any_other_id_is_replaced(given: str, lines: Lines):
    response = Browser().get("/healthz", headers={"X-Request-ID": given})

    assert len(response["X-Request-ID"]) == 32
    assert lines()[0]["request_id"] == response["X-Request-ID"] != given


def test_a_request_is_told_by_its_route_its_office_and_the_key_of_the_person(
    log_in: Callable[..., Browser], lines: Lines, written: io.StringIO
):
    browser = log_in("agent_mali", telephone="+22376123456")
    shown = rows.notification("agent_mali")
    browser.get(f"/agent-mali/whatsapp/monitoring/{shown.pk}/?q=%2B22376123456")

    line = lines()[-1]
    assert line["event"] == "request"
    assert (line["method"], line["status"], line["office"]) == ("GET", 200, "agent_mali")
    assert line["user_id"] == User.objects.get(telephone="+22376123456").pk
    assert line["route"] == "agent-mali/whatsapp/monitoring/<uuid:code>/"
    assert str(shown.pk) not in written.getvalue()
    assert "2376" not in written.getvalue()


def test_nothing_of_a_request_is_left_for_the_next_one(log_in: Callable[..., Browser], lines: Lines):
    log_in("agent_mali").get("/agent-mali/")
    Browser().get("/healthz")

    assert "user_id" in lines()[-2]
    assert set(lines()[-1]) & {"user_id", "office"} == set()


def test_a_refusal_is_logged_with_the_id_of_its_request(lines: Lines):
    response = Browser().get("/nowhere/22376123456/")

    refusal = next(line for line in lines() if line["logger"] == "django.request")
    assert refusal["event"] == f"Not Found: /nowhere/{HIDDEN}/"
    assert refusal["request_id"] == response["X-Request-ID"]


def test_a_task_is_told_with_its_id_and_that_of_the_request_that_asked_for_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOG_JSON", "1")
    owed = rows.notification(
        "agent_mali", Status.PENDING, next_attempt_at=timezone.now(), phone_number="+22376999777", message_type="code"
    )
    with running_worker("logging-worker", "-Q", "logged"):
        with bound_contextvars(request_id="the-request-of-somebody"):
            asked = tasks.send_whatsapp_notification_async.apply_async((str(owed.pk),), queue="logged")
        eventually(lambda: stack.messages_to("+22376999777"), "it leaves")
        done = eventually(lambda: _line_of(asked.id), "it is logged")

    assert done["request_id"] == "the-request-of-somebody"
    assert done["task"] == "whatsapp_monitoring_app.tasks.send_whatsapp_notification_async"
    assert "76999777" not in _log().read_text()


def _log() -> Path:
    return embedded.VAR / "tests" / "logging-worker.log"


def _line_of(task_id: str) -> dict[str, Any] | None:
    """The line that was written in this task's own thread."""
    objects = [json.loads(line) for line in _log().read_text().splitlines() if line.startswith("{")]
    return next((line for line in objects if line.get("task_id") == task_id), None)
