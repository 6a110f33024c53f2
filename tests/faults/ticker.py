"""Recovery every half second: `python -m tests.faults.ticker`, until it is terminated."""

import logging
import os
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
django.setup()

from django import db  # noqa: E402 - after Django's setup

from ts_air_cargo.celery import app  # noqa: E402
from whatsapp_monitoring_app import tasks  # noqa: E402

PERIOD = 0.5  # seconds
logger = logging.getLogger(__name__)


def main() -> None:
    app.set_default()
    pause = threading.Event()
    while not pause.wait(PERIOD):
        try:
            tasks.recover_whatsapp_notifications()
        except db.Error as error:
            logger.warning("No recovery this time: %s", error)
        db.close_old_connections()


if __name__ == "__main__":
    main()
