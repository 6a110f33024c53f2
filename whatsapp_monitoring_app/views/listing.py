"""The list of messages."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import Status
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import depth, filter_choices, paging, saved_views
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views.filters import FilterForm
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
# What is counted, beside what each filter keeps from being found; no filter has such a name.
EVERYTHING, FAILED = "+everything", "+failed"


class NotificationListView(ScopedMixin):
    """The messages that pass the filters of the address, newest first."""

    template_name = "whatsapp_monitoring_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        visible, filters, now = self.notifications(), self.filters, timezone.now()
        found = filters.apply(visible, now)
        end = depth.end(filters, visible, request.GET, now)
        seen = depth.looked_at(found, end)
        page = paging.page(seen.select_related("user"), request.GET, ROWS_PER_PAGE, beyond=end.beyond if end else "")
        # What lies between the newest and an older part was looked through before.
        is_older = bool(depth.unled(filters)) and (bool(page.newer) or "after" in request.GET)
        asked = {} if is_older else _to_count(filters, seen, page)
        without = {} if page or end else depth.looser(filters, visible, now)
        questions = [*asked.values(), *without.values()]
        views, numbers = saved_views.listed(self.office, self.person, visible, now, questions)
        counts = dict(zip([*asked, *without], numbers, strict=True))
        form = FilterForm(filters, filter_choices.of(visible), self.office, page[0] if page else None)
        form.is_valid()
        context = self.get_context_data(
            title=_("WhatsApp messages"),
            form=form,
            page=page,
            query=filters.write(),
            total=len(page) if page.is_whole else counts.get(EVERYTHING, 0),
            failed_count=counts.get(FAILED, 0),
            end=end,
            is_older=is_older,
            looked_through=depth.LOOKED_THROUGH,
            views=views,
            obstacles=[chip for chip in form.chips() if chip.name in without and counts[chip.name]],
        )
        return self.render_to_response(context)


def _to_count(filters: Filters, found: NotificationQuerySet, page: paging.Page) -> dict[str, NotificationQuerySet]:
    """Those of which the page says how many they are, and those of them that could be sent again."""
    if not page:
        return {}
    can_have_failed = filters.status in ("", "to_handle", Status.FAILED)
    return {
        EVERYTHING: found.none() if page.is_whole else found,
        FAILED: found.to_retry() if can_have_failed else found.none(),
    }
