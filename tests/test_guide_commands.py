"""Every shell line of the customer's guide, run as printed, on this test's databases."""

import fcntl
import importlib.util
import os
import pty
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from accounts.models import User
from tests import guide
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from ts_air_cargo.celery import app
from whatsapp_monitoring_app.tasks import send_whatsapp_async

# The lines that this file knows; a line of the guide that is not here fails the first test.
MAKE_MIGRATIONS = "python manage.py makemigrations whatsapp_monitoring_app"
MIGRATE = "python manage.py migrate"
WORKER = "celery -A ts_air_cargo worker -l info"
WORKER_WITH_BEAT = "celery -A ts_air_cargo worker -B -l info"
INSTALL_FLOWER = "pip install flower"
FLOWER = "celery -A ts_air_cargo flower"
DETAILED_WORKER = "celery -A ts_air_cargo worker -l debug"
EVENTS = "celery -A ts_air_cargo events"


def environment(**more: str) -> dict[str, str]:
    """A shell in which the virtual environment is active."""
    folder = str(Path(sys.executable).parent)
    return child_environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", PYTHONUNBUFFERED="1", **more)


def run(line: str) -> str:
    """What the command says; it must succeed."""
    done = subprocess.run(
        shlex.split(line), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def started(line: str, log: Path, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command running in its own process group, its words in `log`, until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            shlex.split(line),
            cwd=ROOT,
            env=environment(**more),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def says(log: Path, text: str) -> Callable[[], bool]:
    return lambda: text in log.read_text(errors="replace")


def test_every_shell_line_of_the_guide_has_its_test():
    known = {
        MAKE_MIGRATIONS,
        MIGRATE,
        WORKER,
        WORKER_WITH_BEAT,
        INSTALL_FLOWER,
        FLOWER,
        DETAILED_WORKER,
        EVENTS,
    }
    assert {line for sample in guide.samples("bash") for line in sample.commands} == known


def test_the_guide_speaks_no_third_language():
    languages = {match["language"] for match in guide.FENCE.finditer(guide.PATH.read_text())}
    assert languages == {"python", "bash"}


@pytest.mark.usefixtures("stack")
def test_there_is_no_migration_to_make():
    assert run(MAKE_MIGRATIONS) == "No changes detected in app 'whatsapp_monitoring_app'\n"


@pytest.mark.usefixtures("stack")
def test_migrating_a_migrated_database_changes_nothing():
    assert "No migrations to apply." in run(MIGRATE)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("line", [WORKER, DETAILED_WORKER, WORKER_WITH_BEAT])
def test_a_worker_becomes_ready_and_stops_cleanly(line: str, tmp_path: Path):
    log = tmp_path / "worker.log"
    node = f"celery@{socket.gethostname()}"
    with started(line, log) as process:
        eventually(lambda: says(log, " ready.")() or process.poll() is not None, "ready", seconds=60)
        eventually(lambda: app.control.ping(destination=[node], timeout=0.5), "it answers")
        if line == WORKER_WITH_BEAT:
            eventually(says(log, "beat: Starting..."), "beat runs")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_detailed_log_has_more_than_the_worker_s_log(stack: Stack, tmp_path: Path):
    log = tmp_path / "worker.log"
    with started(DETAILED_WORKER, log) as process:
        eventually(says(log, " ready."), "ready", seconds=60)
        assert " DEBUG " in log.read_text()
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_flower_is_installed_and_shows_the_workers(stack: Stack, tmp_path: Path):
    assert INSTALL_FLOWER.split()[:2] == ["pip", "install"]
    assert importlib.util.find_spec(INSTALL_FLOWER.split()[2])
    log = tmp_path / "flower.log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def page() -> str:
        try:
            return requests.get(f"http://localhost:{port}/", timeout=5).text
        except requests.ConnectionError:
            return ""

    with started(FLOWER, log, FLOWER_PORT=str(port), FLOWER_DB=str(tmp_path / "flower.db")) as process:
        eventually(lambda: "Flower" in page() or process.poll() is not None, "flower answers", seconds=60)
        assert process.poll() is None, log.read_text()
        eventually(lambda: "@tests" in page(), "the worker of this test is listed", seconds=60)


def test_the_events_are_shown_live_in_a_terminal(stack: Stack, make_user: Callable[..., User]):
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    process = subprocess.Popen(
        shlex.split(EVENTS), cwd=ROOT, env=environment(TERM="xterm"), stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    screen = bytearray()

    def shows(text: str) -> bool:
        while select.select([terminal], [], [], 0)[0]:
            screen.extend(os.read(terminal, 65_536))
        return text.encode() in screen

    user, sent = make_user(), []

    def is_a_new_task_shown() -> bool:
        # The screen is drawn before it listens: what happens in between is never shown, hence one more each time.
        sent.append(send_whatsapp_async(user, "Bonjour", "agent_chine").id[:8])
        return any(shows(code) for code in sent)

    try:
        eventually(lambda: shows("No task selected"), "the screen is drawn", seconds=60)
        eventually(is_a_new_task_shown, "a task is on the screen")
    finally:
        process.kill()
        process.wait(10)
        os.close(terminal)
