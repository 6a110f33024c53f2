"""`make run` as a developer gets it: everything starts, works, and is gone after Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
import requests
from psycopg import sql

from tests.stack import ROOT
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("development")

# Valkey has sixteen; the test runs themselves use the first ones.
LAST_REDIS_DATABASE = 15
PORTS = ("WEB_PORT", "SANDBOX_PORT", "FLOWER_PORT")
DEMO_PASSWORD = "demo-ts-2026"


def free_ports() -> dict[str, str]:
    with socket.socket() as web, socket.socket() as sandbox, socket.socket() as flower:
        probes = (web, sandbox, flower)
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {name: str(probe.getsockname()[1]) for name, probe in zip(PORTS, probes, strict=True)}


@pytest.fixture
def machine(worker_id: str) -> Iterator[dict[str, str]]:
    """A developer's environment with an empty database and an empty Valkey of its own, which is gone afterwards."""
    name = f"development_{uuid.uuid4().hex[:8]}"
    address, _, query = os.environ["DATABASE_URL"].partition("?")
    # Each test process has its own: the other one empties its database while this one works.
    number = LAST_REDIS_DATABASE - int(worker_id.removeprefix("gw").replace("master", "0"))
    redis_url = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{number}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as maintenance:
        maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield {
            **{key: value for key, value in os.environ.items() if not key.startswith(("WHATSAPP_", "PUBLIC_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DATABASE_URL": f"{address.rpartition('/')[0]}/{name}" + (f"?{query}" if query else ""),
            "REDIS_URL": redis_url,
            "CELERY_WORKER_CONCURRENCY": "4",
        }
        maintenance.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    with redis.Redis.from_url(redis_url) as valkey:
        valkey.flushdb()


@contextmanager
def started(environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m ts_air_cargo.development` until the block ends; whatever is left of it then is killed."""
    command = [sys.executable, "-m", "ts_air_cargo.development"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        children: list[psutil.Process] = []
        try:
            yield process
        finally:
            if process.poll() is None:
                children = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                process.wait(10)
            for child in children:
                child.kill()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def wait_until_up(ports: dict[str, str], process: "subprocess.Popen[bytes]", log: Path) -> None:
    for name in PORTS:
        url = f"http://127.0.0.1:{ports[name]}/"
        eventually(lambda url=url: answers(url) or process.poll() is not None, f"{name} answers", seconds=90)  # type: ignore[misc]
        assert process.poll() is None, log.read_text()


def stop_with_control_c(process: "subprocess.Popen[bytes]") -> tuple[int, list[psutil.Process]]:
    """The exit code, and which of the children are alive after it."""
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 6, "web, worker, beat, watch, Flower, sandbox"
    process.send_signal(signal.SIGINT)
    code = process.wait(60)
    return code, psutil.wait_procs(children, timeout=10)[1]


def seen(ports: dict[str, str], what: str) -> list[dict[str, str]]:
    """What the sandbox saw: its accepted "messages", or all the "requests" to send."""
    return requests.get(f"http://127.0.0.1:{ports['SANDBOX_PORT']}/_sandbox/{what}", timeout=5).json()


def log_in(ports: dict[str, str], telephone: str) -> requests.Response:
    session, url = requests.Session(), f"http://127.0.0.1:{ports['WEB_PORT']}/login/"
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(url, timeout=10).text)[0]
    form = {"username": telephone, "password": DEMO_PASSWORD, "csrfmiddlewaretoken": token}
    return session.post(url, form, timeout=10)


def test_everything_starts_works_and_is_gone_after_control_c_twice_in_a_row(machine: dict[str, str], tmp_path: Path):
    ports = free_ports()
    for start in (1, 2):
        log = tmp_path / f"start-{start}.log"
        with started({**machine, **ports}, log) as process:
            wait_until_up(ports, process, log)
            printed = log.read_text()
            accounts = re.findall(r"^    (\+\d+) ", printed, re.MULTILINE)
            assert f"http://127.0.0.1:{ports['WEB_PORT']}/" in printed
            assert DEMO_PASSWORD in printed
            assert len(accounts) == 5
            for telephone in accounts:
                assert log_in(ports, telephone).url.rstrip("/").endswith(("home", "chine", "mali", "monitoring"))
            if start == 1:
                eventually(lambda: len(seen(ports, "requests")) == 3, "the demo's messages are sent", seconds=60)
                # The third one is for a client who is not on WhatsApp.
                eventually(lambda: [each["status"] for each in seen(ports, "messages")] == ["read"] * 2, "read")
            else:
                assert seen(ports, "requests") == [], "the demo is made once"
            code, left = stop_with_control_c(process)
        assert left == []
        assert code == 0, log.read_text()


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_said_in_a_sentence_and_nothing_is_started(name: str, machine: dict[str, str], tmp_path: Path):
    ports, log = free_ports(), tmp_path / "start.log"
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(ports[name])))
        other.listen()
        with started({**machine, **ports}, log) as process:
            assert process.wait(60) == 1

    said = log.read_text()
    assert said.splitlines()[0] == f"Port {ports[name]} is taken by another program."
    assert f"make run {name}=" in said
    assert "Traceback" not in said
    with psycopg.connect(machine["DATABASE_URL"]) as database:
        tables = database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


@pytest.mark.parametrize("port", ["eighty", "0x50", "-1", "70000"])
def test_a_port_that_is_no_number_is_said_in_a_sentence(port: str, machine: dict[str, str], tmp_path: Path):
    log = tmp_path / "start.log"
    with started({**machine, **free_ports(), "WEB_PORT": port}, log) as process:
        assert process.wait(60) == 1
    assert "WEB_PORT" in log.read_text()
    assert "Traceback" not in log.read_text()
