"""The Celery application: `celery -A ts_air_cargo worker -l info`."""

import gc
import logging
import os
from typing import Any

from celery import Celery, Task
from celery.signals import (
    after_setup_task_logger,
    after_task_publish,
    beat_embedded_init,
    beat_init,
    before_task_publish,
    celeryd_after_setup,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.db import close_old_connections
from django.utils import timezone

from ts_air_cargo import log_context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

OBJECTS_BETWEEN_COLLECTIONS = 10_000

app = Celery("ts_air_cargo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def drop_dead_connections(**_signal: Any) -> None:
    """Let a task start on a connection that works: PostgreSQL may have been restarted since the last one.

    Django looks after that at the beginning of a web request; a worker has none.
    """
    close_old_connections()


@after_setup_task_logger.connect
def log_as_all_others(logger: logging.Logger, **_signal: Any) -> None:
    """Let what tasks log come in the form of all other lines."""
    logger.handlers.clear()
    logger.propagate = True


@before_task_publish.connect
def hand_over_the_request(headers: dict[str, Any], **_signal: Any) -> None:
    log_context.hand_over(headers)


@task_prerun.connect
def name_the_task(task_id: str, task: "Task[Any, Any]", **_signal: Any) -> None:
    log_context.begin_task(task_id, task.name, task.request.get("request_id"))


@task_postrun.connect
def forget_the_task(**_signal: Any) -> None:
    log_context.end_task()


@worker_ready.connect
@worker_process_init.connect
def leave_the_house_alone(**_signal: Any) -> None:
    """Let the garbage collection of this worker not walk over the program again and again: a third of its time.

    What comes after that are messages, each hundreds of objects that nothing keeps.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


@celeryd_after_setup.connect
def stand_by(**_signal: Any) -> None:
    """Let a worker send by itself while the broker is away."""
    from whatsapp_monitoring_app.standby import Standby  # after Django's setup

    standby = Standby()
    standby.start()
    worker_shutting_down.connect(lambda **_: standby.stop(), weak=False)
    worker_shutdown.connect(lambda **_: standby.join(), weak=False)


@beat_init.connect
@beat_embedded_init.connect
def note_what_beat_publishes(**_signal: Any) -> None:
    """Let beat give a sign of life with each task that it publishes: this process publishes no other."""
    after_task_publish.connect(_beat_lives, weak=False)


def _beat_lives(**_signal: Any) -> None:
    from whatsapp_monitoring_app.services import pulses  # after Django's setup

    pulses.note_if_possible(pulses.Part.BEAT, timezone.now())
