"""What the pages of Django's admin share: they stay fast on a million rows, and never edit what the engine writes."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts import phones
from whatsapp_monitoring_app import scopes

Row = TypeVar("Row", bound=Model)

# Rows are counted one by one up to here; beyond, a page further on is not worth the wait.
COUNTED_AT_MOST = 10_000


class EstimatingPaginator(Paginator[Any]):
    """Counts a large table as PostgreSQL estimates it, and what a filter leaves of it up to COUNTED_AT_MOST."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not rows.query.where:
            estimate = _estimate(rows.model._meta.db_table)
            if estimate > COUNTED_AT_MOST:
                return estimate
        return int(rows.order_by()[: COUNTED_AT_MOST + 1].count())


def _estimate(table: str) -> int:
    """How many rows the table had when PostgreSQL looked last; -1 before it has looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [f'"{table}"'])
        return int(cursor.fetchone()[0])


class OfficeFilter(admin.SimpleListFilter):
    """By office, without asking a million rows which offices there are."""

    title = _("office")
    parameter_name = "source_app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(scope.office, scope.label) for scope in scopes.all_scopes().values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(source_app=self.value()) if self.value() else queryset


class ReadOnly:
    """What the engine writes is looked at here, never edited: a status changed by hand would lie."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Large(admin.ModelAdmin[Row]):
    """A list of a table that grows: one index answers each question that it asks.

    It finds rows by what is typed in full: `found_by_code` (UUIDs), `found_by_number` (telephones in any spelling) and
    `found_by_word` (texts as they are stored).
    """

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50
    search_help_text = _("A code, a number or a word, in full: parts are not found.")
    found_by_code: Sequence[str] = ()
    found_by_number: Sequence[str] = ()
    found_by_word: Sequence[str] = ()

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*self.found_by_code, *self.found_by_number, *self.found_by_word]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.replace("\x00", "").strip()
        return (queryset.filter(self._named(text)), False) if text else (queryset, False)

    def _named(self, text: str) -> Q:
        named = Q(pk__in=[])
        with suppress(ValueError):
            for name in self.found_by_code:
                named |= Q(**{name: uuid.UUID(text)})
        numbers = phones.spellings(text, scopes.countries())
        for name in self.found_by_number:
            named |= Q(**{f"{name}__in": numbers})
        for name in self.found_by_word:
            named |= Q(**{name: text})
        return named


class Looked(ReadOnly, Large[Row]):
    """A large table that people only look at."""
