"""What `manage.py check --deploy` says of the monitoring."""

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from whatsapp_monitoring_app.services import alert_news


@register(Tags.compatibility, deploy=True)
def alerts_can_be_mailed(**_given: Any) -> list[CheckMessage]:
    """Warn of an installation whose alerts go only through the channel that may be broken."""
    if alert_news.can_mail():
        return []
    hint = "Set EMAIL_URL, for example smtp+tls://user:password@mail.example.com:587."
    return [Warning("Alerts are not sent by e-mail.", hint=hint, id="whatsapp_monitoring_app.W001")]
