"""What is being sent again in bulk: each batch, how far it is, and the decisions about it."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app import bells, tasks
from whatsapp_monitoring_app.models import WhatsAppRetryBatch
from whatsapp_monitoring_app.models.retry_batches import RetryBatchQuerySet
from whatsapp_monitoring_app.services import retry_batches, retry_progress
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views import filter_words
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25


class BatchMixin(ScopedMixin):
    """Pages of what this office sends again; those that see every office have all batches."""

    def batches(self) -> RetryBatchQuerySet:
        return WhatsAppRetryBatch.objects.visible_to(self.office).select_related("created_by")

    def batch(self, code: uuid.UUID) -> WhatsAppRetryBatch:
        return get_object_or_404(self.batches(), pk=code)

    @property
    def by(self) -> retry_batches.By:
        return retry_batches.By(self.office, self.person)

    def back_to(self, code: uuid.UUID) -> HttpResponse:
        return redirect(f"{self.office.office}:whatsapp_retry_batch", code=code)

    def too_late(self, batch: WhatsAppRetryBatch) -> HttpResponse:
        text = _("Nothing was changed. The state of this batch: %(state)s.")
        messages.warning(self.request, text % {"state": batch.get_state_display()})
        return self.back_to(batch.pk)


class BatchListView(BatchMixin):
    template_name = "whatsapp_retry_batches.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        page = Paginator(self.batches(), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response(self.get_context_data(title=_("Retries in bulk"), page=page))


class BatchView(BatchMixin):
    """One batch: the few that went first, how far the others are, what became of them."""

    template_name = "whatsapp_retry_batch.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch, now = self.batch(code), timezone.now()
        few = batch.items.filter(is_canary=True).select_related("notification__user").order_by("pk")
        context = self.get_context_data(
            title=_("Retry in bulk"),
            batch=batch,
            progress=retry_progress.of(batch.items.all(), now),
            few=list(few),
            excluded=[(Reason(value).label, count) for value, count in batch.excluded.items()],
            chips=filter_words.chips_for(Filters.read(batch.query), self.office),
        )
        if request.headers.get("HX-Request"):
            return render(request, "whatsapp_monitoring_app/_retry_batch.html", context)
        return self.render_to_response(context)


class RunView(BatchMixin):
    """Send the others too, or go on after a pause."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = self.batch(code)
        if not retry_batches.let_run(batch, self.by, timezone.now()):
            return self.too_late(batch)
        bells.after_commit(tasks.run_whatsapp_retry_batch, str(code))
        messages.info(request, _("The messages are being sent again."))
        return self.back_to(code)


class PauseView(BatchMixin):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = self.batch(code)
        if not retry_batches.pause(batch, self.by, timezone.now()):
            return self.too_late(batch)
        messages.success(request, _("Paused: no more messages are queued. Those that are queued still leave."))
        return self.back_to(code)


class CancelView(BatchMixin):
    """Stop for good, after a page that says what still leaves."""

    template_name = "whatsapp_retry_cancel.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = self.batch(code)
        if batch.is_over:
            return self.too_late(batch)
        progress = retry_progress.of(batch.items.all(), timezone.now())
        context = self.get_context_data(title=_("Stop sending again?"), batch=batch, progress=progress)
        return self.render_to_response(context)

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = self.batch(code)
        if not retry_batches.stop(batch, self.by, timezone.now()):
            return self.too_late(batch)
        messages.success(request, _("Stopped. Those that are queued still leave; the others are not sent."))
        return self.back_to(code)
