"""The whole system in real processes, on servers of its own, small enough in its times to be disturbed for minutes."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.faults.line import Line
from tests.faults.orders import FOLDER_VARIABLE, Orders, Way
from tests.faults.processes import ROOT, Process, Supervisor
from tests.faults.servers import Postgres, Valkey
from tests.waiting import eventually
from whatsapp_monitoring_app.sandbox import Hostility, RunningSandbox, SandboxConfig, running

# In production 15, 90, 300, 120, 30 and 5 seconds.
LEASE_SECONDS = 4.5
CONFIRMATION_SECONDS = 4
TIMES = {
    "WHATSAPP_READ_SECONDS": "1",
    "WHATSAPP_LEASE_SECONDS": str(LEASE_SECONDS),
    "WHATSAPP_CONFIRMATION_SECONDS": str(CONFIRMATION_SECONDS),
    "WHATSAPP_PATIENCE_SECONDS": "1.5",
    "WHATSAPP_FIRST_RETRY_SECONDS": "0.5",
    "WHATSAPP_STANDBY_SECONDS": "0.5",
}
SECRETS = {
    "WHATSAPP_CLOUD_APP_SECRET": "app secret",
    "WHATSAPP_CLOUD_VERIFY_TOKEN": "verify me",
    "WHATSAPP_CLOUD_TOKEN": "good token",
    "WHATSAPP_CLOUD_PHONE_NUMBER_ID": "100000000000001",
}
WORKER = ("-l", "warning", "--without-gossip", "--without-mingle", "-n")
BEAT = ("-l", "warning", "--pidfile=", "--schedule")
FORGET = (
    "TRUNCATE whatsapp_monitoring_app_whatsappnotification, whatsapp_monitoring_app_whatsappreceipt, "
    "whatsapp_monitoring_app_whatsappwebhooklog, whatsapp_monitoring_app_whatsappbulk CASCADE",
    "UPDATE whatsapp_monitoring_app_whatsappsender "
    "SET rate_per_second = 80, stopped_until = NULL, stop_class = '', resumed_at = NULL",
)


class System:
    """Use it as `with running_system() as system`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.orders = Orders(folder / "orders")
        self.web_port, self.sandbox_port, line_port, valkey_port = _free_ports(4)
        self.line = Line(line_port, self.sandbox_port)
        stack.callback(self.line.close)
        self.postgres = Postgres(folder / "postgres")
        stack.callback(self.postgres.stop)
        self.valkey = Valkey(folder / "valkey", valkey_port)
        self.valkey.start()
        stack.callback(self.valkey.kill)
        self.environment = self._environment()
        self._run("manage.py", "migrate", "--verbosity", "0")
        self.supervisor = stack.enter_context(Supervisor())
        self.caller = stack.enter_context(self._running_caller())
        self.start_web()
        eventually(self._web_answers, "the web server answers")
        self.run = ""
        self.owed: dict[Way, list[str]] = {way: [] for way in Way}
        self.interruptions = 0

    @contextmanager
    def scenario(self, name: str, hostility: Hostility) -> Iterator[RunningSandbox]:
        """An empty system with a provider of this mood, until the block ends."""
        eventually(self._forget, "the tables are empty")
        self.run, self.owed, self.interruptions = name, {way: [] for way in Way}, 0
        with running(self._sandbox_config(hostility)) as self.sandbox:
            yield self.sandbox

    def staff(self, workers: int, tickers: int, beats: int) -> None:
        """Let exactly so many processes of each kind run."""
        mortal = ("celery", "-A", "tests.faults.mortal")
        for number in range(workers):
            self._ensure(f"worker{number}", *mortal, "worker", *WORKER, f"worker{number}@faults")
        for number in range(tickers):
            self._ensure(f"ticker{number}", "tests.faults.ticker")
        for number in range(beats):
            self._ensure(f"beat{number}", *mortal, "beat", *BEAT, str(self.folder / f"beat{number}"))
        counts = {"worker": workers, "ticker": tickers, "beat": beats}
        names = [process.name for kind in counts for process in self.supervisor.named(kind)]
        self.supervisor.stop(*(name for name in names if int(name[-1]) >= counts[name[:-1]]))

    @property
    def owed_count(self) -> int:
        return sum(map(len, self.owed.values()))

    def post(self, way: Way, count: int) -> None:
        """Owe people so many more messages in this way; returns when each is safely written down, or its bulk is."""
        order = {"run": self.run, "way": way, "first": len(self.owed[way]), "count": count}
        assert self.caller.stdin
        assert self.caller.stdout
        self.caller.stdin.write(json.dumps(order) + "\n")
        self.caller.stdin.flush()
        answer = self.caller.stdout.readline()
        assert answer, f"The caller died: {(self.folder / 'caller.log').read_text()[-2000:]}"
        self.owed[way] += json.loads(answer)

    def accepted(self) -> list[dict[str, Any]]:
        """The messages that the provider accepted."""
        return requests.get(f"{self.sandbox.url}/_sandbox/messages").json()

    def wait_for_accepted(self, count: int) -> None:
        eventually(lambda: len(self.accepted()) >= count, f"{count} messages are accepted", seconds=60)

    def start_web(self) -> None:
        command = f"gunicorn tests.faults.web --bind 127.0.0.1:{self.web_port} --worker-class gthread --threads 8"
        self._ensure("web", *command.split())

    def stop_web(self) -> None:
        self.supervisor.stop("web")

    def query(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def _web_answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.web_port}/webhooks/whatsapp/cloud/").status_code == 403
        except requests.ConnectionError:
            return False

    def _forget(self) -> bool:
        try:
            for statement in FORGET:
                self.query(statement)
        except psycopg.errors.DeadlockDetected:  # with the recovery that never pauses
            return False
        return True

    def _ensure(self, name: str, *module: str) -> None:
        if not self.supervisor.named(name):
            command = [sys.executable, "-m", *module]
            self.supervisor.add(Process(name, command, self.environment, self.folder))

    def _run(self, *command: str) -> None:
        subprocess.run([sys.executable, *command], cwd=ROOT, env=self.environment, check=True)

    @contextmanager
    def _running_caller(self) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, "-m", "tests.faults.caller"]
        pipe = subprocess.PIPE
        with (self.folder / "caller.log").open("wb") as log:
            caller = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=pipe, stdout=pipe, stderr=log, text=True
            )
        with caller:
            yield caller
            caller.terminate()

    def _sandbox_config(self, hostility: Hostility) -> SandboxConfig:
        return SandboxConfig(
            app_secret=SECRETS["WHATSAPP_CLOUD_APP_SECRET"],
            verify_token=SECRETS["WHATSAPP_CLOUD_VERIFY_TOKEN"],
            token=SECRETS["WHATSAPP_CLOUD_TOKEN"],
            webhook_url=f"http://127.0.0.1:{self.web_port}/webhooks/whatsapp/cloud/",
            sent_delay=(0.0, 0.1),
            delivered_delay=(0.0, 0.2),
            read_delay=(0.0, 0.3),
            webhook_retry_delays=(0.3,) * 100,
            stall_seconds=2,
            seed=1,
            port=self.sandbox_port,
            hostility=hostility,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **TIMES,
            **SECRETS,
            "DJANGO_DEBUG": "1",
            "DJANGO_SETTINGS_MODULE": "ts_air_cargo.settings",
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "WHATSAPP_CLOUD_API_URL": f"http://127.0.0.1:{self.line.port}",
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{self.web_port}",
            "WHATSAPP_TEST_PHONE": "",
            "WHATSAPP_QUIET_HOURS": "",
            "CELERY_WORKER_CONCURRENCY": "4",
            "LOG_LEVEL": "WARNING",
            FOLDER_VARIABLE: str(self.orders.folder),
        }


@contextmanager
def running_system() -> Iterator[System]:
    """Everything running, until the block ends and nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield System(folder, stack)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]
