"""The list of parcels, for every office that handles them."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from agent_chine_app.models import Colis
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25


class ColisListView(ScopedMixin):
    """The parcels: all, those with `status` awaited or arrived, those in which `q` is found."""

    template_name = "colis_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text, status = self.searched_text(), request.GET.get("status", "")
        colis = Colis.objects.select_related("client__user")
        if status == "awaited":
            colis = colis.on_the_way()
        elif status == "arrived":
            colis = colis.filter(status=Colis.Status.ARRIVED)
        page = Paginator(colis.matching(text) if text else colis, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response(self.get_context_data(title=_("Parcels"), page=page, q=text, status=status))
