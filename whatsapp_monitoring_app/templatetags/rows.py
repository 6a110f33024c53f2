"""What stands in every row of a list. Tags and not templates: a page of messages draws each of them 25 times."""

from datetime import date, datetime
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from accounts.templatetags.icons import icon
from whatsapp_monitoring_app.models import ErrorClass, Status

register = template.Library()


@register.simple_tag
def moment(at: datetime | None, *, seconds: object = False) -> SafeString | str:
    """A day and a minute, or a second, by the reader's clock; nothing for no moment."""
    if not at:
        return ""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}"><span>{}</span> <span>{}</span></time>',
        local.isoformat(),
        date_format(local, "DATETIME_FORMAT"),
        _day(local.date(), get_language()),
        f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}",
    )


# Django's get_status_display translates every label there is to find one.
_STATUSES, _CAUSES = dict(Status.choices), dict(ErrorClass.choices)


@register.simple_tag
def status_badge(status: str, label: object = "") -> SafeString:
    """A status as icon, word and colour; `label` is its word where that is not the status's own."""
    word = label or _STATUSES.get(status, status)
    return format_html('<span class="status status-{}">{}<span>{}</span></span>', status, icon(status), word)


@register.filter
def cause_label(error_class: str) -> object:
    """Why a message failed, in a word or two."""
    return _CAUSES.get(error_class, error_class)


@lru_cache(maxsize=1000)
def _day(day: date, language: str | None) -> str:
    """The day without its year, in the language that is active: the argument is what tells the answers apart."""
    return date_format(day, "MONTH_DAY_FORMAT")
