"""What settings.py reads from the environment. In production, what could not work or is not safe stops the start.

Each refusal is a sentence that says what to do. A rehearsal (REHEARSAL=1) is production against the sandbox on the
same machine: what guards real clients and accounts is not asked for there, and nothing of theirs can be reached.
"""

import ipaddress
import re
from datetime import time
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")

BASE_DIR = Path(__file__).resolve().parent.parent
META = "https://graph.facebook.com"

env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DJANGO_DEBUG", default=True)
REHEARSAL = env.bool("REHEARSAL", default=False)


def in_development(name: str, default: Value) -> Value | str:
    """The variable's text, or `default` on a development machine. Raises ImproperlyConfigured in production."""
    value = env.str(name, default="")
    if value:
        return str(value)
    if DEBUG:
        return default
    raise ImproperlyConfigured(f"{name} must be set when DJANGO_DEBUG is off.")


def texts(name: str, default: str = "") -> list[str]:
    """What stands between the commas, without what is empty."""
    return [text.strip() for text in env.str(name, default=default).split(",") if text.strip()]


def hours(name: str, default: str) -> tuple[time, time] | None:
    """Start and end in a text like 21:00-08:00; None when it is empty. Raises ImproperlyConfigured."""
    text = env.str(name, default=default).strip()
    if not text:
        return None
    moment = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    found = re.fullmatch(f"({moment})-({moment})", text)
    if found is None or found[1] == found[2]:
        raise ImproperlyConfigured(f"{name} must be two different times like 21:00-08:00, or empty; “{text}” is not.")
    return time.fromisoformat(found[1]), time.fromisoformat(found[2])


def secret(name: str, development: str, at_least: int) -> str:
    """A text that nobody guesses. Raises ImproperlyConfigured in production when it is missing, known or short."""
    return _guarded(name, str(in_development(name, development)), development, at_least)


def secrets(name: str, development: str, at_least: int) -> list[str]:
    """The same for several, separated by commas."""
    found = str(in_development(name, development)).split(",")
    return [_guarded(name, text.strip(), development, at_least) for text in found]


def optional_secret(name: str, at_least: int) -> str:
    """The same for one that may be left empty."""
    text = str(env.str(name, default=""))
    return _guarded(name, text, "", at_least) if text else ""


def _guarded(name: str, text: str, known: str, at_least: int) -> str:
    if DEBUG or REHEARSAL:
        return text
    is_known = text == known or text.startswith(("django-insecure-", "development-only-"))
    if is_known or len(text) < at_least or len(set(text)) < 5:
        raise ImproperlyConfigured(
            f"{name} must be a secret of at least {at_least} characters that nobody knows or guesses. To make one: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    return text


def public_address(name: str, development: str) -> str:
    """Where people reach the site. Raises ImproperlyConfigured in production unless it is https, in debug if it is."""
    text = str(in_development(name, development)).rstrip("/")
    parts = urlsplit(text)
    is_public = parts.scheme == "https" and not _is_this_machine(parts)
    if DEBUG and is_public:
        raise ImproperlyConfigured(
            f"DJANGO_DEBUG must be 0 where {name} is a public address: debug pages show the settings to everybody."
        )
    if not DEBUG and not (is_public or REHEARSAL) or not parts.hostname or parts.path or parts.query:
        raise ImproperlyConfigured(
            f"{name} must be the address of the site, like https://cargo.example.com, without a path; “{text}” is not."
        )
    return text


def hosts(name: str, public_url: str) -> list[str]:
    """The host names that are answered. Raises ImproperlyConfigured in production unless they are named."""
    if DEBUG or REHEARSAL:
        return texts(name, "*") or ["*"]
    in_development(name, "")
    found, public = texts(name), urlsplit(public_url).hostname or ""
    if "*" in found or not any(public == host or host[:1] == "." and public.endswith(host) for host in found):
        raise ImproperlyConfigured(
            f"{name} must name the hosts of the site one by one, {public} among them: other requests are refused."
        )
    return found


def provider_address(name: str, development: str) -> str:
    """Meta's Cloud API. Raises ImproperlyConfigured in production when it is the sandbox, in a rehearsal when not."""
    text = str(in_development(name, development)).rstrip("/")
    if REHEARSAL and not _is_this_machine(urlsplit(text)):
        raise ImproperlyConfigured(
            f"{name} must be a sandbox on this machine, like {development}, when REHEARSAL is on; “{text}” is not. "
            "Without REHEARSAL=1 this is production."
        )
    if not (DEBUG or REHEARSAL) and text != META:
        raise ImproperlyConfigured(
            f"{name} must be {META} in production, or clients get nothing; “{text}” is not. "
            "To try the sandbox in production’s settings: REHEARSAL=1."
        )
    return text


def not_of_the_sandbox(name: str, text: str, sandbox: str) -> str:
    """The same text. Raises ImproperlyConfigured in production when only the sandbox knows it."""
    if text == sandbox and not (DEBUG or REHEARSAL):
        raise ImproperlyConfigured(f"{name} is the sandbox’s: enter the one that Meta gave you, or leave it empty.")
    return text


def networks(name: str, default: str) -> list[str]:
    """Addresses and networks, separated by commas. Raises ImproperlyConfigured for what is neither."""
    found = texts(name, default)
    for text in found:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} must be addresses or networks like 127.0.0.1,172.30.77.0/24; “{text}” is none."
            ) from error
    return found


def _is_this_machine(address: SplitResult) -> bool:
    return address.hostname in ("localhost", "::1") or (address.hostname or "").startswith("127.")
