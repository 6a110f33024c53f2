from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # An index that is made beside the work.
    atomic = False

    dependencies = [
        ("whatsapp_monitoring_app", "0013_webhook_lease"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="whatsappinbound",
            index=models.Index(fields=["received_at"], name="inbound_by_date"),
        ),
    ]
