"""What the dashboard needs: links to exactly what a figure counts, and durations that fit into a table."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from whatsapp_monitoring_app.services.search import Filters
from whatsapp_monitoring_app.services.trends import Cell, Point, Trend

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


@register.simple_tag(takes_context=True)
def course_of(context: Context, trend: Trend) -> list[tuple[Point, str]]:
    """The hours or days of a trend, each with its name as the tables show it; a day leads to its messages."""
    is_daily = trend.period.unit == "day"
    name = _day_with_link if is_daily else _hour
    return [(point, name(context, point.at, number == 0)) for number, point in enumerate(trend.points)]


def _day_with_link(context: Context, at: datetime, is_first: bool) -> str:
    address = list_of(context, since=day(at), until=day(at))
    return format_html('<a href="{}">{}</a>', address, date_format(at, "MONTH_DAY_FORMAT"))


def _hour(context: Context, at: datetime, is_first: bool) -> str:
    hour = f"{at:%H:%M}"
    return f"{date_format(at, 'MONTH_DAY_FORMAT')} {hour}" if is_first or at.hour == 0 else hour


# A node of a template costs more than what it shows, and the tables of a period have hundreds of cells: a row of
# numbers is written at once.
@register.simple_tag
def cells(*numbers: int) -> SafeString:
    """A table's cell for each number."""
    return format_html_join("", "<td>{}</td>", ((number,) for number in numbers))


@register.simple_tag
def heat(hours: Sequence[Cell]) -> SafeString:
    """A table's cell for each weekday at one hour; the more messages, the darker."""
    cells = (((format_html(' class="heat-{}"', cell.heat) if cell.heat else ""), cell.count) for cell in hours)
    return format_html_join("", "<td{}>{}</td>", cells)


@register.filter
def share(percent: int | None) -> str:
    """A percentage, for people and for the chart; “–” for none."""
    return "–" if percent is None else format_html('<data value="{0}">{0} %</data>', percent)


@register.filter
def time_taken(duration: timedelta | None) -> str:
    """A duration, for people and for the chart, which reads seconds; “–” for none."""
    if duration is None:
        return "–"
    return format_html('<data value="{}">{}</data>', f"{duration.total_seconds():.2f}", brief(duration))


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
