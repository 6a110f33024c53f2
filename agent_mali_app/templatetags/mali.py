"""Days as the Mali office reads them."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agent_chine_app.models import Lot
from agent_mali_app import awaited

register = template.Library()


@register.filter
def lateness(lot: Lot) -> str:
    """How the lot is for time: “3 days late”, “expected today”, “in 2 days”; "" when nobody knows or all has come."""
    if lot.expected_on is None or lot.status != Lot.Status.SHIPPED:
        return ""
    late = (awaited.today() - lot.expected_on).days
    if late > 0:
        return ngettext("%(count)d day late", "%(count)d days late", late) % {"count": late}
    if late == 0:
        return _("expected today")
    return ngettext("in %(count)d day", "in %(count)d days", -late) % {"count": -late}


@register.filter
def is_late(lot: Lot) -> bool:
    """Whether the lot should have come before today."""
    return lot.status == Lot.Status.SHIPPED and lot.expected_on is not None and lot.expected_on < awaited.today()


@register.filter
def waiting(since: datetime | None) -> str:
    """For how many days something has been in storage: “today”, “12 days”."""
    days = (awaited.today() - awaited.today(since)).days if since else 0
    if days <= 0:
        return _("since today")
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


@register.filter
def is_past(at: datetime) -> bool:
    """Whether the moment is over."""
    return at <= timezone.now()
