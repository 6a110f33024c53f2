"""The screens of the message templates, for the offices that see every office."""

from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    Action,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)
from whatsapp_monitoring_app.services import audit, message_types, statistics, template_states, templates
from whatsapp_monitoring_app.services.template_states import LANGUAGE_NAMES
from whatsapp_monitoring_app.template_forms import TemplateForm, TemplateNameForm
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin, safe_next


class TemplateListView(EveryOfficeMixin):
    """Our templates, how they stand at the providers, and what the providers have besides."""

    template_name = "whatsapp_templates.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(
            title=_("Message templates"),
            overview=template_states.overview(timezone.now()),
            waiting_count=self.notifications().waiting_for_template().count(),
        )
        return self.render_to_response(context)


class TemplateView(EveryOfficeMixin):
    """One template: its texts, how they look to a client, what it is called at the providers. Or a new one."""

    template_name = "whatsapp_template.html"

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        return self._show(TemplateForm(instance=_template(pk)), pk)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        form = TemplateForm(request.POST, instance=_template(pk))
        if "preview" in request.POST or not form.is_valid():
            return self._show(form, pk)
        template = self._save(form)
        messages.success(request, _("The template is saved."))
        if pk and form.changes_the_approved_text:
            messages.warning(
                request,
                _(
                    "Its texts or variables have changed: change the text at the provider too, and have it approved. "
                    "Until then the client reads the text that was approved."
                ),
            )
        return redirect(f"{self.office.office}:whatsapp_template", pk=template.pk)

    @transaction.atomic
    def _save(self, form: TemplateForm) -> WhatsAppTemplate:
        is_new, template = form.instance.pk is None, form.save()
        changed = [audit.NEW] if is_new else form.changed_data
        audit.note_fields(
            Action.TEMPLATE_CHANGE, self.person, self.office, timezone.now(), target=template.code, fields=changed
        )
        return template

    def _show(self, form: TemplateForm, pk: int | None) -> HttpResponse:
        stored = _template(pk)
        context = self.get_context_data(
            title=stored.label if stored else _("New message template"),
            form=form,
            stored=stored,
            message_types=self._message_types(),
            lines=template_states.lines(stored, timezone.now()) if stored else [],
            texts_to_paste=template_states.texts_to_paste(stored) if stored else [],
        )
        return self.render_to_response(context)

    def _message_types(self) -> list[str]:
        seen = statistics.distinct(self.notifications(), "message_type")
        return sorted({*message_types.MESSAGE_TYPES, *seen})


def _template(pk: int | None) -> WhatsAppTemplate | None:
    return get_object_or_404(WhatsAppTemplate, pk=pk) if pk else None


class PreviewView(EveryOfficeMixin):
    """What a template would look like, while it is being typed; nothing is saved."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data(form=TemplateForm(request.POST), is_live=True)
        return render(request, "whatsapp_monitoring_app/_template_preview.html", context)


class SyncView(EveryOfficeMixin):
    """Ask the providers now."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        results = templates.sync_all(timezone.now())
        for result in results:
            _tell(request, result)
        if not results:
            messages.warning(request, _("No active sender has a business account and a token to ask with."))
        return redirect(f"{self.office.office}:whatsapp_templates")


def _tell(request: HttpRequest, result: templates.Synced) -> None:
    if result.error:
        text = _("The account %(account)s could not be synchronised: %(error)s")
        messages.error(request, text % {"account": result.business_account_id, "error": result.error})
        return
    text = ngettext(
        "The account %(account)s has %(count)d template.",
        "The account %(account)s has %(count)d templates.",
        result.count,
    )
    messages.success(request, text % {"account": result.business_account_id, "count": result.count})


class ResumeView(EveryOfficeMixin):
    """Use a provider's template again that was stopped."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        known = get_object_or_404(WhatsAppProviderTemplate, pk=pk)
        now = timezone.now()
        if _is_stopped(known, now):
            with transaction.atomic():
                templates.resume(known, now)
                audit.note(
                    Action.TEMPLATE_CHANGE, self.person, self.office, now, target=known.name, detail=audit.RESUMED
                )
            messages.success(request, _("The template is used again. The messages that waited leave within a minute."))
        else:
            messages.info(request, _("This template was not stopped any more."))
        return redirect(safe_next(request, f"{self.office.office}:whatsapp_templates"))


def _is_stopped(known: WhatsAppProviderTemplate, at: datetime) -> bool:
    return known.stopped_until is not None and known.stopped_until > at


class NameView(EveryOfficeMixin):
    """What a template is called at one sender's provider in one language."""

    template_name = "whatsapp_template_name.html"

    def get(self, request: HttpRequest, pk: int, sender: str, language: str) -> HttpResponse:
        return self._show(TemplateNameForm(instance=_name(pk, sender, language)))

    def post(self, request: HttpRequest, pk: int, sender: str, language: str) -> HttpResponse:
        form = TemplateNameForm(request.POST, instance=_name(pk, sender, language))
        if not form.is_valid():
            return self._show(form)
        with transaction.atomic():
            code, changed = form.save().template.code, form.changed_data
            audit.note_fields(
                Action.TEMPLATE_CHANGE, self.person, self.office, timezone.now(), target=code, fields=changed
            )
        messages.success(request, _("The name is saved."))
        return redirect(f"{self.office.office}:whatsapp_template", pk=pk)

    def _show(self, form: TemplateNameForm) -> HttpResponse:
        context = self.get_context_data(title=_("Name at the provider"), form=form, **_facts(form.instance))
        return self.render_to_response(context)


class NameDeleteView(EveryOfficeMixin):
    """Go back to our own code as the name at the provider."""

    template_name = "whatsapp_template_name_delete.html"

    def get(self, request: HttpRequest, pk: int, sender: str, language: str) -> HttpResponse:
        name = _given_name(pk, sender, language)
        return self.render_to_response(self.get_context_data(title=_("Delete this name?"), **_facts(name)))

    def post(self, request: HttpRequest, pk: int, sender: str, language: str) -> HttpResponse:
        name, now = _given_name(pk, sender, language), timezone.now()
        code = name.template.code
        with transaction.atomic():
            name.delete()
            audit.note(Action.TEMPLATE_CHANGE, self.person, self.office, now, target=code, detail=audit.DELETED)
        messages.success(request, _("The name is deleted."))
        return redirect(f"{self.office.office}:whatsapp_template", pk=pk)


def _name(pk: int, sender: str, language: str) -> WhatsAppTemplateName:
    """The name that was entered, or a new one. Raises Http404 where none is needed."""
    if language not in LANGUAGE_NAMES:
        raise Http404
    template = get_object_or_404(WhatsAppTemplate, pk=pk)
    of_sender = get_object_or_404(WhatsAppSender.objects.defer("token"), code=sender)
    if not providers.get(of_sender.provider).has_window:
        raise Http404
    given = WhatsAppTemplateName.objects.filter(template=template, sender=of_sender, language=language).first()
    name = given or WhatsAppTemplateName(language=language)
    name.template, name.sender = template, of_sender
    return name


def _given_name(pk: int, sender: str, language: str) -> WhatsAppTemplateName:
    name = _name(pk, sender, language)
    if name.pk is None:
        raise Http404
    return name


def _facts(name: WhatsAppTemplateName) -> dict[str, object]:
    return {
        "name": name,
        "language_name": LANGUAGE_NAMES[name.language],
        "has_own_names": providers.get(name.sender.provider).has_templates,
    }
