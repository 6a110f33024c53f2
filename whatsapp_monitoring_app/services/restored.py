"""After a backup was put back: what waited when it was made may have gone out since, and nobody knows."""

from datetime import datetime

from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY

REASON = "The database was restored from a backup: nobody knows whether this message went out after it was made."


def hold(at: datetime) -> int:
    """Let nothing go out a second time; how many are held.

    To be called before any worker starts. They become failures, which say why: a person decides about each.
    """
    perhaps_sent = WhatsAppNotification.objects.filter(status__in=ON_THE_WAY)
    return perhaps_sent.move(
        Status.FAILED, failed_at=at, error_class=ErrorClass.UNCONFIRMED, error_code="", error_message=REASON
    )
