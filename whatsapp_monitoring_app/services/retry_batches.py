"""Many messages are to be sent again: written down with the decision, and decided on until it is over."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from whatsapp_monitoring_app.models import Action, WhatsAppNotification, WhatsAppRetryBatch, WhatsAppRetryItem
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import audit, retry_plans
from whatsapp_monitoring_app.services.retry_reasons import DOUBTS, Reason
from whatsapp_monitoring_app.services.search import Filters

# So many go first, and show what becomes of the others.
CANARY = 5

State = WhatsAppRetryBatch.State


class NothingToSend(Exception):
    """None of the messages may be sent again; no batch was written."""


@dataclass(frozen=True)
class Order:
    """What a person asks for, in their office. The same `request_id` is the same decision."""

    scope: Scope
    person: User
    filters: Filters
    request_id: uuid.UUID
    confirmed: frozenset[Reason] = frozenset()
    tries_few_first: bool = True

    @property
    def key(self) -> uuid.UUID:
        """What makes the decision one: nobody comes by the form of another office to its batch."""
        return uuid.uuid5(self.request_id, self.scope.office)

    def notifications(self, at: datetime) -> NotificationQuerySet:
        """What the filters find among what this office may see."""
        return self.filters.within(self.scope).apply(WhatsAppNotification.objects.visible_to(self.scope), at)


def exists(order: Order) -> bool:
    """Whether this decision was written down already."""
    return WhatsAppRetryBatch.objects.filter(request_id=order.key).exists()


@transaction.atomic
def create(order: Order, at: datetime) -> tuple[WhatsAppRetryBatch, bool]:
    """Write down what is to be sent again, all at once, and who decided it; and whether this is new.

    Raises NothingToSend.
    """
    batch, is_new = WhatsAppRetryBatch.objects.get_or_create(request_id=order.key, defaults=_facts(order, at))
    if not is_new:
        return batch, False
    batch.total = _write_items(batch, order, at) if batch.total else 0
    if not batch.total:
        raise NothingToSend
    batch.state = State.CANARY if order.tries_few_first and batch.total > CANARY else State.RUNNING
    batch.save(update_fields=["total", "state"])
    if batch.state == State.CANARY:
        _choose_canary(batch)
    detail = ngettext("%(count)d message", "%(count)d messages", batch.total) % {"count": batch.total}
    audit.note(Action.BATCH_CREATE, order.person, order.scope, at, target=batch.pk, detail=detail)
    return batch, True


def _facts(order: Order, at: datetime) -> dict[str, object]:
    found = retry_plans.plan(order.notifications(at), at, order.confirmed)
    return {
        "source_app": order.scope.office,
        "query": order.filters.write(),
        "state": State.RUNNING,
        "total": found.count,
        "excluded": {reason.value: count for reason, count in found.excluded},
        "confirmed": sorted(order.confirmed),
        "created_by": order.person,
        "created_at": at,
    }


def _write_items(batch: WhatsAppRetryBatch, order: Order, at: datetime) -> int:
    """One statement, however many there are: the most urgent first, then the newest, which are the most useful."""
    judged: Any = retry_plans.judged(order.notifications(at), at, order.confirmed)
    columns = judged.filter(reason="").order_by().values_list("code", "voice", "priority", "created_at")
    sql, parameters = columns.query.sql_with_params()
    table = connection.ops.quote_name(WhatsAppRetryItem._meta.db_table)
    insert = (
        f"INSERT INTO {table} (batch_id, notification_id, sender_id, is_canary, refusal) "  # noqa: S608 - our own words
        f"SELECT %s, code, voice, false, '' FROM ({sql}) AS chosen (code, voice, priority, created_at) "
        "ORDER BY priority, created_at DESC"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert, [batch.pk, *parameters])
        return int(cursor.rowcount)


def _choose_canary(batch: WhatsAppRetryBatch) -> None:
    """The first of each kind before the second of any: a few should show as much as they can."""
    kinds = [F("sender"), F("notification__error_class"), F("notification__message_type")]
    turns = batch.items.annotate(turn=Window(RowNumber(), partition_by=kinds, order_by="id")).order_by("turn", "id")
    batch.items.filter(pk__in=[item.pk for item in turns[:CANARY]]).update(is_canary=True)


def everything(scope: Scope, person: User) -> Order:
    """What the plain form of the guide asks for: all that this office has to handle, at once, whatever the doubts."""
    return Order(
        scope, person, Filters(status="to_handle"), uuid.uuid4(), confirmed=frozenset(DOUBTS), tries_few_first=False
    )


@dataclass(frozen=True)
class By:
    """Who decides, and where they work."""

    scope: Scope
    person: User


def let_run(batch: WhatsAppRetryBatch, by: By, at: datetime) -> bool:
    """Send the others too, or go on after a pause; False when it neither tries a few nor is paused."""
    return _decide(batch, Action.BATCH_RUN, State.RUNNING, by, at)


def pause(batch: WhatsAppRetryBatch, by: By, at: datetime) -> bool:
    """Feed no more until somebody lets it go on; False when it is not running. What is queued still leaves."""
    return _decide(batch, Action.BATCH_PAUSE, State.PAUSED, by, at)


def stop(batch: WhatsAppRetryBatch, by: By, at: datetime) -> bool:
    """Never feed the rest; False when it was over already. What is queued still leaves."""
    return _decide(batch, Action.BATCH_CANCEL, State.CANCELLED, by, at)


# From where a person may move a batch to each state.
ORIGINS = {
    State.RUNNING: (State.CANARY, State.PAUSED),
    State.PAUSED: (State.RUNNING,),
    State.CANCELLED: (State.CANARY, State.RUNNING, State.PAUSED),
}


@transaction.atomic
def _decide(batch: WhatsAppRetryBatch, action: Action, to: WhatsAppRetryBatch.State, by: By, at: datetime) -> bool:
    """Of two people who decide at once, one does. A run under way finds that the batch is not its own any more."""
    origins = WhatsAppRetryBatch.objects.filter(pk=batch.pk, state__in=ORIGINS[to])
    finished_at = at if to == State.CANCELLED else None
    moved = origins.update(state=to, claimed_until=None, finished_at=finished_at)
    if moved:
        left = WhatsAppRetryItem.objects.open().filter(batch=batch).count()
        detail = _("%(left)d of %(total)d not queued yet") % {"left": left, "total": batch.total}
        audit.note(action, by.person, by.scope, at, target=batch.pk, detail=detail)
    batch.refresh_from_db()
    return bool(moved)
