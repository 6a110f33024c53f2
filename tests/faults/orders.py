"""What the harness orders and the workers obey: at which step who is struck, and how."""

import fcntl
import json
import os
import signal
from enum import StrEnum
from pathlib import Path
from typing import Any


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


class Orders:
    """A folder that harness and workers share: what to do, how many passed, and one file per process struck."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "orders.json"
        self.struck = folder / "struck"

    def give(self, step: Step, every: int, most: int, deed: int = DIE) -> None:
        """Order `deed` for every n-th that passes `step`, `most` times in all, and forget who was struck."""
        self.struck.mkdir(parents=True, exist_ok=True)
        for file in self.struck.iterdir():
            file.unlink()
        (self.folder / "passed").write_text("0")
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps({"step": step, "every": every, "most": most, "deed": deed}))
        draft.rename(self.file)

    def cancel(self) -> None:
        """Strike nobody any more; those struck so far stay known."""
        self.file.unlink(missing_ok=True)

    def victims(self) -> list[int]:
        """The process ids of those struck so far."""
        return [int(file.read_text() or 0) for file in self.struck.iterdir()]

    def pass_by(self, step: Step, key: object) -> None:
        """Called by a worker at each step; returns unless it is struck down, or until it is woken up."""
        orders = self._read()
        if orders.get("step") == step and self._is_chosen(orders["every"], orders["most"], str(key)):
            os.kill(os.getpid(), orders["deed"])

    def concern(self, step: Step) -> bool:
        return self._read().get("step") == step

    def _read(self) -> dict[str, Any]:
        try:
            orders: dict[str, Any] = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        return orders

    def _is_chosen(self, every: int, most: int, key: str) -> bool:
        mark = self.struck / key
        with (self.folder / "passed").open("r+") as counter:
            fcntl.flock(counter, fcntl.LOCK_EX)
            passed = int(counter.read() or 0) + 1
            counter.seek(0)
            counter.write(str(passed))
            # Still locked: two processes must not both be the last one.
            if passed % every or mark.exists() or len(self.victims()) >= most:
                return False
            mark.write_text(str(os.getpid()))
            return True
