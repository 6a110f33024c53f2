"""The processes that a benchmark starts: each ends with everything that it has started itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
STOP_SECONDS = 15
TAIL = 3000  # characters of a log


class Died(RuntimeError):
    """A process that was needed is no more."""


class Child:
    """A Python module that runs as a process, until the `with` block ends."""

    # Whether its output is for us, and not for the log.
    talks = False

    def __init__(self, name: str, module: Sequence[str], variables: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self._is_told_to_end = False
        self.log = logs / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=dict(variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self.talks else log,
                stderr=log,
                text=True,
                # Ctrl-C is for the benchmark alone, which then ends them in order.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raises Died, with what the process said last."""
        if self.process.poll() is not None:
            raise Died(f"{self.name} ended with {self.process.returncode}:\n{self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-TAIL:]

    def tell_to_end(self) -> None:
        """Do not wait for its end, which `stop` does: others may be told meanwhile."""
        if not self._is_told_to_end:
            self.process.terminate()
        self._is_told_to_end = True

    def stop(self) -> None:
        """End it as an operator does; what of its family still lives after a while is killed."""
        self.tell_to_end()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


class Talker(Child):
    """A child whose output is listened to."""

    talks = True

    def hear(self) -> str:
        """Its next line. Raises Died."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(STOP_SECONDS)
            self.check()
        return line


class Helper(Talker):
    """A child that does what it is told, one JSON line per order, and answers with one."""

    def tell(self, order: str, *values: object) -> None:
        """Give the order, and do not wait for the answer: `answer` must fetch it before the next one. Raises Died."""
        self.check()
        assert self.process.stdin
        self.process.stdin.write(json.dumps([order, *values]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Raises Died."""
        return json.loads(self.hear())

    def ask(self, order: str, *values: object) -> Any:
        """Raises Died."""
        self.tell(order, *values)
        return self.answer()


def wait_until(is_ready: Callable[[], bool], children: Sequence[Child]) -> None:
    """Return when these children are ready. Raises Died, or TimeoutError with what the first of them said."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        for child in children:
            child.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not ready after {START_SECONDS} s: {children[0].last_words()}")
        time.sleep(0.1)
