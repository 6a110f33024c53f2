"""The monitoring screens, written once for every office."""

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import (
    quiet_hours,
    retries,
    statistics,
)
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

RECENT = 8


class RetryView(ScopedMixin):
    """One more attempt for one message."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications(), pk=code)
        now = timezone.now()
        try:
            retries.retry(notification, self.person, now)
        except retries.NotRetryable as error:
            messages.warning(request, str(error))
        else:
            tasks.ring_after_commit(notification)
            messages.success(request, _when_it_leaves(notification, now))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


def _when_it_leaves(notification: WhatsAppNotification, at: datetime) -> str:
    hold = quiet_hours.hold_on(notification, at)
    if hold is None:
        return _("A new attempt is queued. Its result will show here.")
    moment = quiet_hours.in_words(hold, at)
    return _("It is night at the client’s: the new attempt waits. It will leave at %(moment)s.") % {"moment": moment}


class RetryFailedView(ScopedMixin):
    """One more attempt for every failed message that this office sees."""

    template_name = "whatsapp_retry_failed.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        failed = self.notifications().to_retry()
        context = self.get_context_data(
            title=_("Retry the failed messages"), failed_count=failed.count(), causes=statistics.causes(failed)
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        queued = retries.retry_all(self.notifications(), self.person, now)
        for notification in queued:
            tasks.ring_after_commit(notification)
        if queued:
            text = ngettext(
                "%(count)d message is queued for a new attempt.",
                "%(count)d messages are queued for a new attempt.",
                len(queued),
            )
            messages.success(request, text % {"count": len(queued)})
            self._tell_of_the_night(sum(not notification.is_due(now) for notification in queued))
        else:
            messages.info(request, _("There is no failed message to retry."))
        return redirect(safe_next(request, f"{self.office.office}:whatsapp_monitoring"))

    def _tell_of_the_night(self, count: int) -> None:
        if count:
            text = ngettext(
                "%(count)d of them waits for the morning: it is night at the client’s.",
                "%(count)d of them wait for the morning: it is night at the clients’.",
                count,
            )
            messages.info(self.request, text % {"count": count})
