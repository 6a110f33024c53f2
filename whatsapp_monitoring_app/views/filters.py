"""The filters of the list of messages."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.statuses import REACHED
from whatsapp_monitoring_app.services import morning, statistics

# Words for several statuses at once, and for more than a status, as the dashboard counts them.
GROUPS = [
    ("waiting", gettext_lazy("On their way")),
    ("reached", gettext_lazy("Delivered or read")),
    ("to_handle", gettext_lazy("Failed, to handle")),
    ("late", gettext_lazy("Accepted, not delivered for 12 h")),
    ("silent", gettext_lazy("Accepted, without receipt for 72 h")),
]
STATUS_GROUPS = {"waiting": statistics.ON_THE_WAY, "reached": REACHED}
PERIODS = [
    ("today", gettext_lazy("Today")),
    ("morning", gettext_lazy("Since the previous working day")),
    ("week", gettext_lazy("Last 7 days")),
]
BEGINNINGS: dict[str, Callable[[datetime], datetime]] = {
    "today": statistics.start_of_day,
    "morning": morning.since,
    "week": lambda now: now - statistics.WEEK,
}


def _in_state(notifications: NotificationQuerySet, status: str, at: datetime) -> NotificationQuerySet:
    match status:
        case "silent":
            return notifications.without_receipt(at)
        case "late":
            return notifications.late(at)
        case "to_handle":
            return notifications.to_retry()
        case _:
            return notifications.filter(status__in=STATUS_GROUPS.get(status, [status]))


class FilterForm(forms.Form):
    """The list's filters, as they stand in its address."""

    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    status = forms.ChoiceField(label=gettext_lazy("Status"), required=False)
    period = forms.ChoiceField(label=gettext_lazy("Period"), required=False)
    message_type = forms.ChoiceField(label=gettext_lazy("Type"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    source_app = forms.ChoiceField(label=gettext_lazy("Office"), required=False)

    def __init__(self, data: Any, visible: NotificationQuerySet, *, with_office: bool) -> None:
        super().__init__(data)
        # Not declared above: Django's forms have an attribute of this name.
        self.fields["error_class"] = forms.ChoiceField(label=gettext_lazy("Cause"), required=False)
        everything = ("", _("All"))
        self._choose("status", [everything, *GROUPS, *Status.choices])
        self._choose("period", [everything, *PERIODS])
        self._choose("error_class", [everything, *ErrorClass.choices])
        for name in ("message_type", "category"):
            self._choose(name, [everything, *((value, value) for value in statistics.distinct(visible, name))])
        self._choose(
            "source_app", [everything, *((scope.office, scope.label) for scope in scopes.all_scopes().values())]
        )
        if not with_office:
            del self.fields["source_app"]

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def apply(self, notifications: NotificationQuerySet) -> NotificationQuerySet:
        """The notifications that pass the filters; a filter that is not understood filters nothing."""
        self.is_valid()
        chosen = {name: value for name, value in self.cleaned_data.items() if value}
        text, status, period = (chosen.pop(name, "") for name in ("q", "status", "period"))
        found = notifications.filter(**chosen)
        now = timezone.now()
        if status:
            found = _in_state(found, status, now)
        if period:
            found = found.filter(created_at__gte=BEGINNINGS[period](now))
        return found.matching(text) if text else found

    @property
    def is_filtering(self) -> bool:
        return any(self.cleaned_data.values())
