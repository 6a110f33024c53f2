"""Lots on their way to Mali, parcels in storage, and people who work at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, Lot

Value = TypeVar("Value")


def client(number: int = 0, first_name: str = "Awa") -> Client:
    return create_client(f"+223660000{number:02}", first_name, f"Traoré{number}")[0]


def agent(number: int = 0) -> User:
    return User.objects.create_user(f"+2237100{number:04}", role="agent_mali")


def shipped_lot(colis_count: int = 3, client_count: int = 1, **fields: Any) -> Lot:
    """A lot that left China five days ago, with parcels of so many clients in turn."""
    left_at = timezone.now() - timedelta(days=5)
    values: dict[str, Any] = {"number": "GZ-0412", "status": Lot.Status.SHIPPED, "shipped_at": left_at, **fields}
    lot = Lot.objects.create(**values)
    clients = [client(number) for number in range(client_count)]
    for number in range(colis_count):
        Colis.objects.create(client=clients[number % client_count], lot=lot, status=Colis.Status.SHIPPED)
    return lot


def stored(of: Client, since: datetime | None = None, **fields: Any) -> Colis:
    """A parcel of the client that arrived at this moment, and of which they were told."""
    at = since or timezone.now()
    values = {"status": Colis.Status.ARRIVED, "arrived_at": at, "arrival_told_at": at, **fields}
    return Colis.objects.create(client=of, **values)


def pks(lot: Lot) -> list[int]:
    return list(lot.colis.order_by("pk").values_list("pk", flat=True))


def at_once(times: int, act: Callable[[int], Value]) -> list[Value]:
    """What `act` gives when it is called by so many people at the same moment."""

    def alone(number: int) -> Value:
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(alone, range(times)))
