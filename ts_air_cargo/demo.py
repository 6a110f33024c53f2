"""A small company to try things on: people, clients, parcels, a week of messages.

The past messages went through the real engine, with a clock set back and a provider whose answers are scripted here.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_creation import tell
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, ColisStep, Lot
from agent_chine_app.notifications import notify_colis_created
from whatsapp_monitoring_app.models import WhatsAppReceipt, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest, ReceiptEvent
from whatsapp_monitoring_app.services import delivery, drafts, outbox, receipts

PASSWORD = "demo-ts-2026"  # noqa: S105 - printed for everybody who runs the demo
Kind = WhatsAppReceipt.Kind


@dataclass(frozen=True)
class Account:
    telephone: str
    first_name: str
    last_name: str
    role: str
    language: str
    time_zone: str
    is_superuser: bool = False


ACCOUNTS = (
    Account("+8613800138000", "Wei", "Zhang", "agent_chine", "fr", "Asia/Shanghai"),
    Account("+22370000100", "Awa", "Traoré", "agent_mali", "fr", "Africa/Bamako"),
    Account("+8613800138001", "Li", "Chen", "admin_chine", "fr", "Asia/Shanghai"),
    Account("+22370000101", "Moussa", "Keïta", "admin_mali", "fr", "Africa/Bamako"),
    Account("+22370000102", "Fanta", "Diallo", "admin_mali", "fr", "Africa/Bamako", is_superuser=True),
)

CLIENTS = (
    ("+22376123456", "Aminata", "Coulibaly"),
    ("+22366456789", "Ibrahim", "Sangaré"),
    ("+22379112233", "Oumou", "Diarra"),
    ("+22365778899", "Seydou", "Konaté"),
    ("+22390445566", "Mariam", "Touré"),
    ("+22370000001", "Bakary", "Sidibé"),  # not on WhatsApp, says the sandbox
)
GOODS = ("Téléphones", "Chaussures", "Tissus", "Pièces de moto", "Cosmétiques", "Panneaux solaires")

PATHS = ("read", "delivered", "read", "131026", "read", "sent", "read", "132012", "delivered", "read")


def load(at: datetime | None = None) -> bool:
    """Create the demo company; False when it is there already."""
    at = at or timezone.now()
    if User.objects.filter(telephone=ACCOUNTS[0].telephone).exists():
        return False
    _create_accounts()
    _configure_senders()
    clients = [create_client(*client)[0] for client in CLIENTS]
    _let_in(clients[0])
    colis = _create_colis(clients, at)
    _create_arrived_colis(clients[0], at)
    _create_past_messages(colis, at)
    with transaction.atomic():
        notify_colis_created(colis[0])
        notify_colis_created(colis[5])
        tell(clients[2])
    return True


def _create_accounts() -> None:
    for account in ACCOUNTS:
        User.objects.create_user(
            account.telephone,
            PASSWORD,
            first_name=account.first_name,
            last_name=account.last_name,
            role=account.role,
            language=account.language,
            time_zone=account.time_zone,
            is_superuser=account.is_superuser,
            is_staff=account.role.startswith("admin"),
        )


def _configure_senders() -> None:
    for number, sender in enumerate(WhatsAppSender.objects.order_by("code"), start=1):
        sender.account_id = f"10000000000000{number}"
        sender.business_account_id = settings.WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID
        sender.token = settings.WHATSAPP_SANDBOX_TOKEN
        sender.save()


def _let_in(client: Client) -> None:
    client.user.set_password(PASSWORD)
    client.user.save()


def _create_colis(clients: list[Client], at: datetime) -> list[Colis]:
    lot = _create_lot("GZ-0412", at - timedelta(days=6))
    colis = [
        _create_one(client, lot if number % 2 else None, GOODS[number], at - timedelta(days=6 - number))
        for number, client in enumerate(clients)
    ]
    lot.colis.all().move(Colis.Status.SHIPPED, None, at - timedelta(hours=20))
    Lot.objects.filter(pk=lot.pk).update(
        status=Lot.Status.SHIPPED,
        closed_at=at - timedelta(hours=21),
        shipped_at=at - timedelta(hours=20),
        expected_on=(at + timedelta(days=3)).date(),
    )
    return colis


def _create_lot(number: str, at: datetime) -> Lot:
    return Lot.objects.create(number=number, created_at=at)


def _create_one(client: Client, lot: Lot | None, description: str, at: datetime, **fields: Any) -> Colis:
    """A parcel that China receives at this moment."""
    weight = Decimal(12 + 7 * GOODS.index(description)) / 4
    values = {"client": client, "lot": lot, "description": description, "weight_kg": weight, "created_at": at}
    colis = Colis.objects.create(**values, **fields)
    ColisStep.objects.create(colis=colis, kind=ColisStep.Kind.RECEIVED, at=at)
    return colis


def _create_arrived_colis(client: Client, at: datetime) -> None:
    """One to fetch, and one that was fetched: of a lot that came last week."""
    left, came = at - timedelta(days=9), at - timedelta(days=2)
    lot = _create_lot("GZ-0405", at - timedelta(days=14))
    for description in GOODS[1:3]:
        _create_one(client, lot, description, at - timedelta(days=12), fee_fcfa=12_500)
    lot.colis.all().move(Colis.Status.SHIPPED, None, left)
    lot.colis.all().move(Colis.Status.ARRIVED, None, came, arrived_at=came, arrival_told_at=came)
    fetched = at - timedelta(days=1)
    given: dict[str, Any] = {"handed_over_at": fetched, "handed_over_to": str(client)}
    lot.colis.filter(description=GOODS[1]).move(Colis.Status.HANDED_OVER, None, fetched, **given)
    Lot.objects.filter(pk=lot.pk).update(
        status=Lot.Status.RECEIVED, closed_at=left, shipped_at=left, received_at=came, expected_on=came.date()
    )


def _create_past_messages(colis: list[Colis], at: datetime) -> None:
    for number in range(40):
        parcel = colis[number % len(colis)]
        path = "131026" if parcel.client.user.telephone == CLIENTS[-1][0] else PATHS[number % len(PATHS)]
        _send_in_the_past(parcel, path, number, at - timedelta(hours=4 * number + 1, minutes=7 * number % 50), now=at)


def _send_in_the_past(colis: Colis, path: str, number: int, at: datetime, now: datetime) -> None:
    is_arrival = number % 3 == 0
    notification, _created = outbox.post(
        drafts.Draft(
            user=colis.client.user,
            message_content=f"Votre colis {colis.numero_suivi} "
            + ("est arrivé au Mali ! Venez le récupérer." if is_arrival else "a quitté Guangzhou."),
            source_app="agent_mali" if is_arrival else "agent_chine",
            message_type="delivery" if is_arrival else "expedition",
            category="colis_arrival" if is_arrival else "colis_status",
            title="Arrivée au Mali" if is_arrival else "Expédition du colis",
            priority=1 if is_arrival else 3,
            subject=colis.subject,
            idempotency_key=f"demo:{number}",
        ),
        at,
    )
    # In the morning, if it was night.
    at = notification.next_attempt_at or at
    if at > now:
        return
    wamid = f"wamid.DEMO{number:04}"
    answering = _answering(path, wamid, notification.phone_number.removeprefix("+"))
    delivery.deliver(notification.code, send=answering, now=_clock(at))
    for kind, delay in _receipts_of(path):
        event = ReceiptEvent(wamid, kind, str(kind), at + delay, tracking=str(notification.code))
        receipts.take("cloud_api", event, at + delay)


def _answering(path: str, wamid: str, wa_id: str) -> Callable[[HttpRequest], HttpAnswer]:
    accepted = {"messages": [{"id": wamid}], "contacts": [{"wa_id": wa_id}]}
    refused = {"error": {"code": path, "message": f"(#{path}) Message undeliverable", "fbtrace_id": uuid.uuid4().hex}}
    body = refused if path.isdigit() else accepted
    return lambda _request: HttpAnswer(400 if path.isdigit() else 200, json.dumps(body).encode())


def _receipts_of(path: str) -> list[tuple[WhatsAppReceipt.Kind, timedelta]]:
    steps = [
        (Kind.SENT, timedelta(seconds=2)),
        (Kind.DELIVERED, timedelta(seconds=5)),
        (Kind.READ, timedelta(minutes=4)),
    ]
    return {"sent": steps[:1], "delivered": steps[:2], "read": steps}.get(path, [])


def _clock(start: datetime) -> Callable[[], datetime]:
    ticks = iter(range(1, 1000))
    return lambda: start + timedelta(milliseconds=180) * next(ticks)
