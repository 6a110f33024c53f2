"""Old rows and all that hangs on them, deleted a batch at a time: one short transaction, one statement per table.

What hangs on them is read from the models, so that a new table is never forgotten.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, models, transaction
from psycopg.errors import LockNotAvailable

from whatsapp_monitoring_app.services.paging import Order

Place = tuple[datetime, Any]
Model = type[models.Model]

# Milliseconds that a batch waits for a row that somebody holds, before it is left to the next run: whoever waits for
# the batch waits for this too.
PATIENCE = 50

DELETE = "DELETE FROM {table} WHERE {column} = ANY(%s)"
FORGET = "UPDATE {table} SET {column} = NULL WHERE {column} = ANY(%s)"
WHAT_THEN = {models.CASCADE: DELETE, models.SET_NULL: FORGET}
KEEPING = (models.PROTECT, models.RESTRICT)


class Unhandled(TypeError):
    """A table refers to one whose rows are to be deleted, and nothing here says what becomes of its own."""


@dataclass(frozen=True)
class Batch:
    """How many rows are gone, and where the last one that was looked at stood: None when there are no more."""

    deleted: int
    last: Place | None


@dataclass(frozen=True)
class Children:
    """A table that refers to another one, by which column, and what becomes of its rows."""

    model: Model
    field: models.ForeignKey[Any, Any]
    on_delete: Any


def delete_oldest(rows: models.QuerySet[Any], moment: str, after: Place | None, size: int) -> Batch:
    """Delete the oldest of these rows that nobody holds, at most `size`, of those that follow `after`.

    Held rows, rows that others hang on and must not lose (PROTECT), and a batch among whose children somebody holds
    one are passed over. Nobody is waited for longer than PATIENCE. Raises Unhandled.
    """
    last = None
    try:
        with transaction.atomic():
            _hurry()
            batch = list(_following(rows, moment, after)[:size])
            if not batch:
                return Batch(0, None)
            last = batch[-1]
            return Batch(_delete(rows.model, [key for _moment, key in batch]), last)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return Batch(0, last)


def _hurry() -> None:
    # Statistics that are hours behind a fast deletion must not make it read a whole table for some hundred rows.
    # A crash may forget the last batches, which the next run finds again: nobody waits for the disk because of it.
    settings = {"lock_timeout": f"{PATIENCE}ms", "enable_seqscan": "off", "synchronous_commit": "off"}
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()))


def _following(rows: models.QuerySet[Any], moment: str, after: Place | None) -> models.QuerySet[Any, Any]:
    order = Order(rows.model, moment)
    if after:
        # Not from the beginning: an index keeps the places of what was deleted until it is vacuumed.
        rows = rows.filter(order.newer_than(*after))
    locked = rows.order_by(*order.oldest_first()).select_for_update(skip_locked=True, of=("self",))
    return locked.values_list(moment, "pk")


def _delete(model: Model, keys: list[Any]) -> int:
    children = children_of(model)
    for child in children:
        if child.on_delete in KEEPING:
            keys = _without_needed(child, keys)
    for child in children:
        if child.on_delete in WHAT_THEN:
            _execute(WHAT_THEN[child.on_delete], child.field, keys)
    return _execute(DELETE, model._meta.pk, keys)


def _without_needed(child: Children, keys: list[Any]) -> list[Any]:
    rows = child.model._base_manager.filter(**{f"{child.field.name}__in": keys})
    # The parents are locked: nobody begins to need one now.
    needed = set(rows.order_by().values_list(child.field.attname, flat=True))
    return [key for key in keys if key not in needed]


def _execute(statement: str, field: "models.Field[Any, Any]", keys: list[Any]) -> int:
    """How many rows were concerned."""
    # Not Django's own delete(), which reads the children first, nor its "IN", which costs a placeholder per key.
    quote = connection.ops.quote_name
    table, column = quote(field.model._meta.db_table), quote(str(field.column))
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=table, column=column), [keys])
        return int(cursor.rowcount)


def children_of(model: Model) -> list[Children]:
    """Every table that refers to this one, hidden relations (`related_name="+"`) included. Raises Unhandled."""
    found = [Children(each.related_model, each.field, each.on_delete) for each in _references_to(model)]
    for child in found:
        _check(model, child)
    return found


def _references_to(model: Model) -> list[models.ManyToOneRel]:
    return [each for each in model._meta.get_fields(include_hidden=True) if isinstance(each, models.ManyToOneRel)]


def _check(model: Model, child: Children) -> None:
    name = f"{child.model.__name__}.{child.field.name}"
    if child.on_delete not in (*WHAT_THEN, *KEEPING):
        raise Unhandled(f"{name}: {child.on_delete}")
    if not child.field.target_field.primary_key:
        raise Unhandled(f"{name} refers to something else than the key of {model.__name__}")
    if child.on_delete is models.CASCADE and _references_to(child.model):
        raise Unhandled(f"{name}: something hangs on {child.model.__name__} too")
