"""What Prometheus reads at /metrics: the whole, whichever process answers; of nobody in particular."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client as Browser
from django.utils import timezone
from kombu import Queue
from prometheus_client.parser import text_string_to_metric_families

from tests import rows
from tests.outages import closed_port, redis_away
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.models import (
    AlertKind,
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.services import attempt_counts, gauges, metrics, pulses, shared_memory
from whatsapp_monitoring_app.tasks import send_whatsapp_async

TOKEN = "a-token-for-prometheus-only"
OPEN = {"Authorization": f"Bearer {TOKEN}"}
# What people type as a telephone, and what providers know them by; not the digits of a fraction.
TELEPHONE = re.compile(r"(?<![\d.])(?:\+|00)?(?:223|86|225)\d{8,}")

Figures = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture(autouse=True)
def _attempts_forgotten() -> Iterator[None]:
    shared_memory.client().delete(attempt_counts.KEY)
    yield
    shared_memory.client().delete(attempt_counts.KEY)


def read(text: str) -> Figures:
    """Each figure by its name and the values of its labels, in the order of the labels' names."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name.removeprefix("whatsapp_"), tuple(sample.labels.values())): sample.value for sample in samples}


def figures(at: datetime | None = None) -> Figures:
    return read(metrics.page(at or timezone.now(), bells.queue_for).decode())


@pytest.fixture
def _open(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def test_without_a_token_in_the_settings_there_is_no_such_page():
    assert Browser().get("/metrics", headers=OPEN).status_code == 404


@pytest.mark.usefixtures("_open")
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer é"])
def test_without_the_token_nothing_is_told(header: str):
    response = Browser().get("/metrics", headers={"Authorization": header} if header else {})

    assert (response.status_code, response.content) == (401, b"")


@pytest.mark.usefixtures("_open", "transactional_db")
def test_with_the_token_there_is_a_page_that_prometheus_reads():
    response = Browser().get("/metrics", headers=OPEN)

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert read(response.content.decode())["scrape_success", ("database",)] == 1


@pytest.mark.usefixtures("transactional_db")
def test_queues_are_counted_as_they_are_rung_for_and_only_what_is_due():
    at = timezone.now()
    for priority, minutes in ((1, 5), (2, 9), (3, 5)):
        due_at = at - timedelta(minutes=minutes)
        rows.notification("agent_mali", Status.PENDING, next_attempt_at=due_at, priority=priority)
    rows.notification("agent_mali", Status.RETRY_SCHEDULED, next_attempt_at=at - timedelta(seconds=7))
    rows.notification("agent_mali", Status.RETRY_SCHEDULED, next_attempt_at=at + timedelta(seconds=7))

    found = figures(at)

    due = {labels[0]: value for (name, labels), value in found.items() if name == "queue_due_messages"}
    assert due == {"whatsapp_high": 2, "whatsapp": 1, "default": 0, "whatsapp_retry": 1, "whatsapp_bulk": 0}
    ages = {labels[0]: value for (name, labels), value in found.items() if name == "queue_oldest_seconds"}
    assert ages == {"whatsapp_high": 540, "whatsapp": 300, "default": 0, "whatsapp_retry": 7, "whatsapp_bulk": 0}


@pytest.mark.usefixtures("transactional_db")
def test_a_deep_queue_is_counted_up_to_a_limit_the_oldest_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gauges, "DEEPEST", 2)
    at = timezone.now()
    for minutes in (1, 2, 3):
        rows.notification("agent_mali", Status.PENDING, next_attempt_at=at - timedelta(minutes=minutes), priority=3)

    found = figures(at)

    assert found["queue_due_messages", ("whatsapp",)] == 2
    assert found["queue_oldest_seconds", ("whatsapp",)] == 180


@pytest.mark.usefixtures("transactional_db")
def test_the_ledger_tells_what_became_of_the_last_day_s_messages():
    at = timezone.now()
    mali = WhatsAppSender.objects.get(code="mali")
    sent = {"first_attempt_at": at, "sent_at": at, "sender": mali}
    rows.notification("agent_mali", Status.SENT, **sent)
    rows.notification("agent_mali", Status.DELIVERED, **sent, delivered_at=at)
    rows.notification("agent_chine", Status.FAILED)
    rows.notification("agent_chine", Status.FAILED, created_at=at - timedelta(days=2))

    found = figures()

    assert found["day_messages", ("agent_mali", "mali", "accepted")] == 1
    assert found["day_messages", ("agent_mali", "mali", "delivered")] == 1
    assert found["day_messages", ("agent_chine", "none", "failed")] == 1
    assert found["day_first_attempts", ("agent_mali", "prompt")] == 2
    assert found["day_failures", ("recipient_permanent", "agent_chine")] == 1
    assert found["backlog_messages", ("recipient_permanent", "agent_chine", "failed")] == 2


