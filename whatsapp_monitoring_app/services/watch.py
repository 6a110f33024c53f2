"""One look at the whole, from whatever process still lives: recovery, a worker's standby, or `watch_whatsapp`."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from whatsapp_monitoring_app.models import WhatsAppNotification
from whatsapp_monitoring_app.services import alert_news, alerts, delivery

logger = logging.getLogger(__name__)


def look(at: datetime, ring: Callable[[Sequence[WhatsAppNotification]], None]) -> None:
    """Open and end alerts, and tell people of them; `ring` gets the new messages, for workers to send.

    To be called outside of a transaction. What goes wrong here is logged, and stops nobody.
    """
    try:
        alerts.evaluate(at)
        ring(alert_news.post(at))
        alert_news.send_mails(at)
    except Exception:  # whoever looks has work of their own, which must go on
        logger.exception("The alerts could not be looked after")


def look_alone(at: datetime) -> None:
    """The same where no worker may be left: the messages leave from this process."""
    look(at, ring=lambda _posted: None)
    for notification in alert_news.due(at):
        delivery.deliver(notification.pk)
