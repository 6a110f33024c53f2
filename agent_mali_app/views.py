"""The Mali office's home, and what is done with one parcel."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import phones
from agent_chine_app.models import Colis, Lot
from agent_chine_app.notifications import tell
from agent_mali_app import arrivals, awaited, told
from agent_mali_app.forms import LostForm, ShelfForm
from agent_mali_app.whatsapp_integration import notify_colis_arrival_mali
from whatsapp_monitoring_app.services import statistics
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

RECENT = 5


def _colis(pk: int) -> Colis:
    return get_object_or_404(Colis.objects.select_related("client__user", "lot"), pk=pk)


def _names(colis: Colis) -> dict[str, object]:
    telephone = phones.for_people(colis.client.user.telephone)
    return {"number": colis.numero_suivi, "client": colis.client, "telephone": telephone}


class HomeView(ScopedMixin):
    template_name = "home.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=self.office.label,
            figures=awaited.figures(timezone.now()),
            long=awaited.LONG,
            messages_home=statistics.home(self.office, timezone.now()),
            lots=awaited.counted(Lot.objects.in_transit()).order_by("expected_on", "pk")[:RECENT],
            awaited=Colis.objects.on_the_way().select_related("client__user")[:RECENT],
        )
        return self.render_to_response(context)


class ColisArrivalView(ScopedMixin):
    """Note that a parcel has arrived. The client of a single one is told at once, of one in a lot with the others."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis = _colis(pk)
        if colis.lot:
            self._receive(colis, colis.lot)
        else:
            self._receive_single(colis)
        return redirect(safe_next(request, f"{self.office.office}:colis_list"))

    def _receive(self, colis: Colis, lot: Lot) -> None:
        names = {**_names(colis), "lot": lot}
        try:
            is_first = bool(arrivals.receive(lot, [colis.pk], self.person, timezone.now()).colis)
        except arrivals.ArrivalRefusal as refusal:
            messages.warning(self.request, str(refusal))
            return
        if not is_first:
            messages.info(self.request, _("Parcel %(number)s had arrived already.") % names)
        elif colis.arrival_told_at:
            messages.success(self.request, told.found_again(colis))
        else:
            text = _(
                "Parcel %(number)s has arrived; %(client)s is told together with the other clients of lot %(lot)s: "
                "when you press “Tell the clients” there, or by itself after half an hour."
            )
            messages.success(self.request, text % names)

    def _receive_single(self, colis: Colis) -> None:
        is_first, why_untold = self._tell_of_single(colis)
        names = {**_names(colis), "reason": why_untold}
        if not is_first:
            messages.info(self.request, _("Parcel %(number)s had arrived already.") % names)
        elif colis.arrival_told_at:
            messages.success(self.request, told.found_again(colis))
        elif why_untold:
            text = _("Parcel %(number)s has arrived; %(client)s cannot be told on WhatsApp: %(reason)s")
            messages.warning(self.request, text % names)
        else:
            text = _("Parcel %(number)s has arrived; %(client)s will be told on WhatsApp.")
            messages.success(self.request, text % names)

    @transaction.atomic
    def _tell_of_single(self, colis: Colis) -> tuple[bool, str]:
        """Whether this call received the parcel, and why its client cannot be told; "" when they can."""
        at = timezone.now()
        this = Colis.objects.filter(pk=colis.pk)
        if not this.move(Colis.Status.ARRIVED, self.person, at, arrived_at=at):
            return False, ""
        why_untold = tell(colis, notify_colis_arrival_mali)
        if not why_untold:
            this.update(arrival_told_at=at)
        return True, why_untold


class ColisReadyView(ScopedMixin):
    """The parcel can be fetched, and lies on a shelf."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis, form = _colis(pk), ShelfForm(request.POST)
        names = _names(colis)
        if not form.is_valid():
            messages.warning(request, _("Say on which shelf parcel %(number)s lies.") % names)
        elif arrivals.make_ready(colis, form.cleaned_data["shelf"], self.person, timezone.now()):
            messages.success(request, _("Parcel %(number)s is ready to be fetched.") % names)
        else:
            messages.info(request, _("Nothing changed: parcel %(number)s does not wait for a shelf.") % names)
        return redirect(safe_next(request, "agent_mali:storage"))


class ColisShelfView(ScopedMixin):
    """The parcel lies somewhere else now."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis, form = _colis(pk), ShelfForm(request.POST)
        names = {**_names(colis), "shelf": form.data.get("shelf", "").strip()}
        if not form.is_valid():
            messages.warning(request, _("Say on which shelf parcel %(number)s lies.") % names)
        elif arrivals.put_on_shelf(colis, form.cleaned_data["shelf"]):
            messages.success(request, _("Parcel %(number)s lies on shelf %(shelf)s.") % names)
        else:
            messages.info(request, _("Nothing changed: parcel %(number)s is not in storage any more.") % names)
        return redirect(safe_next(request, "agent_mali:storage"))


class ColisLostView(ScopedMixin):
    """The parcel cannot be found: asked first, then noted. The client is called; no message says such a thing."""

    template_name = "colis_lost.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._show(_colis(pk), LostForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis, form = _colis(pk), LostForm(request.POST)
        if not form.is_valid():
            return self._show(colis, form, status=422)
        names = _names(colis)
        if arrivals.lose(colis, self.person, timezone.now(), form.cleaned_data["note"]):
            text = _("Parcel %(number)s is being searched for. Call %(client)s: %(telephone)s.")
            messages.warning(request, text % names)
        else:
            text = _("Nothing changed: parcel %(number)s was handed over, or is being searched for already.")
            messages.info(request, text % names)
        return redirect("agent_mali:colis_list")

    def _show(self, colis: Colis, form: LostForm, status: int = 200) -> HttpResponse:
        title = _("Parcel %(number)s cannot be found") % {"number": colis.numero_suivi}
        return self.render_to_response(self.get_context_data(title=title, colis=colis, form=form), status=status)
