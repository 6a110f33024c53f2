"""Production does not start with what is known, short, unsafe or meant for trying; it says what to do instead."""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from tests.stack import ROOT
from tests.test_production_settings import EMAIL_URL, REQUIRED, manage
from whatsapp_monitoring_app.models import WhatsAppSender

PROVIDER = WhatsAppSender.Provider
REHEARSAL = {"REHEARSAL": "1", "WHATSAPP_CLOUD_API_URL": "http://127.0.0.1:8900"}
IS_THE_SITE = "PUBLIC_BASE_URL must be the address of the site, like https://cargo.example.com, without a path"


def start(**variables: str) -> "subprocess.CompletedProcess[str]":
    return manage("check", **{**REQUIRED, **variables})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_SECRET_KEY", "development-only-" + "0" * 40),
        ("DJANGO_SECRET_KEY", "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz0123456789"),
        ("DJANGO_SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("DJANGO_SECRET_KEY", "ab" * 40),
        ("WHATSAPP_TOKEN_KEYS", "development-only-token-key"),
        ("WHATSAPP_TOKEN_KEYS", "short"),
        ("WHATSAPP_TOKEN_KEYS", REQUIRED["WHATSAPP_TOKEN_KEYS"] + ","),
        ("WHATSAPP_CLOUD_APP_SECRET", "sandbox-app-secret"),
        ("WHATSAPP_CLOUD_VERIFY_TOKEN", "sandbox-verify-token"),
        ("WHATSAPP_CLOUD_VERIFY_TOKEN", "short"),
        ("WACHAP_WEBHOOK_SECRET", "short"),
    ],
)
def test_a_secret_that_is_known_or_short_stops_the_start_and_is_not_shown(name: str, value: str):
    stopped = start(**{name: value})

    assert stopped.returncode != 0
    refusal = stopped.stderr.rstrip().splitlines()[-1]
    assert re.search(rf"{name} must be a secret of at least \d+ characters that nobody knows or guesses\.", refusal)
    assert "secrets.token_urlsafe(50)" in refusal
    assert value not in refusal


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PUBLIC_BASE_URL": "http://cargo.example"}, f"{IS_THE_SITE}; “http://cargo.example” is not."),
        ({"PUBLIC_BASE_URL": "cargo.example"}, f"{IS_THE_SITE}; “cargo.example” is not."),
        ({"PUBLIC_BASE_URL": "https://cargo.example/site"}, f"{IS_THE_SITE}; “https://cargo.example/site” is not."),
        ({"PUBLIC_BASE_URL": "https://localhost"}, f"{IS_THE_SITE}; “https://localhost” is not."),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name the hosts of the site one by one, cargo.example among them"),
        ({"ALLOWED_HOSTS": "www.cargo.example"}, "cargo.example among them"),
        ({"WHATSAPP_CLOUD_API_URL": "http://127.0.0.1:8900"}, "WHATSAPP_CLOUD_API_URL must be https://graph.facebook"),
        (
            {"WHATSAPP_CLOUD_API_URL": "https://sandbox.example"},
            "WHATSAPP_CLOUD_API_URL must be https://graph.facebook",
        ),
        ({"WHATSAPP_CLOUD_TOKEN": "sandbox-token"}, "WHATSAPP_CLOUD_TOKEN is the sandbox’s"),
        ({"DJANGO_DEBUG": "1"}, "DJANGO_DEBUG must be 0 where PUBLIC_BASE_URL is a public address"),
        ({"TRUSTED_PROXIES": "caddy"}, "TRUSTED_PROXIES must be addresses or networks"),
        ({"TRUSTED_PROXIES": "10.0.0.9/24"}, "TRUSTED_PROXIES must be addresses or networks"),
        ({"REHEARSAL": "1"}, "WHATSAPP_CLOUD_API_URL must be a sandbox on this machine"),
    ],
)
def test_what_is_meant_for_trying_or_unsafe_stops_the_start(variables: dict[str, str], sentence: str):
    stopped = start(**variables)

    assert stopped.returncode != 0
    assert "ImproperlyConfigured" in stopped.stderr
    assert sentence in stopped.stderr.rstrip().splitlines()[-1]


def test_a_web_server_does_not_start_in_debug(monkeypatch: pytest.MonkeyPatch, settings: Any):
    settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured, match="set DJANGO_DEBUG=0"):
        import ts_air_cargo.wsgi  # noqa: F401 - what is tested is what it does when it is loaded


