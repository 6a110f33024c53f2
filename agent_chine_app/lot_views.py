"""The China office's pages of lots: opened, filled, closed, sent off, and who was told of it."""

import re
import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agent_chine_app import lots
from agent_chine_app.lot_forms import LotForm, ShipForm
from agent_chine_app.models import Colis, Lot
from whatsapp_monitoring_app.views.announcements import count_told, say_made, say_untold
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

ROWS_PER_PAGE = 25
CHOICES_PER_PAGE = 50
# So many sentences about parcels that cannot join are still read.
REFUSALS_SAID = 10


class LotMixin(ScopedMixin):
    """Pages of lots, and the ways between them."""

    def lot(self, pk: int) -> Lot:
        return get_object_or_404(Lot.objects.select_related("created_by"), pk=pk)

    def address(self, pk: int, name: str = "lot_details") -> str:
        return reverse(f"{self.office.office}:{name}", args=[pk])

    def refuse(self, refusal: lots.LotRefusal, pk: int) -> HttpResponse:
        """Say why nothing was done, on the lot's page."""
        messages.warning(self.request, str(refusal))
        return redirect(self.address(pk))

    def page_of(self, rows: QuerySet[Any], size: int = ROWS_PER_PAGE) -> Page[Any]:
        return Paginator(rows, size).get_page(self.request.GET.get("page"))

    def filling(self, lot: Lot) -> dict[str, Any]:
        """What changes when a parcel joins or leaves."""
        parcels = lot.colis.select_related("client__user").order_by("-created_at", "-pk")
        waiting_count = _candidates(lot).count() if lot.status == Lot.Status.OPEN else 0
        return {"lot": lot, "totals": lot.totals, "page": self.page_of(parcels), "waiting_count": waiting_count}


class LotListView(LotMixin):
    """The lots: all, those of one `status`, those in which `q` is found."""

    template_name = "lot_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text, status = self.searched_text(), request.GET.get("status", "")
        found = Lot.objects.with_totals()
        found = found.matching(text) if text else found
        context = self.get_context_data(
            title=_("Lots"),
            page=self.page_of(found.filter(status=status) if status in Lot.Status.values else found),
            q=text,
            status=status,
            tabs=self._tabs(),
        )
        return self.render_to_response(context)

    def _tabs(self) -> list[tuple[str, str, int]]:
        """Each status with its word and how many lots are in it, after all of them."""
        counts = dict(Lot.objects.order_by().values_list("status").annotate(count=Count("pk")))
        tabs = [(status.value, str(status.label), counts.get(status, 0)) for status in Lot.Status]
        return [("", _("All"), sum(counts.values())), *tabs]


class LotCreateView(LotMixin):
    template_name = "lot_create.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(LotForm(initial={"request_id": uuid.uuid4(), "number": lots.next_number()}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LotForm(request.POST)
        if not form.is_valid():
            return self._show(form, status=422)
        try:
            lot = lots.create(**form.cleaned_data, by=self.person)
        except lots.LotRefusal as refusal:
            form.add_error("number", str(refusal))
            return self._show(form, status=422)
        messages.success(request, _("Lot %(lot)s is open: add its parcels.") % {"lot": lot})
        return redirect(self.address(lot.pk))

    def _show(self, form: forms.Form, status: int = 200) -> HttpResponse:
        return self.render_to_response(self.get_context_data(title=_("New lot"), form=form), status=status)


class LotView(LotMixin):
    """One lot: what it holds, what can be done with it, and who was told of it."""

    template_name = "lot_details.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = self.lot(pk)
        told = lots.told(lot) if lot.status in lots.GONE else []
        if request.headers.get("HX-Request"):
            return self._refreshed(lot, told)
        context = self.get_context_data(
            title=_("Lot %(lot)s") % {"lot": lot},
            told=told,
            **self.filling(lot),
        )
        return self.render_to_response(context)

    def _refreshed(self, lot: Lot, told: list[lots.Told]) -> HttpResponse:
        """The count of one announcement, which asks for itself again."""
        code = self.request.GET.get("announcement", "")
        one = next((one for one in told if one.code == code), None)
        if one is None:
            return HttpResponse(status=204)
        return render(self.request, "agent_chine_app/_lot_told.html", self.get_context_data(lot=lot, one=one))


