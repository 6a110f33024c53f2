"""Lots that come to Mali: which, what of them is here, who is told of it."""

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Self

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agent_chine_app.models import Colis, Lot
from agent_mali_app import arrivals, awaited, told
from agent_mali_app.forms import DelayForm, ReceiveForm
from whatsapp_monitoring_app.models import WhatsAppAnnouncement
from whatsapp_monitoring_app.services.announcements import Announced
from whatsapp_monitoring_app.views.announcements import count_told, say_made, say_untold
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
# Boxes to tick on one page; the search finds the others.
BOXES = 200
SCANS = 10


@dataclass(frozen=True)
class PastScan:
    """A scan as the session remembers it, for the person who scans."""

    outcome: str
    sentence: str
    at: datetime

    @classmethod
    def of(cls, request: HttpRequest, lot: Lot) -> list[Self]:
        """This person's last scans for the lot, the newest first."""
        kept = request.session.get(_key(lot), [])
        return [cls(outcome, sentence, datetime.fromisoformat(at)) for outcome, sentence, at in kept]


def _key(lot: Lot) -> str:
    return f"scans:{lot.pk}"


def _remember(request: HttpRequest, lot: Lot, scan: arrivals.Scan, at: datetime) -> None:
    kept = request.session.get(_key(lot), [])
    request.session[_key(lot)] = [[scan.outcome.value, scan.sentence, at.isoformat()], *kept][:SCANS]


def _lot(pk: int) -> Lot:
    return get_object_or_404(awaited.counted(Lot.objects.all()), pk=pk)


def _state(request: HttpRequest, lot: Lot) -> dict[str, Any]:
    """What changes with each parcel that is received."""
    untold = arrivals.untold(lot)
    return {
        "lot": lot,
        "scans": PastScan.of(request, lot),
        "untold_count": untold.count(),
        "untold_client_count": untold.values("client").distinct().count(),
        "told_by_itself_at": arrivals.told_by_itself_at(lot),
    }


