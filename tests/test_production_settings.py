"""Production starts with everything given, or not at all; and the development's own commands stay out of it."""

import os
import subprocess
import sys

import pytest

from accounts.models import User
from tests.stack import ROOT, Stack, child_environment

REQUIRED = {
    "DJANGO_SECRET_KEY": "k" * 30 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "cargo.example,www.cargo.example",
    "PUBLIC_BASE_URL": "https://cargo.example",
    "DATABASE_URL": "postgres://somebody:secret@127.0.0.1:1/nowhere",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "WHATSAPP_CLOUD_API_URL": "https://graph.facebook.com",
    "WHATSAPP_CLOUD_APP_SECRET": "s3cr3t-of-the-app",
    "WHATSAPP_CLOUD_VERIFY_TOKEN": "verify-token-of-ours",
    "WHATSAPP_TOKEN_KEYS": "token-key-0123456789-abcdefghijklmnop",
}
# With these, settings of production load on a developer's machine, in debug.
DEVELOPMENT = {"DJANGO_DEBUG": "1", "PUBLIC_BASE_URL": "http://127.0.0.1:8000"}

EMAIL_URL = "smtp+tls://somebody:secret@mail.example:587"


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run manage.py with these variables, and nothing of this test's own settings."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, "DJANGO_DEBUG": "0", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_stops_the_start_and_is_named(name: str, value: str | None):
    given = {key: text for key, text in REQUIRED.items() if key != name}
    stopped = manage("check", **given, **({} if value is None else {name: value}))

    assert stopped.returncode != 0
    assert stopped.stderr.rstrip().endswith(f"{name} must be set when DJANGO_DEBUG is off.")
    assert not any(text in stopped.stderr for text in ("s3cr3t-of-the-app", "somebody:secret"))


def test_the_deployment_check_finds_nothing_to_say():
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **REQUIRED, EMAIL_URL=EMAIL_URL)

    assert checked.returncode == 0, checked.stderr
    assert "no issues (1 silenced)" in checked.stdout  # that browsers are not told to preload: see the next test
    assert "WARNINGS" not in checked.stderr


@pytest.mark.parametrize(("given", "is_on"), [({}, False), ({"SECURE_HSTS_PRELOAD": "1"}, True)], ids=repr)
def test_browsers_may_preload_the_domain_only_when_its_owner_says_so(given: dict[str, str], is_on: bool):
    code = "from django.conf import settings; print(settings.SECURE_HSTS_PRELOAD, settings.SECURE_HSTS_SECONDS)"
    shown = manage("shell", "--no-imports", "-c", code, **REQUIRED, **given)

    assert shown.stdout == f"{is_on} 31536000\n", shown.stderr


def test_the_deployment_check_warns_of_alerts_that_only_whatsapp_would_carry():
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **REQUIRED)

    assert checked.returncode != 0
    assert "whatsapp_monitoring_app.W001" in checked.stderr


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "dummy.EmailBackend None None alerts@cargo.example []"),
        (
            {
                "EMAIL_URL": EMAIL_URL,
                "DEFAULT_FROM_EMAIL": "cargo@mail.example",
                "ALERT_EMAILS": "a@b.example, c@d.example",
            },
            "smtp.EmailBackend mail.example 587 cargo@mail.example ['a@b.example', 'c@d.example']",
        ),
        (DEVELOPMENT, "console.EmailBackend None None alerts@127.0.0.1 []"),
    ],
    ids=["none", "given", "development"],
)
def test_e_mail_is_what_the_environment_says(given: dict[str, str], shown: str):
    code = (
        "from django.conf import settings as s; "
        "print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT, s.DEFAULT_FROM_EMAIL, s.ALERT_EMAILS)"
    )
    printed = manage("shell", "--no-imports", "-c", code, **{**REQUIRED, **given})

    assert printed.stdout == f"django.core.mail.backends.{shown}\n", printed.stderr


@pytest.mark.parametrize("command", ["sandbox", "seed_demo"])
def test_the_commands_of_the_development_refuse(command: str):
    refused = manage(command, **REQUIRED)

    assert refused.returncode != 0
    assert refused.stderr.startswith("CommandError: ")
    assert "Traceback" not in refused.stderr


def test_a_refused_demo_writes_nothing(stack: Stack):
    variables = {**REQUIRED, **{name: child_environment()[name] for name in ("DATABASE_URL", "REDIS_URL")}}
    assert manage("seed_demo", **variables).returncode != 0
    assert not User.objects.exists()
    assert manage("seed_demo", **{**variables, **DEVELOPMENT}).returncode == 0
    assert User.objects.exists()


@pytest.mark.parametrize("wrong", ["perhaps", "off", "no"])
def test_a_debug_switch_that_is_not_understood_is_off(wrong: str):
    assert "must be set when DJANGO_DEBUG is off." in manage("check", DJANGO_DEBUG=wrong).stderr


def quiet_hours(**variables: str) -> str:
    code = "from django.conf import settings; print(settings.WHATSAPP_QUIET_HOURS)"
    shown = manage("shell", "--no-imports", "-c", code, **{**REQUIRED, **variables})
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.strip()


NIGHT = "(datetime.time(21, 0), datetime.time(8, 0))"


@pytest.mark.parametrize(
    ("variables", "hours"),
    [
        ({}, NIGHT),
        ({"WHATSAPP_QUIET_HOURS": ""}, "None"),
        ({"WHATSAPP_QUIET_HOURS": " 13:00-14:30 "}, "(datetime.time(13, 0), datetime.time(14, 30))"),
        (DEVELOPMENT, "None"),
        ({**DEVELOPMENT, "WHATSAPP_QUIET_HOURS": "21:00-08:00"}, NIGHT),
    ],
    ids=["production", "none", "a siesta", "development", "development at night"],
)
def test_nights_are_quiet_in_production_and_where_somebody_asks_for_it(variables: dict[str, str], hours: str):
    assert quiet_hours(**variables) == hours


@pytest.mark.parametrize(
    "wrong",
    ["21-8", "21:00", "21:00-24:00", "21:00-08:60", "08:00-08:00", "21:00–08:00", "at night", "21:00-08:00 UTC"],
)
def test_quiet_hours_that_are_not_understood_stop_the_start(wrong: str):
    stopped = manage("check", **REQUIRED, WHATSAPP_QUIET_HOURS=wrong)

    assert stopped.returncode != 0
    sentence = f"WHATSAPP_QUIET_HOURS must be two different times like 21:00-08:00, or empty; “{wrong}” is not."
    assert stopped.stderr.rstrip().endswith(sentence)


def test_a_token_that_could_be_guessed_opens_no_figures():
    stopped = manage("check", **REQUIRED, METRICS_TOKEN="prometheus")

    assert stopped.returncode != 0
    assert stopped.stderr.rstrip().endswith("METRICS_TOKEN must have at least 20 characters, or be empty.")
    assert manage("check", **REQUIRED, METRICS_TOKEN="prometheus-0123456789").returncode == 0
