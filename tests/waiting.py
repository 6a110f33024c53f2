"""Waiting for what other processes do: asking again and again until a deadline, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(question: Callable[[], Value | None], what: str = "", seconds: float = 30) -> Value:
    """The first true answer. Fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Not in {seconds} s: {what or question}; last answer: {answer!r}")
        time.sleep(0.05)
