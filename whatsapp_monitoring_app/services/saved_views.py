"""Filters under a name: those that every office has, and those that its people save."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppSavedView
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import paging
from whatsapp_monitoring_app.services.call_queue import COUNTED_AT_MOST
from whatsapp_monitoring_app.services.search import Filters

BUILT_IN: Sequence[tuple[str | Promise, Filters]] = (
    (gettext_lazy("Failures of today"), Filters(status="to_handle", period="today")),
    (
        gettext_lazy("Numbers without WhatsApp"),
        Filters(status="to_handle", error_class=ErrorClass.RECIPIENT_PERMANENT),
    ),
    (gettext_lazy("Waiting for more than an hour"), Filters(status="overdue")),
    (gettext_lazy("Accepted, not delivered"), Filters(status="late")),
)
MOST_OWN = 30
# Statuses of few rows, which an index of their own finds, and periods that end soon.
SELECTIVE = {"to_handle", "overdue", "waiting", Status.FAILED, Status.UNCONFIRMED, Status.RETRY_SCHEDULED}
SHORT = {"today", "day", "morning"}


class NotSaved(ValueError):
    """The view cannot be saved. Its message is a sentence for people."""


@dataclass(frozen=True)
class View:
    """A link to a filtered list. `count` is None where counting would take long; `saved` where somebody made it."""

    name: str
    query: str
    count: int | None = None
    saved: WhatsAppSavedView | None = None
    is_mine: bool = False


def listed(
    scope: Scope, person: User, visible: NotificationQuerySet, at: datetime, also: Sequence[NotificationQuerySet] = ()
) -> tuple[list[View], list[int]]:
    """The views that this person finds in this office, with how many of `visible` each shows; in two queries.

    How many `also` are is answered by the way, up to paging.COUNTED_AT_MOST.
    """
    saved = list(WhatsAppSavedView.objects.visible_to(scope, person))
    named = [
        *((str(name), filters, None) for name, filters in BUILT_IN),
        *((view.name, Filters.read(view.query).within(scope), view) for view in saved),
    ]
    countable = [
        filters for filters in dict.fromkeys(filters for _name, filters, _saved in named) if _is_quick(filters)
    ]
    # No more than one beyond what a badge tells.
    found = (filters.apply(visible, at).order_by()[: COUNTED_AT_MOST + 1] for filters in countable)
    counts = paging.counts(*also, *found)
    badges = dict(zip(countable, counts[len(also) :], strict=True))
    views = [
        View(name, filters.write(), badges.get(filters), view, view is not None and view.owner_id == person.pk)
        for name, filters, view in named
    ]
    return views, counts[: len(also)]


def _is_quick(filters: Filters) -> bool:
    """Whether an index leads to few rows, so that counting is no burden on every look at the list."""
    is_narrow = filters.status in SELECTIVE or filters.period in SHORT
    return is_narrow and not filters.q and not filters.misread


def save(
    scope: Scope, person: User, name: str, filters: Filters, *, is_shared: bool, at: datetime
) -> WhatsAppSavedView:
    """Keep these filters under this name, for this person or for the whole office. Raises NotSaved.

    The same view twice is one view: its name, and not a form's, is what makes it unique.
    """
    query = _query_to_keep(filters.within(scope))
    own = WhatsAppSavedView.objects.owned_by(person, scope)
    same = own.filter(name=name, query=query, is_shared=is_shared).first()
    if same:
        return same
    if own.count() >= MOST_OWN:
        raise NotSaved(_("You have %(count)d views already. Delete one first.") % {"count": MOST_OWN})
    try:
        with transaction.atomic():
            return WhatsAppSavedView.objects.create(
                source_app=scope.office, owner=person, name=name, query=query, is_shared=is_shared, created_at=at
            )
    except IntegrityError as error:
        raise NotSaved(_("You have a view of this name already. Choose another name.")) from error


def _query_to_keep(filters: Filters) -> str:
    if not filters.is_filtering:
        raise NotSaved(_("Nothing is filtered: choose filters in the list first."))
    if filters.misread:
        raise NotSaved(_("One of the filters cannot be understood: correct it in the list first."))
    return filters.write()
