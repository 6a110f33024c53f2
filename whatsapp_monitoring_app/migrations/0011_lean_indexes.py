"""Indexes that few rows are written into, on tables that go on being written to meanwhile.

What is new is made first and concurrently, so that no question is without its index; what it replaces is dropped after
that. A run that was broken off leaves an invalid index behind: drop it, and migrate again.
"""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

NOTIFICATION = "whatsapp_monitoring_app_whatsappnotification"
ATTEMPT = "whatsapp_monitoring_app_whatsappattempt"
SUBJECT = "whatsapp_monitoring_app_whatsappsubject"

# A fifth of the table may be dead rows before PostgreSQL's own settings clean it up: a million, at five million. Every
# message leaves five. Counts are read off the indexes only where the visibility map is fresh, and of tables that only
# grow PostgreSQL would not see to it before a fifth more has come.
VACUUM = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,"
    " autovacuum_analyze_scale_factor = 0.02"
)
USUAL = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor"


def unique_where_given(
    name: str, columns: str, given: str, condition: Q, fields: list[str]
) -> migrations.SeparateDatabaseAndState:
    """The unique constraint of this name, for those rows only that have the value."""
    return migrations.SeparateDatabaseAndState(
        database_operations=[
            migrations.RunSQL(
                f'CREATE UNIQUE INDEX CONCURRENTLY "{name}_given" ON "{NOTIFICATION}" ({columns}) WHERE {given} IS NOT NULL',
                f'DROP INDEX CONCURRENTLY "{name}_given"',
            ),
            migrations.RunSQL(
                f'ALTER TABLE "{NOTIFICATION}" DROP CONSTRAINT "{name}"',
                f'ALTER TABLE "{NOTIFICATION}" ADD CONSTRAINT "{name}" UNIQUE ({columns})',
            ),
            migrations.RunSQL(
                f'ALTER INDEX "{name}_given" RENAME TO "{name}"', f'ALTER INDEX "{name}" RENAME TO "{name}_given"'
            ),
        ],
        state_operations=[
            migrations.RemoveConstraint("whatsappnotification", name),
            migrations.AddConstraint(
                "whatsappnotification", models.UniqueConstraint(name=name, fields=fields, condition=condition)
            ),
        ],
    )


def renewed(index: models.Index) -> list[migrations.operations.base.Operation]:
    """The index of this name, made anew beside the old one, which goes."""
    old = f"{index.name}_old"
    return [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'ALTER INDEX "{index.name}" RENAME TO "{old}"', f'ALTER INDEX "{old}" RENAME TO "{index.name}"'
                )
            ],
            state_operations=[migrations.RemoveIndex("whatsappnotification", index.name)],
        ),
        AddIndexConcurrently("whatsappnotification", index),
    ]


def dropped(name: str, columns: str, condition: str = "") -> migrations.RunSQL:
    """Drop what `renewed` has left."""
    return migrations.RunSQL(
        f'DROP INDEX CONCURRENTLY "{name}_old"',
        f'CREATE INDEX CONCURRENTLY "{name}_old" ON "{NOTIFICATION}" ({columns}) {condition}',
    )


class Migration(migrations.Migration):
    # CONCURRENTLY does not run in a transaction.
    atomic = False
    dependencies = [
        ("whatsapp_monitoring_app", "0010_statistics_filled"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        AddIndexConcurrently(
            "whatsappattempt",
            models.Index(name="attempt_by_actor", fields=["actor"], condition=Q(actor__isnull=False)),
        ),
        AddIndexConcurrently(
            "whatsappnotification",
            models.Index(
                name="notification_failed",
                fields=["source_app", "error_class", "error_code", "-failed_at"],
                include=("phone_number", "created_at"),
                condition=Q(
                    informed_at__isnull=True, resent_as__isnull=True, settled_by__isnull=True, status="failed"
                ),
            ),
        ),
        AddIndexConcurrently(
            "whatsappnotification",
            models.Index(name="notification_next_actor", fields=["next_actor"], condition=Q(next_actor__isnull=False)),
        ),
        AddIndexConcurrently(
            "whatsappnotification",
            models.Index(name="notification_settled_by", fields=["settled_by"], condition=Q(settled_by__isnull=False)),
        ),
        AddIndexConcurrently(
            "whatsappnotification",
            models.Index(
                name="notification_informed_by", fields=["informed_by"], condition=Q(informed_by__isnull=False)
            ),
        ),
        *renewed(
            models.Index(
                name="notification_to_call",
                fields=["-created_at", "-code"],
                condition=Q(informed_at__isnull=True, resent_as__isnull=True)
                & (
                    Q(status__in=["failed", "unconfirmed"])
                    | Q(status="cancelled", cancel_reason__in=["opt_out", "wrong_number"])
                ),
            )
        ),
        *renewed(
            models.Index(
                name="notification_by_cause",
                fields=["error_class", "error_code", "-created_at"],
                include=("source_app",),
                condition=~Q(error_class=""),
            )
        ),
        *renewed(
            models.Index(
                name="notification_by_sender", fields=["sender", "sent_at"], condition=Q(sent_at__isnull=False)
            )
        ),
        dropped(
            "notification_to_call",
            "phone_number, source_app",
            "WHERE informed_at IS NULL AND resent_as_id IS NULL AND (status IN ('failed', 'unconfirmed')"
            " OR (status = 'cancelled' AND cancel_reason IN ('opt_out', 'wrong_number')))",
        ),
        dropped("notification_by_cause", "error_class, error_code, created_at DESC", "WHERE NOT (error_class = '')"),
        dropped("notification_by_sender", "sender_id, sent_at"),
        unique_where_given(
            "one_per_idempotency_key",
            "source_app, idempotency_key",
            "idempotency_key",
            Q(idempotency_key__isnull=False),
            ["source_app", "idempotency_key"],
        ),
        unique_where_given(
            "one_per_provider_message",
            "provider_message_id",
            "provider_message_id",
            Q(provider_message_id__isnull=False),
            ["provider_message_id"],
        ),
        migrations.AlterField(
            model_name="whatsappattempt",
            name="actor",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="asked by",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappattempt",
            name="notification",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="whatsapp_monitoring_app.whatsappnotification",
                verbose_name="notification",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappattempt",
            name="sender",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="whatsapp_monitoring_app.whatsappsender",
                verbose_name="sender",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappnotification",
            name="informed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="told by",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappnotification",
            name="next_actor",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="whatsappnotification",
            name="sender",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notifications",
                to="whatsapp_monitoring_app.whatsappsender",
                verbose_name="sender",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappnotification",
            name="settled_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Who found out what became of it, when no receipt told.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="settled by",
            ),
        ),
        migrations.AlterField(
            model_name="whatsappsubject",
            name="notification",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="subjects",
                to="whatsapp_monitoring_app.whatsappnotification",
                verbose_name="notification",
            ),
        ),
        migrations.RunSQL(
            [f'ALTER TABLE "{table}" SET ({VACUUM})' for table in (NOTIFICATION, ATTEMPT, SUBJECT)],
            [f'ALTER TABLE "{table}" RESET ({USUAL})' for table in (NOTIFICATION, ATTEMPT, SUBJECT)],
        ),
    ]
