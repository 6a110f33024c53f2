"""Celery as it comes: a prefork pool of one process per core."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.rivals.settings")

app = Celery("benchmarks.rivals")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
