"""The senders as people see them, and what an administrator does with one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender
from whatsapp_monitoring_app.services import circuit, health
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, Explanation
from whatsapp_monitoring_app.services.health import Queue

# What is known of an account at its provider; of another account it would be a lie.
FACTS: dict[str, object] = {
    "is_connected": None,
    "health_detail": "",
    "quality": "",
    "limit": "",
    "display_number": "",
    "token_expires_at": None,
    "checked_at": None,
    "templates_synced_at": None,
}
# Meta's words, in ours; those of another provider are shown as they are.
QUALITIES = {
    "GREEN": gettext_lazy("High"),
    "YELLOW": gettext_lazy("Medium"),
    "RED": gettext_lazy("Low"),
    "UNKNOWN": gettext_lazy("Not known yet"),
}


class State(TextChoices):
    """How a sender is, at a glance."""

    WORKS = "works", gettext_lazy("Works")
    READY = "ready", gettext_lazy("Ready, not checked")
    PAUSED = "paused", gettext_lazy("Paused")
    STOPPED = "stopped", gettext_lazy("Stopped")
    RESTRICTED = "restricted", gettext_lazy("Restricted")
    DISCONNECTED = "disconnected", gettext_lazy("Not connected")
    INCOMPLETE = "incomplete", gettext_lazy("Incomplete")
    MUTE = "mute", gettext_lazy("Sends nothing")


@dataclass(frozen=True)
class Overview:
    """One sender, how it is, and what waits for it."""

    sender: WhatsAppSender
    state: State
    queue: Queue
    at: datetime

    @property
    def voices(self) -> list[str | Promise]:
        """For whom it speaks, in words."""
        offices = [scope.label for scope in scopes.all_scopes().values() if scope.sender == self.sender.code]
        return [*offices, *([_("accounts and codes")] if self.sender.code == scopes.SYSTEM_SENDER else [])]

    @property
    def missing(self) -> list[str]:
        """What it lacks, in words."""
        names = {field.name: field.verbose_name for field in WhatsAppSender._meta.fields}
        return [str(names[name]) for name in self.sender.missing_fields]

    @property
    def explanation(self) -> Explanation | None:
        """Why it is stopped, and what to do about it."""
        if not self.sender.is_stopped(self.at):
            return None
        return EXPLANATIONS[ErrorClass(self.sender.stop_class or ErrorClass.ACCOUNT_STOP)]

    @property
    def quality(self) -> str | Promise:
        return QUALITIES.get(self.sender.quality.upper(), self.sender.quality)

    @property
    def limit(self) -> str:
        """How many people it may write to, says the provider; in its own words when we do not know them."""
        tier = re.fullmatch(r"TIER_(\d+)(K?)", self.sender.limit)
        if not tier:
            return _("no limit") if self.sender.limit == "TIER_UNLIMITED" else self.sender.limit
        count = int(tier[1]) * (1000 if tier[2] else 1)
        return _("%(count)s people in 24 hours") % {"count": number_format(count, force_grouping=True)}

    @property
    def is_token_ending(self) -> bool:
        expires_at = self.sender.token_expires_at
        return expires_at is not None and expires_at <= self.at + health.EXPIRES_SOON

    @property
    def is_token_past(self) -> bool:
        return self.sender.token_expires_at is not None and self.sender.token_expires_at <= self.at


def overviews(senders: Iterable[WhatsAppSender], at: datetime) -> list[Overview]:
    """Each of these senders as people see it; one query for all queues."""
    senders = list(senders)
    queues = health.queues_of(senders)
    return [Overview(sender, _state(sender, at), queues[sender.pk], at) for sender in senders]


def _state(sender: WhatsAppSender, at: datetime) -> State:
    if not sender.is_active:
        return State.PAUSED
    if sender.missing_fields:
        return State.INCOMPLETE
    if sender.credentials is None:
        return State.MUTE
    if sender.is_stopped(at):
        return State.RESTRICTED if sender.stop_class == ErrorClass.ACCOUNT_SLOW else State.STOPPED
    if sender.is_connected is None:
        return State.READY
    return State.WORKS if sender.is_connected else State.DISCONNECTED


def has_own_token(sender: WhatsAppSender) -> bool:
    """Whether a token that it is given would be used: one without an account speaks through the environment's."""
    return bool(sender.account_id) and sender.provider != WhatsAppSender.Provider.CONSOLE


def pause(sender: WhatsAppSender) -> None:
    """What it has to say waits from now on, or is said by its stand-in."""
    _write(sender, is_active=False)


def resume(sender: WhatsAppSender, at: datetime) -> None:
    """Nobody holds it back any more: what waited for it is due now."""
    _write(sender, is_active=True)
    circuit.resume(sender, at)


def change_token(sender: WhatsAppSender, token: str, at: datetime) -> None:
    """Put a new token into use. Whether it is good, the provider says when it is asked (`health.check`)."""
    _write(sender, token=token, token_expires_at=None)
    circuit.resume(sender, at)


def change_account(sender: WhatsAppSender, at: datetime) -> None:
    """Another account was written into the sender: forget the former one. `health.check` asks how this one is."""
    forget_facts(sender)
    circuit.resume(sender, at)


def forget_facts(sender: WhatsAppSender) -> None:
    """What the provider said of another account, or of another token, says nothing of this one."""
    _write(sender, **FACTS)


def _write(sender: WhatsAppSender, **values: object) -> None:
    """Write these fields and no other: somebody else may be editing the others."""
    for name, value in values.items():
        setattr(sender, name, value)
    sender.save(update_fields=list(values))
