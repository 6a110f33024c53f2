from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from whatsapp_monitoring_app.services import tallies


def count(apps: Any, schema_editor: Any) -> None:
    """Count what is there already. It takes a transaction of its own, and locks nobody out."""
    tallies.rebuild(lambda day, count: None)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("whatsapp_monitoring_app", "0009_statistics")]
    operations = [
        AddIndexConcurrently(
            model_name="whatsappnotification",
            index=models.Index(
                condition=models.Q(("status", "sent")),
                fields=["sender", "-created_at"],
                include=("code", "sent_at", "source_app"),
                name="notification_accepted",
            ),
        ),
        AddIndexConcurrently(
            model_name="whatsappnotification",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["user", "-created_at"],
                include=("source_app",),
                name="notification_missed",
            ),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
