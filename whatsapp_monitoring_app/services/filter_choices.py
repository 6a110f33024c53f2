"""What a list can be filtered by: only what the latest messages that the office sees are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from whatsapp_monitoring_app.models import WhatsAppSender, WhatsAppTemplate
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import labels

# So many of the latest messages are looked at: every value of a column of a million rows takes seconds to find.
LATEST = 2000

Choice = tuple[str, str]


@dataclass(frozen=True)
class FilterChoices:
    """Values with their names, in the order of the names."""

    message_type: tuple[Choice, ...] = ()
    category: tuple[Choice, ...] = ()
    sender: tuple[Choice, ...] = ()
    template: tuple[Choice, ...] = ()
    language: tuple[Choice, ...] = ()
    error_code: tuple[Choice, ...] = ()


def of(visible: NotificationQuerySet) -> FilterChoices:
    """The choices that the latest of these notifications offer; in one query."""
    rows = _distinct(visible)
    return FilterChoices(
        message_type=_in_order((row[0], labels.type_label(row[0])) for row in rows),
        category=_in_order((row[1], labels.category_label(row[1])) for row in rows),
        language=_in_order((row[2], row[2]) for row in rows),
        error_code=_in_order((row[3], row[3]) for row in rows),
        sender=_in_order((row[4], row[5]) for row in rows),
        template=_in_order((row[6], row[7]) for row in rows),
    )


def _distinct(visible: NotificationQuerySet) -> list[tuple[Any, ...]]:
    """What the latest are, each combination once: fetching them all takes longer than finding what is the same."""
    columns = ("message_type", "category", "language", "error_code", "sender_id", "template_id")
    latest, params = visible.order_by("-created_at", "-code").values_list(*columns)[:LATEST].query.sql_with_params()
    senders, templates = WhatsAppSender._meta.db_table, WhatsAppTemplate._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT found.message_type, found.category, found.language, found.error_code,"  # noqa: S608 - our own names
            " sender.code, sender.label, template.code, template.label"
            f" FROM (SELECT DISTINCT * FROM ({latest}) AS latest) AS found"
            f' LEFT JOIN "{senders}" AS sender ON sender.id = found.sender_id'
            f' LEFT JOIN "{templates}" AS template ON template.id = found.template_id',
            params,
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _in_order(choices: Iterable[tuple[Any, Any]]) -> tuple[Choice, ...]:
    named = {(value, str(label)) for value, label in choices if value}
    return tuple(sorted(named, key=lambda choice: (choice[1].casefold(), choice[0])))
