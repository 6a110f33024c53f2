"""What the dashboard needs: links to exactly what a figure counts, and durations that fit into a table."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.services.search import Filters

register = template.Library()


@register.simple_tag(takes_context=True)
def list_of(context: Context, filters: Filters | None = None, **chosen: str | int) -> str:
    """The address of the list that shows what these filters let pass; `chosen` are named as the filters are."""
    words: dict[str, Any] = {name: str(value) for name, value in chosen.items()}
    wanted = replace(filters or Filters(), **words)
    address = reverse(f"{context['scope'].office}:whatsapp_monitoring_list")
    return f"{address}?{wanted.write()}"


@register.filter
def day(at: datetime | date) -> str:
    """The day as the list's filters take it."""
    return f"{at:%Y-%m-%d}"


@register.filter
def in_seconds(duration: timedelta | None) -> str:
    """The duration as programs read it: “0.84”; "" for none."""
    return "" if duration is None else f"{duration.total_seconds():.2f}"


@register.filter
def brief(duration: timedelta | None) -> str:
    """The duration for a narrow place, in one unit: “0.8 s”, “45 s”, “12 min”, “5 h”, “3 d”; “–” for none."""
    if duration is None:
        return "–"
    seconds = duration.total_seconds()
    if seconds < 10:
        return _("%(count)s s") % {"count": number_format(seconds, decimal_pos=1)}
    if seconds < 100:
        return _("%(count)s s") % {"count": round(seconds)}
    if seconds < 6000:
        return _("%(count)s min") % {"count": round(seconds / 60)}
    if seconds < 48 * 3600:
        return _("%(count)s h") % {"count": round(seconds / 3600)}
    return _("%(count)s d") % {"count": round(seconds / 86400)}
