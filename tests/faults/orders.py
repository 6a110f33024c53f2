"""What the harness orders and the workers obey: at which step who is struck, and how."""

import fcntl
import json
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Way(StrEnum):
    """How messages leave, and how they are owed so that they leave so."""

    ALONE = "one by one"
    TOGETHER = "many together"


class Step(StrEnum):
    BEFORE_CLAIM = "before the claim"
    AFTER_CLAIM = "after the claim"
    BEFORE_REQUEST = "before the request leaves"
    BEFORE_READING = "after the provider accepted, before the answer is read"
    AFTER_ANSWER = "after the answer, before recording"
    WHILE_RECORDING = "inside the recording transaction"
    AFTER_RECORDING = "after recording, before acknowledging"
    WHILE_APPLYING = "inside a receipt's transaction"


DIE, FREEZE = signal.SIGKILL, signal.SIGSTOP
FOLDER_VARIABLE = "FAULTS_FOLDER"


@dataclass(frozen=True)
class Turn:
    """Every n-th that passes is struck, `most` times in all."""

    every: int
    most: int


class Orders:
    """A folder that harness and workers share: what to do, how many passed, and one file per process struck."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "orders.json"
        self.struck = folder / "struck"
        self.struck.mkdir(parents=True, exist_ok=True)

    def give(self, step: Step, turns: Mapping[Way, Turn], deed: int = DIE) -> None:
        """Order `deed` at `step` for those whose turn it is on each way, and forget who was struck before."""
        for file in self.struck.iterdir():
            file.unlink()
        for way in Way:
            self._counter(way).write_text("0")
        draft = self.file.with_suffix(".draft")
        draft.write_text(
            json.dumps({"step": step, "deed": deed, "turns": {way: asdict(turn) for way, turn in turns.items()}})
        )
        draft.rename(self.file)

    def cancel(self) -> None:
        """Strike nobody any more; those struck so far stay known."""
        self.file.unlink(missing_ok=True)

    def victims(self, way: Way) -> list[int]:
        """The process ids of those struck so far on this way."""
        return [int(file.read_text() or 0) for file in self.struck.glob(f"{way.name}.*")]

    def pass_each(self, step: Step, keys: Iterable[object], way: Way) -> None:
        """Several pass together, one after the other."""
        for key in keys:
            self.pass_by(step, key, way)

    def pass_by(self, step: Step, key: object, way: Way) -> None:
        """Called by a worker at each step; returns unless it is struck down, or until it is woken up."""
        orders = self._read()
        if orders.get("step") != step or way not in orders["turns"]:
            return
        if self._is_chosen(Turn(**orders["turns"][way]), way, str(key)):
            os.kill(os.getpid(), orders["deed"])

    def concern(self, step: Step) -> bool:
        return self._read().get("step") == step

    def _read(self) -> dict[str, Any]:
        try:
            orders: dict[str, Any] = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        return orders

    def _counter(self, way: Way) -> Path:
        return self.folder / f"passed-{way.name}"

    def _is_chosen(self, turn: Turn, way: Way, key: str) -> bool:
        mark = self.struck / f"{way.name}.{key}"
        with self._counter(way).open("r+") as counter:
            fcntl.flock(counter, fcntl.LOCK_EX)
            passed = int(counter.read() or 0) + 1
            counter.seek(0)
            counter.write(str(passed))
            # Still locked: two processes must not both be the last one.
            if passed % turn.every or mark.exists() or len(self.victims(way)) >= turn.most:
                return False
            mark.write_text(str(os.getpid()))
            return True
