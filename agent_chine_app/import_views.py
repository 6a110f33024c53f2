"""The import of clients from a file: look at what is in it, then bring it in."""

import uuid

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from agent_chine_app import client_import, client_sheets
from agent_chine_app.client_files import BYTES_AT_MOST, UnreadableFile
from agent_chine_app.import_forms import ClientFileForm, StartForm
from agent_chine_app.models import ClientImport
from agent_chine_app.tasks import bring_in_clients
from whatsapp_monitoring_app.bells import after_commit
from whatsapp_monitoring_app.views.scoped import ScopedMixin

ROWS_PER_PAGE = 25
RECENT = 10
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ClientImportsView(ScopedMixin):
    """The form for a file, and the person's own imports."""

    template_name = "client_imports.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(ClientFileForm(initial={"request_id": uuid.uuid4()}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ClientFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(form, status=422)
        request_id, file = form.cleaned_data["request_id"], form.cleaned_data["file"]
        try:
            batch = client_import.check(request_id, file.name, file.read(BYTES_AT_MOST + 1), self.person)
        except UnreadableFile as error:
            form.add_error("file", str(error))
            return self._show(form, status=422)
        return redirect(f"{self.office.office}:client_import", code=batch.pk)

    def _show(self, form: forms.Form, status: int = 200) -> HttpResponse:
        imports = ClientImport.objects.light().filter(requested_by=self.person)[:RECENT]
        context = self.get_context_data(title=_("Import clients"), form=form, imports=imports)
        return self.render_to_response(context, status=status)


class ClientImportView(ScopedMixin):
    """One import: what would come of it, how far it is, what came of it."""

    template_name = "client_import.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        if request.headers.get("HX-Request"):
            batch = get_object_or_404(ClientImport.objects.light(), pk=code)
            return render(request, "agent_chine_app/_client_import.html", self._progress_of(batch))
        batch = get_object_or_404(ClientImport, pk=code)
        left_out = Paginator(batch.errors, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        lines = [client_sheets.left_out(error) for error in left_out]
        context = self._progress_of(batch) | {"page": left_out, "lines": lines, "start_form": StartForm()}
        return self.render_to_response(context)

    def _progress_of(self, batch: ClientImport) -> dict[str, object]:
        return self.get_context_data(
            title=batch.file_name,
            batch=batch,
            progress=client_import.progress(batch),
            trouble_count=client_import.troubles(batch).count() if batch.finished_at else 0,
        )


class ClientImportTroublesView(ScopedMixin):
    """The clients of an import who were not created or not told, with the reasons."""

    template_name = "client_import_troubles.html"

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = get_object_or_404(ClientImport.objects.light(), pk=code)
        page = Paginator(client_import.troubles(batch), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.get_context_data(title=_("Not created, or not told"), batch=batch, page=page)
        return self.render_to_response(context)


class StartClientImportView(ScopedMixin):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        get_object_or_404(ClientImport.objects.light(), pk=code)
        form = StartForm(request.POST)
        tells = form.is_valid() and form.cleaned_data["tells"]
        if client_import.start(code, self.person, tells=tells, at=timezone.now()):
            after_commit(bring_in_clients, str(code))
            messages.success(request, _("The clients are being brought in."))
        else:
            messages.warning(request, _("Nothing was started: this import was decided on before, or nobody is in it."))
        return redirect(f"{self.office.office}:client_import", code=code)


class DiscardClientImportView(ScopedMixin):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        get_object_or_404(ClientImport.objects.light(), pk=code)
        if client_import.discard(code):
            messages.success(request, _("The file is discarded; nobody was brought in."))
        else:
            messages.warning(request, _("Nothing was discarded: this import was decided on before."))
        return redirect(f"{self.office.office}:client_imports")


class LeftOutLinesView(ScopedMixin):
    """The lines that are left out, as a CSV file to mend."""

    def get(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        batch = get_object_or_404(ClientImport, pk=code)
        return _download(client_sheets.left_out_csv(batch.errors), "lines-to-mend.csv")


class ExampleCsvView(ScopedMixin):
    def get(self, request: HttpRequest) -> HttpResponse:
        return _download(client_sheets.example_csv(), "clients.csv")


class ExampleXlsxView(ScopedMixin):
    def get(self, request: HttpRequest) -> HttpResponse:
        return _download(client_sheets.example_xlsx(), "clients.xlsx")


def _download(content: bytes, file_name: str) -> HttpResponse:
    kind = CSV if file_name.endswith(".csv") else XLSX
    disposition = content_disposition_header(as_attachment=True, filename=file_name) or ""
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": disposition})
