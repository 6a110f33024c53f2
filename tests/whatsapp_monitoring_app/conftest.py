"""A sandbox and who talks to it, for the tests of the sandbox itself; and who works at the senders' screens."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client as Browser
from django.utils import timezone

from tests import rows
from tests.whatsapp_monitoring_app import mail_server, scripts
from tests.whatsapp_monitoring_app.administrators import DAY, TOKEN, Graph, answering, configured
from tests.whatsapp_monitoring_app.carriers import CARRIERS, Carry
from tests.whatsapp_monitoring_app.mail_server import SMTP, MailServer
from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, Client, Receiver, listening
from tests.whatsapp_monitoring_app.test_transport import listening as listening_server
from tests.whatsapp_monitoring_app.tls_server import SecureServer, self_signed
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.sandbox import running


@pytest.fixture(params=["one", "together"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of a message to its provider: alone, and together with many. What is promised holds on each."""
    monkeypatch.setitem(scripts.way, "together", request.param == "together")


@pytest.fixture(params=CARRIERS)
def carry(request: pytest.FixtureRequest) -> Carry:
    """Each transport in turn: the one that sends one request, and the one that sends many."""
    return CARRIERS[request.param]


@pytest.fixture
def secure_server(tmp_path: Path) -> Iterator[SecureServer]:
    """Its certificate is in the file server.pem."""
    with listening_server(SecureServer(self_signed(tmp_path / "server.pem"))) as server:
        yield server


@pytest.fixture(scope="module")
def _quiet_sandbox() -> Iterator[Client]:
    """One without a webhook, shared by the tests that only look at answers."""
    with running(CONFIG) as sandbox:
        yield Client(sandbox.url)


@pytest.fixture
def quiet(_quiet_sandbox: Client) -> Client:
    """A client of a sandbox that posts to nobody and remembers nothing of other tests."""
    requests.delete(f"{_quiet_sandbox.url}/_sandbox/messages", timeout=5)
    return _quiet_sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def talking(receiver: Receiver) -> Iterator[Client]:
    """A client of a sandbox that posts to the receiver."""
    with running(replace(CONFIG, webhook_url=receiver.url)) as sandbox:
        yield Client(sandbox.url)


@pytest.fixture
def graph(settings: Any) -> Iterator[Graph]:
    """A provider for all senders, of the Cloud API and of WaChap."""
    with answering() as (graph, address):
        settings.WHATSAPP_CLOUD_API_URL = settings.WACHAP_API_URL = address
        yield graph


@pytest.fixture
def mail_host(settings: Any) -> Iterator[MailServer]:
    """A mail server that this installation speaks to."""
    with mail_server.listening() as (server, port):
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", port
        yield server


@pytest.fixture
def browser(log_in: Callable[..., Browser], settings: Any) -> Browser:
    """An administrator's; without `graph`, nobody is at the provider."""
    settings.WHATSAPP_CLOUD_API_URL = settings.WACHAP_API_URL = "http://127.0.0.1:9"
    return log_in("admin_mali", language="en", telephone="+22370000101", first_name="Moussa", last_name="Keïta")


@pytest.fixture
def mali(db: None) -> WhatsAppSender:
    """A sender with an account of its own."""
    return configured("mali", account_id="2001", token=TOKEN)


@pytest.fixture
def stopped(mali: WhatsAppSender) -> WhatsAppNotification:
    """A message that waits because the account of its sender is refused."""
    later = timezone.now() + DAY
    mali.stop(later, ErrorClass.ACCOUNT_STOP, "190")
    configured("mali", token_expires_at=timezone.now() - DAY)
    return rows.notification(
        "agent_mali", Status.PENDING, next_attempt_at=later, error_class=ErrorClass.ACCOUNT_STOP, expires_at=later
    )
