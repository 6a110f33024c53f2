"""The Mali office's own pages: home, and the arrival of parcels."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from agent_chine_app.models import Colis
from agent_mali_app.whatsapp_integration import notify_colis_arrival_mali
from whatsapp_monitoring_app.services import statistics
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

RECENT = 5


class HomeView(ScopedMixin):
    template_name = "home.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=self.office.label,
            awaited_count=Colis.objects.on_the_way().count(),
            arrived_count=Colis.objects.filter(status=Colis.Status.ARRIVED).count(),
            summary=statistics.summary(self.notifications()),
            awaited=Colis.objects.on_the_way().select_related("client__user")[:RECENT],
        )
        return self.render_to_response(context)


class ColisArrivalView(ScopedMixin):
    """Note that a parcel has arrived, and tell its client."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis = get_object_or_404(Colis.objects.select_related("client__user"), pk=pk)
        with transaction.atomic():
            at = timezone.now()
            arrived = Colis.objects.filter(pk=colis.pk).move(
                Colis.Status.ARRIVED, self.person, at, arrived_at=at, arrival_told_at=at
            )
            is_first = bool(arrived)
            if is_first:
                notify_colis_arrival_mali(colis)
        names = {"number": colis.numero_suivi, "client": colis.client}
        if is_first:
            messages.success(request, _("Parcel %(number)s has arrived; %(client)s will be told on WhatsApp.") % names)
        else:
            messages.info(request, _("Parcel %(number)s had arrived already; %(client)s was told once.") % names)
        return redirect(safe_next(request, f"{self.office.office}:colis_list"))
