"""Webhooks about the account itself: a template changed its status, a number its quality.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/message_template_status_update
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/phone_number_quality_update
"""

from datetime import datetime

from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.message_templates import SandboxTemplate

PAUSE = {"title": "FIRST_PAUSE", "description": "Your WhatsApp message template has been paused for 3 hours."}


def template_status_update(
    config: SandboxConfig, template_id: str, template: SandboxTemplate, at: datetime
) -> dict[str, object]:
    """The present status of a template."""
    value: dict[str, object] = {
        "event": template.status,
        "message_template_id": int(template_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "reason": "NONE",
        "message_template_category": template.category,
    }
    if template.status == "PAUSED":
        value["other_info"] = PAUSE
    if template.status == "DISABLED":
        value["disable_info"] = {"disable_date": int(at.timestamp())}
    return _envelope(config, "message_template_status_update", value, at)


def quality_update(config: SandboxConfig, event: str, at: datetime) -> dict[str, object]:
    """The business number was FLAGGED, or is UNFLAGGED again."""
    value: dict[str, object] = {
        "display_phone_number": config.display_phone_number,
        "event": event,
        "current_limit": config.messaging_limit_tier,
    }
    return _envelope(config, "phone_number_quality_update", value, at)


def _envelope(config: SandboxConfig, field: str, value: dict[str, object], at: datetime) -> dict[str, object]:
    change = {"value": value, "field": field}
    entry = {"id": config.waba_id, "time": int(at.timestamp()), "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
