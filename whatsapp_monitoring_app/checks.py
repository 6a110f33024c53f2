"""What `manage.py check --deploy` says of the monitoring; with `--database default`, of the senders too."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError

from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import alert_news


@register(Tags.compatibility, deploy=True)
def alerts_can_be_mailed(**_given: Any) -> list[CheckMessage]:
    """Warn of an installation whose alerts go only through the channel that may be broken."""
    if alert_news.can_mail():
        return []
    hint = "Set EMAIL_URL, for example smtp+tls://user:password@mail.example.com:587."
    return [Warning("Alerts are not sent by e-mail.", hint=hint, id="whatsapp_monitoring_app.W001")]


@register(Tags.compatibility, deploy=True)
def messages_reach_clients(**_given: Any) -> list[CheckMessage]:
    """Refuse a rehearsal where clients wait for their messages."""
    if not settings.WHATSAPP_REHEARSAL:
        return []
    hint = "Take REHEARSAL out of the environment."
    return [Error("This is a rehearsal: messages go to a sandbox.", hint=hint, id="whatsapp_monitoring_app.E001")]


@register(Tags.database, deploy=True)
def active_senders_can_send(databases: Sequence[str] | None = None, **_given: Any) -> list[CheckMessage]:
    """Refuse active senders whose messages could only fail. Tokens are nobody's business: none is shown."""
    if not databases:
        return []
    try:
        senders = list(WhatsAppSender.objects.filter(is_active=True))
    except DatabaseError:
        hint = "Look whether DATABASE_URL is right, and run: python manage.py migrate"
        return [Error("The senders cannot be read.", hint=hint, id="whatsapp_monitoring_app.E002")]
    return [error for sender in senders for error in _errors(sender)]


def _errors(sender: WhatsAppSender) -> Iterator[CheckMessage]:
    if sender.provider == WhatsAppSender.Provider.CONSOLE:
        hint = "Choose another provider for it in the administration, or switch it off."
        yield Error(f"The sender “{sender}” sends nothing.", hint=hint, id="whatsapp_monitoring_app.E003")
    elif sender.missing_fields:
        missing = " and ".join(sender.missing_fields)
        hint = (
            "Enter what is missing on the page “Senders” of an administration office, or switch the sender off there. "
            "Senders without an account of their own use WHATSAPP_CLOUD_PHONE_NUMBER_ID and WHATSAPP_CLOUD_TOKEN."
        )
        yield Error(f"The sender “{sender}” has no {missing}.", hint=hint, id="whatsapp_monitoring_app.E004")
    elif settings.WHATSAPP_SANDBOX_TOKEN in (sender.credentials or ()):
        hint = "Enter the token that Meta gave you on the page “Senders”, or switch the sender off there."
        yield Error(f"The sender “{sender}” has the sandbox’s token.", hint=hint, id="whatsapp_monitoring_app.E005")
    elif sender.provider == WhatsAppSender.Provider.WACHAP and not settings.WACHAP_WEBHOOK_SECRET:
        hint = "Set WACHAP_WEBHOOK_SECRET, and enter it in WaChap’s webhook address."
        yield Error(f"Nobody hears what WaChap tells of “{sender}”.", hint=hint, id="whatsapp_monitoring_app.E006")
