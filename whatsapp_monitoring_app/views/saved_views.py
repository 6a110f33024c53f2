"""Saving and deleting views: filters of the list of messages under a name."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app.models import WhatsAppSavedView
from whatsapp_monitoring_app.services import filter_choices, saved_views
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views.filters import FilterForm
from whatsapp_monitoring_app.views.scoped import ScopedMixin


class SavedViewForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    is_shared = forms.BooleanField(
        label=gettext_lazy("For my whole office"),
        required=False,
        help_text=gettext_lazy("Everybody who works here then finds it above the list."),
    )


class SavedViewCreateView(ScopedMixin):
    """Keep the filters that stand in the address under a name."""

    template_name = "whatsapp_view_create.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(SavedViewForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SavedViewForm(request.POST)
        if not form.is_valid():
            return self._show(form, status=422)
        try:
            view = saved_views.save(
                self.office, self.person, filters=self._filters(), at=timezone.now(), **form.cleaned_data
            )
        except saved_views.NotSaved as error:
            form.add_error("name", str(error))
            return self._show(form, status=422)
        messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
        return redirect(_list_url(self.office.office, view.query))

    def _filters(self) -> Filters:
        return Filters.read(self.request.GET).within(self.office)

    def _show(self, form: SavedViewForm, status: int = 200) -> HttpResponse:
        filters = self._filters()
        filter_form = FilterForm(filters, filter_choices.of(self.notifications()), self.office)
        context = self.get_context_data(
            title=_("Save this view"),
            form=form,
            chips=filter_form.chips(),
            list_url=_list_url(self.office.office, filters.write()),
        )
        return self.render_to_response(context, status=status)


class SavedViewDeleteView(ScopedMixin):
    """Delete a view that one has saved oneself."""

    template_name = "whatsapp_view_delete.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        view = self._own(pk)
        context = self.get_context_data(
            title=_("Delete this view?"), view=view, list_url=_list_url(self.office.office, view.query)
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        view = self._own(pk)
        view.delete()
        messages.success(request, _("The view “%(name)s” is deleted.") % {"name": view.name})
        return redirect(_list_url(self.office.office))

    def _own(self, pk: int) -> WhatsAppSavedView:
        return get_object_or_404(WhatsAppSavedView.objects.owned_by(self.person, self.office), pk=pk)


def _list_url(office: str, query: str = "") -> str:
    url = reverse(f"{office}:whatsapp_monitoring_list")
    return f"{url}?{query}" if query else url
