"""No log and no report of an error shows a telephone or a secret, wherever a library has put it."""

import pytest

from ts_air_cargo.scrubbing import HIDDEN, scrub, scrub_all


@pytest.mark.parametrize(
    "telephone",
    [
        "+22376123456",
        "22376123456",
        "+223 76 12 34 56",
        "+223-76-12-34-56",
        "+86 138 0013 8000",
        "8613800138000",
        "%2B22376123456",
        "%2b22376123456",
        "+1 (415) 555-2671",
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        "to {} failed",
        "{}",
        "/v26.0/{}/messages",
        "?phone={}&a=b",
        "({})",
        '{{"to": "{}"}}',
        "Tel.: {}.",
        "whatsapp:{}",
    ],
)
def test_a_telephone_is_hidden(telephone: str, around: str):
    shown = scrub(around.format(telephone))

    assert HIDDEN in shown
    assert not any(part in shown for part in ("2376", "7612", "12 34", "8000", "2671"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer EAAGm0PX4ZCpsBA", None),
        ("{'Authorization': 'Bearer abc.def-123'}", None),
        ("EAAGm0PX4ZCpsBAKZCq1yZBHZBx is expired", f"{HIDDEN} is expired"),
        ("/debug_token?input_token=abc123&x=1", f"/debug_token?input_token={HIDDEN}&x=1"),
        ("token='abc123'", f"token='{HIDDEN}'"),
        ('{"password": "hunter22"}', f'{{"password": "{HIDDEN}"}}'),
        ("postgres://somebody:s3cr3t@db:5432/x", f"postgres://{HIDDEN}@db:5432/x"),
        ("redis://:s3cr3t@redis:6379/0", f"redis://{HIDDEN}@redis:6379/0"),
        ("/first-password/MTI/cabc12-0123abcdef/", f"/first-password/{HIDDEN}"),
    ],
)
def test_a_secret_is_hidden(text: str, shown: str | None):
    assert not any(secret in scrub(text) for secret in ("abc", "hunter", "s3cr3t", "EAAG", "MTI"))
    assert shown is None or scrub(text) == shown


def test_the_secrets_of_the_settings_are_hidden_word_for_word():
    assert scrub("it said sandbox-app-secret, twice") == f"it said {HIDDEN}, twice"


def test_what_postgresql_quotes_is_hidden():
    row = "null value\nDETAIL:  Failing row contains (abc, Bonjour Awa\nvotre code (42), null).\nTraceback"
    key = 'unique "x"\nDETAIL:  Key (title, text)=(Bonjour (Awa), b) already exists.'

    assert scrub(row) == f"null value\nDETAIL:  {HIDDEN}\nTraceback"
    assert scrub(key) == f'unique "x"\nDETAIL:  Key (title, text)=({HIDDEN}) already exists.'


@pytest.mark.parametrize(
    "harmless",
    [
        "Task send[6f1c1e1a-1234-4123-9123-123456789012] succeeded in 0.123456789s: 'sent'",
        "2026-11-23 09:50:28.123456+00:00",
        "131026 Message undeliverable",
        "1,000,000 messages in 12345 ms",
        "The token of the sender mali ends soon",
        "deadbeef12345678deadbeef",
    ],
)
def test_what_is_harmless_stays(harmless: str):
    assert scrub(harmless) == harmless


def test_every_text_in_a_value_is_scrubbed_and_numbers_stay_numbers():
    value = {"a": ["+22376123456", 3, None, True], "+22376123456": {"b": ("22376123456", 1.5)}, "c": ValueError("x")}

    assert scrub_all(value) == {"a": [HIDDEN, 3, None, True], HIDDEN: {"b": [HIDDEN, 1.5]}, "c": "x"}
