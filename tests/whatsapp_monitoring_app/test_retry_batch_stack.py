"""A bad morning, with everything running: what failed while the sender was down is sent again, each once."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tests import rows
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.test_retry_batch_screens import form_of, shown
from whatsapp_monitoring_app import bells, tasks
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppRetryBatch
from whatsapp_monitoring_app.services import retry_batches

pytestmark = pytest.mark.django_db(transaction=True)

MORNING = 30
State = WhatsAppRetryBatch.State


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def failed_while_the_sender_was_down() -> list[WhatsAppNotification]:
    return [
        rows.notification("agent_mali", phone_number=f"+22376{index:06}", error_class="expired", error_code="")
        for index in range(MORNING)
    ]


def calls(stack: Stack) -> Counter[str]:
    return Counter(str(request["tracking"]) for request in stack.requests())


def is_over() -> bool:
    return WhatsAppRetryBatch.objects.filter(state=State.FINISHED).exists() and not any(
        WhatsAppNotification.objects.exclude(status__in=[Status.DELIVERED, Status.READ]).values_list("pk")
    )


def test_a_bad_morning_is_repaired_with_one_new_call_each(stack: Stack, agent: Browser):
    owed = failed_while_the_sender_was_down()
    # From the cause on the dashboard by the list to the plan, and the start.
    plan = shown(agent, query="?error_class=expired&period=week")
    answer = agent.post(reverse("agent_mali:whatsapp_retry_failed"), {**form_of(plan), "how": "few"})
    batch = WhatsAppRetryBatch.objects.get()
    eventually(lambda: len(stack.requests()) == retry_batches.CANARY, "the few have left")
    eventually(
        lambda: WhatsAppNotification.objects.filter(status=Status.READ).count() == retry_batches.CANARY, "and are read"
    )
    assert "Send the other 25" in shown(agent, "agent_mali:whatsapp_retry_batch", code=batch.pk)

    agent.post(reverse("agent_mali:whatsapp_retry_batch_run", args=[batch.pk]))
    eventually(is_over, "all have arrived", seconds=90)
    assert calls(stack) == {str(one.pk): 1 for one in owed}
    page = agent.get(answer["Location"]).content.decode()
    assert "30 of 30 messages" in page
    assert "hx-get" not in page


# A worker that dies in the middle of its second chunk: the first one is committed, and nobody was rung for.
DYING = """
import os, signal, sys, uuid
import django
django.setup()
from whatsapp_monitoring_app.services import retries, retry_runs
retry_runs.CHUNK = 10
queue, left = retries.queue, iter(range(15, -1, -1))
def queue_or_die(*arguments):
    if not next(left):
        os.kill(os.getpid(), signal.SIGKILL)
    queue(*arguments)
retries.queue = queue_or_die
retry_runs.run(uuid.UUID(sys.argv[1]), ring=list)
"""


def test_a_process_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    stack: Stack, agent: Browser, monkeypatch: pytest.MonkeyPatch
):
    owed = failed_while_the_sender_was_down()
    plan = shown(agent, query="?error_class=expired")
    with monkeypatch.context() as patch:
        # Its bell is lost too.
        patch.setattr(bells, "publish", lambda *_arguments, **_options: True)
        agent.post(reverse("agent_mali:whatsapp_retry_failed"), {**form_of(plan), "how": "all"})
    batch = WhatsAppRetryBatch.objects.get()
    environment = child_environment(DJANGO_SETTINGS_MODULE="ts_air_cargo.settings")
    died = subprocess.run([sys.executable, "-c", DYING, str(batch.pk)], cwd=ROOT, env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    batch.refresh_from_db()
    assert batch.items.exclude(queued_at=None).count() == 10
    assert batch.claimed_until

    # Beat comes by when lease and patience are over: the moments are moved back instead of the clock on.
    past = timezone.now() - timedelta(minutes=10)
    WhatsAppRetryBatch.objects.update(claimed_until=past)
    WhatsAppNotification.objects.filter(status=Status.PENDING).update(rung_at=past)
    tasks.recover_whatsapp_notifications()
    eventually(is_over, "all have arrived", seconds=90)
    assert calls(stack) == {str(one.pk): 1 for one in owed}
