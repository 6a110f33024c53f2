"""Statements that PostgreSQL plans once per connection: their values travel apart from their text.

Django writes the values into the text, and PostgreSQL then plans each statement anew. For what is asked for every
single message, planning takes longer than doing it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import psycopg
from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)
Parameters = Sequence[Any] | Mapping[str, Any]


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, **(options | {"prepare": True}))


def run(sql: str, parameters: Parameters = ()) -> None:
    """Run a statement that gives no rows. Raises what Django's cursors raise.

    The plan knows nothing of the values: it is not for statements that look for thousands of them.
    """
    with _cursor() as cursor:
        cursor.execute(sql, parameters)


def rows(sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """The same of a statement that gives rows."""
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _cursor() -> Any:
    """A cursor that is made as Django makes its own: the errors are Django's, and the queries are counted."""
    wrapped: Any = connection
    wrapped.ensure_connection()
    return wrapped._prepare_cursor(_Cursor(wrapped.connection))


def instances(model: type[Row], sql: str, parameters: Parameters = ()) -> list[Row]:
    """The rows of a statement that gives all columns of the model, in the order in which it declares them."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    readers = [(place, read) for place, field in enumerate(fields) for read in field.get_db_converters(connection)]
    return [
        model.from_db(connection.alias, names, _read(list(row), readers) if readers else row)
        for row in rows(sql, parameters)
    ]


def _read(values: list[Any], readers: Sequence[tuple[int, Any]]) -> list[Any]:
    for place, read in readers:
        values[place] = read(values[place], None, connection)
    return values
