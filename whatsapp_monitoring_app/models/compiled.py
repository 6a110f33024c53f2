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


def update_returning(rows: models.QuerySet[Any], changes: Mapping[str, Any], marks: Mapping[str, Any]) -> Statement:
    """The UPDATE of these rows that gives back their columns.

    `marks` stand, in the queryset and in the changes, for values that are given later: no other value may equal one.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(dict(changes))
    sql, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    columns = ", ".join(f'"{field.column}"' for field in rows.model._meta.concrete_fields)
    names = {place: name for place, each in enumerate(parameters) for name, mark in marks.items() if each == mark}
    assert set(names.values()) == set(marks), "a mark got lost on the way"
    return Statement(f"{sql} RETURNING {columns}", parameters, names)
