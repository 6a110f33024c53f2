"""What the pages that stay open ask for: whether they are still true."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app.services import changes
from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.views.scoped import ScopedJsonMixin


class ChangesView(ScopedJsonMixin):
    """A sentence of what is new since a page was made, or 204 when nothing is."""

    def get(self, request: HttpRequest) -> HttpResponse:
        page = changes.Token.read(request.GET.get("token", ""))
        found = changes.since(page, Filters.read(request.GET).within(self.office), self.office, timezone.now())
        answer = JsonResponse({"text": in_words(found)}) if found else HttpResponse(status=204)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def in_words(found: changes.Changes) -> str:
    """What the link of the bar says of these changes."""
    if found.is_old:
        return _("This page is from long ago – refresh")
    if found.newer > changes.COUNTED_AT_MOST:
        return _("%(count)d+ new messages – show") % {"count": changes.COUNTED_AT_MOST}
    if found.newer:
        text = ngettext("%(count)d new message – show", "%(count)d new messages – show", found.newer)
        return text % {"count": found.newer}
    return _("The figures have changed – refresh")
