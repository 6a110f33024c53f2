"""The task that is rung for each message, as cheaply as Celery can be asked."""

from typing import Any

from celery import Task
from celery.result import AsyncResult


class _Silence:
    """Takes the events that nobody needs."""

    def publish(self, *_event: object, **_fields: object) -> None:
        pass


_SILENCE = _Silence()


class Bell(Task):  # type: ignore[type-arg]
    """Not announced to Flower when it is rung, only when a worker has it: that would be a second message for each.

    What waits to be sent is seen in the database.
    """

    def apply_async(self, *args: Any, **options: Any) -> "AsyncResult[Any]":
        options["event_dispatcher"] = _SILENCE
        return super().apply_async(*args, **options)
