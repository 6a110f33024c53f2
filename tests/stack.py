"""The running system around a test: a real worker process, and the sandbox on the other side of HTTP."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
import requests
from django.conf import settings
from django.db import connection

from tests.waiting import eventually
from ts_air_cargo import embedded
from ts_air_cargo.celery import app
from whatsapp_monitoring_app.models import WhatsAppTemplate
from whatsapp_monitoring_app.sandbox import RunningSandbox
from whatsapp_monitoring_app.services import shared_memory

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Stack:
    """What the provider received, as the sandbox counted it."""

    sandbox: RunningSandbox

    def messages(self) -> list[dict[str, Any]]:
        """Every message that the sandbox accepted."""
        return requests.get(f"{self.sandbox.url}/_sandbox/messages", timeout=5).json()

    def messages_to(self, telephone: str) -> list[dict[str, Any]]:
        return [message for message in self.messages() if message["to"] == telephone]

    def notices_to(self, telephone: str) -> list[str]:
        """The free texts in what they got outside the 24-hour window: without the words of the general template."""
        before, _, after = WhatsAppTemplate.objects.get(code="avis").text_fr.partition("{texte}")
        texts = [message["text"] for message in self.messages_to(telephone)]
        return [text.removeprefix(before).removesuffix(after) for text in texts]

    def requests(self) -> list[dict[str, Any]]:
        """Every send request that the sandbox saw, refused ones included."""
        return requests.get(f"{self.sandbox.url}/_sandbox/requests", timeout=5).json()

    def forget(self) -> None:
        requests.delete(f"{self.sandbox.url}/_sandbox/messages", timeout=15).raise_for_status()


def child_environment(**more: str) -> dict[str, str]:
    """The environment in which a child process works on this test run's databases and sandbox."""
    database = connection.settings_dict["NAME"]
    url, _, query = os.environ["DATABASE_URL"].partition("?")
    return {
        **os.environ,
        "DATABASE_URL": f"{url.rpartition('/')[0]}/{database}" + (f"?{query}" if query else ""),
        "REDIS_URL": settings.REDIS_URL,
        "WHATSAPP_CLOUD_API_URL": settings.WHATSAPP_CLOUD_API_URL,
        "PUBLIC_BASE_URL": settings.PUBLIC_BASE_URL,
        "CELERY_WORKER_CONCURRENCY": "4",
        **more,
    }


@contextmanager
def running_worker(name: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process that answers, until the block ends."""
    log_path = embedded.VAR / "tests" / f"{name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    node = f"{name}@tests"
    command = [sys.executable, "-m", "celery", "-A", "ts_air_cargo", "worker", "-l", "info", "-n", node, *arguments]
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            eventually(lambda: app.control.ping(destination=[node], timeout=0.5), f"{node} answers", seconds=60)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def forget_pace() -> None:
    """Let every sender begin with a fresh pace and no failure counted."""
    client = shared_memory.client()
    for pattern in ("pace:*", "failures:*", "webhook:*", "asked:*", "tracking:*"):
        for key in client.scan_iter(pattern):
            client.delete(key)


def let_everything_settle() -> None:
    """Wait until no other process works on the database, so that the tables can be emptied."""
    # Twice: what ends between two questions may have started something.
    eventually(lambda: _is_quiet() and _is_quiet(), "the other processes rest")


def _is_quiet() -> bool:
    """No task waits or runs, and no statement is under way. A task that waits for its time is called off."""
    question = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    with redis.Redis.from_url(settings.REDIS_URL) as valkey:
        if any(valkey.llen(queue.name) for queue in settings.CELERY_TASK_QUEUES):
            return False
    worker = app.control.inspect(timeout=1, limit=1)
    for waiting in (worker.scheduled() or {}).values():
        app.control.revoke([task["request"]["id"] for task in waiting])
    for tasks in (worker.reserved(), worker.active()):
        if any((tasks or {}).values()):
            return False
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        return bool(row and row[0] == 0)