@pytest.mark.usefixtures("transactional_db")
def test_times_are_quantiles_to_within_five_percent():
    at = timezone.now()
    for seconds in (2, 2, 2, 60):
        rows.notification(
            "agent_mali", Status.SENT, created_at=at, first_attempt_at=at + timedelta(seconds=seconds), sent_at=at
        )

    found = figures(at)

    assert found["message_seconds", ("tried", "agent_mali", "0.5")] == pytest.approx(2, rel=0.06)
    assert found["message_seconds", ("tried", "agent_mali", "0.95")] == pytest.approx(60, rel=0.06)


def made(owed: WhatsAppNotification, number: int, at: datetime) -> None:
    tried = rows.attempt(owed, number)
    WhatsAppAttempt.objects.filter(pk=tried.pk).update(finished_at=at)


REFUSED = ("attempts_total", ("recipient_permanent", "agent_mali", "refused", "systeme"))


@pytest.mark.usefixtures("transactional_db")
def test_attempts_are_counted_once_each_and_only_upwards():
    owed, at = rows.notification("agent_mali", Status.FAILED, attempt_count=4), timezone.now()
    made(owed, 1, at - timedelta(hours=1))
    assert REFUSED not in figures(at)  # counting begins now

    made(owed, 2, at)
    made(owed, 3, at)
    assert REFUSED not in figures(at)  # not settled yet
    later = at + attempt_counts.SETTLED_AFTER
    assert [figures(later)[REFUSED] for _ in range(2)] == [2, 2]

    made(owed, 4, later)
    WhatsAppAttempt.objects.filter(number=2).delete()
    assert figures(later + attempt_counts.SETTLED_AFTER)[REFUSED] == 3


@pytest.mark.usefixtures("transactional_db")
def test_many_attempts_are_counted_in_several_turns(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempt_counts, "AT_ONCE", 2)
    owed, at = rows.notification("agent_mali", Status.FAILED, attempt_count=5), timezone.now()
    figures(at)
    for number in range(1, 6):
        made(owed, number, at)

    later = at + attempt_counts.SETTLED_AFTER
    assert [figures(later)[REFUSED] for _ in range(4)] == [2, 4, 5, 5]


@pytest.mark.usefixtures("transactional_db")
def test_a_circuit_is_in_exactly_one_state():
    at = timezone.now()
    WhatsAppSender.objects.filter(code="mali").update(stopped_until=at + timedelta(minutes=1))
    WhatsAppSender.objects.filter(code="chine").update(stopped_until=at - timedelta(minutes=1))

    found = figures(at)

    states = {labels: value for (name, labels), value in found.items() if name == "sender_circuit" and value}
    assert states == {("mali", "open"): 1, ("chine", "half_open"): 1, ("systeme", "closed"): 1}


@pytest.mark.usefixtures("transactional_db")
def test_webhooks_have_a_backlog_and_a_lag():
    at = timezone.now()
    for seconds in (40, 30):
        WhatsAppWebhookLog.objects.create(provider="twilio", payload="", received_at=at - timedelta(seconds=seconds))
    old = at - timedelta(minutes=3)
    WhatsAppWebhookLog.objects.create(
        provider="cloud_api", payload="", received_at=old, processed_at=old + timedelta(seconds=2)
    )

    found = figures(at)

    assert found["webhook_unread_payloads", ()] == 2
    assert found["webhook_oldest_unread_seconds", ()] == 40
    assert found["webhook_lag_seconds", ("cloud_api",)] == 2
    assert found["webhook_last_received_timestamp_seconds", ("cloud_api",)] == pytest.approx(old.timestamp())


