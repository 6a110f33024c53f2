"""A person sends messages again: one, after what speaks against it was said, or many, after a plan."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import bells, tasks
from whatsapp_monitoring_app.models import Action, WhatsAppNotification
from whatsapp_monitoring_app.services import audit, quiet_hours, retries, retry_batches, retry_plans, retry_progress
from whatsapp_monitoring_app.services.retry_reasons import DOUBTS, Reason
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views import filter_words
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

# By so much may the count have moved between the plan and the press: the part of it, and how many in any case.
DRIFT, LEAST_DRIFT = 0.1, 5


def known_doubts(values: Iterable[str]) -> frozenset[Reason]:
    """The doubts that these words of a form confirm."""
    return frozenset(reason for reason in DOUBTS if reason.value in values)


class RetryView(ScopedMixin):
    """One more attempt for one message; where something speaks against it, after a page that says what."""

    template_name = "whatsapp_retry.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications().select_related("user"), pk=code)
        doubts: list[Reason] = []
        try:
            retries.check(notification, timezone.now())
        except retries.NeedsConfirmation as question:
            doubts = question.doubts
        except retries.NotRetryable as refusal:
            return self._refuse(code, str(refusal))
        context = self.get_context_data(title=_("Send this message again?"), notification=notification, doubts=doubts)
        return self.render_to_response(context)

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications(), pk=code)
        now = timezone.now()
        confirmed = known_doubts(request.POST.getlist("confirmed"))
        try:
            with transaction.atomic():
                retries.retry(notification, self.person, now, confirmed=confirmed)
                detail = ", ".join(sorted(confirmed))
                audit.note(Action.RETRY, self.person, self.office, now, target=code, detail=detail)
        except retries.NeedsConfirmation:
            return redirect(f"{self.office.office}:whatsapp_retry", code=code)
        except retries.NotRetryable as refusal:
            return self._refuse(code, str(refusal))
        bells.ring_after_commit(notification)
        messages.info(request, _when_it_leaves(notification))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)

    def _refuse(self, code: uuid.UUID, why: str) -> HttpResponse:
        messages.warning(self.request, why)
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)


def _when_it_leaves(notification: WhatsAppNotification) -> str:
    at = timezone.now()
    hold = quiet_hours.hold_on(notification, at)
    if hold is None:
        return _("A new attempt is queued. Its result will show here.")
    moment = quiet_hours.in_words(hold, at)
    return _("It is night at the client’s: the new attempt waits. It will leave at %(moment)s.") % {"moment": moment}


class OrderForm(forms.Form):
    """What the plan's page sends back: the filters, and what it had counted."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    query = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    stale = forms.BooleanField(required=False, widget=forms.HiddenInput)


class RetryFailedView(ScopedMixin):
    """What sending many messages again would do; then it is done, a few first.

    A POST without any field is the guide's: everything that this office has to handle, at once.
    """

    template_name = "whatsapp_retry_failed.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(self._filters(request.GET.urlencode()), confirms_old=bool(request.GET.get("stale")))

    def post(self, request: HttpRequest) -> HttpResponse:
        if "request_id" not in request.POST:
            return self._retry_everything()
        form = OrderForm(request.POST)
        if not form.is_valid():
            return self._show(self._filters(request.POST.get("query", "")), status=422)
        order = self._order(form, tries_few_first=request.POST.get("how") != "all")
        if self._has_moved(order, form.cleaned_data["seen"]):
            warning = _("The number of messages has changed since you looked. Look again before you decide.")
            return self._show(order.filters, confirms_old=form.cleaned_data["stale"], warning=warning, status=422)
        try:
            batch, _is_new = tasks.begin_retry_batch(order)
        except retry_batches.NothingToSend:
            messages.info(request, _("There is no failed message to retry."))
            return redirect(f"{self.office.office}:whatsapp_monitoring")
        return redirect(f"{self.office.office}:whatsapp_retry_batch", code=batch.pk)

    def _filters(self, query: str) -> Filters:
        """The filters of the list; without a status, what is to be handled."""
        filters = Filters.read(query).within(self.office)
        return filters if filters.status else replace(filters, status="to_handle")

    def _order(self, form: OrderForm, *, tries_few_first: bool) -> retry_batches.Order:
        return retry_batches.Order(
            scope=self.office,
            person=self.person,
            filters=self._filters(form.cleaned_data["query"]),
            request_id=form.cleaned_data["request_id"],
            confirmed=_confirmed(confirms_old=form.cleaned_data["stale"]),
            tries_few_first=tries_few_first,
        )

    def _has_moved(self, order: retry_batches.Order, seen: int) -> bool:
        if retry_batches.exists(order):
            return False  # pressed twice
        now = timezone.now()
        count = retry_plans.count(order.notifications(now), now, order.confirmed)
        return abs(count - seen) > max(LEAST_DRIFT, DRIFT * seen)

    def _show(
        self, filters: Filters, *, confirms_old: bool = False, warning: str = "", status: int = 200
    ) -> HttpResponse:
        now = timezone.now()
        found = filters.apply(self.notifications(), now)
        plan = retry_plans.plan(found, now, _confirmed(confirms_old=confirms_old))
        initial = {"request_id": uuid.uuid4(), "query": filters.write(), "seen": plan.count, "stale": confirms_old}
        context = self.get_context_data(
            title=_("Retry the failed messages"),
            plan=plan,
            failed_count=plan.matching,
            form=OrderForm(initial=initial),
            filters=filters,
            chips=filter_words.chips_for(filters, self.office),
            confirms_old=confirms_old,
            canary=retry_batches.CANARY,
            warning=warning,
        )
        return self.render_to_response(context, status=status)

    def _retry_everything(self) -> HttpResponse:
        try:
            batch = tasks.retry_everything(self.office, self.person)
        except retry_batches.NothingToSend:
            messages.info(self.request, _("There is no failed message to retry."))
        else:
            self._tell(retry_progress.of(batch.items.all(), timezone.now()))
        return redirect(safe_next(self.request, f"{self.office.office}:whatsapp_monitoring"))

    def _tell(self, progress: retry_progress.Progress) -> None:
        text = ngettext(
            "%(count)d message is queued for a new attempt.",
            "%(count)d messages are queued for a new attempt.",
            progress.total,
        )
        messages.info(self.request, text % {"count": progress.total})
        asleep = progress.counts.get(retry_progress.Stage.ASLEEP, 0)
        if asleep:
            text = ngettext(
                "%(count)d of them waits for the morning: it is night at the client’s.",
                "%(count)d of them wait for the morning: it is night at the clients’.",
                asleep,
            )
            messages.info(self.request, text % {"count": asleep})


def _confirmed(*, confirms_old: bool) -> frozenset[Reason]:
    return retries.OLD_NEWS if confirms_old else frozenset()
