"""Rows for the screens to show: notifications in any state, and what belongs to them."""

import json
from datetime import timedelta
from typing import Any

from django.core import serializers
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import ClientCreation, Colis
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Outcome,
    Status,
    Trigger,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.models.statuses import WAITING


def notification(office: str, status: Status = Status.FAILED, **fields: Any) -> WhatsAppNotification:
    """A notification of this office in this state, as the engine would have left it."""
    at = timezone.now()
    state: dict[str, Any] = {"next_attempt_at": at + timedelta(hours=1)} if status in WAITING else {}
    if status == Status.FAILED:
        state = {"failed_at": at, "error_class": ErrorClass.RECIPIENT_PERMANENT, "error_code": "131026"}
    if status == Status.UNCONFIRMED:
        state = {"confirm_by": at - timedelta(minutes=1), "error_class": ErrorClass.UNCONFIRMED}
    values: dict[str, Any] = {
        "source_app": office,
        "status": status,
        "phone_number": "+22376123456",
        "message_type": "expedition",
        "category": "colis_status",
        "title": "Expédition",
        "message_content": "Votre colis est parti.",
        "attempt_count": 0 if status == Status.PENDING else 1,
        "created_at": at,
    }
    return WhatsAppNotification.objects.create(**{**values, **state, **fields})


def attempt(of: WhatsAppNotification, number: int = 1) -> WhatsAppAttempt:
    at = timezone.now()
    return WhatsAppAttempt.objects.create(
        notification=of,
        number=number,
        trigger=Trigger.AUTO if number == 1 else Trigger.RETRY,
        started_at=at,
        finished_at=at + timedelta(milliseconds=200),
        duration=timedelta(milliseconds=200),
        sender=WhatsAppSender.objects.get(code="systeme"),
        outcome=Outcome.REFUSED,
        http_status=400,
        error_class=ErrorClass.RECIPIENT_PERMANENT,
    )


def company(count: int, office: str) -> list[WhatsAppNotification]:
    """`count` clients with a parcel, a finished creation and a message each, in every state in turn."""
    states = [status for status in Status if status not in (Status.SENDING, Status.CANCELLED)]
    made = []
    for number in range(count):
        client, _ = create_client(f"+2236600{number:04}", f"Client{number}", "Traoré")
        parcel = Colis.objects.create(client=client, description=f"Colis {number}")
        ClientCreation.objects.create(
            telephone=client.user.telephone,
            first_name="C",
            last_name="T",
            status="SUCCESS",
            step="done",
            client=client,
        )
        owed = notification(
            office, states[number % len(states)], user=client.user, subject=parcel.subject, title=f"Titre {number}"
        )
        attempt(owed)
        made.append(owed)
    return made


def everything() -> Any:
    """Every row that a press of a button could change, for the test that nothing moved."""
    models = (WhatsAppNotification, WhatsAppAttempt, WhatsAppSender, Colis, ClientCreation, User)
    rows = json.loads(serializers.serialize("json", [row for model in models for row in model.objects.order_by("pk")]))
    return [{**row, "fields": {**row["fields"], "last_login": None}} for row in rows]
