"""What the screens need beyond Django's own tags: numbers, names and links as people read them."""

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import phones, time_zones
from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Standing,
    Status,
    WhatsAppAnnouncement,
    WhatsAppErrorCode,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.models.statuses import FINAL
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.services import explanations, labels, paging, quiet_hours, rendering, search
from whatsapp_monitoring_app.services.announcements import Reconciliation
from whatsapp_monitoring_app.services.call_queue import COUNTED_AT_MOST
from whatsapp_monitoring_app.services.causes import State
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, WITHOUT_REASON, Explanation
from whatsapp_monitoring_app.services.paging import AtLeast
from whatsapp_monitoring_app.services.retry_reasons import Reason
from whatsapp_monitoring_app.views.reveals import hidden_again_at

register = template.Library()

# Meta's id of a message holds its person's number in base64.
WITH_A_NUMBER = re.compile(r"(wamid\.)[\w+/=-]+")
# A page that shows an older announcement does not wait for its last receipts: some telephones stay off.
STILL_NEW = timedelta(hours=1)


@register.filter
def telephone(e164: str) -> SafeString:
    """The number with the spaces that people read it by, in one piece."""
    return format_html('<span class="text-nowrap">{}</span>', phones.for_people(e164))


@register.simple_tag(takes_context=True)
def number(context: Context, e164: str) -> SafeString:
    """The number as this page's office may see it; hidden where its numbers are, unless the page has `is_revealed`."""
    if not _hides(context):
        return telephone(e164)
    return format_html('<span class="text-nowrap">{}</span>', phones.masked(e164))


@register.simple_tag(takes_context=True)
def name_of(context: Context, user: User | None) -> str | SafeString:
    """Who somebody is: their name, or their number as this page may show it; nothing for nobody."""
    if user is None:
        return ""
    return user.get_full_name() or number(context, user.telephone)


@register.simple_tag(takes_context=True)
def without_number(context: Context, text: str, *numbers: str) -> str:
    """A provider's words, or ours, without these numbers (E.164) where the page hides them."""
    if _hides(context):
        text = WITH_A_NUMBER.sub(r"\1•••", str(text))
        for e164 in filter(None, numbers):
            text = phones.without_number(text, e164)
    return text


def _hides(context: Context) -> bool:
    scope = context.get("scope")
    return scope is not None and scope.masks_numbers and not context.get("is_revealed")


@register.simple_tag(takes_context=True)
def is_shown(context: Context, e164: str) -> bool:
    """Whether this number may be shown on this page: for `{% is_shown … as is_revealed %}` beside one of many."""
    scope = context.get("scope")
    return scope is None or not scope.masks_numbers or hidden_again_at(context["request"], e164) is not None


@register.simple_tag(takes_context=True)
def shown_until(context: Context, e164: str) -> datetime | None:
    """When this number is hidden again."""
    return hidden_again_at(context["request"], e164)


@register.filter
def type_label(value: str) -> str:
    """What a type of message is called."""
    return labels.type_label(value)


@register.filter
def category_label(value: str) -> str:
    """What a category of messages is called."""
    return labels.category_label(value)


@register.filter
def subject_label(name: str) -> str:
    """What a message speaks of: “parcel TS1A2B3C4D”, “lot GZ-0412”; anything else as it is."""
    if name.startswith(search.PARCEL):
        return _("parcel %(number)s") % {"number": name.removeprefix(search.PARCEL)}
    if name.startswith(search.LOT):
        return _("lot %(number)s") % {"number": name.removeprefix(search.LOT)}
    return name


@register.filter
def span(time: timedelta) -> str:
    """A duration to the second, in its two greatest units: “12 s”, “3 min 5 s”, “2 h 5 min”, “3 d 4 h”."""
    total = int(time.total_seconds())
    if total < 1:
        return _("less than a second")
    days, hours, minutes, rest = total // 86400, total // 3600 % 24, total // 60 % 60, total % 60
    units = (
        (days, _("%(count)d d")),
        (hours, _("%(count)d h")),
        (minutes, _("%(count)d min")),
        (rest, _("%(count)d s")),
    )
    first = next(place for place, (count, _unit) in enumerate(units) if count)
    return " ".join(unit % {"count": count} for count, unit in units[first : first + 2] if count)


@register.filter
def from_now(at: datetime) -> str:
    """How long until then: “in 3 min 5 s”, “now”."""
    time = at - timezone.now()
    return _("in %(time)s") % {"time": span(time)} if time >= timedelta(seconds=1) else _("now")


@register.filter
def seconds(duration: timedelta) -> str:
    """A duration in seconds with one decimal: “0.8 s”."""
    return _("%(seconds)s s") % {"seconds": number_format(duration.total_seconds(), decimal_pos=1)}


@register.filter
def duration(time: timedelta) -> str:
    """A duration as people say it: “less than a minute”, “about 4 minutes”, “about 2 hours”."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 90:
        return ngettext("about %(count)d minute", "about %(count)d minutes", minutes) % {"count": minutes}
    hours = round(minutes / 60)
    return ngettext("about %(count)d hour", "about %(count)d hours", hours) % {"count": hours}


# Which status each standing looks like; those of people are marked as such.
LOOKS = {
    Standing.ACCEPTED: Status.SENT,
    Standing.WAITING: Status.PENDING,
    Standing.REPLACED: Status.CANCELLED,
    Standing.REFUSED: "mute",
    Standing.INFORMED: "phone",
    Standing.WRONG_NUMBER: Status.FAILED,
    Standing.NEVER_CREATED: Status.FAILED,
}


@register.filter
def look(standing: Standing) -> str:
    """The name of the icon and of the colour of a standing."""
    return str(LOOKS.get(standing, standing))


# Which status each state of a cause looks like.
LOOKS_OF_CAUSES = {
    State.NEW: Status.FAILED,
    State.ONGOING: Status.PENDING,
    State.CAME_BACK: Status.RETRY_SCHEDULED,
    State.HANDLED: Status.DELIVERED,
}


@register.filter
def group_look(state: State) -> str:
    """The name of the icon and of the colour of a cause's state."""
    return str(LOOKS_OF_CAUSES[state])


