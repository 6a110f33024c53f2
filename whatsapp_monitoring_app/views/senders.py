"""The screens of the senders, for the offices that see every office."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts import phones
from whatsapp_monitoring_app import providers, tasks
from whatsapp_monitoring_app.forms import EditSenderForm, NewSenderForm, NumberForm, SendTestForm, TokenForm
from whatsapp_monitoring_app.models import Action, WhatsAppSender
from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.services import audit, health, routing, senders
from whatsapp_monitoring_app.services.senders import Overview
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin

RECENT = 8
WEBHOOKS = {
    WhatsAppSender.Provider.CLOUD_API: "whatsapp_cloud_webhook",
    WhatsAppSender.Provider.WACHAP: "whatsapp_wachap_webhook",
    WhatsAppSender.Provider.TWILIO: "whatsapp_twilio_webhook",
}
ACCOUNT_FIELDS = {"provider", "account_id", "address", "business_account_id"}
hide_tokens = method_decorator(sensitive_post_parameters("token"), name="dispatch")


class SenderMixin(EveryOfficeMixin):
    """A page about one sender, whose token it never shows."""

    def sender(self, pk: int) -> WhatsAppSender:
        return get_object_or_404(WhatsAppSender.objects.select_related("fallback").defer("fallback__token"), pk=pk)

    def overview(self, pk: int) -> Overview:
        return senders.overviews([self.sender(pk)], timezone.now())[0]

    def back_to(self, sender: WhatsAppSender) -> HttpResponse:
        return redirect(f"{self.office.office}:whatsapp_sender", pk=sender.pk)

    def show(self, title: str, form: forms.BaseForm, **context: Any) -> HttpResponse:
        status = 422 if form.errors else 200
        return self.render_to_response(self.get_context_data(title=title, form=form, **context), status=status)

    def tell_health(self, sender: WhatsAppSender, *, has_answered: bool) -> None:
        """Say to the person what a check of this sender has found, or why there was none."""
        told = {"sender": sender, "words": sender.health_detail}
        if sender.missing_fields:
            self.tell_missing(sender)
        elif not health.can_check(sender):
            messages.info(self.request, _("%(sender)s cannot be checked: send a test message instead.") % told)
        elif not has_answered:
            text = _("The provider of %(sender)s did not say how the account is. %(words)s")
            messages.warning(self.request, text % told)
        elif sender.is_connected:
            messages.success(self.request, _("%(sender)s is connected. %(words)s") % told)
        else:
            messages.error(self.request, _("%(sender)s is not connected. %(words)s") % told)

    def tell_missing(self, sender: WhatsAppSender) -> None:
        """Say what is still to be entered, if anything is."""
        missing = senders.overviews([sender], timezone.now())[0].missing
        if missing:
            told = {"sender": sender, "missing": ", ".join(missing)}
            messages.warning(self.request, _("%(sender)s cannot send yet. Still missing: %(missing)s.") % told)


class SenderListView(EveryOfficeMixin):
    template_name = "whatsapp_senders.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        # With their tokens, which say whether a sender is complete, and go no further.
        everybody = WhatsAppSender.objects.select_related("fallback").defer("fallback__token")
        overviews = senders.overviews(everybody, timezone.now())
        return self.render_to_response(self.get_context_data(title=_("Senders"), overviews=overviews))


class SenderView(SenderMixin):
    """Everything about one sender, and what can be done with it."""

    template_name = "whatsapp_sender.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        overview = self.overview(pk)
        sender = overview.sender
        context = self.get_context_data(
            title=sender.label,
            overview=overview,
            sender=sender,
            webhook=_webhook(sender),
            neighbours=sender.same_account().exclude(pk=pk).defer("token") if sender.account else [],
            replaces=WhatsAppSender.objects.filter(fallback=sender).defer("token"),
            stand_in=routing.stand_in(sender, timezone.now()),
            can_check=health.can_check(sender),
            has_own_token=senders.has_own_token(sender),
            number_form=NumberForm(country=self.office.country) if health.can_check_numbers(sender) else None,
            recent=self.notifications().filter(sender=sender).select_related("user")[:RECENT],
        )
        return self.render_to_response(context)


def _webhook(sender: WhatsAppSender) -> str:
    """The address to enter at the provider; the secret that WaChap's ends with is not shown."""
    name = WEBHOOKS.get(WhatsAppSender.Provider(sender.provider))
    if name is None:
        return ""
    ending = "?token=…" if sender.provider == WhatsAppSender.Provider.WACHAP else ""
    return f"{settings.PUBLIC_BASE_URL}{reverse(name)}{ending}"


@hide_tokens
class SenderCreateView(SenderMixin):
    template_name = "whatsapp_sender_form.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(_("New sender"), NewSenderForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form, now = NewSenderForm(request.POST), timezone.now()
        with transaction.atomic():
            is_new = form.is_valid() and form.insert()
            if is_new:
                code = form.instance.code
                audit.note(Action.SENDER_CHANGE, self.person, self.office, now, target=code, detail=audit.NEW)
        if not is_new:
            return self.show(_("New sender"), form)
        sender = form.instance
        messages.success(request, _("The sender %(sender)s is created.") % {"sender": sender})
        self.tell_health(sender, has_answered=health.check(sender, timezone.now()))
        return self.back_to(sender)


