"""The 24-hour window: WhatsApp takes free text only within 24 hours of the client's last message to the same number.

Source: developers.facebook.com/docs/whatsapp, "Customer service windows".
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from whatsapp_monitoring_app.models import WhatsAppInbound, WhatsAppSender, prepared

LENGTH = timedelta(hours=24)
# The call takes time, and the provider's clock is not ours.
MARGIN = timedelta(minutes=1)

# When each number last wrote to each of ours: under its own name, or what WhatsApp calls it where that differs. What
# somebody chooses in the settings is no message, and a message of the future is a wrong clock.
_LAST_WRITTEN = """
SELECT asked.number, written.provider, written.account_id, max(written.occurred_at)
FROM unnest(%(numbers)s::text[]) AS asked(number)
LEFT JOIN LATERAL (
    SELECT '+' || wa_id AS name FROM whatsapp_monitoring_app_whatsappnotification
    WHERE phone_number = asked.number AND wa_id <> '' ORDER BY created_at DESC LIMIT 1
) AS told ON true
JOIN whatsapp_monitoring_app_whatsappinbound AS written
    ON written.phone_number = ANY(ARRAY[asked.number, told.name])
    AND written.occurred_at > %(since)s AND written.occurred_at <= %(until)s
    AND NOT starts_with(written.provider_message_id, %(choice)s)
GROUP BY 1, 2, 3
"""


class Windows:
    """The windows of some numbers at one moment, read at once."""

    def __init__(self, numbers: Collection[str], at: datetime) -> None:
        self._at = at
        asked: dict[str, Any] = {
            "numbers": list(numbers),
            "since": at - LENGTH,
            "until": at + LENGTH,
            "choice": WhatsAppInbound.CHOICE_PREFIX,
        }
        self._written: dict[tuple[str, str, str], datetime] = {
            (number, provider, account): last
            for number, provider, account, last in prepared.rows(_LAST_WRITTEN, asked)
        }

    def open_until(self, phone_number: str, sender: WhatsAppSender, since: datetime | None = None) -> datetime | None:
        """When the person's window at this sender closes, with a margin; None when nothing has opened it.

        By what came after `since`, if given.
        """
        last = self._written.get((phone_number, sender.provider, sender.account))
        if last is None or (since and last <= since):
            return None
        return min(last, self._at) + LENGTH - MARGIN

    def is_open(self, phone_number: str, sender: WhatsAppSender, since: datetime | None = None) -> bool:
        """Whether the person may be written to freely from this sender's number."""
        until = self.open_until(phone_number, sender, since)
        return until is not None and until > self._at
