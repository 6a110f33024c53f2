"""What a client chooses: news, language, e-mail, password."""

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from client_app import preferences
from client_app.forms import PreferencesForm
from client_app.views import ClientMixin
from whatsapp_monitoring_app.models import WhatsAppOptOut, WhatsAppWrongNumber
from whatsapp_monitoring_app.services import inbound


class PreferencesView(ClientMixin):
    template_name = "client_app/preferences.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen = preferences.of(self.person)
        form = PreferencesForm(
            initial={"language": chosen.language, "email": chosen.email, "wanted": list(chosen.wanted)}
        )
        return self.show(form)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PreferencesForm(request.POST)
        if not form.is_valid():
            return self.show(form, 422)
        chosen = form.chosen()
        preferences.save(self.person, chosen, timezone.now())
        with translation.override(chosen.language):
            messages.success(request, _("Your preferences are saved."))
        return redirect("client_preferences")

    def show(self, form: PreferencesForm, status: int = 200) -> HttpResponse:
        number = self.person.telephone
        context = self.get_context_data(
            title=_("Preferences"),
            form=form,
            opt_out=WhatsAppOptOut.objects.filter(phone_number=number).first(),
            is_wrong_number=WhatsAppWrongNumber.objects.filter(phone_number=number).exists(),
        )
        return self.render_to_response(context, status=status)


class StopView(ClientMixin):
    """No news at all: what one then does without, and the button."""

    template_name = "client_app/stop.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render_to_response(self.get_context_data(title=_("No more news on WhatsApp?")))

    def post(self, request: HttpRequest) -> HttpResponse:
        inbound.opt_out(self.person.telephone, request.path, timezone.now())
        messages.success(request, _("You get no more news of your parcels on WhatsApp. This page can undo it."))
        return redirect("client_preferences")


class ResumeView(ClientMixin):
    """News again, for somebody who had asked for none."""

    def post(self, request: HttpRequest) -> HttpResponse:
        inbound.opt_in(self.person.telephone)
        messages.success(request, _("You get news of your parcels on WhatsApp again."))
        return redirect("client_preferences")


class PasswordView(ClientMixin, auth_views.PasswordChangeView):
    template_name = "client_app/password.html"
    title = gettext_lazy("Change my password")
    success_url = reverse_lazy("client_preferences")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)
