"""The counter of the Mali office: handing parcels over, and what waits in storage."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from agent_chine_app import events
from agent_chine_app.models import Client, Colis
from agent_chine_app.models.clients import ClientQuerySet
from agent_mali_app import arrivals, reminders
from agent_mali_app.forms import HandOverForm
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
CHOICES = 20


def _with_parcels_here() -> ClientQuerySet:
    here = Colis.objects.in_storage().filter(client=OuterRef("pk"))
    return Client.objects.select_related("user").filter(Exists(here))


class PickupView(ScopedMixin):
    """The pick-up desk: who comes (`q`, or `client` once chosen), what waits for them, and to whom it was given."""

    template_name = "pickup.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text, chosen = self.searched_text(), request.GET.get("client", "")
        found = self._found(text, chosen)
        if len(found) == 1:
            (client,) = found
            return self._show_desk(client, HandOverForm(client, initial=_fresh(client)))
        gone = Colis.objects.select_related("client__user").matching(text)[:CHOICES] if text and not found else []
        context = self.get_context_data(title=_("Pick-up"), q=text, clients=found, most=CHOICES, gone=gone)
        return self.render_to_response(context)

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = request.POST.get("client", "")
        if not chosen.isdecimal():
            messages.warning(request, _("Look for the client first."))
            return redirect("agent_mali:pickup")
        client = get_object_or_404(Client.objects.select_related("user"), pk=chosen)
        form = HandOverForm(client, request.POST)
        if not form.is_valid():
            return self._show_desk(client, form, status=422)
        values = form.cleaned_data
        pks = [colis.pk for colis in values["colis"]]
        try:
            given = arrivals.hand_over(client, pks, values["to"], values["request_id"], self.person, timezone.now())
        except arrivals.ArrivalRefusal as refusal:
            form.add_error(None, str(refusal))
            return self._show_desk(client, form, status=422)
        messages.success(request, _given_in_words(given))
        return redirect("agent_mali:pickup")

    def _found(self, text: str, chosen: str) -> list[Client]:
        clients = _with_parcels_here()
        if chosen.isdecimal():
            return list(clients.filter(pk=chosen))
        return list(_counted(clients.matching(text))[:CHOICES]) if text else []

    def _show_desk(self, client: Client, form: HandOverForm, status: int = 200) -> HttpResponse:
        stored = client.colis.in_storage().order_by("arrived_at", "pk")
        context = self.get_context_data(
            title=_("Pick-up"),
            client=client,
            form=form,
            stored=stored,
            # All of them at first; afterwards those that the person had ticked.
            ticked=self.request.POST.getlist("colis") if form.is_bound else [str(colis.pk) for colis in stored],
            total=stored.aggregate(total=Sum("fee_fcfa"))["total"],
            unpriced_count=stored.filter(fee_fcfa=None).count(),
            q=self.searched_text(),
        )
        return self.render_to_response(context, status=status)


def _counted(clients: QuerySet[Client]) -> QuerySet[Client]:
    counted = clients.annotate(stored_count=Count("colis", filter=Q(colis__in=Colis.objects.in_storage())))
    return counted.order_by("user__last_name", "user__first_name", "pk")


def _fresh(client: Client) -> dict[str, Any]:
    return {"request_id": uuid.uuid4(), "to": str(client)}


def _given_in_words(given: Sequence[Colis]) -> str:
    first = given[0]
    text = _("Handed over to %(to)s on %(at)s: %(colis)s.")
    at = formats.date_format(timezone.localtime(first.handed_over_at), "SHORT_DATETIME_FORMAT")
    return text % {"to": first.handed_over_to, "at": at, "colis": events.in_words(given)}


@dataclass(frozen=True)
class Stored:
    """A parcel in storage, how often its client was reminded of it, and when the next reminder leaves."""

    colis: Colis
    reminder_count: int
    next_day: date | None


class StorageView(ScopedMixin):
    """What waits in Mali, the longest first; with `days`, what has waited longer than that."""

    template_name = "storage.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        days, text = request.GET.get("days", ""), self.searched_text()
        colis = Colis.objects.in_storage().select_related("client__user").order_by("arrived_at", "pk")
        if text:
            colis = colis.matching(text)
        if days.isdecimal() and len(days) < 5:
            colis = colis.filter(arrived_at__lt=timezone.now() - timedelta(days=int(days)))
        page = Paginator(colis, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(
            title=_("Storage"),
            page=page,
            rows=_stored(list(page.object_list)),
            q=text,
            days=days,
            first_after=settings.STORAGE_REMINDER_AFTER_DAYS,
            every=settings.STORAGE_REMINDER_EVERY_DAYS,
        )
        return self.render_to_response(context)


def _stored(colis: Sequence[Colis]) -> list[Stored]:
    next_days = reminders.next_days({one.client_id for one in colis}, timezone.now())
    counts = reminders.counts(colis)
    return [Stored(one, counts.get(one.subject, 0), next_days.get(one.client_id)) for one in colis]
