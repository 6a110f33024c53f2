"""The list of messages."""

from collections.abc import Iterator
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import Status
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import filter_choices, paging, saved_views
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views.filter_words import Chip
from whatsapp_monitoring_app.views.filters import FilterForm
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25


class NotificationListView(ScopedMixin):
    """The messages that pass the filters of the address, newest first."""

    template_name = "whatsapp_monitoring_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        visible, now = self.notifications(), timezone.now()
        filters = Filters.read(request.GET).within(self.office)
        found = filters.apply(visible, now)
        page = paging.page(found.select_related("user"), request.GET, ROWS_PER_PAGE)
        total, failed_count = _counts(filters, found, page)
        form = FilterForm(filters, filter_choices.of(visible), self.office, page[0] if page else None)
        form.is_valid()
        context = self.get_context_data(
            title=_("WhatsApp messages"),
            form=form,
            page=page,
            query=filters.write(),
            total=total,
            failed_count=failed_count,
            views=saved_views.listed(self.office, self.person, visible, now),
            obstacles=[] if page else list(_obstacles(form, visible, now)),
        )
        return self.render_to_response(context)


def _counts(filters: Filters, found: NotificationQuerySet, page: paging.Page) -> list[int]:
    """How many these are, and how many of them could be sent again."""
    if not page:
        return [0, 0]
    can_have_failed = filters.status in ("", "to_handle", Status.FAILED)
    failed = found.to_retry() if can_have_failed else found.none()
    if page.is_only:
        return [len(page), *paging.counts(failed)]
    return paging.counts(found, failed)


def _obstacles(form: FilterForm, visible: NotificationQuerySet, at: datetime) -> Iterator[Chip]:
    """The filters without one of which something would be shown."""
    names = form.filters.obstacles(visible, at)
    return (chip for chip in form.chips() if chip.name in names)
