"""The clients: found, looked at and put right, in every office whose agents speak with them."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import phones
from agent_chine_app import client_corrections, client_rows
from agent_chine_app.client_corrections import ChangedMeanwhile, Details, NumberTaken
from agent_chine_app.client_forms import ClientEditForm, NewLinkForm, NumberForm, as_initial
from agent_chine_app.models import Client, NumberChange
from whatsapp_monitoring_app.bells import ring_for_all_after_commit
from whatsapp_monitoring_app.models import (
    Action,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.services import audit, corrections
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
RECENT = 5


class ClientMixin(ScopedMixin):
    """A page about clients, for every office; with `registers`, for one that also makes clients and parcels.

    The pages of an office need its addresses client_list, client_details, client_edit, client_resend,
    client_wrong_person, client_right_person and colis_list; of one that registers also client_create,
    client_new_link and colis_create.
    """

    registers = False

    def get_template_names(self) -> list[str]:
        return [*super().get_template_names(), f"agent_chine_app/{self.template_name}"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(registers=self.registers, **kwargs)

    def client(self, pk: int) -> Client:
        return get_object_or_404(Client.objects.select_related("user"), pk=pk)

    def note_correction(self, client: Client, detail: str = "") -> None:
        """Write down that this person put the client's number right; which numbers, `NumberChange` says."""
        target = f"{audit.CLIENT}{client.pk}"
        audit.note(Action.CORRECT_NUMBER, self.person, self.office, timezone.now(), target=target, detail=detail)

    def to_page_of(self, client: Client) -> HttpResponse:
        return redirect(f"{self.office.office}:client_details", pk=client.pk)

    def to_what_was_missed(self, client: Client, number: str) -> HttpResponse:
        """On to what the client was not told because of this number; to their page when that is nothing."""
        is_writable = not client_corrections.is_strangers(client.user.telephone)
        if is_writable and client_corrections.missed(client, number, timezone.now()).exists():
            address = reverse(f"{self.office.office}:client_resend", args=[client.pk])
            return redirect(f"{address}?{urlencode({'from': number})}")
        return self.to_page_of(client)

    def is_corrected(
        self, client: Client, form: NumberForm, details: Details, opened_with: str, *, old_is_strangers: bool
    ) -> bool:
        """Store the details; whether they were taken. If not, the form says why."""
        try:
            with transaction.atomic():
                has_another_number = client_corrections.correct(
                    client, details, opened_with, self.person, timezone.now(), old_is_strangers=old_is_strangers
                )
                if has_another_number:
                    self.note_correction(client)
        except NumberTaken as error:
            self._name_owner(form, error)
        except ChangedMeanwhile as error:
            form.begin_again_from(error.number)
            form.add_error("telephone", str(error))
        else:
            return True
        return False

    def _name_owner(self, form: NumberForm, error: NumberTaken) -> None:
        owner = Client.objects.filter(user=error.owner).first()
        if owner is None:
            form.add_error("telephone", _("An account that is no client’s has this number. Ask an administrator."))
            return
        link = reverse(f"{self.office.office}:client_details", args=[owner.pk])
        form.name_owner(_("{owner} has this number already."), str(owner), link)


class ClientListView(ClientMixin):
    template_name = "client_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = self.searched_text()
        clients = Client.objects.select_related("user")
        found = clients.matching(text) if text else clients
        page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        rows = client_rows.of(list(page.object_list), self.notifications())
        return self.render_to_response(self.get_context_data(title=_("Clients"), page=page, rows=rows, q=text))


class ClientDetailsView(ClientMixin):
    """One client: who they are, what they ship, what they were told, what they wrote."""

    template_name = "client_details.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        counts = client_rows.parcel_counts("colis__")
        has_moved = Exists(NumberChange.objects.filter(client=OuterRef("pk")))
        clients = Client.objects.select_related("user").annotate(**counts, has_moved=has_moved)
        client: Any = get_object_or_404(clients, pk=pk)
        context = self.get_context_data(
            title=str(client),
            client=client,
            colis_list=client.colis.all()[:RECENT],
            parcels={name: getattr(client, name) for name in counts},
            notifications=self.notifications().told_to(client.user)[:RECENT],
            link_form=self._link_form(client),
            **self._of_the_number(client.user.telephone),
            number_change=client.number_changes.select_related("by").first() if client.has_moved else None,
        )
        return self.render_to_response(context)

    def _of_the_number(self, number: str) -> dict[str, Any]:
        replies = WhatsAppInbound.objects.visible_to(self.office)
        return {
            "replies": replies.filter(phone_number=number)[:RECENT],
            "opt_out": WhatsAppOptOut.objects.filter(phone_number=number).first(),
            "stranger": WhatsAppWrongNumber.objects.select_related("noted_by").filter(phone_number=number).first(),
        }

    def _link_form(self, client: Client) -> NewLinkForm | None:
        if not self.registers or client.user.has_usable_password():
            return None
        return NewLinkForm(client, initial={"request_id": uuid.uuid4()})


