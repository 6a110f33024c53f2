"""One message: everything about it, and what a person decides of it."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import (
    Action,
    CancelReason,
    Status,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import (
    audit,
    calls,
    cancellation,
    decisions,
    diagnosis,
    explanations,
    history,
    labels,
)
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views import reveals
from whatsapp_monitoring_app.views.scoped import ScopedMixin, page_with_form

RECENT = 8
# The list that a person came from, as their session remembers it while they work on one of its messages.
LIST_BEFORE = "whatsapp_list_before"

# The pages of an office about what messages speak of, by the names of these subjects.
SubjectPages = Callable[[Scope, Collection[str]], Mapping[str, str]]


def no_pages(scope: Scope, subjects: Collection[str]) -> Mapping[str, str]:
    return {}


class DetailsView(ScopedMixin):
    """Everything about one message: what was said, each attempt, each receipt, the error in plain words.

    `user_relations` are what the office's own `_details_links.html` and `_correct_number.html` read of the user.
    """

    template_name = "whatsapp_attempt_details.html"
    user_relations: Sequence[str] = ()
    subject_pages: SubjectPages = staticmethod(no_pages)

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self._with_what_it_needs(), pk=code)
        live = self._live(notification)
        if request.headers.get("HX-Request"):
            context = self.get_context_data(**live)
            return render(request, "whatsapp_monitoring_app/_details_live.html", context)
        title = notification.title or labels.type_label(notification.message_type)
        return self.render_to_response(self.get_context_data(title=title, **live, **self._around(notification)))

    def _with_what_it_needs(self) -> Any:
        of_the_user = [f"user__{name}" for name in self.user_relations]
        people = ("settled_by", "informed_by", "next_actor", "addressee__announcement__created_by")
        rows = self.notifications().select_related("user", *of_the_user, "sender", "template", "resent_as", *people)
        # With the row itself: a page asks few questions.
        subjects = WhatsAppSubject.objects.filter(notification=OuterRef("pk")).order_by("name")
        written = WhatsAppInbound.objects.filter(phone_number=OuterRef("phone_number"))
        return rows.annotate(
            has_written=Exists(written),
            subject_names=ArraySubquery(subjects.values("name")),
            must_be_called=Exists(calls.to_call(self.notifications().filter(pk=OuterRef("pk")), timezone.now())),
        )

    def _live(self, notification: Any) -> dict[str, Any]:
        """What may change while somebody looks."""
        explanation = explanations.explain(notification)
        return {
            "notification": notification,
            "is_revealed": reveals.is_revealed(self.request, notification),
            "timeline": history.timeline(notification),
            "decision": history.decision(notification),
            "must_be_called": notification.must_be_called,
            "explanation": explanation,
            "remedy": diagnosis.remedy(notification, explanation).value,
            "who_refused": diagnosis.who_refused(notification),
            "correction_templates": self._templates_of("_correct_number.html"),
        }

    def _around(self, notification: Any) -> dict[str, Any]:
        names = notification.subject_names
        pages = self.subject_pages(self.office, names)
        return {
            "subjects": [(name, pages.get(name, "")) for name in names],
            "replies": self._replies(notification) if notification.has_written else [],
            "others": history.others(self.notifications(), notification).select_related("sender")[:RECENT],
            "others_query": _all_to_them(notification),
            "link_templates": self._templates_of("_details_links.html"),
            "list_before": self._list_before(notification),
        }

    def _replies(self, notification: WhatsAppNotification) -> Any:
        replies = WhatsAppInbound.objects.visible_to(self.office)
        return replies.filter(phone_number=notification.phone_number)[:RECENT]

    def _templates_of(self, name: str) -> list[str]:
        return [f"{self.office.app}/{name}", f"whatsapp_monitoring_app/{name}"]

    def _list_before(self, notification: WhatsAppNotification) -> str:
        """The list that the person came from, with its filters; also after a button of this page was pressed."""
        page = page_with_form(self.request, "")
        path = page.partition("?")[0]
        session = self.request.session
        if path == reverse(f"{self.office.office}:whatsapp_monitoring_list"):
            if session.get(LIST_BEFORE) != page:
                session[LIST_BEFORE] = page
            return page
        own = reverse(f"{self.office.office}:whatsapp_attempt_details", args=[notification.pk])
        before = str(session.get(LIST_BEFORE, "")) if path.startswith(own) else ""
        return before if before.startswith(f"/{self.office.slug}/") else ""


def _all_to_them(notification: WhatsAppNotification) -> str:
    if notification.user_id:
        return Filters(client=str(notification.user_id)).write()
    return Filters(telephone=notification.phone_number).write()


class DecisionView(ScopedMixin):
    """A person decides what becomes of one message; then on to its page."""

    def one(self, code: uuid.UUID) -> WhatsAppNotification:
        return get_object_or_404(self.notifications().select_related("user"), pk=code)

    def to_details(self, code: uuid.UUID) -> HttpResponse:
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=code)

    def note(self, action: Action, code: uuid.UUID) -> None:
        audit.note(action, self.person, self.office, timezone.now(), target=code)


class CancelView(DecisionView):
    """Keep a message that still waits from being sent."""

    template_name = "whatsapp_cancel.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = self.one(code)
        if not notification.is_waiting:
            return self._too_late(code)
        return self.render_to_response(
            self.get_context_data(title=_("Cancel this message?"), notification=notification)
        )

    @transaction.atomic
    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        self.one(code)
        if not cancellation.cancel(self.notifications().filter(pk=code), CancelReason.PERSON, timezone.now()):
            return self._too_late(code)
        self.note(Action.CANCEL, code)
        messages.success(request, _("The message is cancelled."))
        return self.to_details(code)

    def _too_late(self, code: uuid.UUID) -> HttpResponse:
        messages.warning(self.request, _("It is too late: this message does not wait any more."))
        return self.to_details(code)


class ConfirmArrivalView(DecisionView):
    """The client says that they have a message of which nobody knew."""

    http_method_names = ["post"]

    @transaction.atomic
    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        try:
            if decisions.confirm_arrival(self.one(code), self.person, timezone.now()):
                self.note(Action.CONFIRM_ARRIVAL, code)
        except decisions.TooLate as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("Noted: the message has arrived."))
        return self.to_details(code)


class GiveUpView(DecisionView):
    """Send a message of which nobody knows no more."""

    template_name = "whatsapp_give_up.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = self.one(code)
        if notification.status != Status.UNCONFIRMED:
            messages.warning(request, str(decisions.TooLate(notification)))
            return self.to_details(code)
        return self.render_to_response(
            self.get_context_data(title=_("Give up this message?"), notification=notification)
        )

    @transaction.atomic
    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        try:
            if decisions.give_up(self.one(code), self.person, timezone.now()):
                self.note(Action.GIVE_UP, code)
        except decisions.TooLate as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("The message is given up: it is not sent again."))
        return self.to_details(code)
