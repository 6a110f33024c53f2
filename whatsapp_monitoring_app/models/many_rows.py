"""Many rows in one statement, for what Django has no words: each row with values of its own.

Values go to PostgreSQL as one array per column, and what all the rows have in common as a single value: a few arrays
are cheaper to write and to read than thousands of parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection, models

from whatsapp_monitoring_app.models import prepared


@dataclass(frozen=True)
class Columns:
    """The columns of some rows of one model, in SQL: an expression for each, and the parameters that they need.

    The expressions speak of the table `given`, which `source` makes.
    """

    expressions: Mapping[str, str]
    constants: Sequence[Any]
    source: str
    arrays: Sequence[Any]


def columns(model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, each: str) -> Columns:
    """The rows, which all have the same fields, by name. `each` is a field in which no two of them are the same."""
    expressions: dict[str, str] = {}
    constants: list[Any] = []
    arrays: dict[str, tuple[str, list[Any]]] = {}
    for name, first in rows[0].items():
        field, kind = _field(model, name)
        if name != each and all(row[name] == first for row in rows):
            expressions[field.column] = f"%s::{kind}"
            constants.append(field.get_db_prep_save(first, connection))
        else:
            expressions[field.column] = f"given.{field.column}"
            arrays[field.column] = (kind, [field.get_db_prep_save(row[name], connection) for row in rows])
    types = ", ".join(f"%s::{kind}[]" for kind, _values in arrays.values())
    return Columns(
        expressions,
        constants,
        source=f"unnest({types}) AS given({', '.join(arrays)})",
        arrays=[values for _kind, values in arrays.values()],
    )


@cache
def _field(model: type[models.Model], name: str) -> tuple[Any, str]:
    """The field, and the type of its column."""
    field: Any = model._meta.get_field(name)
    return field, field.db_type(connection)


def insert(
    model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, each: str, ignore_conflicts: bool = False
) -> None:
    """Insert the rows, without giving their keys back. Fields that they do not name have the database's default.

    With `ignore_conflicts` those are left out that are there already.
    """
    if not rows:
        return
    given = columns(model, rows, each=each)
    sql = f"""
        INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({", ".join(given.expressions)})
        SELECT {", ".join(given.expressions.values())} FROM {given.source}
        {"ON CONFLICT DO NOTHING" if ignore_conflicts else ""}
    """  # noqa: S608 - names of our own columns
    prepared.run(sql, [*given.constants, *given.arrays])
