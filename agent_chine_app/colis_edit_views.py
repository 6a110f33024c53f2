"""Parcels are registered and corrected in China."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from agent_chine_app import registration
from agent_chine_app.colis_forms import ColisEditForm, ColisForm
from agent_chine_app.models import Client, Colis
from whatsapp_monitoring_app.views.scoped import ScopedMixin

CHOICES = 20


class ColisCreateView(ScopedMixin):
    """A new parcel. Its client is searched for (`q`) or given (`client`): a list of all would be endless."""

    template_name = "colis_create.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        candidates = self._candidates()
        chosen = request.GET.get("client") or (candidates[0].pk if len(candidates) == 1 else None)
        return self._show(ColisForm(initial={"request_id": uuid.uuid4(), "client": chosen}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ColisForm(request.POST, request.FILES)
        if not form.is_valid():
            form.ask_for_photo_again()
            return self._show(form, status=422)
        colis, why_untold = registration.register(form.draft(), form.cleaned_data["photo"], self.person)
        names = {"number": colis.numero_suivi, "client": colis.client, "reason": why_untold}
        if why_untold:
            text = _("Parcel %(number)s is registered; %(client)s cannot be told on WhatsApp: %(reason)s")
            messages.warning(request, text % names)
        else:
            text = _("Parcel %(number)s is registered; %(client)s will be told on WhatsApp.")
            messages.success(request, text % names)
        return redirect(f"{self.office.office}:colis_details", pk=colis.pk)

    def _candidates(self) -> list[Client]:
        clients = Client.objects.select_related("user")
        chosen = self.request.POST.get("client") or self.request.GET.get("client", "")
        if chosen.isdecimal():
            return list(clients.filter(pk=chosen))
        text = self.searched_text()
        return list((clients.matching(text) if text else clients)[:CHOICES])

    def _show(self, form: ColisForm, status: int = 200) -> HttpResponse:
        candidates = self._candidates()
        form.offer(candidates)
        context = self.get_context_data(
            title=_("New parcel"),
            form=form,
            q=self.searched_text(),
            has_clients=bool(candidates),
            has_more=len(candidates) == CHOICES,
        )
        return self.render_to_response(context, status=status)


class ColisEditView(ScopedMixin):
    """What was written down about a parcel is corrected; where it is moves elsewhere."""

    template_name = "colis_edit.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._show(ColisEditForm(instance=self._colis(pk)))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis = self._colis(pk)
        form = ColisEditForm(request.POST, request.FILES, instance=colis)
        if not (form.is_valid() and self._write(colis, form)):
            form.ask_for_photo_again()
            return self._show(form, status=422)
        messages.success(request, _("Parcel %(number)s is corrected.") % {"number": colis.numero_suivi})
        return redirect(f"{self.office.office}:colis_details", pk=colis.pk)

    def _colis(self, pk: int) -> Colis:
        return get_object_or_404(Colis.objects.select_related("client__user", "lot"), pk=pk)

    def _write(self, colis: Colis, form: ColisEditForm) -> bool:
        without_photo = form.cleaned_data.get("without_photo", False)
        try:
            registration.correct(colis, form.facts(), form.cleaned_data["photo"], without_photo=without_photo)
        except registration.RegistrationRefusal as refusal:
            form.add_error(None, str(refusal))
            return False
        return True

    def _show(self, form: ColisEditForm, status: int = 200) -> HttpResponse:
        colis = form.instance
        context = self.get_context_data(
            title=_("Correct parcel %(number)s") % {"number": colis.numero_suivi},
            form=form,
            colis=colis,
            transport_stays=registration.why_transport_stays(colis.lot) if colis.lot else "",
        )
        return self.render_to_response(context, status=status)
