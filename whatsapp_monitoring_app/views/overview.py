"""Pages to read rather than to work on: the start of the day, and the proof of notice."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.services import morning, proofs
from whatsapp_monitoring_app.services.search import PARCEL
from whatsapp_monitoring_app.views.scoped import ScopedMixin


class MorningView(ScopedMixin):
    """Which clients were not reached since the previous working day."""

    template_name = "whatsapp_morning.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=_("This morning"),
            morning=morning.of(self.office, timezone.now()),
        )
        return self.render_to_response(context)


class ProofView(ScopedMixin):
    """Everything that was said about one `subject`, to print."""

    template_name = "whatsapp_proof.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        subject = request.GET.get("subject", "").replace("\x00", "").strip()
        if subject and ":" not in subject:
            subject = f"{PARCEL}{subject.upper()}"  # a bare number is a parcel's
        proof = proofs.of(subject, self.office, self.person, timezone.now())
        return self.render_to_response(self.get_context_data(title=_("Proof of notice"), proof=proof))
