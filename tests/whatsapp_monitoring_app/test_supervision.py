"""What supervises processes learns whether they live: by an exit code, by the age of a file, by an answer."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.stack import ROOT, child_environment
from tests.waiting import eventually
from whatsapp_monitoring_app.services import pulses


@pytest.mark.django_db
@pytest.mark.parametrize("part", pulses.Part.values)
def test_a_part_lives_while_it_gives_signs(part: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandError, match="never seen"):
        call_command("whatsapp_alive", part)

    pulses.note(pulses.Part(part), timezone.now() - pulses.SILENT_AFTER / 2)
    call_command("whatsapp_alive", part)
    assert "last seen" in capsys.readouterr().out

    pulses.note(pulses.Part(part), timezone.now() - pulses.SILENT_AFTER - timedelta(seconds=1))
    with pytest.raises(CommandError, match="last seen"):
        call_command("whatsapp_alive", part)


@pytest.mark.django_db(transaction=True)
def test_the_watch_signs_each_look_and_ends_when_asked(tmp_path: Path):
    sign = tmp_path / "watch"
    command = [sys.executable, "manage.py", "watch_whatsapp", "--seconds", "0.2", "--sign", str(sign)]
    with subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdout=subprocess.DEVNULL) as watch:
        try:
            eventually(sign.exists, "the watch has looked", seconds=30)
            os.utime(sign, (0, 0))
            eventually(lambda: sign.stat().st_mtime > 0, "the watch has looked again", seconds=30)
        finally:
            watch.terminate()
        assert watch.wait(30) == 0


class Site(BaseHTTPRequestHandler):
    """Answers as the site does: to its own host, by https."""

    def do_GET(self) -> None:  # noqa: N802 - the base class calls it so
        is_asked = (self.headers["Host"], self.headers["X-Forwarded-Proto"]) == ("cargo.example", "https")
        self.send_response(200 if is_asked and self.path == "/login/" else 404)
        self.end_headers()

    def log_message(self, *given: Any) -> None: ...


@pytest.fixture
def ask() -> Any:
    """Run the probe against a web server; None is one that has gone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]

    def ask(path: str | None) -> "subprocess.CompletedProcess[str]":
        if path is None:
            server.shutdown()
            server.server_close()
        command = [sys.executable, "ops/answers.py", f"http://127.0.0.1:{port}{path or '/'}"]
        variables = {**os.environ, "PUBLIC_BASE_URL": "https://cargo.example"}
        return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    yield ask
    server.server_close()


def test_a_web_server_is_well_when_it_answers_as_to_the_proxy(
    ask: Callable[[str | None], "subprocess.CompletedProcess[str]"],
):
    assert ask("/login/").returncode == 0
    wrong = ask("/nowhere/")
    assert wrong.returncode == 1
    assert "answers 404" in wrong.stderr
    gone = ask(None)
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr
    assert "Traceback" not in gone.stderr
