"""The offices' pages about what messages speak of."""

from collections.abc import Collection
from typing import Any

from django.db.models import CharField, QuerySet, Value
from django.urls import reverse

from agent_chine_app.models import Colis, Lot
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.search import LOT, PARCEL


def subject_pages(scope: Scope, subjects: Collection[str]) -> dict[str, str]:
    """The address, in this office, of each parcel and lot among these subjects of messages; in one query."""
    parcels = _named(subjects, PARCEL)
    lots = _named(subjects, LOT)
    if not parcels and not lots:
        return {}
    rows = _numbered(Colis.objects.filter(numero_suivi__in=parcels), "numero_suivi", PARCEL).union(
        _numbered(Lot.objects.filter(number__in=lots), "number", LOT), all=True
    )
    pages = {PARCEL: f"{scope.office}:colis_details", LOT: f"{scope.office}:lot_details"}
    return {f"{kind}{number}": reverse(pages[kind], args=[pk]) for kind, number, pk in rows}


def _named(subjects: Collection[str], kind: str) -> set[str]:
    return {name.removeprefix(kind) for name in subjects if name.startswith(kind)}


def _numbered(rows: QuerySet[Any], name: str, kind: str) -> QuerySet[Any]:
    return rows.order_by().values_list(Value(kind, output_field=CharField()), name, "pk")