@register.simple_tag
def refresh_pause(announcement: WhatsAppAnnouncement, reconciliation: Reconciliation) -> str:
    """How long a page waits before it asks again how far these people have been told; "" when that is settled."""
    if reconciliation.is_moving:
        return "3s"
    is_new = timezone.now() - announcement.created_at < STILL_NEW
    return "15s" if is_new and reconciliation.may_be_confirmed else ""


# How often a message's page asks for news, by how long ago something was last due to happen to it.
WATCHED = (
    (timedelta(minutes=2), "3s"),
    (timedelta(minutes=10), "10s"),
    (timedelta(hours=1), "30s"),
)
# The page waits for a telephone that is switched on: nobody notices a few seconds more.
OF_A_TELEPHONE = ("10s", *(pause for _age, pause in WATCHED[1:]))


@register.simple_tag
def watch_pause(notification: WhatsAppNotification) -> str:
    """How long the page waits before it asks again; "over" when that is left to a person, "" when nothing changes."""
    if notification.is_delivery_unknown or notification.status in FINAL:
        return ""
    now = timezone.now()
    moments = (
        notification.created_at,
        notification.first_attempt_at,
        notification.next_attempt_at,
        notification.sent_at,
        notification.delivered_at,
    )
    age = min(abs(now - at) for at in moments if at)
    is_told = notification.status in (Status.SENT, Status.DELIVERED)
    for number, (until, pause) in enumerate(WATCHED):
        if age < until:
            return OF_A_TELEPHONE[number] if is_told else pause
    return "over"


@register.filter
def office_label(office: str) -> str | Promise:
    """The name of an office, or its code when it is no longer installed."""
    scope = scopes.all_scopes().get(office)
    return scope.label if scope else office


@register.filter
def explained(error_class: str) -> Explanation:
    """What a cause means and what to do about it."""
    return EXPLANATIONS[ErrorClass(error_class)] if error_class else WITHOUT_REASON


@register.simple_tag
def code_in_words(code: WhatsAppErrorCode) -> Explanation:
    """What agents read of an error code."""
    return explanations.of_code(code, ErrorClass(code.error_class))


@register.filter
def provider_label(code: str) -> str:
    """What a provider is called."""
    return str(dict(WhatsAppSender.Provider.choices).get(code, code))


@register.filter
def safe_text(notification: WhatsAppNotification) -> str:
    """The notification's text as it may be shown."""
    return rendering.without_link(notification.message_content)


@register.filter
def without_link(text: str) -> str:
    """A text as it may be shown: a personal link was never stored, and the text says so."""
    return rendering.without_link(text)


@register.filter
def end_of_night(notification: WhatsAppNotification) -> str:
    """When the notification leaves, if it waits for the end of the quiet hours: “08:00, Bamako time”; else nothing."""
    at = timezone.now()
    hold = quiet_hours.hold_on(notification, at)
    return quiet_hours.in_words(hold, at) if hold else ""


@register.filter
def refusal(reason: str) -> str | Promise:
    """Why a message was not sent again, as a sentence."""
    return Reason(reason).label


@register.filter
def is_https(link: str) -> bool:
    """Whether this may be the address of a link on our pages."""
    return content.is_https(link)


@register.filter
def bounded(count: int) -> str:
    """A count for a small place: “7”, “99+”, “12+” for at least so many, and nothing for none."""
    if count > COUNTED_AT_MOST:
        return f"{COUNTED_AT_MOST}+"
    return f"{count:d}+" if count and isinstance(count, AtLeast) else str(count or "")


@register.filter
def counted(count: int) -> str:
    """A count that ends somewhere, for a sentence: “7”, “9 812”, “10 000+”; “412+” for at least so many."""
    shown = number_format(min(count, paging.COUNTED_AT_MOST), decimal_pos=0, force_grouping=True)
    return f"{shown}+" if count > paging.COUNTED_AT_MOST or isinstance(count, AtLeast) else shown


@register.filter
def language_name(code: str) -> str:
    """What a language is called in the reader's; its code where nobody has named it."""
    return labels.language_name(code)


@register.simple_tag
def time_zone() -> str:
    """The zone of the times on the page as people name it: “Bamako (UTC+0)”."""
    city = time_zones.place(timezone.get_current_timezone_name())
    offset = timezone.localtime().utcoffset() or timedelta()
    return f"{city} (UTC{offset.total_seconds() / 3600:+g})"


@register.simple_tag(takes_context=True)
def address_without(context: Context, name: str) -> str:
    """This page's query string without one parameter, on its first page."""
    query = context["request"].GET.copy()
    query.pop(name, None)
    query.pop("page", None)
    return f"?{query.urlencode()}"


@register.inclusion_tag("whatsapp_monitoring_app/_nav_link.html", takes_context=True)
def nav_link(context: Context, name: str, label: str, icon: str, also: str = "", count: int = 0) -> dict[str, Any]:
    """A link of the menu to the URL `name`; current there, and on the pages of the office that `also` names.

    `count` is how much waits there, if anything.
    """
    here = context["request"].resolver_match
    return {
        "href": reverse(name),
        "label": label,
        "icon": icon,
        "count": bounded(count),
        "is_page": here is not None and here.view_name == name,
        "is_below": here is not None and here.url_name in also.split(),
    }
