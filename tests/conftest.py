from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import Client as Browser

from accounts.models import User
from tests.stack import Stack, forget_pace, let_everything_settle, running_worker
from whatsapp_monitoring_app.sandbox import RunningSandbox, SandboxConfig, SandboxTemplate, running
from whatsapp_monitoring_app.services import default_templates

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session", autouse=True)
def _patient_flush() -> Iterator[None]:
    """Let the emptying of the tables begin again when it meets a request that is still under way.

    A receipt of the sandbox or a page's last poll may arrive while a transactional test ends; PostgreSQL then resolves
    the deadlock by breaking off either of the two.
    """
    flush = DatabaseOperations.execute_sql_flush

    def flush_patiently(operations: DatabaseOperations, sql_list: list[str]) -> None:
        for _ in range(4):
            with suppress(OperationalError):
                return flush(operations, sql_list)
        return flush(operations, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush_patiently)
        yield


@pytest.fixture(autouse=True)
def _forget_pace() -> Iterator[None]:
    """What the senders' pace and circuits remember in Redis ends with the test."""
    yield
    forget_pace()


@pytest.fixture(scope="session")
def sandbox(live_server: Any) -> Iterator[RunningSandbox]:
    """The sandbox, posting its receipts to the live server as fast as it can."""
    config = SandboxConfig(
        app_secret=settings.WHATSAPP_CLOUD_APP_SECRET,
        verify_token=settings.WHATSAPP_CLOUD_VERIFY_TOKEN,
        token=settings.WHATSAPP_SANDBOX_TOKEN,
        webhook_url=f"{live_server.url}/webhooks/whatsapp/cloud/",
        sent_delay=(0.0, 0.02),
        delivered_delay=(0.02, 0.05),
        read_delay=(0.05, 0.1),
        stall_seconds=1,
        keeps_window=True,
        templates=tuple(SandboxTemplate(*template) for template in default_templates.at_the_provider()),
    )
    with running(config) as server:
        settings.WHATSAPP_CLOUD_API_URL = server.url
        settings.PUBLIC_BASE_URL = live_server.url
        yield server


@pytest.fixture(scope="session")
def _worker(sandbox: RunningSandbox, django_db_setup: None, worker_id: str) -> Iterator[None]:
    with running_worker(f"worker-{worker_id}"):
        yield


@pytest.fixture
def stack(transactional_db: None, sandbox: RunningSandbox, _worker: None) -> Iterator[Stack]:
    """Everything running: PostgreSQL, Valkey, a worker process, the web server, the sandbox."""
    stack = Stack(sandbox)
    stack.forget()
    yield stack
    stack.forget()
    let_everything_settle()


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """Where the photos of this test are kept."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a person; each call without a telephone makes another one."""
    numbers = iter(range(76_000_000, 77_000_000))

    def make(telephone: str = "", **fields: Any) -> User:
        fields.setdefault("first_name", "Awa")
        fields.setdefault("last_name", "Traoré")
        return User.objects.create_user(telephone or f"+223{next(numbers)}", PASSWORD, **fields)

    return make


@pytest.fixture
def log_in(make_user: Callable[..., User]) -> Callable[..., Browser]:
    """A browser in which somebody of this role is logged in."""

    def log_in(role: str, **fields: Any) -> Browser:
        browser = Browser()
        browser.force_login(make_user(role=role, **fields))
        return browser

    return log_in
