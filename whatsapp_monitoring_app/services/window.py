"""The 24-hour window: WhatsApp takes free text only within 24 hours of the client's last message to the same number.

Source: developers.facebook.com/docs/whatsapp, "Customer service windows".
"""

from datetime import datetime, timedelta

from whatsapp_monitoring_app.models import WhatsAppInbound, WhatsAppNotification, WhatsAppSender

LENGTH = timedelta(hours=24)
# The call takes time, and the provider's clock is not ours.
MARGIN = timedelta(minutes=1)


def is_open(phone_number: str, sender: WhatsAppSender, at: datetime, since: datetime | None = None) -> bool:
    """Whether the person may be written to freely from this sender's number; by what came after `since`, if given."""
    until = open_until(phone_number, sender, at, since)
    return until is not None and until > at


def open_until(
    phone_number: str, sender: WhatsAppSender, at: datetime, since: datetime | None = None
) -> datetime | None:
    """When the window closes, with a margin; None when nothing has opened it."""
    # What somebody chooses in the settings is no message, and a message of the future is a wrong clock.
    written = WhatsAppInbound.objects.filter(
        phone_number__in=_names_of(phone_number),
        provider=sender.provider,
        account_id=sender.account,
        occurred_at__gt=max(at - LENGTH, since or at - LENGTH),
        occurred_at__lte=at + LENGTH,
    ).exclude(provider_message_id__startswith=WhatsAppInbound.CHOICE_PREFIX)
    last = written.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    return min(last, at) + LENGTH - MARGIN if last else None


def _names_of(phone_number: str) -> set[str]:
    """The number, and what WhatsApp calls it where that differs: people write under that one."""
    told = WhatsAppNotification.objects.filter(phone_number=phone_number).exclude(wa_id="")
    wa_id = told.order_by("-created_at").values_list("wa_id", flat=True).first()
    return {phone_number, f"+{wa_id}"} if wa_id else {phone_number}
