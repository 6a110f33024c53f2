"""Files with messages: what would be in them, how far they are, and the files themselves."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app.bells import after_commit
from whatsapp_monitoring_app.models import WhatsAppExport
from whatsapp_monitoring_app.services import exports
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.tasks import write_whatsapp_export
from whatsapp_monitoring_app.views import filter_words
from whatsapp_monitoring_app.views.scoped import ScopedMixin

RECENT = 50
CONTENT_TYPES = {
    WhatsAppExport.Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    WhatsAppExport.Format.CSV: "text/csv; charset=utf-8",
}


class ExportForm(forms.Form):
    """In which form somebody wants the messages."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    format = forms.ChoiceField(label=gettext_lazy("Format"), choices=WhatsAppExport.Format.choices)
    with_texts = forms.BooleanField(
        label=gettext_lazy("With the texts of the messages"),
        required=False,
        help_text=gettext_lazy("Personal links and secret texts are never exported."),
    )

    def __init__(self, *args: Any, may_have_texts: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_have_texts:
            del self.fields["with_texts"]

    def wish(self, filters: Filters) -> exports.Wish:
        chosen = self.cleaned_data
        return exports.Wish(filters, chosen["format"], with_texts=chosen.get("with_texts", False))


class ExportCreateView(ScopedMixin):
    """What a file with the messages that pass the filters would hold, and the button that has it written."""

    template_name = "whatsapp_export_create.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        start = {"request_id": uuid.uuid4(), "format": WhatsAppExport.Format.XLSX}
        return self._show(self._form(initial=start))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self._show(form, status=422)
        wish, request_id = form.wish(Filters.read(request.GET).within(self.office)), form.cleaned_data["request_id"]
        try:
            export = exports.create(wish, request_id, self.person, self.office, timezone.now())
        except exports.TooManyRows as error:
            form.add_error("format", str(error))
            return self._show(form, status=422)
        if exports.is_small(export):
            exports.run(export.pk)
            export.refresh_from_db()
            if not export.error:  # the page itself says what went wrong
                messages.success(request, _("Your export is kept here."))
        else:
            after_commit(write_whatsapp_export, str(export.pk))
            messages.success(request, _("Your export has begun."))
        return redirect(f"{self.office.office}:whatsapp_export", code=export.pk)

    def _form(self, *args: Any, **kwargs: Any) -> ExportForm:
        return ExportForm(*args, may_have_texts=exports.may_have_texts(self.person), **kwargs)

    def _show(self, form: ExportForm, status: int = 200) -> HttpResponse:
        filters = Filters.read(self.request.GET).within(self.office)
        total = exports.count(filters, self.office, timezone.now())
        context = self.get_context_data(
            title=_("Export messages"),
            form=form,
            chips=filter_words.chips(filters),
            query=filters.write(),
            total=min(total, exports.COUNTED_AT_MOST),
            is_more=total > exports.COUNTED_AT_MOST,
            is_large=total > exports.AT_ONCE,
            days=exports.days_kept(),
        )
        return self.render_to_response(context, status=status)


class ExportListView(ScopedMixin):
    """The files that this person has asked for here."""

    template_name = "whatsapp_exports.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        mine = WhatsAppExport.objects.visible_to(self.office, self.person)[:RECENT]
        context = self.get_context_data(title=_("My exports"), exports=[_facts(export) for export in mine])
        return self.render_to_response(context)


def _facts(export: WhatsAppExport) -> dict[str, Any]:
    """An export as the pages show it."""
    path = exports.file_of(export, timezone.now())
    return {
        "export": export,
        "is_kept": path is not None,
        "size": path.stat().st_size if path else 0,
        "chips": filter_words.chips(Filters.read(export.query)),
    }


class ExportView(ScopedMixin):
    """One export: how far it is, then its file."""

    template_name = "whatsapp_export.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        export = get_object_or_404(WhatsAppExport.objects.visible_to(self.office, self.person), pk=code)
        context = self.get_context_data(title=_("Export of messages"), **_facts(export))
        if request.headers.get("HX-Request"):
            return render(request, "whatsapp_monitoring_app/_export.html", context)
        return self.render_to_response(context)


class ExportFileView(ScopedMixin):
    """The file of an export, for who asked for it."""

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponseBase:
        export = get_object_or_404(WhatsAppExport.objects.visible_to(self.office, self.person), pk=code)
        path = exports.file_of(export, timezone.now())
        if path is None:
            raise Http404
        day = timezone.localtime(export.created_at).date().isoformat()
        return FileResponse(
            path.open("rb"),
            as_attachment=True,
            filename=f"messages-{day}.{export.format}",
            content_type=CONTENT_TYPES[WhatsAppExport.Format(export.format)],
            headers={"Cache-Control": "private, no-store"},
        )


class ExportDeleteView(ScopedMixin):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        export = get_object_or_404(WhatsAppExport.objects.visible_to(self.office, self.person), pk=code)
        exports.delete(export)
        messages.success(request, _("The export and its file are deleted."))
        return redirect(f"{self.office.office}:whatsapp_exports")
