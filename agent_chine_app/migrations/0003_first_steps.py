from django.db import migrations

RECEIVED = """
INSERT INTO agent_chine_app_colisstep (colis_id, kind, at, by_id, note)
SELECT id, 'received', created_at, created_by_id, '' FROM agent_chine_app_colis
"""
ARRIVED = """
INSERT INTO agent_chine_app_colisstep (colis_id, kind, at, note)
SELECT id, 'arrived', arrived_at, '' FROM agent_chine_app_colis WHERE arrived_at IS NOT NULL
"""
# Their clients were told one by one, as they arrived.
TOLD = "UPDATE agent_chine_app_colis SET arrival_told_at = arrived_at WHERE arrived_at IS NOT NULL"
FORGET = "DELETE FROM agent_chine_app_colisstep"


class Migration(migrations.Migration):
    """The history of the parcels that are there, as far as it is known."""

    dependencies = [("agent_chine_app", "0002_lots_and_steps")]

    operations = [
        migrations.RunSQL([RECEIVED, ARRIVED, TOLD], reverse_sql=FORGET),
    ]
