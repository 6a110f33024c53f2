"""A sandbox on a bad day. Everything here goes over real HTTP."""

from dataclasses import replace

import pytest
import requests

from whatsapp_monitoring_app.sandbox import Hostility, SandboxConfig, hostility, running
from whatsapp_monitoring_app.sandbox.behaviours import Behaviour

CONFIG = SandboxConfig(app_secret="app secret", verify_token="verify me", token="good token", stall_seconds=0.5)
MISHAPS = {
    "dropped": (hostility.DROPPED_AFTER, None, True),
    "late": (hostility.LATE, None, True),
    "without id": (hostility.WITHOUT_ID, 200, True),
    "garbage": (hostility.GARBAGE, 500, True),
    "bad gateway": (hostility.BAD_GATEWAY, 502, True),
    "server failure": (hostility.SERVER_FAILURE, 500, False),
    "throttled": (hostility.THROTTLED, 429, False),
}


def send(url: str, to: str = "+22376123456") -> requests.Response | None:
    """What the sender hears; None when nothing comes in time."""
    message = {"messaging_product": "whatsapp", "to": to, "text": {"body": "Bonjour"}}
    try:
        return requests.post(
            f"{url}/v24.0/1/messages", json=message, headers={"Authorization": "Bearer good token"}, timeout=0.25
        )
    except requests.RequestException:
        return None


@pytest.mark.parametrize(("mishap", "http_status", "is_accepted"), MISHAPS.values(), ids=MISHAPS)
def test_each_nth_request_meets_the_mishap(mishap: Behaviour, http_status: int | None, is_accepted: bool):
    with running(replace(CONFIG, hostility=Hostility(mishaps=(mishap,), every=2))) as sandbox:
        good, bad = send(sandbox.url), send(sandbox.url)
        accepted = requests.get(f"{sandbox.url}/_sandbox/messages", timeout=5).json()

    assert good is not None
    assert good.json()["messages"]
    assert (bad.status_code if bad is not None else None) == http_status
    assert len(accepted) == 1 + is_accepted


def test_a_throttled_sender_is_told_how_long_to_wait():
    with running(replace(CONFIG, hostility=Hostility(mishaps=(hostility.THROTTLED,)))) as sandbox:
        answer = send(sandbox.url)

    assert answer is not None
    assert answer.headers["Retry-After"] == "1"


def test_a_magic_number_keeps_its_own_behaviour():
    with running(replace(CONFIG, hostility=Hostility(mishaps=(hostility.GARBAGE,)))) as sandbox:
        answer = send(sandbox.url, to="+22370000001")

    assert answer is not None
    assert answer.json()["error"]["code"] == 131026
