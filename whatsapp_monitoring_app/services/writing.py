"""Writing new notifications down: one or thousands, each key of an office once."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from django.db import IntegrityError, connection, transaction
from django.db.models.base import ModelState

from whatsapp_monitoring_app.models import WhatsAppNotification, many_rows

_FIELDS = WhatsAppNotification._meta.concrete_fields
_FRESH = [(field.attname, field.default) for field in _FIELDS if field.has_default() and callable(field.default)]
_USUAL = {field.attname: field.get_default() for field in _FIELDS}
# The fields that a new plain text fills, and their attributes; the others have the database's defaults.
PLAIN = {
    field.name: field.attname
    for field in map(
        cast(Any, WhatsAppNotification._meta.get_field),
        (
            "code", "source_app", "user", "phone_number", "language", "message_type", "category", "title",
            "message_content", "priority", "idempotency_key", "status", "max_attempts", "next_attempt_at", "rung_at",
            "expires_at", "bulk", "created_at", "held_until", "cancelled_at", "cancel_reason",
        ),
    )
}  # fmt: skip
# What a plain text has not, of that which a caller can give.
_beyond_plain = attrgetter(
    "template_id", "media", "reply_to", "asked_sender_id", "subject", "fact_rank", "context_data", "is_secret",
    "template_params", "media_link", "media_name",
)  # fmt: skip
_USED = f"""
    SELECT idempotency_key FROM {WhatsAppNotification._meta.db_table}
    WHERE source_app = ANY(%s) AND idempotency_key = ANY(%s)
"""  # noqa: S608 - the table's own name


def row(values: Mapping[str, Any]) -> WhatsAppNotification:
    """A notification that is not written yet, by the names of its columns.

    As the constructor makes it, which sets fifty attributes one by one: in a tenth of the time.
    """
    notification = WhatsAppNotification.__new__(WhatsAppNotification)
    notification._state = ModelState()
    notification.__dict__.update(_USUAL)
    notification.__dict__.update((name, make()) for name, make in _FRESH)
    notification.__dict__.update(values)
    return notification


def used_keys(offices: Iterable[str], keys: Iterable[str | None]) -> set[str | None]:
    """Those of these idempotency keys that one of these offices has used already."""
    with connection.cursor() as cursor:
        cursor.execute(_USED, [list(offices), list(keys)])
        return {key for (key,) in cursor.fetchall()}


def write(notification: WhatsAppNotification) -> WhatsAppNotification:
    """Write it; given back is the one that its office has written first with its key, which may be another one."""
    has_key = notification.idempotency_key is not None
    _insert([notification], ignore_conflicts=has_key)
    return _first_with_key_of(notification) if has_key else notification


def _first_with_key_of(notification: WhatsAppNotification) -> WhatsAppNotification:
    keys = {"source_app": notification.source_app, "idempotency_key": notification.idempotency_key}
    used = WhatsAppNotification.objects.filter(**keys)
    return notification if used.values_list("pk", flat=True).get() == notification.pk else used.get()


def write_all(rows: list[WhatsAppNotification]) -> list[WhatsAppNotification]:
    """Write the rows whose keys nobody has used meanwhile; those that are written."""
    try:
        with transaction.atomic():
            _insert(rows)
    except IntegrityError:
        return _write_unused(rows)
    return rows


def _write_unused(rows: list[WhatsAppNotification]) -> list[WhatsAppNotification]:
    """Somebody else is writing some of them at this moment."""
    _insert(rows, ignore_conflicts=True)
    # The database does not say which ones it left out.
    codes = [row.pk for row in rows]
    written = set(WhatsAppNotification.objects.filter(pk__in=codes).values_list("pk", flat=True))
    return [row for row in rows if row.pk in written]


def _insert(rows: Sequence[WhatsAppNotification], *, ignore_conflicts: bool = False) -> None:
    plain = [row for row in rows if not any(_beyond_plain(row))]
    others = rows if not plain else [row for row in rows if any(_beyond_plain(row))]
    columns = [{name: row.__dict__[attribute] for name, attribute in PLAIN.items()} for row in plain]
    many_rows.insert(WhatsAppNotification, columns, each="code", ignore_conflicts=ignore_conflicts)
    for row in plain:
        row._state.adding, row._state.db = False, connection.alias
    if others:
        WhatsAppNotification.objects.bulk_create(others, ignore_conflicts=ignore_conflicts)
