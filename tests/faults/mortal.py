"""The project's Celery application in a process that can be struck: `celery -A tests.faults.mortal worker`.

The broker gives a dead worker's tasks back after seconds instead of minutes, beat looks every second, and what waits
for a dead run, a stopped account or the database waits as briefly: a run shows what production shows in an hour.
"""

import os
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
django.setup()

from tests.faults import steps  # noqa: E402 - the models come after Django's setup
from ts_air_cargo.celery import app  # noqa: E402
from whatsapp_monitoring_app.services import bulks, circuit, preparation, recording  # noqa: E402

__all__ = ["app"]

RECOVERY = "recover-whatsapp-notifications-every-minute"

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 5,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
app.conf.beat_schedule = {RECOVERY: {**app.conf.beat_schedule[RECOVERY], "schedule": 1.0}}
bulks.LEASE = timedelta(seconds=5)
circuit.AFTER_FAILURES = timedelta(seconds=2)
circuit.PROBE_TIME = timedelta(seconds=3)
preparation.SPREAD = timedelta(seconds=1)
recording.RECORD_AGAIN_AFTER = (0.1, 1, 1, 1, 1)
steps.install()
