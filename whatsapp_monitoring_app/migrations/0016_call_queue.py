from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations
from django.db.models import Index, Q

MAY_NEED_A_CALL = (
    Q(informed_at__isnull=True, resent_as__isnull=True)
    & ~Q(message_type__in=["otp", "alert", "opt_out_confirmation", "sender_test"])
    & (
        Q(status="failed")
        | Q(status="unconfirmed")
        | Q(status="cancelled", cancel_reason="opt_out", message_type__in=["delivery", "delay"])
        | Q(status="cancelled", cancel_reason="wrong_number")
    )
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("whatsapp_monitoring_app", "0015_unrung")]
    operations = [
        AddIndexConcurrently(
            "whatsappnotification",
            Index(
                name="notification_call_by_office",
                fields=["source_app", "priority", "-created_at", "-code"],
                condition=MAY_NEED_A_CALL,
            ),
        ),
        AddIndexConcurrently(
            "whatsappnotification",
            Index(
                name="notification_call_by_urgency",
                fields=["priority", "-created_at", "-code"],
                condition=MAY_NEED_A_CALL,
            ),
        ),
        RemoveIndexConcurrently("whatsappnotification", "notification_to_call"),
    ]
