"""The monitoring screens, written once for every office."""

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppInbound, WhatsAppNotification
from whatsapp_monitoring_app.services import (
    calls,
    cancellation,
    decisions,
    explanations,
    quiet_hours,
    retries,
    statistics,
)
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

RECENT = 8




class DetailsView(ScopedMixin):
    """Everything about one message: what was said, each attempt, each receipt, the error in plain words."""

    template_name = "whatsapp_attempt_details.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(
            self.notifications().select_related(
                "user", "sender", "settled_by", "informed_by", "template", "resent_as"
            ),
            pk=code,
        )
        replies = WhatsAppInbound.objects.visible_to(self.office)
        context = self.get_context_data(
            title=notification.title or notification.message_type,
            notification=notification,
            timeline=statistics.timeline(notification),
            subjects=notification.subjects.order_by("name"),
            replies=replies.filter(phone_number=notification.phone_number)[:RECENT],
            decision=statistics.decision(notification),
            must_be_called=calls.to_call(self.notifications().filter(pk=code), timezone.now()).exists(),
            explanation=explanations.explain(notification),
        )
        if request.headers.get("HX-Request"):
            return render(request, "whatsapp_monitoring_app/_details_live.html", context)
        return self.render_to_response(context)


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


class CancelView(ScopedMixin):
    """Keep a message that still waits from being sent."""

    template_name = "whatsapp_cancel.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications().select_related("user"), pk=code)
        if not notification.is_waiting:
            return self._too_late(code)
        return self.render_to_response(
            self.get_context_data(title=_("Cancel this message?"), notification=notification)
        )

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        get_object_or_404(self.notifications(), pk=code)
        if not cancellation.cancel(self.notifications().filter(pk=code), CancelReason.PERSON, timezone.now()):
            return self._too_late(code)
        messages.success(request, _("The message is cancelled."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)

    def _too_late(self, code: uuid.UUID) -> HttpResponse:
        messages.warning(self.request, _("It is too late: this message does not wait any more."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


class ConfirmArrivalView(ScopedMixin):
    """The client says that they have a message of which nobody knew."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications(), pk=code)
        try:
            decisions.confirm_arrival(notification, self.person, timezone.now())
        except decisions.TooLate as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("Noted: the message has arrived."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


class GiveUpView(ScopedMixin):
    """Send a message of which nobody knows no more."""

    template_name = "whatsapp_give_up.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications().select_related("user"), pk=code)
        if notification.status != Status.UNCONFIRMED:
            messages.warning(request, str(decisions.TooLate(notification)))
            return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)
        return self.render_to_response(
            self.get_context_data(title=_("Give up this message?"), notification=notification)
        )

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications(), pk=code)
        try:
            decisions.give_up(notification, self.person, timezone.now())
        except decisions.TooLate as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("The message is given up: it is not sent again."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


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
