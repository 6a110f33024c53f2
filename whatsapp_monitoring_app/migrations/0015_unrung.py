from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("whatsapp_monitoring_app", "0014_cleanup")]
    operations = [
        AddIndexConcurrently(
            model_name="whatsappnotification",
            index=models.Index(
                name="notification_unrung",
                fields=["next_attempt_at"],
                condition=models.Q(("rung_at__isnull", True), ("status__in", ["pending", "retry_scheduled"])),
            ),
        ),
    ]
