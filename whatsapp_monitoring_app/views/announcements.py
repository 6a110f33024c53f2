"""What was announced to many people at once: who has been told, who has not, and what to do about it."""

import uuid
from collections.abc import Sequence

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.models import Action, Standing, WhatsAppAnnouncement, WhatsAppNotification
from whatsapp_monitoring_app.models.announcements import AnnouncementQuerySet
from whatsapp_monitoring_app.services import announcements, audit
from whatsapp_monitoring_app.services.announcements import Announced
from whatsapp_monitoring_app.services.retries import Retried
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

ROWS_PER_PAGE = 25


class AnnouncementMixin(ScopedMixin):
    """Pages of what this office has announced; those that see every office have them all."""

    def announcements(self) -> AnnouncementQuerySet:
        return WhatsAppAnnouncement.objects.visible_to(self.office).select_related("created_by")

    def announcement(self, code: uuid.UUID) -> WhatsAppAnnouncement:
        return get_object_or_404(self.announcements(), pk=code)

    def back_to(self, code: uuid.UUID) -> HttpResponse:
        """To the page of the button that was pressed, else to that of the announcement."""
        own_page = reverse(f"{self.office.office}:whatsapp_announcement", args=[code])
        return redirect(safe_next(self.request, own_page))


class AnnouncementListView(AnnouncementMixin):
    template_name = "whatsapp_announcements.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        page = Paginator(self.announcements(), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(
            title=_("Announcements"), page=page, rows=announcements.reconcile_all(page.object_list)
        )
        return self.render_to_response(context)


class AnnouncementView(AnnouncementMixin):
    """Those who were to be told of one event, counted by how far they have been, and one by one."""

    template_name = "whatsapp_announcement.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        announcement = self.announcement(code)
        context = self.get_context_data(
            title=announcement.title,
            announcement=announcement,
            reconciliation=announcements.reconcile(announcement),
        )
        if request.headers.get("HX-Request"):
            return render(request, "whatsapp_monitoring_app/_reconciliation.html", context)
        standing = self._standing()
        people = announcements.people(announcement, standing)
        page = Paginator(people, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response({**context, "page": page, "standing": standing})

    def _standing(self) -> Standing | None:
        """The standing that the address asks for; one that there is not asks for nothing."""
        asked = self.request.GET.get("standing", "")
        return Standing(asked) if asked in Standing.values else None


class CompleteView(AnnouncementMixin):
    """Make the messages that could not be made before."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        announcement = self.announcement(code)
        with transaction.atomic():
            made = announcements.complete(announcement, timezone.now())
            bells.ring_for_all_after_commit(made)
        say_made(request, made, announcement)
        return self.back_to(code)


def count_told(announced: Announced) -> tuple[int, int]:
    """To how many people of a new announcement a message is on its way, and how many get none."""
    told = sum(notification.is_waiting for notification in announced.notifications)
    return told, announced.announcement.addressees.count() - told


def say_untold(request: HttpRequest, count: int) -> None:
    """Tell the person how many get no message; nothing when everybody gets one."""
    if not count:
        return
    text = ngettext(
        "%(count)d client cannot be told on WhatsApp: the list of people says why.",
        "%(count)d clients cannot be told on WhatsApp: the list of people says why.",
        count,
    )
    messages.warning(request, text % {"count": count})


def say_made(request: HttpRequest, made: Sequence[WhatsAppNotification], announcement: WhatsAppAnnouncement) -> None:
    """Tell the person how many messages are on their way, now that the missing ones were to be made."""
    count = sum(notification.is_waiting for notification in made)
    missing = announcement.addressees.never_told().count()
    if count:
        text = ngettext("%(count)d missing message is made.", "%(count)d missing messages are made.", count)
        messages.success(request, text % {"count": count})
    if missing:
        text = ngettext(
            "%(count)d message cannot be made: the list of people says why.",
            "%(count)d messages cannot be made: the list of people says why.",
            missing,
        )
        messages.warning(request, text % {"count": missing})
    say_untold(request, len(made) - count)
    if not made and not missing:
        messages.info(request, _("No message is missing any more."))


class RetryFailedView(AnnouncementMixin):
    """One more attempt for each of the messages that failed."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        announcement, now = self.announcement(code), timezone.now()
        with transaction.atomic():
            retried = announcements.retry(announcement, self.person, now)
            if retried.queued:
                audit.note(Action.RETRY, self.person, self.office, now, target=code, detail=audit.ANNOUNCEMENT)
        for notification in retried.queued:
            bells.ring_after_commit(notification)
        level = messages.SUCCESS if retried.queued else messages.WARNING
        messages.add_message(request, level, _in_words(retried))
        return self.back_to(code)


def _in_words(retried: Retried) -> str:
    count = len(retried.queued)
    queued = ngettext(
        "%(count)d message is queued for a new attempt.",
        "%(count)d messages are queued for a new attempt.",
        count,
    )
    sentences = [queued % {"count": count} if count else _("There is no failed message to retry.")]
    if retried.refusals:
        sentences[0] = sentences[0] if count else _("No message was queued.")
    for reason, times in retried.refusals.most_common():
        not_queued = ngettext("%(count)d is not: %(reason)s", "%(count)d are not: %(reason)s", times)
        sentences.append(not_queued % {"count": times, "reason": reason})
    return " ".join(sentences)
