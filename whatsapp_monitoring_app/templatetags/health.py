"""What is wrong with the whole, for any page that knows its office."""

from typing import Any

from django import template
from django.template.context import Context
from django.utils import timezone

from whatsapp_monitoring_app.models import WhatsAppAlert
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import alert_words, alerts
from whatsapp_monitoring_app.services.alert_words import Words
from whatsapp_monitoring_app.services.pulses import Pulse
from whatsapp_monitoring_app.services.stops import Stop

register = template.Library()


@register.inclusion_tag("whatsapp_monitoring_app/_health.html", takes_context=True)
def health_banner(context: Context, *, compact: bool = False) -> dict[str, Any]:
    """One line per trouble, of the page's office; `compact`: a single line, and nothing while all is well."""
    scope, now = context["scope"], timezone.now()
    if compact:
        return {"scope": scope, "is_well": alerts.is_well(scope, now), "compact": True}
    return {"scope": scope, "health": alerts.banner(scope, now), "compact": False}


@register.simple_tag
def alert_words_for(alert: WhatsAppAlert, scope: Scope) -> Words:
    """What people of this office are told of the alert."""
    return alert_words.of(alert, scope)


@register.simple_tag
def silence_words_for(pulse: Pulse, scope: Scope) -> Words:
    """What people of this office are told of a part that gives no sign of life."""
    return alert_words.of_silence(pulse, scope)


@register.simple_tag
def advice_on_stop(stop: Stop, scope: Scope) -> str:
    """What people of this office do about a sender that is stopped."""
    return alert_words.on_a_stop(stop.explanation, scope)


@register.filter
def is_warning(alert: WhatsAppAlert) -> bool:
    return alert_words.is_warning(alert)
