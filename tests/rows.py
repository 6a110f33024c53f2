"""Rows for the screens to show: notifications in any state, and what belongs to them."""

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core import serializers
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation, ClientImport, Colis, Lot, NumberChange
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    AlertKind,
    ErrorClass,
    Outcome,
    Status,
    Trigger,
    WhatsAppAddressee,
    WhatsAppAlert,
    WhatsAppAlertChoice,
    WhatsAppAnnouncement,
    WhatsAppAttempt,
    WhatsAppAuditEntry,
    WhatsAppBulk,
    WhatsAppCauseMark,
    WhatsAppErrorCode,
    WhatsAppExport,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppProviderTemplate,
    WhatsAppRetryBatch,
    WhatsAppRetryItem,
    WhatsAppSavedView,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.services import exports
from whatsapp_monitoring_app.services.search import Filters

TEMPLATE_MODELS = (WhatsAppTemplate, WhatsAppTemplateName, WhatsAppProviderTemplate)


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


def announcement(
    office: str, notifications: Sequence[WhatsAppNotification] = (), **fields: Any
) -> WhatsAppAnnouncement:
    """What this office has announced, by these notifications."""
    values: dict[str, Any] = {
        "source_app": office,
        "idempotency_key": str(uuid.uuid4()),
        "message_type": "expedition",
        "category": "colis_status",
        "title": "Départ de Chine · GZ-0412",
    }
    announced = WhatsAppAnnouncement.objects.create(**{**values, **fields})
    for owed in notifications:
        assert owed.user
        WhatsAppAddressee.objects.create(
            announcement=announced, user=owed.user, template="envoi_parti", notification=owed
        )
    return announced


def export(office: str, filters: Filters | None = None, **wish: Any) -> WhatsAppExport:
    """A finished export of somebody who works in this office."""
    telephone = f"+2236655{list(scopes.all_scopes()).index(office):04}"
    person = User.objects.filter(telephone=telephone).first() or User.objects.create_user(telephone, role=office)
    wanted = exports.Wish(filters or Filters(), **{"format": "csv", **wish})
    asked = exports.create(wanted, uuid.uuid4(), person, scopes.get(office), timezone.now())
    assert exports.run(asked.pk)
    asked.refresh_from_db()
    return asked


def retry_batch(office: str, notifications: Sequence[WhatsAppNotification] = (), **fields: Any) -> WhatsAppRetryBatch:
    """These messages are being sent again for this office; nothing is queued yet."""
    values: dict[str, Any] = {
        "source_app": office,
        "state": WhatsAppRetryBatch.State.RUNNING,
        "total": len(notifications),
        "created_at": timezone.now(),
        "request_id": uuid.uuid4(),
    }
    batch = WhatsAppRetryBatch.objects.create(**{**values, **fields})
    WhatsAppRetryItem.objects.bulk_create(
        [WhatsAppRetryItem(batch=batch, notification=notification) for notification in notifications]
    )
    return batch


def bulk(office: str, **fields: Any) -> WhatsAppBulk:
    """One text for many of this office; nothing is written yet."""
    values: dict[str, Any] = {
        "source_app": office,
        "message_content": "Fermeture exceptionnelle samedi",
        "message_type": "notification",
        "category": "general",
        "user_ids": [],
        "created_at": timezone.now(),
    }
    return WhatsAppBulk.objects.create(**{**values, **fields})


def alert(office: str = "", kind: AlertKind = AlertKind.QUEUE_AGE, **fields: Any) -> WhatsAppAlert:
    """An open alert of this office, or of the whole company, of which nobody was told yet."""
    at = timezone.now()
    facts = {"count": 3, "since": (at - timedelta(minutes=20)).isoformat()}
    values = {"key": office, "facts": facts, "opened_at": at, "last_seen_at": at, **fields}
    return WhatsAppAlert.objects.create(source_app=office, kind=kind, **values)


def template(code: str = "retard", **fields: Any) -> WhatsAppTemplate:
    """A message template in French and English that replaces nothing by itself."""
    values: dict[str, Any] = {
        "label": "Retard",
        "variables": ["nom", "jours"],
        "samples": {"nom": "Awa", "jours": "3"},
        "text_fr": "Bonjour {nom}, votre colis a {jours} jours de retard.",
        "text_en": "Hello {nom}, your parcel is {jours} days late.",
    }
    return WhatsAppTemplate.objects.create(code=code, **{**values, **fields})


def template_name(of: WhatsAppTemplate, sender: str = "mali", language: str = "fr", **fields: Any) -> Any:
    """What the template is called at this sender's provider."""
    ours = WhatsAppSender.objects.get(code=sender)
    values = {"name": "retard_2", **fields}
    return WhatsAppTemplateName.objects.create(template=of, sender=ours, language=language, **values)


def provider_template(name: str = "retard", language: str = "fr", **fields: Any) -> WhatsAppProviderTemplate:
    """What Meta has told of a template of the account that every sender has at first."""
    sender = WhatsAppSender.objects.get(code="mali")
    values: dict[str, Any] = {"status": "APPROVED", "body_variables": ["1", "2"], "synced_at": timezone.now()}
    return WhatsAppProviderTemplate.objects.create(
        provider=sender.provider,
        business_account_id=sender.business_account,
        name=name,
        language=language,
        **{**values, **fields},
    )


def saved_view(office: str, owner: User, name: str = "", **fields: Any) -> WhatsAppSavedView:
    """Failed messages under a name."""
    values: dict[str, Any] = {
        "name": name or str(uuid.uuid4()),
        "query": "status=failed",
        "created_at": timezone.now(),
    }
    return WhatsAppSavedView.objects.create(source_app=office, owner=owner, **{**values, **fields})


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
    models = (
        *(WhatsAppNotification, WhatsAppAttempt, WhatsAppSender, WhatsAppWrongNumber, *TEMPLATE_MODELS),
        *(User, Client, NumberChange, Colis, ClientCreation, ClientImport),
        *(WhatsAppAnnouncement, WhatsAppAddressee, Lot, WhatsAppCauseMark, WhatsAppSavedView),
        *(WhatsAppExport, WhatsAppAuditEntry, WhatsAppRetryBatch, WhatsAppRetryItem),
        *(WhatsAppErrorCode, WhatsAppOptOut, WhatsAppAlert, WhatsAppAlertChoice),
    )
    rows = json.loads(serializers.serialize("json", [row for model in models for row in model.objects.order_by("pk")]))
    return [{**row, "fields": {**row["fields"], "last_login": None}} for row in rows]
