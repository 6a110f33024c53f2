"""The monitoring screens, written once for every office."""

import uuid
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from whatsapp_monitoring_app import scopes, tasks
from whatsapp_monitoring_app.models import CancelReason, ErrorClass, Status, WhatsAppInbound, WhatsAppNotification
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import REACHED
from whatsapp_monitoring_app.services import (
    cancellation,
    decisions,
    explanations,
    quiet_hours,
    retries,
    statistics,
    stops,
    template_stops,
)
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

ROWS_PER_PAGE = 25
RECENT = 8


class DashboardView(ScopedMixin):
    """What went out, what did not, and what needs a person."""

    template_name = "whatsapp_monitoring.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        visible = self.notifications()
        now = timezone.now()
        worth_a_look = statistics.worth_a_look(visible, now)
        context = self.get_context_data(
            title=_("WhatsApp monitoring"),
            today=statistics.summary(visible.filter(created_at__gte=statistics.start_of_day(now))),
            week=statistics.summary(visible.filter(created_at__gte=now - statistics.WEEK)),
            causes=statistics.causes(visible.filter(created_at__gte=now - statistics.WEEK)),
            offices=statistics.by_office(visible.filter(created_at__gte=now - statistics.WEEK))
            if self.office.sees_every_office
            else None,
            to_handle=statistics.to_handle(visible, now).select_related("user")[:RECENT],
            **worth_a_look,
            recent=visible.select_related("user")[:RECENT],
            troubles=stops.troubles(now),
            holds=template_stops.held(visible) if worth_a_look["held_count"] else [],
        )
        return self.render_to_response(context)


# Words for several statuses at once, as the dashboard counts them.
# Accepted long ago, and nothing heard since.
SILENT = "silent"
STATUS_GROUPS = {"waiting": statistics.ON_THE_WAY, "reached": REACHED}


class FilterForm(forms.Form):
    """The list's filters, as they stand in its address."""

    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    status = forms.ChoiceField(label=gettext_lazy("Status"), required=False)
    period = forms.ChoiceField(label=gettext_lazy("Period"), required=False)
    message_type = forms.ChoiceField(label=gettext_lazy("Type"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    source_app = forms.ChoiceField(label=gettext_lazy("Office"), required=False)

    def __init__(self, data: Any, visible: NotificationQuerySet, *, with_office: bool) -> None:
        super().__init__(data)
        # Not declared above: Django's forms have an attribute of this name.
        self.fields["error_class"] = forms.ChoiceField(label=gettext_lazy("Cause"), required=False)
        everything = ("", _("All"))
        groups = [
            ("waiting", _("On their way")),
            ("reached", _("Delivered or read")),
            (SILENT, _("Accepted, without receipt for 72 h")),
        ]
        self._choose("status", [everything, *groups, *Status.choices])
        self._choose("period", [everything, ("today", _("Today")), ("week", _("Last 7 days"))])
        self._choose("error_class", [everything, *ErrorClass.choices])
        for name in ("message_type", "category"):
            self._choose(name, [everything, *((value, value) for value in statistics.distinct(visible, name))])
        self._choose(
            "source_app", [everything, *((scope.office, scope.label) for scope in scopes.all_scopes().values())]
        )
        if not with_office:
            del self.fields["source_app"]

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def apply(self, notifications: NotificationQuerySet) -> NotificationQuerySet:
        """The notifications that pass the filters; a filter that is not understood filters nothing."""
        self.is_valid()
        chosen = {name: value for name, value in self.cleaned_data.items() if value}
        text, status, period = (chosen.pop(name, "") for name in ("q", "status", "period"))
        found = notifications.filter(**chosen)
        if status == SILENT:
            found = found.without_receipt(timezone.now())
        elif status:
            found = found.filter(status__in=STATUS_GROUPS.get(status, [status]))
        if period:
            now = timezone.now()
            found = found.filter(
                created_at__gte=statistics.start_of_day(now) if period == "today" else now - statistics.WEEK
            )
        return found.matching(text) if text else found

    @property
    def is_filtering(self) -> bool:
        return any(self.cleaned_data.values())


class NotificationListView(ScopedMixin):
    template_name = "whatsapp_monitoring_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = FilterForm(request.GET, self.notifications(), with_office=self.office.sees_every_office)
        found = form.apply(self.notifications()).select_related("user")
        page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        context = self.get_context_data(
            title=_("WhatsApp messages"),
            form=form,
            page=page,
            query=query.urlencode(),
            failed_count=self.notifications().to_retry().count(),
        )
        return self.render_to_response(context)


class DetailsView(ScopedMixin):
    """Everything about one message: what was said, each attempt, each receipt, the error in plain words."""

    template_name = "whatsapp_attempt_details.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(
            self.notifications().select_related("user", "sender", "settled_by", "template"), pk=code
        )
        replies = WhatsAppInbound.objects.visible_to(self.office)
        context = self.get_context_data(
            title=notification.title or notification.message_type,
            notification=notification,
            timeline=statistics.timeline(notification),
            replies=replies.filter(phone_number=notification.phone_number)[:RECENT],
            decision=statistics.decision(notification),
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
