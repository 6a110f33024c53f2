"""What the machine is, and what it does for whom: processor time and memory of whole families of processes (Linux)."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "work_mem", "max_connections", "jit")


def cpu_seconds(root: int) -> float:
    """Processor time of this process, of all that descend from it, and of those of them that have ended."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def memory(pid: int) -> float:
    """Resident memory of this process alone, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


class Meter:
    """The processor time that named families of processes use from now on."""

    def __init__(self, families: Mapping[str, Sequence[int]]) -> None:
        self.families = families
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {name: sum(map(cpu_seconds, roots)) for name, roots in self.families.items()}

    def read(self) -> dict[str, float]:
        """Seconds of each family since the beginning."""
        return {name: seconds - self._before[name] for name, seconds in self._now().items()}


def description(database_url: str) -> dict[str, str]:
    """What a reader must know of the machine to compare."""
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": _postgres(database_url),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _postgres(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        shown = {name: connection.execute(f"SHOW {name}").fetchone() for name in SETTINGS}
    values = {name: row[0] if row else "" for name, row in shown.items()}
    return f"{values.pop('server_version')}, as installed: " + ", ".join(
        f"{name} {value}" for name, value in values.items()
    )


def _commit() -> str:
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return git.stdout.strip() or "unknown"
