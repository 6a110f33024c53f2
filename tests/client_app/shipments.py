"""Clients with parcels at any point of their way, and what they were told."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from django.core.files.base import ContentFile
from django.test import Client as Browser
from PIL import Image

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, ColisStep
from tests import rows
from whatsapp_monitoring_app.models import Status as MessageStatus
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSubject

AMINATA = "+22376123456"
IBRAHIM = "+22366456789"
# Nobody asked for it, and it must not be shown.
NOTE = "ask-about-the-invoice"
RECEIVED_AT = datetime(2026, 11, 10, 18, 30, tzinfo=UTC)

Status = Colis.Status
# How a parcel comes to each state.
WAYS: dict[Colis.Status, tuple[Colis.Status, ...]] = {
    Status.RECEIVED: (),
    Status.SHIPPED: (Status.SHIPPED,),
    Status.ARRIVED: (Status.SHIPPED, Status.ARRIVED),
    Status.READY: (Status.SHIPPED, Status.ARRIVED, Status.READY),
    Status.HANDED_OVER: (Status.SHIPPED, Status.ARRIVED, Status.HANDED_OVER),
    Status.LOST: (Status.SHIPPED, Status.LOST),
}


def client(telephone: str = AMINATA, **fields: Any) -> Client:
    made, _ = create_client(telephone, "Aminata", "Coulibaly")
    User.objects.filter(pk=made.user.pk).update(**{"language": "en", **fields})
    made.user.refresh_from_db()
    return made


def browser_of(who: Client | User) -> Browser:
    browser = Browser()
    browser.force_login(who.user if isinstance(who, Client) else who)
    return browser


def parcel(of: Client, status: Colis.Status = Status.RECEIVED, **fields: Any) -> Colis:
    """A parcel that has come to this state, one step a day."""
    agent = User.objects.filter(first_name="Secretive").first() or User.objects.create_user(
        "+8613800138000", first_name="Secretive", role="agent_chine"
    )
    colis = Colis.objects.create(client=of, created_at=RECEIVED_AT, **{"description": "Téléphones", **fields})
    ColisStep.objects.create(colis=colis, kind="received", at=RECEIVED_AT, by=agent, note=NOTE)
    for day, step in enumerate(WAYS[status], start=1):
        at = RECEIVED_AT + timedelta(days=day)
        facts: dict[str, Any] = {"arrived_at": at} if step == Status.ARRIVED else {}
        if step == Status.HANDED_OVER:
            facts = {"handed_over_at": at, "handed_over_to": "Fatoumata"}
        Colis.objects.filter(pk=colis.pk).move(step, agent, at, NOTE, **facts)
    colis.refresh_from_db()
    return colis


def with_photo(colis: Colis) -> Colis:
    picture = BytesIO()
    Image.new("RGB", (320, 240), "red").save(picture, "JPEG")
    colis.photo.save("photo.jpg", ContentFile(picture.getvalue()))
    return colis


def told(of: Client, colis: Colis, text: str, status: MessageStatus = MessageStatus.READ, **fields: Any) -> Any:
    """A message to this client that speaks of this parcel, among others."""
    values = {"user": of.user, "phone_number": of.user.telephone, "message_content": text, **fields}
    notification: WhatsAppNotification = rows.notification("agent_mali", status, **values)
    WhatsAppSubject.objects.create(notification=notification, name=colis.subject, fact_rank=30)
    return notification
