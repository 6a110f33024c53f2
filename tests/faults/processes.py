"""Processes that are started again when they die, as a service manager does it."""

import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
LOOK_SECONDS = 0.1
STOP_SECONDS = 40


class Process:
    def __init__(self, name: str, command: list[str], environment: dict[str, str], logs: Path) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.log = logs / f"{name}.log"
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def is_alive(self) -> bool:
        return self.child.poll() is None

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)

    def wake(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as an operator does; without a farewell when it does not listen."""
        self.wake()
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.child.wait()


class Supervisor:
    """Starts again whatever has died among its processes."""

    def __init__(self) -> None:
        self.processes: dict[str, Process] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.stop(*self.processes)

    def add(self, process: Process) -> None:
        with self._lock:
            self.processes[process.name] = process

    def stop(self, *names: str) -> None:
        """Stop these, all at once, and do not start them again."""
        with self._lock:
            stopped = [self.processes.pop(name) for name in names]
        threads = [threading.Thread(target=process.stop) for process in stopped]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def named(self, prefix: str) -> list[Process]:
        with self._lock:
            return [process for name, process in self.processes.items() if name.startswith(prefix)]

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with self._lock:
                for process in self.processes.values():
                    if not process.is_alive:
                        process.start()