class SenderEditView(SenderMixin):
    template_name = "whatsapp_sender_form.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender = self.sender(pk)
        return self.show(self._title(sender), EditSenderForm(instance=sender), sender=sender)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = EditSenderForm(request.POST, instance=self.sender(pk))
        if not form.is_valid():
            # What was typed is in the form; the name in the title is the one that counts.
            sender = self.sender(pk)
            return self.show(self._title(sender), form, sender=sender)
        sender = self._save(form)
        messages.success(request, _("The changes of %(sender)s are saved.") % {"sender": sender})
        if ACCOUNT_FIELDS & set(form.changed_data):
            self.tell_health(sender, has_answered=health.check(sender, timezone.now()))
        else:
            self.tell_missing(sender)
        return self.back_to(sender)

    @transaction.atomic
    def _save(self, form: EditSenderForm) -> WhatsAppSender:
        now, changed = timezone.now(), form.changed_data
        form.instance.save(update_fields=changed)
        sender = self.sender(form.instance.pk)
        if ACCOUNT_FIELDS & set(changed):
            senders.change_account(sender, now)
        audit.note_fields(
            Action.SENDER_CHANGE, self.person, self.office, now, target=sender.code, fields=sorted(changed)
        )
        return sender

    def _title(self, sender: WhatsAppSender) -> str:
        return _("Edit %(sender)s") % {"sender": sender}


@hide_tokens
class SenderTokenView(SenderMixin):
    """A new token instead of the present one, which is kept until the new one is there."""

    template_name = "whatsapp_sender_token.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._show(self.sender(pk), TokenForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender, form = self.sender(pk), TokenForm(request.POST)
        if not senders.has_own_token(sender) or not form.is_valid():
            return self._show(sender, form)
        now = timezone.now()
        with transaction.atomic():
            senders.change_token(sender, form.cleaned_data["token"], now)
            audit.note(Action.SENDER_TOKEN, self.person, self.office, now, target=sender.code)
        has_answered = health.check(sender, now)
        messages.success(request, _("The new token of %(sender)s is saved.") % {"sender": sender})
        self.tell_health(sender, has_answered=has_answered)
        return self.back_to(sender)

    def _show(self, sender: WhatsAppSender, form: TokenForm) -> HttpResponse:
        title = _("New token for %(sender)s") % {"sender": sender}
        return self.show(title, form, sender=sender, has_own_token=senders.has_own_token(sender))


class SenderTestView(SenderMixin):
    """A message through exactly this sender to the person who asks for it."""

    template_name = "whatsapp_sender_test.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        overview = self.overview(pk)
        return self.show(
            _("Test %(sender)s") % {"sender": overview.sender},
            SendTestForm(initial={"request_id": uuid.uuid4()}),
            overview=overview,
            sender=overview.sender,
            telephone=settings.WHATSAPP_TEST_PHONE or self.person.telephone,
            has_window=providers.get(overview.sender.provider).has_window,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender, form = self.sender(pk), SendTestForm(request.POST)
        if not form.is_valid():
            messages.warning(request, _("Nothing was sent. Press the button again."))
            return self.back_to(sender)
        told = {"sender": sender, "person": self.person}
        result = tasks.send_whatsapp_async(
            user=self.person,
            message_content=_("This is a test of the sender %(sender)s, asked for by %(person)s.") % told,
            source_app=self.office.office,
            message_type="sender_test",
            category="test",
            title=_("Test of %(sender)s") % told,
            priority=1,
            sender=sender.code,
            idempotency_key=f"sender_test:{form.cleaned_data['request_id']}",
        )
        messages.success(request, _("The test message is on its way. Its result will show here."))
        return redirect(f"{self.office.office}:whatsapp_attempt_details", code=result.id)


class SenderCheckView(SenderMixin):
    """Ask the provider now how the account is."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender = self.sender(pk)
        self.tell_health(sender, has_answered=health.check(sender, timezone.now()))
        return self.back_to(sender)


class SenderPauseView(SenderMixin):
    template_name = "whatsapp_sender_pause.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        overview = self.overview(pk)
        context = self.get_context_data(
            title=_("Pause %(sender)s?") % {"sender": overview.sender},
            overview=overview,
            sender=overview.sender,
            stand_in=routing.stand_in(overview.sender, timezone.now()),
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender = self.sender(pk)
        with transaction.atomic():
            senders.pause(sender)
            audit.note(Action.SENDER_PAUSE, self.person, self.office, timezone.now(), target=sender.code)
        messages.success(
            request, _("%(sender)s is paused: it sends nothing until it is resumed.") % {"sender": sender}
        )
        return self.back_to(sender)


class SenderResumeView(SenderMixin):
    """End the pause, or a stop whose cause somebody has mended."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender, now = self.sender(pk), timezone.now()
        with transaction.atomic():
            senders.resume(sender, now)
            audit.note(Action.SENDER_RESUME, self.person, self.office, now, target=sender.code)
        messages.success(request, _("The messages that waited leave within a minute, slowly at first."))
        self.tell_missing(sender)
        return self.back_to(sender)


class SenderCheckNumberView(SenderMixin):
    """Ask the provider whether a number is on WhatsApp; nothing is sent to it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender, form = self.sender(pk), NumberForm(request.POST, country=self.office.country)
        if form.is_valid():
            self._tell(sender, form.cleaned_data["telephone"])
        else:
            messages.error(request, " ".join(map(str, form.errors["telephone"])))
        return self.back_to(sender)

    def _tell(self, sender: WhatsAppSender, number: str) -> None:
        told = {"number": phones.for_people(number)}
        try:
            found = health.is_on_whatsapp(sender, number)
        except (transport.NotSent, transport.NoAnswer):
            messages.warning(self.request, _("The provider did not answer. Try again in a minute."))
            return
        if found is None:
            messages.info(self.request, _("The provider does not say whether %(number)s is on WhatsApp.") % told)
        elif found:
            messages.success(self.request, _("%(number)s is on WhatsApp.") % told)
        else:
            messages.warning(self.request, _("%(number)s is not on WhatsApp.") % told)
