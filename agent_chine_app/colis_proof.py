"""The proof of notice of one parcel, for every office that handles parcels."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from agent_chine_app.models import Colis
from whatsapp_monitoring_app.services import proofs
from whatsapp_monitoring_app.views.scoped import ScopedMixin


class ColisProofView(ScopedMixin):
    """What the parcel is, what happened to it, and what was said of it to whom, to print."""

    template_name = "colis_proof.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis = get_object_or_404(Colis.objects.select_related("client__user", "lot"), pk=pk)
        context = self.get_context_data(
            title=_("Proof of notice: parcel %(number)s") % {"number": colis.numero_suivi},
            colis=colis,
            steps=colis.steps.select_related("by"),
            proof=proofs.of(colis.subject, self.office, self.person, timezone.now()),
        )
        return self.render_to_response(context)
