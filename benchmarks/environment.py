"""The servers of a benchmark: a PostgreSQL, a Valkey and a provider of its own, in a folder that goes with them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import rows
from benchmarks.processes import ROOT, Child, Helper, Talker
from benchmarks.sizes import Sizes
from tests.faults.servers import Postgres, Valkey

OURS = "ts_air_cargo.settings"
RIVALS = "benchmarks.rivals.settings"
# Each is migrated once; every measurement begins with a copy.
TEMPLATES = {OURS: "template_of_ours", RIVALS: "template_of_rivals"}
APP_SECRET = "benchmark-app-secret"  # noqa: S105 - opens nothing
PRODUCTION = {
    "DJANGO_DEBUG": "0",
    "REHEARSAL": "1",
    "DJANGO_SECRET_KEY": "benchmark-secret-key-that-guards-nothing-at-all-0123456789",
    "ALLOWED_HOSTS": "*",
    "PUBLIC_BASE_URL": "https://benchmark.invalid",
    "WHATSAPP_CLOUD_API_URL": "http://127.0.0.1:9",
    "WHATSAPP_CLOUD_APP_SECRET": APP_SECRET,
    "WHATSAPP_CLOUD_VERIFY_TOKEN": "benchmark-verify-token",
    "WHATSAPP_CLOUD_TOKEN": "benchmark-token",
    "WHATSAPP_CLOUD_PHONE_NUMBER_ID": rows.ACCOUNT,
    "WHATSAPP_TOKEN_KEYS": "benchmark-token-key",
    "WHATSAPP_TEST_PHONE": "",
    "WHATSAPP_QUIET_HOURS": "",
    "ALERT_EMAILS": "",
    "EMAIL_URL": "",
    "LOG_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
    "NO_PROXY": "127.0.0.1",
}


class Provider(Talker):
    """The provider, on the other side of HTTP."""

    def __init__(self, latency: float, variables: Mapping[str, str], logs: Path) -> None:
        super().__init__("provider", ["benchmarks.provider", "--latency", str(latency)], variables, logs)
        self.port = int(self.hear())
        self.url = f"http://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, float]:
        """Messages taken (`requests`), `connections` opened, processor seconds (`cpu`)."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/_counts")
        counts: dict[str, float] = json.loads(connection.getresponse().read())
        connection.close()
        return counts


class Environment:
    """Use it as `with running(sizes) as environment`."""

    def __init__(self, folder: Path, sizes: Sizes, stack: ExitStack) -> None:
        self.folder = folder
        self.sizes = sizes
        self._started = time.monotonic()
        self.say("starting PostgreSQL and Valkey")
        self.postgres = Postgres(folder / "postgres")
        stack.callback(self.postgres.stop)
        self.valkey = Valkey(folder / "valkey", free_port())
        self.valkey.start()
        stack.callback(self.valkey.kill)
        self._templates: set[str] = set()

    def say(self, what: str) -> None:
        """One line of progress."""
        sys.stderr.write(f"{time.monotonic() - self._started:7.1f} s  {what}\n")
        sys.stderr.flush()

    @property
    def servers(self) -> dict[str, list[int]]:
        """The processes whose families are the servers, for a Meter."""
        pid = self.postgres.server.get_postmaster_info().pid
        return {"PostgreSQL": [pid] if pid else [], "Valkey": [self.valkey.process.pid]}

    def fresh_database(self, name: str, settings: str = OURS) -> str:
        """The address of an empty database with the tables of these settings; what had this name is dropped."""
        self._migrate(settings)
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            names = {"name": sql.Identifier(name), "template": sql.Identifier(TEMPLATES[settings])}
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
            connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
            connection.execute("CHECKPOINT")  # which would otherwise come in the middle of a measurement
        return self._address(name)

    def drop_database(self, name: str) -> None:
        """Give the disk back."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _migrate(self, settings: str) -> None:
        template = TEMPLATES[settings]
        if template in self._templates:
            return
        self.say(f"migrating {template}")
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"],
            cwd=ROOT,
            env=self.variables(self._address(template), settings=settings),
            check=True,
        )
        self._templates.add(template)

    def _address(self, database: str) -> str:
        return str(self.postgres.server.get_uri(database=database))

    def variables(self, database_url: str, provider_url: str = "", settings: str = OURS) -> dict[str, str]:
        """The environment of a child process: production's settings, these servers."""
        provider = {"WHATSAPP_CLOUD_API_URL": provider_url} if provider_url else {}
        return {
            **os.environ,
            **PRODUCTION,
            **provider,
            "DJANGO_SETTINGS_MODULE": settings,
            "DATABASE_URL": database_url,
            "REDIS_URL": self.valkey.url,
            "MEDIA_ROOT": str(self.folder / "media"),
            "BENCHMARK_FOLDER": str(self.folder),
        }

    @contextmanager
    def provider(self, latency: float) -> Iterator[Provider]:
        """A provider that answers after so many seconds, until the block ends."""
        with Provider(latency, dict(os.environ), self.folder) as provider:
            yield provider

    def child(self, name: str, module: str, variables: Mapping[str, str]) -> Child:
        """A Python module and its arguments as a process."""
        return Child(name, module.split(), variables, self.folder)

    def helper(self, module: str, variables: Mapping[str, str]) -> Helper:
        """A process with Django in it that takes the orders of `benchmarks.inside.<module>`."""
        helper = Helper(module, ["benchmarks.inside", module], variables, self.folder)
        assert helper.answer() == "ready"
        return helper

    def ask_once(self, module: str) -> float:
        """The number that this Python module prints."""
        command = [sys.executable, "-m", *module.split()]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return float(told.stdout)

    def query(self, database_url: str, statement: str, *values: Any) -> list[Any]:
        """The rows; nothing for a statement that gives none."""
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running(sizes: Sizes) -> Iterator[Environment]:
    """The servers, until the block ends and nothing of them is left."""
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Environment(folder, sizes, stack)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
