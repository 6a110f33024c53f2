from django.db import migrations

NAME_THEM = """
INSERT INTO whatsapp_monitoring_app_whatsappsubject (notification_id, name, fact_rank)
SELECT code, subject, fact_rank FROM whatsapp_monitoring_app_whatsappnotification WHERE subject <> ''
"""


class Migration(migrations.Migration):
    """What the stored notifications speak of, by name: until now each spoke of one thing at most."""

    dependencies = [("whatsapp_monitoring_app", "0006_subjects_and_announcements")]

    operations = [migrations.RunSQL(NAME_THEM, reverse_sql="DELETE FROM whatsapp_monitoring_app_whatsappsubject")]
