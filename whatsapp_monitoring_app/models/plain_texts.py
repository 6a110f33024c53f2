"""New notifications that say a plain text, as they are written by the thousand."""

import uuid
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import Status


class _Ready(models.Field):  # type: ignore[type-arg]  # a column of any kind
    """A column whose values are as the database takes them: to find that out again costs more than to write them."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return model_instance.__dict__[self.attname]

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        return value


class _Text(_Ready, models.TextField):  # type: ignore[type-arg]
    pass


class _Number(_Ready, models.BigIntegerField):  # type: ignore[type-arg]
    pass


class _Moment(_Ready, models.DateTimeField):  # type: ignore[type-arg]
    pass


class _Code(_Ready, models.UUIDField):  # type: ignore[type-arg]
    pass


class PlainText(models.Model):
    """The columns of WhatsAppNotification that a new plain text fills; the others have the database's defaults.

    For `bulk_create` alone, which sends every column of its model, in an array each: less than half as many are
    written in a third of the time. It is given notifications, whose attributes have the same names.
    """

    code = _Code(primary_key=True, default=uuid.uuid4, editable=False)
    source_app = _Text()
    user_id = _Number(null=True)
    phone_number = _Text()
    language = _Text()
    message_type = _Text()
    category = _Text()
    title = _Text()
    message_content = _Text()
    priority = _Number()
    idempotency_key = _Text(null=True)  # noqa: DJ001 - unique when given
    status = _Text(default=Status.PENDING)
    max_attempts = _Number()
    next_attempt_at = _Moment(null=True)
    rung_at = _Moment(null=True)
    expires_at = _Moment(null=True)
    bulk_id = _Code(null=True)
    created_at = _Moment()
    held_until = _Moment(null=True)
    cancelled_at = _Moment(null=True)
    cancel_reason = _Text(default="")

    class Meta:
        # Of no installed app: it is not migrated, and nobody needs a permission for it.
        app_label = "plain_texts"
        managed = False
        db_table = WhatsAppNotification._meta.db_table
        verbose_name = "new plain text"

    def __str__(self) -> str:
        return str(self.code)


COLUMNS = frozenset(field.attname for field in PlainText._meta.concrete_fields)