def test_a_rehearsal_starts_with_the_sandbox_and_may_not_go_live():
    assert start(**REHEARSAL, PUBLIC_BASE_URL="http://127.0.0.1:8000", ALLOWED_HOSTS="").returncode == 0
    checked = manage("check", "--deploy", **{**REQUIRED, **REHEARSAL})
    assert checked.returncode != 0
    assert "whatsapp_monitoring_app.E001" in checked.stderr


def example() -> dict[str, str]:
    """`.env.example`, with what it asks for filled in."""
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if re.match("[A-Z]", line)]
    found = dict(line.split("=", 1) for line in lines)
    filled = {name: REQUIRED[name] for name, value in found.items() if name in REQUIRED and not value}
    return {**found, **filled, "EMAIL_URL": EMAIL_URL}


def test_the_example_filled_in_leaves_the_deployment_check_nothing_to_say():
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **example())

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_every_variable_of_the_settings_stands_in_the_example_with_a_word_about_it():
    code = "".join((ROOT / "ts_air_cargo" / name).read_text() for name in ("settings.py", "environment.py"))
    asked = set(re.findall(r"""(?:env\.\w+|in_development|environment\.\w+)\(\s*["']([A-Z_]+)["']""", code))
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(asked) > 40
    assert asked - named == {"FLOWER_PORT"}  # of `make run`


# --- Senders


@pytest.fixture
def sender(db: None, settings: Any) -> WhatsAppSender:
    """The only active one; nothing in the environment stands in for what it lacks."""
    settings.WHATSAPP_CLOUD_TOKEN = settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID = ""
    settings.WACHAP_WEBHOOK_SECRET = "a-secret-of-our-own"
    WhatsAppSender.objects.update(is_active=False)
    return WhatsAppSender.objects.create(code="new", label="Nouveau", account_id="12345", token="a-real-token")


def findings() -> list[str]:
    found = run_checks(include_deployment_checks=True, databases=["default"])
    return [f"{message.id} {message.msg}" for message in found if "sender" in message.msg or "WaChap" in message.msg]


def without_token(sender: WhatsAppSender) -> None:
    sender.token = ""


def without_account(sender: WhatsAppSender) -> None:
    sender.account_id = ""


def that_prints(sender: WhatsAppSender) -> None:
    sender.provider = PROVIDER.CONSOLE


def of_the_sandbox(sender: WhatsAppSender) -> None:
    sender.token = "sandbox-token"


def of_twilio(sender: WhatsAppSender) -> None:
    sender.provider = PROVIDER.TWILIO


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (without_token, "E004 The sender “Nouveau” has no token."),
        (without_account, "E004 The sender “Nouveau” has no account_id and token."),
        (that_prints, "E003 The sender “Nouveau” sends nothing."),
        (of_the_sandbox, "E005 The sender “Nouveau” has the sandbox’s token."),
        (of_twilio, "E004 The sender “Nouveau” has no address."),
    ],
)
def test_an_active_sender_that_cannot_send_is_an_error_until_it_can_or_is_switched_off(
    change: Callable[[WhatsAppSender], None], finding: str, sender: WhatsAppSender
):
    assert findings() == []
    change(sender)
    sender.save()
    assert findings() == [f"whatsapp_monitoring_app.{finding}"]

    sender.is_active = False
    sender.save()
    assert findings() == []


def test_a_sender_of_wachap_whom_nobody_would_hear_is_an_error(sender: WhatsAppSender, settings: Any):
    WhatsAppSender.objects.filter(pk=sender.pk).update(provider=PROVIDER.WACHAP)
    assert findings() == []
    settings.WACHAP_WEBHOOK_SECRET = ""
    assert findings() == ["whatsapp_monitoring_app.E006 Nobody hears what WaChap tells of “Nouveau”."]


def test_a_token_that_no_key_opens_is_an_error(sender: WhatsAppSender, settings: Any):
    settings.WHATSAPP_TOKEN_KEYS = ["another-key-than-the-one-that-was-used"]
    assert findings() == ["whatsapp_monitoring_app.E004 The sender “Nouveau” has no token."]


def test_a_database_that_is_not_there_is_an_error_with_a_sentence():
    checked = manage("check", "--deploy", "--database", "default", **REQUIRED)

    assert checked.returncode != 0
    assert "The senders cannot be read." in checked.stderr
    assert "Traceback" not in checked.stderr
