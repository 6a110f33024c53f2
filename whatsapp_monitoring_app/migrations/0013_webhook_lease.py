from django.db import migrations, models


class Migration(migrations.Migration):
    """A worker takes many payloads at once, and others leave them alone meanwhile. No row is rewritten."""

    dependencies = [("whatsapp_monitoring_app", "0012_bulk_progress")]

    operations = [
        migrations.AddField(
            model_name="whatsappwebhooklog",
            name="claimed_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="held until"),
        ),
    ]
