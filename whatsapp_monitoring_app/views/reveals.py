"""Hidden numbers, looked at one by one: each look is written down, and ends by itself."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import Action, WhatsAppAddressee, WhatsAppNotification
from whatsapp_monitoring_app.services import audit
from whatsapp_monitoring_app.views.scoped import EveryOfficeMixin, safe_next

SHOWN_FOR = timedelta(minutes=10)
# Numbers that one session shows at a time; the oldest gives way.
AT_MOST = 50
KEY = "revealed_numbers"


def is_revealed(request: HttpRequest, notification: WhatsAppNotification) -> bool:
    """Whether whoever is logged in has asked for this message's number, not long ago."""
    return hidden_again_at(request, notification.phone_number) is not None


def hidden_again_at(request: HttpRequest, number: str) -> datetime | None:
    """Until when this number (E.164) is shown in this session; None where it is hidden."""
    found = _shown(request.session, timezone.now()).get(_fingerprint(number))
    return datetime.fromisoformat(found) if found else None


def _shown(session: Mapping[str, Any], at: datetime) -> dict[str, str]:
    """Until when numbers are shown, by what stands for them."""
    return {key: until for key, until in session.get(KEY, {}).items() if datetime.fromisoformat(until) > at}


def _remember(request: HttpRequest, number: str, at: datetime) -> datetime:
    until = at + SHOWN_FOR
    shown = {**_shown(request.session, at), _fingerprint(number): until.isoformat()}
    newest = sorted(shown.items(), key=lambda entry: entry[1])[-AT_MOST:]
    request.session[KEY] = dict(newest)
    return until


def _fingerprint(number: str) -> str:
    # Sessions are rows: people's numbers stay out of them.
    return salted_hmac("whatsapp.reveal", number).hexdigest()[:32]


class RevealMixin(EveryOfficeMixin):
    """Shows one number for some minutes, wherever this person meets it; who asked is written down."""

    http_method_names = ["post"]

    def show(self, number: str, target: object, page: str, detail: str = "") -> HttpResponse:
        """Back to where the form asked to go on to, else to `page`, with the number shown."""
        now = timezone.now()
        with transaction.atomic():
            audit.note(Action.REVEAL, self.person, self.office, now, target=target, detail=detail)
            until = _remember(self.request, number, now)
        text = _("The number is shown until %(time)s. It is written down that you looked at it.")
        messages.info(self.request, text % {"time": formats.time_format(timezone.localtime(until), "H:i")})
        return redirect(safe_next(self.request, page))


class RevealView(RevealMixin):
    """The number of one message."""

    def post(self, request: HttpRequest, code: uuid.UUID) -> HttpResponse:
        notification = get_object_or_404(self.notifications(), pk=code)
        page = reverse(f"{self.office.office}:whatsapp_attempt_details", args=[code])
        return self.show(notification.phone_number, code, page)


class RevealAddresseeView(RevealMixin):
    """The number of somebody for whom no message could be made."""

    def post(self, request: HttpRequest, code: uuid.UUID, pk: int) -> HttpResponse:
        people = WhatsAppAddressee.objects.visible_to(self.office).select_related("user")
        addressee = get_object_or_404(people, announcement=code, pk=pk)
        page = reverse(f"{self.office.office}:whatsapp_announcement", args=[code])
        return self.show(addressee.user.telephone, code, page, audit.ADDRESSEE)
