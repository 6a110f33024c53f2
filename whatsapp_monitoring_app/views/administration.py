"""The page that leads to everything an administration sees to, and how the queues are."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.services import administration, pulses, queues
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin


class AdministrationView(EveryOfficeMixin):
    """What there is to see to, each with how it is now."""

    template_name = "whatsapp_administration.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=_("Administration"),
            state=administration.state(timezone.now()),
            flower_url=settings.FLOWER_URL,
        )
        return self.render_to_response(context)


class QueuesView(EveryOfficeMixin):
    """Each sender's circuit, pace and queue, and whether workers and scheduler are alive."""

    template_name = "whatsapp_queues.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        context = self.get_context_data(
            title=_("Circuits and queues"), queues=queues.queues(now), pulses=pulses.look(now), at=now
        )
        return self.render_to_response(context)
