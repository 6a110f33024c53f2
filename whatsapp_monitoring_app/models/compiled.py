"""Statements that Django writes once: for what is asked for every single message, writing them takes longest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.sql import UpdateQuery


@dataclass(frozen=True)
class Statement:
    """SQL, and its parameters: some for ever, others by the name under which they are given each time."""

    sql: str
    parameters: Sequence[Any]
    names: Mapping[int, str]

    def with_values(self, **values: Any) -> list[Any]:
        """The parameters, with these values for their names."""
        return [
            values[self.names[place]] if place in self.names else each for place, each in enumerate(self.parameters)
        ]


def marked(sql: str, parameters: Sequence[Any], marks: Mapping[str, Any]) -> Statement:
    """The statement whose parameters that equal a mark are given later, by its name. Every mark must be in it."""
    names = {place: name for place, each in enumerate(parameters) for name, mark in marks.items() if each == mark}
    assert set(names.values()) == set(marks), "a mark got lost on the way"
    return Statement(sql, parameters, names)


def select(rows: models.QuerySet[Any]) -> Statement:
    """The SELECT of all columns of these rows."""
    sql, parameters = rows.query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return Statement(sql, parameters, {})


def update_picked(
    rows: models.QuerySet[Any], changes: Mapping[str, Any], marks: Mapping[str, Any], *, skips_locked: bool
) -> Statement:
    """The UPDATE, of those of these rows that have one of the given `keys`, that gives back their columns.

    `marks` stand, in the queryset and in the changes, for values that are given later: no other value may equal one.
    Rows that somebody else has locked are waited for, or skipped. The rows are picked by their keys before anything
    else is asked of them: PostgreSQL, which may believe that very few rows wait, would otherwise look for a key
    through all that do.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(dict(changes))
    sql, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    table, key = (f'"{name}"' for name in (rows.model._meta.db_table, rows.model._meta.pk.column))
    changed, _where, condition = sql.partition(" SET ")[2].partition(" WHERE ")
    columns = ", ".join(f'held."{field.column}"' for field in rows.model._meta.concrete_fields)
    lock = "FOR UPDATE SKIP LOCKED" if skips_locked else "FOR UPDATE"
    # The picked rows go by the table's name, which is how Django's words call them.
    sql = f"""
        WITH picked AS MATERIALIZED (SELECT * FROM {table} WHERE {key} = ANY(%s) ORDER BY {key} {lock})
        UPDATE {table} AS held SET {changed} FROM picked AS {table}
        WHERE held.{key} = {table}.{key} AND ({condition})
        RETURNING {columns}
    """  # noqa: S608 - Django's words, and our own names
    keys = object()
    return marked(sql, [keys, *parameters], {"keys": keys, **marks})