class LotAddView(LotMixin):
    """Put parcels into the lot: one that was scanned, or many that were ticked. htmx gets the changed piece."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = self.lot(pk)
        try:
            added = lots.add(lot, _numbers(request))
        except lots.LotRefusal as refusal:
            added = lots.Added(refusals=[str(refusal)])
        if request.headers.get("HX-Request"):
            context = self.get_context_data(result=_in_words(added, lot), **self.filling(self.lot(pk)))
            return render(request, "agent_chine_app/_lot_filling.html", context)
        for level, sentence in _in_words(added, lot):
            messages.add_message(request, messages.SUCCESS if level == "success" else messages.WARNING, sentence)
        return redirect(safe_next(request, self.address(pk)))


def _numbers(request: HttpRequest) -> list[str]:
    """The tracking numbers that were typed, scanned or ticked."""
    typed = " ".join(request.POST.getlist("numbers")).replace("\x00", "")
    return [number for number in re.split(r"[\s,;]+", typed) if number]


def _in_words(added: lots.Added, lot: Lot) -> list[tuple[str, str]]:
    """What became of the parcels: sentences, each a success or a warning."""
    if not added.numbers and not added.refusals:
        return [("warning", _("Scan, type or tick a parcel first."))]
    said = [("warning", refusal) for refusal in added.refusals[:REFUSALS_SAID]]
    more = len(added.refusals) - REFUSALS_SAID
    if more > 0:
        text = ngettext("%(count)d more could not be added.", "%(count)d more could not be added.", more)
        said.append(("warning", text % {"count": more}))
    if len(added.numbers) == 1:
        said.insert(0, ("success", _("Parcel %(number)s is in the lot now.") % {"number": added.numbers[0]}))
    elif added.numbers:
        text = ngettext("%(count)d parcel is added.", "%(count)d parcels are added.", len(added.numbers))
        said.insert(0, ("success", text % {"count": len(added.numbers)}))
    return said


def _candidates(lot: Lot) -> QuerySet[Colis]:
    """The parcels that may join the lot."""
    return Colis.objects.without_lot().filter(transport=lot.transport)


class LotChooseView(LotMixin):
    """The parcels without a lot that travel in this way, to be ticked."""

    template_name = "lot_choose.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot, text = self.lot(pk), self.searched_text()
        if lot.status != Lot.Status.OPEN:
            return redirect(self.address(pk))
        waiting = Colis.objects.filter(pk__in=_candidates(lot)).select_related("client__user")
        context = self.get_context_data(
            title=_("Parcels for lot %(lot)s") % {"lot": lot},
            lot=lot,
            q=text,
            page=self.page_of(waiting.matching(text) if text else waiting, CHOICES_PER_PAGE),
            is_ticked=request.GET.get("tick") == "all",
        )
        return self.render_to_response(context)


class LotRemoveView(LotMixin):
    """Take one parcel out of the lot."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, colis: int) -> HttpResponse:
        parcel = get_object_or_404(Colis, pk=colis)
        try:
            is_removed = lots.remove(self.lot(pk), parcel)
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        if is_removed:
            messages.success(request, _("Parcel %(number)s is out of the lot.") % {"number": parcel})
        else:
            messages.info(request, _("Parcel %(number)s is not in this lot.") % {"number": parcel})
        return redirect(safe_next(request, self.address(pk)))


class LotCloseView(LotMixin):
    """Nothing joins the lot any more."""

    template_name = "lot_close.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = self.lot(pk)
        try:
            lots.check_closable(lot)
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        title = _("Close lot %(lot)s?") % {"lot": lot}
        return self.render_to_response(self.get_context_data(title=title, lot=lot, totals=lot.totals))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = self.lot(pk)
        try:
            lots.close(lot, timezone.now())
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        messages.success(request, _("Lot %(lot)s is closed. Say when it has left.") % {"lot": lot})
        return redirect(self.address(pk))


class LotReopenView(LotMixin):
    """Let parcels join again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = self.lot(pk)
        try:
            lots.reopen(lot)
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        messages.success(request, _("Lot %(lot)s is open again.") % {"lot": lot})
        return redirect(self.address(pk))


class LotShipView(LotMixin):
    """The lot has left: first who will be told, then the telling."""

    template_name = "lot_ship.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._show(self.lot(pk), ShipForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot, form = self.lot(pk), ShipForm(request.POST)
        if not form.is_valid():
            return self._show(lot, form, status=422)
        try:
            announced = lots.ship(lot, self.person, timezone.now(), form.cleaned_data["expected_on"])
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        count, untold_count = count_told(announced)
        text = ngettext(
            "Lot %(lot)s has left. %(count)d client is to be told: the result shows below.",
            "Lot %(lot)s has left. %(count)d clients are to be told: the result shows below.",
            count,
        )
        messages.success(request, text % {"lot": lot, "count": count})
        say_untold(request, untold_count)
        return redirect(self.address(pk))

    def _show(self, lot: Lot, form: ShipForm, status: int = 200) -> HttpResponse:
        try:
            lots.check_shippable(lot)
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, lot.pk)
        context = self.get_context_data(
            title=_("Has lot %(lot)s left?") % {"lot": lot},
            lot=lot,
            totals=lot.totals,
            plan=lots.plan(lot),
            form=form,
        )
        return self.render_to_response(context, status=status)


class LotCompleteView(LotMixin):
    """Make the messages that are missing, of those who were forgotten too."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            announced = lots.complete(self.lot(pk), self.person)
        except lots.LotRefusal as refusal:
            return self.refuse(refusal, pk)
        say_made(request, announced.notifications, announced.announcement)
        return redirect(self.address(pk))
