"""A sandbox and who talks to it, for the tests of the sandbox itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, Client, Receiver, listening
from whatsapp_monitoring_app.sandbox import running


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
