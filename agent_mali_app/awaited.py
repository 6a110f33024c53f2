"""What is on its way to Mali and what has come of it, lot by lot, counted for the screens."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agent_chine_app.models import Colis, Lot
from agent_mali_app.reminders import BAMAKO

Status = Colis.Status
CAME = (Status.ARRIVED, Status.READY, Status.HANDED_OVER)
# Days: what waits longer is counted apart on the home page.
LONG = 5


class Tab(models.TextChoices):
    """The lots that the Mali office tells apart."""

    TRANSIT = "transit", _("In transit")
    PARTLY = "partly", _("Partly received")
    RECEIVED = "received", _("Received")
    UNTOLD = "untold", _("To announce")


@dataclass(frozen=True)
class Figures:
    """The Mali office's day in numbers."""

    lots: int
    awaited: int
    unannounced: int
    stored: int
    stored_long: int
    handed_over: int


def today(at: datetime | None = None) -> date:
    """The day in Bamako."""
    return timezone.localdate(at, BAMAKO)


def counted(lots: QuerySet[Lot]) -> QuerySet[Lot]:
    """The lots with the numbers of their parcels: all, came, missing, searched for; and of their clients."""
    return lots.annotate(
        colis_count=Count("colis"),
        came_count=Count("colis", filter=Q(colis__status__in=CAME)),
        missing_count=Count("colis", filter=Q(colis__status=Status.SHIPPED)),
        lost_count=Count("colis", filter=Q(colis__status=Status.LOST)),
        client_count=Count("colis__client", distinct=True),
    )


def lots(tab: Tab) -> QuerySet[Lot]:
    """The lots of this tab, counted: first what is expected first, or what came last."""
    if tab == Tab.RECEIVED:
        return counted(Lot.objects.filter(status=Lot.Status.RECEIVED)).order_by("-received_at", "-pk")
    if tab == Tab.UNTOLD:
        return counted(Lot.objects.filter(pk__in=_unannounced().values("lot"))).order_by("-shipped_at", "-pk")
    begun = Q(pk__in=Colis.objects.filter(status__in=CAME, lot__isnull=False).values("lot"))
    on_the_way = Lot.objects.in_transit().filter(begun if tab == Tab.PARTLY else ~begun)
    return counted(on_the_way).order_by(F("expected_on").asc(nulls_last=True), "shipped_at", "pk")


def _unannounced() -> QuerySet[Colis]:
    return Colis.objects.in_storage().filter(arrival_told_at=None, lot__isnull=False)


def figures(at: datetime) -> Figures:
    """The numbers of the home page."""
    stored = Q(status__in=[Status.ARRIVED, Status.READY])
    midnight = timezone.localtime(at, BAMAKO).replace(hour=0, minute=0, second=0, microsecond=0)
    counts = Colis.objects.aggregate(
        awaited=Count("pk", filter=Q(status__in=[Status.RECEIVED, Status.SHIPPED])),
        unannounced=Count("pk", filter=Q(pk__in=_unannounced())),
        stored=Count("pk", filter=stored),
        stored_long=Count("pk", filter=stored & Q(arrived_at__lt=at - timedelta(days=LONG))),
        handed_over=Count("pk", filter=Q(status=Status.HANDED_OVER, handed_over_at__gte=midnight)),
    )
    return Figures(lots=Lot.objects.in_transit().count(), **counts)
