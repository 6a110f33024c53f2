"""Why a message was not accepted, in the few classes that decide what happens next.

The classes come from Meta's error-code page; each provider maps its own codes to them.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ErrorClass(models.TextChoices):
    UNREACHABLE = "unreachable", _("No connection to the provider")
    GATEWAY_REFUSAL = "gateway_refusal", _("Refused on the way to the provider")
    TRANSIENT = "transient", _("Passing trouble at the provider")
    TRANSIENT_CAPPED = "transient_capped", _("Unclear trouble at the provider")
    THROTTLE_SENDER = "throttle_sender", _("Sender going too fast")
    THROTTLE_PAIR = "throttle_pair", _("Too many messages to this person")
    RECIPIENT_PERMANENT = "recipient_permanent", _("Number without WhatsApp")
    RECIPIENT_TEMPORARY = "recipient_temporary", _("Person not reachable for now")
    OPT_OUT = "opt_out", _("Person refuses messages")
    WINDOW_CLOSED = "window_closed", _("24-hour window closed")
    MESSAGE_PERMANENT = "message_permanent", _("Message refused")
    TEMPLATE_STOP = "template_stop", _("Template not usable")
    ACCOUNT_STOP = "account_stop", _("Sender's account blocked or its token expired")
    ACCOUNT_SLOW = "account_slow", _("Sender restricted by WhatsApp")
    DAILY_LIMIT = "daily_limit", _("Daily limit of the sender reached")
    NOT_CONFIGURED = "not_configured", _("Sender not configured")
    UNCONFIRMED = "unconfirmed", _("No answer: perhaps sent")
    EXPIRED = "expired", _("Too old to be sent")
    UNKNOWN = "unknown", _("Unknown error")
