"""The call list: whom no message could tell, and what became of calling them."""

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import phones
from whatsapp_monitoring_app.models import Action, WhatsAppAddressee
from whatsapp_monitoring_app.services import audit, call_list, call_queue, calls
from whatsapp_monitoring_app.views.scoped import ScopedMixin, safe_next

PEOPLE_PER_PAGE = 10


class CallForm(forms.Form):
    """The same `request_id` is the same call."""

    request_id = forms.UUIDField()


class ToldForm(forms.Form):
    """The same `request_id` is the same call; the page of a message gives none."""

    request_id = forms.UUIDField(required=False)


class CallListView(ScopedMixin):
    """Everybody whom a person has to tell, the most urgent first; `kind` and `q` narrow it down.

    `user_relations` are what the office's own `_call_links.html` reads of each user.
    """

    template_name = "whatsapp_calls.html"
    user_relations: Sequence[str] = ()

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        search = call_queue.Search(request.GET.get("kind", ""), self.searched_text())
        queue = call_queue.of(self.office, search, now)
        page = Paginator(queue.numbers, PEOPLE_PER_PAGE).get_page(request.GET.get("page"))
        people = call_list.people(self.office, list(page.object_list), now, self.user_relations)
        context = self.get_context_data(
            title=_("To call"),
            page=page,
            is_cut=queue.is_cut,
            people=[(person, uuid.uuid4()) for person in people],
            kinds=call_queue.Kind.choices,
            kind=search.kind,
            q=search.text,
            link_templates=[f"{self.office.app}/_call_links.html", "whatsapp_monitoring_app/_call_links.html"],
        )
        return self.render_to_response(context)


class ErrandsMixin(ScopedMixin):
    """A page or a button about what a card of the list showed: these messages, and these people without one."""

    def errands(self, given: QueryDict) -> calls.Errands:
        addressees = WhatsAppAddressee.objects.visible_to(self.office)
        return calls.Errands(
            self.notifications().filter(pk__in=_codes(given.getlist("message"))),
            addressees.filter(pk__in=[pk for pk in given.getlist("addressee") if _is_key(pk)]),
        )

    def number(self, given: QueryDict) -> str:
        """The number that was called, which no page has to name; "" when these are nobody's."""
        return min((number for number, _office in self.errands(given).by_number_and_office()), default="")


def _codes(texts: Iterable[str]) -> list[uuid.UUID]:
    codes = []
    for text in texts:
        with suppress(ValueError):
            codes.append(uuid.UUID(text))
    return codes


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


class CalledView(ErrandsMixin):
    """Something came of a call: the page that it was made from, one sentence later."""

    http_method_names = ["post"]

    def _back(self) -> HttpResponse:
        return redirect(safe_next(self.request, f"{self.office.office}:whatsapp_calls"))

    def _refuse(self, reason: str) -> HttpResponse:
        messages.warning(self.request, reason)
        return self._back()


class ToldView(CalledView):
    """They were told by telephone what the page showed: these messages, and no later one."""

    def post(self, request: HttpRequest) -> HttpResponse:
        form, errands = ToldForm(request.POST), self.errands(request.POST)
        if not form.is_valid():
            return self._refuse(_("Nothing was noted. Press the button again."))
        try:
            calls.tell(errands, self.person, timezone.now(), form.cleaned_data["request_id"] or uuid.uuid4())
        except calls.NothingToNote as error:
            return self._refuse(str(error))
        messages.success(request, _("Noted: told by telephone. They are off the list."))
        return self._back()


class NotReachedView(CalledView):
    """Nobody answered: they stay on the list, behind those whom nobody has tried today."""

    def post(self, request: HttpRequest) -> HttpResponse:
        form, number = CallForm(request.POST), self.number(request.POST)
        if not form.is_valid() or not number:
            return self._refuse(_("Nothing was noted. Press the button again."))
        now = timezone.now()
        errands = call_list.at_number(self.office, number, now)
        try:
            calls.note_try(errands, self.person, now, form.cleaned_data["request_id"])
        except calls.NothingToNote as error:
            return self._refuse(str(error))
        messages.success(request, _("Noted: not reached. They come again after those whom nobody has tried today."))
        return self._back()


class WrongPersonView(ErrandsMixin):
    """Somebody else answers at a number: nothing is written to it until it is corrected."""

    template_name = "whatsapp_call_wrong.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(CallForm(initial={"request_id": uuid.uuid4()}), self.number(request.GET))

    def post(self, request: HttpRequest) -> HttpResponse:
        form, number = CallForm(request.POST), self.number(request.POST)
        if not form.is_valid() or not number:
            return self._show(form, "", status=422)
        try:
            self._note(number, form.cleaned_data["request_id"])
        except calls.NothingToNote as error:
            messages.warning(request, str(error))
        else:
            shown = phones.masked(number) if self.office.masks_numbers else phones.for_people(number)
            text = _("Noted: nothing is written to %(number)s until it is corrected.")
            messages.success(request, text % {"number": shown})
        return redirect(f"{self.office.office}:whatsapp_calls")

    @transaction.atomic
    def _note(self, number: str, request_id: uuid.UUID) -> None:
        now = timezone.now()
        errands = call_list.at_number(self.office, number, now)
        target = errands.notifications.values_list("pk", flat=True).first() or ""
        if calls.note_wrong_person(errands, self.person, now, request_id):
            detail = audit.WRONG_PERSON
            audit.note(Action.CORRECT_NUMBER, self.person, self.office, now, target=target, detail=detail)

    def _show(self, form: forms.Form, number: str, status: int = 200) -> HttpResponse:
        people = call_list.people(self.office, [number], timezone.now()) if number else []
        context: dict[str, Any] = self.get_context_data(
            title=_("Does somebody else answer?"), form=form, person=people[0] if people else None
        )
        return self.render_to_response(context, status=status)
