"""Signs of life: workers and beat give them, and their absence is noticed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests.stack import ROOT, Stack, child_environment, running_worker
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, at_once
from whatsapp_monitoring_app import standby
from whatsapp_monitoring_app.models import AlertKind, WhatsAppAlert, WhatsAppPulse
from whatsapp_monitoring_app.services import pulses
from whatsapp_monitoring_app.services.pulses import Life, Part

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def test_what_was_never_seen_is_said_to_be_so_and_not_to_be_silent_since_1970():
    assert [(pulse.life, pulse.at) for pulse in pulses.look(NOW).all] == [(Life.NEVER_SEEN, None)] * 2


@pytest.mark.parametrize(
    ("age", "life"),
    [
        (timedelta(), Life.ALIVE),
        (pulses.SILENT_AFTER - SECOND, Life.ALIVE),
        (pulses.SILENT_AFTER, Life.SILENT),
        (timedelta(days=30), Life.SILENT),
        (-SECOND, Life.ALIVE),
    ],
    ids=["now", "just in time", "three minutes", "a month", "another clock"],
)
def test_a_part_is_silent_after_three_minutes(age: timedelta, life: Life):
    pulses.note(Part.WORKER, NOW - age)
    assert pulses.look(NOW).worker.life is life
    assert pulses.look(NOW).beat.life is Life.NEVER_SEEN


def test_each_part_has_one_pulse_which_is_the_last_one():
    for part in Part:
        pulses.note(part, NOW)
        pulses.note(part, NOW + SECOND)
    assert set(WhatsAppPulse.objects.values_list("part", "at")) == {(part, NOW + SECOND) for part in Part}


@pytest.mark.django_db(transaction=True)
def test_processes_may_give_signs_of_life_at_once():
    at_once(*[lambda: pulses.note(Part.WORKER, NOW)] * 8)
    assert WhatsAppPulse.objects.get().at == NOW


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_harms_nobody():
    name = connections["default"].settings_dict["NAME"]
    connections["default"].settings_dict["NAME"] = "nowhere"
    connections.close_all()
    try:
        pulses.note_if_possible(Part.WORKER, NOW)
    finally:
        connections.close_all()
        connections["default"].settings_dict["NAME"] = name
    assert not WhatsAppPulse.objects.exists()


def test_a_worker_gives_a_sign_of_life_when_it_starts(stack: Stack):
    before = timezone.now()
    with running_worker("pulse"):
        eventually(lambda: WhatsAppPulse.objects.filter(part=Part.WORKER, at__gte=before).exists(), "a pulse")
    assert not WhatsAppPulse.objects.filter(part=Part.BEAT).exists()


@contextmanager
def running_beat() -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "ts_air_cargo", "beat", "--max-interval", "1", "--pidfile="]
    process = subprocess.Popen(command, cwd=ROOT, env=child_environment(), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_beat_gives_a_sign_of_life_with_what_it_publishes(stack: Stack):
    every_second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    task = "whatsapp_monitoring_app.tasks.process_whatsapp_retries_task"
    PeriodicTask.objects.create(name="often", task=task, interval=every_second)
    with running_beat():
        eventually(lambda: WhatsAppPulse.objects.filter(part=Part.BEAT).exists(), "a pulse of beat")
    PeriodicTask.objects.all().delete()


def test_a_task_that_others_publish_is_no_sign_of_beat(stack: Stack):
    from whatsapp_monitoring_app import tasks

    tasks.recover_whatsapp_notifications.apply_async().get(timeout=30)
    assert not WhatsAppPulse.objects.filter(part=Part.BEAT).exists()


@pytest.mark.parametrize(
    ("beat", "kinds"),
    [(None, []), (timedelta(), []), (timedelta(minutes=4), [AlertKind.BEAT_SILENT])],
    ids=["never", "alive", "silent"],
)
def test_a_worker_that_lives_notices_that_beat_is_silent(beat: timedelta | None, kinds: list[AlertKind]):
    pulses.note(Part.WORKER, NOW)
    if beat is not None:
        pulses.note(Part.BEAT, NOW - beat)
    standby.watch_for_beat(NOW)
    assert list(WhatsAppAlert.objects.values_list("kind", flat=True)) == kinds
