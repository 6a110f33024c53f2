"""What it costs a caller to owe one message, against the bare bell that it rings."""

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

from celery import shared_task
from django.db import transaction

from accounts.models import User
from benchmarks.inside.ours import OFFICE, TEXT, people
from benchmarks.machine import Meter
from ts_air_cargo.celery import app
from whatsapp_monitoring_app.tasks import send_whatsapp_async

app.set_default()

BLOCK = 250
WARM_UP = 50


@shared_task(name="benchmarks.bare_bell")
def bare_bell(code: str) -> str:
    return code


def compare(count: int, servers: dict[str, Sequence[int]]) -> dict[str, dict[str, float]]:
    """Processor seconds of both ways, by turns: of this process (`caller`) and of each of the servers."""
    users = list(people(0, count))
    _owe(users[:WARM_UP])
    _ring(users[:WARM_UP])
    work: dict[str, dict[str, float]] = {"owe": {}, "ring": {}}
    for start in range(0, count, BLOCK):
        block = users[start : start + BLOCK]
        _add(work["owe"], _measured(partial(_owe, block), servers))
        _add(work["ring"], _measured(partial(_ring, block), servers))
    return work


def _measured(act: Callable[[], None], servers: dict[str, Sequence[int]]) -> dict[str, float]:
    meter = Meter(servers)
    worked = time.process_time()
    act()
    caller = time.process_time() - worked
    return {"caller": caller, **meter.read()}


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for name, seconds in more.items():
        total[name] = total.get(name, 0) + seconds


def _owe(users: Sequence[User]) -> None:
    for user in users:
        with transaction.atomic():
            send_whatsapp_async(user, TEXT, OFFICE)


def _ring(users: Sequence[User]) -> None:
    for _user in users:
        bare_bell.delay(str(uuid.uuid4()))
