"""The program that owes people messages, in a process of its own: `python -m tests.faults.caller`.

It reads one order per line, `{"first": 0, "count": 20, "run": "…"}`, and answers with the codes that it was given.
When the database is away it does what every caller should: it asks again with the same idempotency key.
"""

import json
import os
import sys
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
django.setup()

from django import db  # noqa: E402 - after Django's setup

from ts_air_cargo.celery import app  # noqa: E402
from whatsapp_monitoring_app.tasks import send_whatsapp_async  # noqa: E402

PATIENCE = 0.2  # seconds between two tries
# Every fourth message is of a type that a person decides about when its fate is unknown.
TYPES = ("departure", "arrival", "reminder", "account_creation")
OFFICES = ("agent_chine", "agent_mali")


def main() -> None:
    app.set_default()
    for line in sys.stdin:
        order = json.loads(line)
        numbers = range(order["first"], order["first"] + order["count"])
        codes = [owe(order["run"], number) for number in numbers]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


def owe(run: str, number: int) -> str:
    """Owe the message of this number, however often that has to be tried; its code."""
    pause = threading.Event()
    while True:
        try:
            return ask(run, number)
        except db.Error:
            db.close_old_connections()
            pause.wait(PATIENCE)


def ask(run: str, number: int) -> str:
    result = send_whatsapp_async(
        message_content=f"Votre colis n° {number} est en route.",
        source_app=OFFICES[number % len(OFFICES)],
        message_type=TYPES[number % len(TYPES)],
        priority=1 + number % 5,
        phone_number=f"+22376{number:06}",
        idempotency_key=f"{run}:{number}",
    )
    return str(result.id)


if __name__ == "__main__":
    main()
