"""The alerts: what is wrong with the whole, who takes care of it, and how administrators are told."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.models import WhatsAppAlert, WhatsAppAlertChoice
from whatsapp_monitoring_app.services import alert_news, alerts, pulses
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin, ScopedMixin

ROWS_PER_PAGE = 25


class ChoiceForm(forms.ModelForm[WhatsAppAlertChoice]):
    """How a person wants to hear of alerts."""

    class Meta:
        model = WhatsAppAlertChoice
        fields = ("by_email", "by_whatsapp")


class RequestForm(forms.Form):
    request_id = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": gettext_lazy("Open this page anew, and try again.")}
    )


class AlertListView(ScopedMixin):
    """What is wrong now and who takes care of it, then what was wrong in the last 30 days."""

    template_name = "whatsapp_alerts.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        open_alerts = list(alerts.open_ones(self.office))
        life = pulses.look(now)
        past = Paginator(alerts.past_ones(self.office, now), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(
            title=_("Alerts"),
            open_alerts=open_alerts,
            unnoticed=alerts.unnoticed(life, open_alerts),
            page=past,
            pulses=life,
            **self._how_people_are_told() if self.office.sees_every_office else {},
        )
        return self.render_to_response(context)

    def _how_people_are_told(self) -> dict[str, Any]:
        choice = WhatsAppAlertChoice.objects.filter(user=self.person).first()
        return {
            "choice_form": ChoiceForm(instance=choice or WhatsAppAlertChoice(user=self.person)),
            "test_form": RequestForm(initial={"request_id": uuid.uuid4()}),
            "can_mail": alert_news.can_mail(),
            "reader_count": sum(map(len, alert_news.addresses().values())),
        }


class AlertTakeView(ScopedMixin):
    """“I take care of it.”"""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        try:
            alerts.take(code, self.person, self.office, timezone.now())
        except WhatsAppAlert.DoesNotExist as error:
            raise Http404 from error
        except alerts.NothingToTake as error:
            messages.info(request, _why_not(error.alert))
        else:
            messages.success(request, _("Noted: you take care of it."))
        return redirect(f"{self.office.office}:whatsapp_alerts")


def _why_not(alert: WhatsAppAlert) -> str:
    if alert.resolved_at:
        return _("This is over already.")
    return _("%(person)s takes care of it already.") % {"person": alert.taken_by}


class AlertChoiceView(EveryOfficeMixin):
    """How the person wants to hear of alerts."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        choice, _created = WhatsAppAlertChoice.objects.get_or_create(user=self.person)
        ChoiceForm(request.POST, instance=choice).save()  # two ticks: nothing can be wrong with it
        messages.success(request, _("Your choice is saved."))
        return redirect(f"{self.office.office}:whatsapp_alerts")


class AlertTestView(EveryOfficeMixin):
    """Send the person an alert that is none, through every channel."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RequestForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("Open this page anew, and try again."))
        elif self._message(form.cleaned_data["request_id"]):
            self._mail()
        return redirect(f"{self.office.office}:whatsapp_alerts")

    def _message(self, request_id: uuid.UUID) -> bool:
        """Whether this request is new: pressed twice, it is sent once."""
        try:
            notification, is_new = alert_news.post_test(self.person, request_id, timezone.now())
        except ValueError as error:
            messages.error(self.request, _("No test by WhatsApp: %(error)s") % {"error": error})
            return True
        if is_new:
            bells.ring_after_commit(notification)
        text = _("A test is on its way to you by WhatsApp, to %(telephone)s. The list of messages shows its result.")
        messages.success(self.request, text % {"telephone": self.person.telephone})
        return is_new

    def _mail(self) -> None:
        if not alert_news.can_mail():
            messages.warning(self.request, _("No test by e-mail: this installation has no mail server (EMAIL_URL)."))
        elif not self.person.email:
            messages.warning(self.request, _("No test by e-mail: your account has no e-mail address."))
        elif error := alert_news.mail_test(self.person):
            messages.error(self.request, _("The test by e-mail failed: %(error)s") % {"error": error})
        else:
            messages.success(
                self.request, _("The mail server took a test for %(address)s.") % {"address": self.person.email}
            )
