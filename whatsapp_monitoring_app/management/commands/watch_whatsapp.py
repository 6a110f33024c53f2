"""Looks after the alerts while Celery is silent: a process of its own, beside web, workers and beat."""

import logging
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections
from django.utils import timezone

from whatsapp_monitoring_app.services import watch

logger = logging.getLogger(__name__)

SECONDS = 30.0


class Command(BaseCommand):
    help = "Looks again and again for what is wrong, and tells administrators, whether or not Celery lives."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=SECONDS, help="Between two looks.")
        parser.add_argument("--sign", type=Path, help="A file whose age says when it looked last.")
        parser.add_argument("--once", action="store_true", help="Look once, and end.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            look()
            return
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self.stdout.write("Watching the WhatsApp messages.")
        _look_and_sign(options["sign"])
        while not over.wait(options["seconds"]):
            _look_and_sign(options["sign"])


def look() -> None:
    try:
        watch.look_alone(timezone.now())
    except Error as error:
        logger.error("The database is away: %s", error)
    finally:
        close_old_connections()


def _look_and_sign(sign: Path | None) -> None:
    look()
    if sign:
        sign.touch()
