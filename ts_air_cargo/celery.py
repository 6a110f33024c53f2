"""The Celery application: `celery -A ts_air_cargo worker -l info`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

app = Celery("ts_air_cargo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