@pytest.mark.usefixtures("transactional_db")
def test_what_people_ordered_and_what_is_wrong_is_counted():
    at = timezone.now()
    rows.bulk("agent_mali", created_at=at - timedelta(minutes=2), people_count=10, written_count=3, refused_count=1)
    rows.retry_batch("agent_mali")
    rows.alert("agent_mali", AlertKind.QUEUE_AGE)
    pulses.note(pulses.Part.BEAT, at)

    found = figures(at)

    assert found["bulks_unfinished", ()] == 1
    assert found["bulks_oldest_seconds", ()] == 120
    assert found["bulks_people_left", ()] == 6
    assert found["retry_batches_unfinished", ("running",)] == 1
    assert found["open_alerts", ("queue_age",)] == 1
    assert found["pulse_timestamp_seconds", ("beat",)] == pytest.approx(at.timestamp())


@pytest.mark.usefixtures("transactional_db")
def test_bells_that_wait_in_redis_are_counted(settings: Any):
    settings.CELERY_TASK_QUEUES = [Queue("heard-by-nobody")]
    client = shared_memory.client()
    client.rpush("heard-by-nobody", "one", "two")
    try:
        assert figures()["broker_tasks", ("heard-by-nobody",)] == 2
    finally:
        client.delete("heard-by-nobody")


@pytest.mark.usefixtures("transactional_db")
def test_without_redis_the_figures_of_the_database_are_told():
    with redis_away():
        found = figures()

    assert found["scrape_success", ("database",)] == 1
    assert found["scrape_success", ("redis",)] == 0
    assert ("queue_due_messages", ("whatsapp",)) in found
    assert not any(name.startswith(("broker", "attempts")) for name, _labels in found)


WITHOUT_DATABASE = """
import django
django.setup()
from django.utils import timezone
from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.services import metrics
print(metrics.page(timezone.now(), bells.queue_for).decode())
"""


def test_without_the_database_the_figures_of_redis_are_told():
    environment = {**os.environ, "DATABASE_URL": f"postgres://a:b@127.0.0.1:{closed_port()}/nowhere"}
    asked = subprocess.run(
        [sys.executable, "-c", WITHOUT_DATABASE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    found = read(asked.stdout)

    assert found["scrape_success", ("database",)] == 0
    assert found["scrape_success", ("redis",)] == 1
    assert ("broker_tasks", ("whatsapp",)) in found


@contextmanager
def web_processes(folder: Path) -> Iterator[str]:
    """Gunicorn with two processes, as in production but for TLS."""
    port = closed_port()
    environment = child_environment(METRICS_TOKEN=TOKEN, DJANGO_DEBUG="1", TMPDIR=str(folder))
    start = "from gunicorn.app.wsgiapp import run; run()"
    arguments = ["tests.faults.web", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", "sync"]
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen([sys.executable, "-c", start, *arguments], cwd=ROOT, env=environment, stderr=log)
        try:
            eventually(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), "web answers", seconds=60)
            yield f"http://127.0.0.1:{port}"
        finally:
            web.terminate()
            web.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


REQUESTS = "django_http_requests_total_by_view_transport_method_total"


def test_a_full_run_is_measured_by_all_processes_together_and_names_nobody(
    stack: Stack, make_user: Any, tmp_path: Path
):
    """Clients, a parcel, a message that was sent, one that failed, pages with numbers in their addresses."""
    rows.company(10, "agent_mali")
    reader = make_user("+22376999888")
    send_whatsapp_async(reader, "Bonjour", "agent_mali", idempotency_key="+22376999888")
    eventually(lambda: stack.messages_to("+22376999888"), "it leaves")
    with web_processes(tmp_path) as site:
        for _ in range(40):
            requests.get(f"{site}/suivi/TS22376999888/?telephone=+22376999888", timeout=10)
        requests.post(f"{site}/login/", data={"username": "+22376999888", "password": "x"}, timeout=10)
        pages = [requests.get(f"{site}/metrics", headers=OPEN, timeout=30).text for _ in range(6)]

    counted = [read(page)[REQUESTS, ("GET", "http", "tracking")] for page in pages]
    assert counted == [40] * 6
    for page in pages:
        assert "whatsapp_day_messages" in page
        assert not TELEPHONE.search(page)
        assert not any(word in page for word in (TOKEN, "Bonjour", "Awa", "Traor", str(stack.sandbox.url)))
    assert WhatsAppNotification.objects.filter(phone_number=reader.telephone).exists()


def test_the_search_for_telephones_finds_one():
    assert TELEPHONE.search('whatsapp_sender_circuit{sender="22376999888"} 1')
