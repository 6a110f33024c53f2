"""The Celery application: `celery -A ts_air_cargo worker -l info`."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

app = Celery("ts_air_cargo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def drop_dead_connections(**_signal: Any) -> None:
    """Let a task start on a connection that works: PostgreSQL may have been restarted since the last one.

    Django looks after that at the beginning of a web request; a worker has none.
    """
    close_old_connections()
