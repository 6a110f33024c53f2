"""A database that a benchmark makes for itself on the embedded PostgreSQL (or the one of DATABASE_URL), and drops."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.conf import settings


def set_up() -> None:
    """Make Django ready to be measured."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
    django.setup()
    settings.DEBUG = False  # which would keep every statement in memory


@contextmanager
def database(name: str) -> Iterator[None]:
    """An empty, migrated database of this name, until the block ends."""
    from django.db import connection

    former = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(former, verbosity=0)


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.2f} s")


def reset_peak_memory() -> int:
    """MiB now, from which the peak grows (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def peak_memory() -> int:
    """MiB at most since the last reset."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024