class LotListView(ScopedMixin):
    """The lots on their way (at first), partly received, or received (`tab`)."""

    template_name = "lot_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = request.GET.get("tab", "")
        tab = awaited.Tab(asked) if asked in awaited.Tab.values else awaited.Tab.TRANSIT
        page = Paginator(awaited.lots(tab), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(title=_("Lots"), page=page, tab=tab, tabs=awaited.Tab.choices)
        return self.render_to_response(context)


class LotDetailsView(ScopedMixin):
    """One lot: what of it is here, what is not, and who was told."""

    template_name = "lot_details.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot, text = _lot(pk), self.searched_text()
        missing = lot.colis.filter(status=Colis.Status.SHIPPED).select_related("client__user").order_by("numero_suivi")
        context = self.get_context_data(
            **_state(request, lot),
            title=_("Lot %(lot)s") % {"lot": lot},
            missing=(missing.matching(text) if text else missing)[:BOXES],
            most=BOXES,
            lost=lot.colis.filter(status=Colis.Status.LOST).select_related("client__user"),
            told=told.of(lot),
            q=text,
        )
        return self.render_to_response(context)


class LotScanView(ScopedMixin):
    """One parcel of the lot was scanned, or its number typed: the answer alone; without JavaScript the lot's page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot, number, at = _lot(pk), request.POST.get("number", ""), timezone.now()
        scan = _found(arrivals.scan(lot, number, self.person, at)) if number.strip() else None
        if scan:
            _remember(request, lot, scan, at)
        if request.headers.get("HX-Request"):
            context = self.get_context_data(**_state(request, _lot(pk)), scan=scan, is_fragment=True)
            return render(request, "agent_mali_app/_scanned.html", context)
        if scan and _is_found_again(scan):
            # The page of a complete lot shows no scans.
            messages.warning(request, scan.sentence)
        return redirect("agent_mali:lot_details", pk=pk)


def _found(scan: arrivals.Scan) -> arrivals.Scan:
    """The scan, with what is to be done when no message will say that the parcel is here again."""
    return replace(scan, sentence=told.found_again(scan.colis)) if scan.colis and _is_found_again(scan) else scan


def _is_found_again(scan: arrivals.Scan) -> bool:
    is_told = scan.colis is not None and scan.colis.arrival_told_at is not None
    return is_told and scan.outcome == arrivals.Outcome.RECEIVED


class LotReceiveView(ScopedMixin):
    """The ticked parcels have arrived."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = _lot(pk)
        form = ReceiveForm(lot, request.POST)
        if not form.is_valid():
            messages.warning(request, _("Tick the parcels that have arrived first."))
            return redirect("agent_mali:lot_details", pk=pk)
        pks = [colis.pk for colis in form.cleaned_data["colis"]]
        try:
            _say_received(request, arrivals.receive(lot, pks, self.person, timezone.now()))
        except arrivals.ArrivalRefusal as refusal:
            messages.warning(request, str(refusal))
        return redirect("agent_mali:lot_details", pk=pk)


class LotReceiveAllView(ScopedMixin):
    """The whole lot has arrived: asked first, then done."""

    template_name = "lot_receive_all.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = _lot(pk)
        title = _("Has the whole lot %(lot)s arrived?") % {"lot": lot}
        return self.render_to_response(self.get_context_data(title=title, lot=lot))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            _say_received(request, arrivals.receive_all(_lot(pk), self.person, timezone.now()))
        except arrivals.ArrivalRefusal as refusal:
            messages.warning(request, str(refusal))
        return redirect("agent_mali:lot_details", pk=pk)


def _say_received(request: HttpRequest, received: arrivals.Received) -> None:
    count = len(received.colis)
    if not count:
        messages.info(request, _("Nothing changed: these parcels were noted already."))
        return
    text = ngettext("%(count)d parcel has arrived.", "%(count)d parcels have arrived.", count)
    messages.success(request, text % {"count": count})
    for colis in received.colis:
        if colis.arrival_told_at:
            messages.warning(request, told.found_again(colis))


class LotTellView(ScopedMixin):
    """Tell the clients what has arrived: shown first, then done."""

    template_name = "lot_tell.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = _lot(pk)
        title = _("Lot %(lot)s: tell the clients") % {"lot": lot}
        context = self.get_context_data(title=title, lot=lot, plan=arrivals.plan(lot))
        return self.render_to_response(context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        announced = arrivals.tell(_lot(pk), self.person, timezone.now())
        if announced is None:
            messages.info(request, _("The clients have been told of everything that has arrived."))
        else:
            _say_told(request, announced)
        return redirect("agent_mali:lot_details", pk=pk)


class LotToldView(ScopedMixin):
    """How far the clients have been told by one announcement about the lot; posting makes the missing messages."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, pk: int, code: uuid.UUID) -> HttpResponse:
        lot = _lot(pk)
        row = told.one(lot, self._announcement(lot, code))
        return render(request, "agent_mali_app/_told.html", self.get_context_data(lot=lot, row=row))

    def post(self, request: HttpRequest, pk: int, code: uuid.UUID) -> HttpResponse:
        lot = _lot(pk)
        announcement = self._announcement(lot, code)
        say_made(request, told.complete(lot, announcement), announcement)
        return redirect("agent_mali:lot_details", pk=pk)

    def _announcement(self, lot: Lot, code: uuid.UUID) -> WhatsAppAnnouncement:
        return get_object_or_404(told.announced(lot), pk=code)


class LotDelayView(ScopedMixin):
    """The lot comes later: the new day, who would be told of it, and then their messages."""

    template_name = "lot_delay.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = _lot(pk)
        return self._show(lot, DelayForm(lot, initial={"request_id": uuid.uuid4()}))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        lot = _lot(pk)
        form = DelayForm(lot, request.POST)
        if not form.is_valid():
            return self._show(lot, form, status=422)
        values = form.cleaned_data
        try:
            arrivals.delay(
                lot, values["expected_on"], values["request_id"], self.person, timezone.now(), values["note"]
            )
        except arrivals.ArrivalRefusal as refusal:
            form.add_error(None, str(refusal))
            return self._show(lot, form, status=422)
        messages.success(request, _("The delay is noted, and the clients are being told of it."))
        return redirect("agent_mali:lot_details", pk=pk)

    def _show(self, lot: Lot, form: DelayForm, status: int = 200) -> HttpResponse:
        context = self.get_context_data(
            title=_("Lot %(lot)s: a delay") % {"lot": lot},
            lot=lot,
            form=form,
            plan=arrivals.plan_delay(lot, _day_of(form)),
        )
        return self.render_to_response(context, status=status)


def _day_of(form: DelayForm) -> date:
    """The day that was typed, or the first that could be: who is told does not depend on it."""
    day = form.cleaned_data.get("expected_on") if form.is_bound else None
    return day or form.earliest


def _say_told(request: HttpRequest, announced: Announced) -> None:
    count, untold_count = count_told(announced)
    if count:
        text = ngettext(
            "%(count)d client is to be told: the result shows below.",
            "%(count)d clients are to be told: the result shows below.",
            count,
        )
        messages.success(request, text % {"count": count})
    say_untold(request, untold_count)
