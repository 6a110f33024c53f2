"""A sender without a network: it claims a message, and records that the provider has accepted it."""

import time
import uuid
from collections import deque

from django.utils import timezone

from benchmarks.inside.ours import OFFICE, TEXT
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.providers.base import Accepted
from whatsapp_monitoring_app.services import recording

SUPPLY = 500

_waiting: deque[uuid.UUID] = deque()


def send() -> float:
    """Send one message; the milliseconds from its claim until the answer is recorded."""
    if not _waiting:
        _owe()
    code, sender = _waiting.popleft(), WhatsAppSender.objects.get(code="mali")
    started, at = time.perf_counter(), timezone.now()
    claimed = WhatsAppNotification.objects.claim(code, at)
    assert claimed
    recording.record(claimed, sender, recording.Call(Accepted(f"wamid.{code}"), at, at))
    return (time.perf_counter() - started) * 1000


def _owe() -> None:
    at = timezone.now()
    owed = WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(
            source_app=OFFICE,
            phone_number="+22370000000",
            message_type="notification",
            category="general",
            message_content=TEXT,
            created_at=at,
            next_attempt_at=at,
        )
        for _ in range(SUPPLY)
    )
    _waiting.extend(each.pk for each in owed)
