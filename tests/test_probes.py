"""Machines ask how it is: /healthz, /readyz. Quickly and without secrets, whatever is away."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from tests.outages import closed_port, redis_away
from tests.stack import ROOT
from tests.test_production_settings import EMAIL_URL, REQUIRED
from ts_air_cargo import probes
from whatsapp_monitoring_app.models import WhatsAppPulse
from whatsapp_monitoring_app.services import pulses

WELL = {"database": "ok", "migrations": "ok", "beat": "ok", "workers": "ok", "redis": "ok"}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    probes.ready.forget()
    yield
    probes.ready.forget()


@pytest.fixture
def _alive(transactional_db: None) -> None:
    for part in pulses.Part:
        pulses.note(part, timezone.now())


def ask() -> tuple[int, dict[str, Any]]:
    response = Browser().get("/readyz")
    return response.status_code, response.json()


def test_a_living_process_says_so_without_a_database():
    response = Browser().get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_only_reads(path: str):
    assert Browser().post(path).status_code == 405


@pytest.mark.usefixtures("_alive")
def test_it_is_ready_when_every_part_is_there():
    status, page = ask()

    assert (status, page) == (200, {"ready": True, "checks": WELL})


@pytest.mark.usefixtures("_alive")
def test_each_part_has_its_own_line():
    lines = Browser().get("/readyz").content.decode().splitlines()

    assert [line.strip(" ,") for line in lines[3:8]] == [f'"{name}": "{word}"' for name, word in WELL.items()]


@pytest.mark.usefixtures("_alive")
@pytest.mark.parametrize("part", pulses.Part)
def test_a_silent_part_is_named(part: pulses.Part):
    pulses.note(part, timezone.now() - timedelta(seconds=400))
    name = {"worker": "workers", "beat": "beat"}[part]

    status, page = ask()

    assert status == 503
    assert page["checks"].pop(name).startswith("silent for 40")
    assert set(page["checks"].values()) == {"ok"}


@pytest.mark.usefixtures("_alive")
def test_a_part_that_was_never_seen_is_named():
    WhatsAppPulse.objects.filter(part="beat").delete()

    assert ask()[1]["checks"] == {**WELL, "beat": "never seen"}


@pytest.mark.usefixtures("_alive")
def test_a_missing_migration_is_counted():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = name || '.' WHERE app = 'whatsapp_monitoring_app'")
        try:
            status, page = ask()
        finally:
            cursor.execute("UPDATE django_migrations SET name = rtrim(name, '.') WHERE name LIKE '%.'")

    assert status == 503
    assert page["checks"] == {**WELL, "migrations": "1 not applied", "beat": "unknown", "workers": "unknown"}


@pytest.mark.usefixtures("_alive")
def test_redis_that_is_away_is_named():
    with redis_away():
        status, page = ask()

    assert (status, page["checks"]) == (503, {**WELL, "redis": "away"})


@pytest.mark.usefixtures("_alive")
def test_the_answer_is_taken_anew_only_after_a_moment():
    ask()
    WhatsAppPulse.objects.all().delete()

    assert ask()[0] == 200
    probes.ready.forget()
    assert ask()[0] == 503


@contextmanager
def a_server_that_says_nothing() -> Iterator[int]:
    """It takes every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        over = threading.Event()
        taken: list[socket.socket] = []

        def take() -> None:
            while not over.is_set():
                taken.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()
        for each in taken:
            each.close()


IN_PRODUCTION = """
import json
import django
django.setup()
from django.test import Client
answers = {path: Client().get(path, headers={"host": "10.0.0.7:8000"}) for path in ("/healthz", "/readyz", "/metrics")}
print(json.dumps({path: [each.status_code, each.content.decode()] for path, each in answers.items()}))
"""


def ask_in_production(**variables: str) -> tuple[dict[str, Any], str]:
    """What a production process answers, by a host name that is not its own and without TLS; and its log."""
    process = subprocess.run(
        [sys.executable, "-c", IN_PRODUCTION],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ts_air_cargo.settings", "DJANGO_DEBUG": "0", **REQUIRED, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(process.stdout), process.stderr


@contextmanager
def _nobody() -> Iterator[int]:
    yield closed_port()


@pytest.mark.parametrize("server", [_nobody, a_server_that_says_nothing], ids=["refused", "hanging"])
def test_it_answers_without_secrets_when_everything_is_away(server: Callable[[], Any]):
    with server() as port:
        answers, log = ask_in_production(
            DATABASE_URL=f"postgres://somebody:s3cr3t-pass@127.0.0.1:{port}/nowhere",
            REDIS_URL=f"redis://:s3cr3t-redis@127.0.0.1:{port}/0",
            EMAIL_URL=EMAIL_URL,
        )

    assert answers["/healthz"] == [200, "ok\n"]
    assert answers["/metrics"][0] == 404
    status, text = answers["/readyz"]
    assert status == 503
    unknown = dict.fromkeys(("migrations", "beat", "workers"), "unknown")
    assert json.loads(text)["checks"] == {"database": "away", **unknown, "redis": "away"}
    assert "s3cr3t" not in text + log
