"""The program that owes people messages, in a process of its own: `python -m tests.faults.caller`.

It reads one order per line, `{"run": "…", "way": "one by one", "first": 0, "count": 20}`, and answers with what names
each message: the code that it was given, or the key that a bulk message has for the person. When the database is away
it does what every caller should: it asks again with the same idempotency key, or looks for the bulk message first.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
django.setup()

from django import db  # noqa: E402 - after Django's setup

from accounts.models import User  # noqa: E402
from tests.faults.orders import Way  # noqa: E402
from ts_air_cargo.celery import app  # noqa: E402
from whatsapp_monitoring_app.models import WhatsAppBulk  # noqa: E402
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_whatsapp_async  # noqa: E402

PATIENCE = 0.2  # seconds between two tries
# Every fourth message is of a type that a person decides about when its fate is unknown.
TYPES = ("departure", "arrival", "reminder", "account_creation")
OFFICES = ("agent_chine", "agent_mali")
BULK_TYPES = ("arrival", "account_creation")


ASKS_EVERY = 4
Order = dict[str, Any]
Done = TypeVar("Done")


def main() -> None:
    app.set_default()
    for line in sys.stdin:
        order = json.loads(line)
        names = owe_together(order) if order["way"] == Way.TOGETHER else owe_one_by_one(order)
        sys.stdout.write(json.dumps(names) + "\n")
        sys.stdout.flush()


def owe_one_by_one(order: Order) -> list[str]:
    numbers = range(order["first"], order["first"] + order["count"])
    return [insist(partial(ask, order["run"], number)) for number in numbers]


def owe_together(order: Order) -> list[str]:
    """Two bulk messages: a person decides about every fourth message when its fate is unknown."""
    people = insist(partial(clients, order["first"], order["count"]))
    asking = people[::ASKS_EVERY]
    title = f"{order['run']}:{order['first']}"
    names: list[str] = []
    for number, some in enumerate(([each for each in people if each not in asking], asking)):
        if some:
            bulk = insist(partial(ask_for_many, f"{title}:{number}", number, some))
            names += [f"bulk:{bulk}:{person.pk}" for person in some]
    return names


def insist(deed: Callable[[], Done]) -> Done:
    """Do it, however often that has to be tried."""
    pause = threading.Event()
    while True:
        try:
            return deed()
        except db.Error:
            db.close_old_connections()
            pause.wait(PATIENCE)


def ask(run: str, number: int) -> str:
    """Owe the message of this number; its code."""
    result = send_whatsapp_async(
        message_content=f"Votre colis n° {number} est en route.",
        source_app=OFFICES[number % len(OFFICES)],
        message_type=TYPES[number % len(TYPES)],
        priority=1 + number % 5,
        phone_number=f"+22376{number:06}",
        idempotency_key=f"{run}:{number}",
    )
    return str(result.id)


def ask_for_many(title: str, number: int, people: list[User]) -> str:
    """Owe these people one message; the code of the bulk message."""
    written = WhatsAppBulk.objects.filter(title=title).first()
    if written:
        return str(written.pk)
    result = send_bulk_whatsapp_async(
        people,
        "Notre bureau est ouvert demain.",
        source_app=OFFICES[number],
        message_type=BULK_TYPES[number],
        title=title,
    )
    return str(result.id)


def clients(first: int, count: int) -> list[User]:
    """The people of these numbers, who have accounts."""
    telephones = [f"+22377{number:06}" for number in range(first, first + count)]
    User.objects.bulk_create([User(telephone=each) for each in telephones], ignore_conflicts=True)
    return list(User.objects.filter(telephone__in=telephones).order_by("telephone"))


if __name__ == "__main__":
    main()
