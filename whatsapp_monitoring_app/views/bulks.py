"""What was written to many people at once: each bulk message, how far it is, and who cannot be told."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import WhatsAppBulk
from whatsapp_monitoring_app.models.bulks import BulkQuerySet
from whatsapp_monitoring_app.services import bulk_progress
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25


class BulkMixin(ScopedMixin):
    """Pages of what this office has written to many; those that see every office have all bulk messages."""

    def bulks(self) -> BulkQuerySet:
        # Not the people, of whom there may be a hundred thousand.
        return WhatsAppBulk.objects.visible_to(self.office).select_related("created_by").defer("user_ids")


class BulkListView(BulkMixin):
    template_name = "whatsapp_bulks.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        page = Paginator(self.bulks().defer("user_ids", "refusals"), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response(self.get_context_data(title=_("Bulk messages"), page=page))


class BulkView(BulkMixin):
    """One bulk message: its text, how many are written, what has become of them, whom it cannot tell and why."""

    template_name = "whatsapp_bulk.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        bulk = get_object_or_404(self.bulks(), pk=code)
        stages = bulk_progress.of(bulk, self.notifications())
        context = {"bulk": bulk, "stages": stages, "scope": self.office}
        if request.headers.get("HX-Request"):
            return render(request, "whatsapp_monitoring_app/_bulk.html", context)
        page = Paginator(sorted(bulk.refusals.items()), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        refused = bulk_progress.refusals(list(page.object_list))
        return self.render_to_response(
            self.get_context_data(
                title=bulk.title or _("Bulk message"), page=page, refused=refused, bulk=bulk, stages=stages
            )
        )