class ClientEditView(ClientMixin):
    """Put a client's details right."""

    template_name = "client_edit.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        return self._show(client, ClientEditForm(self.office.country, initial=as_initial(client)))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        form = ClientEditForm(self.office.country, request.POST)
        if not form.is_valid():
            return self._show(client, form, status=422)
        values = dict(form.cleaned_data)
        opened_with, is_strangers = values.pop("opened_with"), values.pop("old_is_strangers")
        if not self.is_corrected(client, form, Details(**values), opened_with, old_is_strangers=is_strangers):
            return self._show(client, form, status=422)
        return self._saved(self.client(pk), opened_with)

    def _saved(self, client: Client, opened_with: str) -> HttpResponse:
        if client.user.telephone == opened_with:
            messages.success(self.request, _("The details of %(client)s are saved.") % {"client": client})
            return self.to_page_of(client)
        names = {"client": client, "number": phones.for_people(client.user.telephone)}
        messages.success(self.request, _("The details are saved: %(client)s has the number %(number)s now.") % names)
        return self.to_what_was_missed(client, opened_with)

    def _show(self, client: Client, form: ClientEditForm, status: int = 200) -> HttpResponse:
        context = self.get_context_data(title=_("Edit the client"), client=client, form=form)
        return self.render_to_response(context, status=status)


class ResendView(ClientMixin):
    """Say again, to the client's number of today, what they were not told because of the number `from`."""

    template_name = "client_resend.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        client, old = self.client(pk), self._old_number()
        missed = client_corrections.missed(client, old, timezone.now())
        mine = self.notifications().filter(pk__in=missed.values("pk"))
        context = self.get_context_data(
            title=_("Send again what did not arrive?"),
            client=client,
            old_number=old,
            notifications=mine,
            missed_count=missed.count(),
            stranger=client_corrections.is_strangers(client.user.telephone),
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client, at = self.client(pk), timezone.now()
        said = corrections.say_again(client_corrections.missed(client, self._old_number(), at), at)
        ring_for_all_after_commit(said.new)
        for refusal in dict.fromkeys(said.refusals):
            messages.error(request, refusal)
        if said.new or not said.refusals:
            self._tell_how_many(client, said.new)
        return self.to_page_of(client)

    def _tell_how_many(self, client: Client, again: Sequence[WhatsAppNotification]) -> None:
        count = sum(notification.is_waiting for notification in again)
        if not again:
            messages.info(self.request, _("There was nothing left to send again."))
        if count:
            text = ngettext(
                "%(count)d message is on its way to %(client)s.",
                "%(count)d messages are on their way to %(client)s.",
                count,
            )
            messages.success(self.request, text % {"count": count, "client": client})
        if len(again) > count:
            self._tell_how_many_cannot_leave(len(again) - count)

    def _tell_how_many_cannot_leave(self, count: int) -> None:
        text = ngettext(
            "%(count)d message cannot be sent on WhatsApp: the list of messages below says why.",
            "%(count)d messages cannot be sent on WhatsApp: the list of messages below says why.",
            count,
        )
        messages.warning(self.request, text % {"count": count})

    def _old_number(self) -> str:
        return self.request.GET.get("from", "").replace("\x00", "").strip()


class WrongPersonView(ClientMixin):
    """Somebody else answers at the client's number: write nothing more to it."""

    template_name = "client_wrong_person.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        return self.render_to_response(self.get_context_data(title=_("The wrong person?"), client=client))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        if request.POST.get("number") != client.user.telephone:
            messages.warning(request, _("Nothing was noted: the number has been changed meanwhile."))
        else:
            with transaction.atomic():
                if corrections.note_stranger(client.user.telephone, self.person, timezone.now()):
                    self.note_correction(client, audit.WRONG_PERSON)
            text = _("Noted: nothing more is written to %(number)s.")
            messages.success(request, text % {"number": phones.for_people(client.user.telephone)})
        return self.to_page_of(client)


class RightPersonView(ClientMixin):
    """It is the client who answers at their number, after all."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self.client(pk)
        number = client.user.telephone
        if request.POST.get("number") != number:
            messages.warning(request, _("Nothing was noted: the number has been changed meanwhile."))
            return self.to_page_of(client)
        with transaction.atomic():
            if corrections.forget_stranger(number):
                self.note_correction(client, audit.RIGHT_PERSON)
        text = _("Noted: messages go to %(number)s again.")
        messages.success(request, text % {"number": phones.for_people(number)})
        return self.to_what_was_missed(client, number)
