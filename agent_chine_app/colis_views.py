"""Parcels as every office that handles them sees them: the list, one parcel, its photo."""

from collections.abc import Callable, Mapping

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agent_chine_app.models import Colis, Transport
from agent_chine_app.models.colis import ColisQuerySet
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
MESSAGES = 20


QUESTIONS: Mapping[str, Callable[[ColisQuerySet], ColisQuerySet]] = {
    "without_lot": ColisQuerySet.without_lot,
    "awaited": ColisQuerySet.on_the_way,
    "arrived": ColisQuerySet.in_storage,
    "handed_over": lambda colis: colis.filter(status=Colis.Status.HANDED_OVER),
    "lost": lambda colis: colis.filter(status=Colis.Status.LOST),
}


class ColisFilterForm(forms.Form):
    """Which parcels to list."""

    status = forms.ChoiceField(
        label=gettext_lazy("Where"),
        required=False,
        choices=[
            ("", gettext_lazy("Everywhere")),
            ("without_lot", gettext_lazy("In China, without a lot")),
            ("awaited", gettext_lazy("Not in Mali yet")),
            ("arrived", gettext_lazy("In Mali, to be fetched")),
            ("handed_over", gettext_lazy("Handed over")),
            ("lost", gettext_lazy("Being searched for")),
        ],
    )
    transport = forms.ChoiceField(
        label=gettext_lazy("Transport"), required=False, choices=[("", gettext_lazy("All")), *Transport.choices]
    )

    def passing(self, colis: ColisQuerySet) -> ColisQuerySet:
        """Those of these parcels that pass the filters; a filter of an unknown value lets all pass."""
        self.is_valid()
        if status := self.cleaned_data.get("status"):
            colis = QUESTIONS[status](colis)
        if transport := self.cleaned_data.get("transport"):
            colis = colis.filter(transport=transport)
        return colis

    @property
    def is_filtering(self) -> bool:
        return any(self.cleaned_data.values())


class ColisListView(ScopedMixin):
    """The parcels that pass the filters, and in which `q` is found."""

    template_name = "colis_list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text, form = self.searched_text(), ColisFilterForm(request.GET)
        colis = form.passing(Colis.objects.select_related("client__user", "lot"))
        page = Paginator(colis.matching(text) if text else colis, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        return self.render_to_response(self.get_context_data(title=_("Parcels"), page=page, q=text, form=form))


class ColisDetailsView(ScopedMixin):
    """One parcel: what it is, where it has been, what this office told its client about it."""

    template_name = "colis_details.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        colis = get_object_or_404(Colis.objects.select_related("client__user", "lot"), pk=pk)
        context = self.get_context_data(
            title=colis.numero_suivi,
            colis=colis,
            steps=colis.steps.select_related("by"),
            client=colis.client,
            notifications=self.notifications().filter(subjects__name=colis.subject)[:MESSAGES],
        )
        return self.render_to_response(context)


class ColisPhotoView(ScopedMixin):
    """The photo itself: nobody gets it by its address alone."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return photo_of(get_object_or_404(Colis.objects.exclude(photo=""), pk=pk))


def photo_of(colis: Colis) -> HttpResponse:
    """The parcel's photo, for somebody who may see it. Raises Http404 when its file is gone."""
    try:
        with colis.photo.open() as photo:
            content = photo.read()
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type="image/jpeg", headers=headers)
