"""The dashboard: what waits for a person, and how the messages of a period fared."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app.services import failures, statistics, trends
from whatsapp_monitoring_app.views.scoped import ScopedMixin

RECENT = 6
TO_HANDLE = 4
PERIODS = [
    ("today", gettext_lazy("Today")),
    ("day", gettext_lazy("24 hours")),
    ("week", gettext_lazy("7 days")),
    ("month", gettext_lazy("30 days")),
]


class DashboardView(ScopedMixin):
    """What went out, what did not, and what needs a person; `period` says since when."""

    template_name = "whatsapp_monitoring.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        visible, now = self.notifications(), timezone.now()
        period = trends.period(request.GET.get("period", ""), now)
        context = self.get_context_data(
            title=_("WhatsApp monitoring"),
            now=now,
            period=period,
            periods=PERIODS,
            trend=trends.of(self.office, period),
            failures=failures.of(self.office, period.begin, now),
            to_handle=statistics.to_handle(visible, now).select_related("user")[:TO_HANDLE],
            recent=visible.select_related("user")[:RECENT],
        )
        return self.render_to_response(context)
