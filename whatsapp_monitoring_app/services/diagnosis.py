"""What a person does first about a message that has not arrived, and which system refused it."""

import enum

from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import CancelReason, ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.services.explanations import Explanation


class Remedy(enum.Enum):
    """The first thing to do. Templates compare its value."""

    RETRY = "retry"  # send it again
    CORRECT = "correct"  # put the number right, then say it again
    CALL = "call"  # WhatsApp will not say it: a person does
    ADMINISTRATOR = "administrator"  # sending again helps once an administrator has seen to the sender
    WAIT = "wait"  # it leaves by itself
    DECIDE = "decide"  # ask the client whether they have it
    NONE = "none"


OF_THE_SENDER = frozenset(
    {
        ErrorClass.ACCOUNT_STOP,
        ErrorClass.ACCOUNT_SLOW,
        ErrorClass.DAILY_LIMIT,
        ErrorClass.NOT_CONFIGURED,
        ErrorClass.TEMPLATE_STOP,
    }
)
# The client has to do something first, or wants no message.
OF_THE_CLIENT = frozenset({ErrorClass.WINDOW_CLOSED, ErrorClass.OPT_OUT})
# Refused for this person, though nothing is wrong with the number; Meta's codes.
RIGHT_NUMBERS = frozenset({"130472", "130497", "131030"})
# We gave up by ourselves: no other system said anything.
OUR_OWN = frozenset({ErrorClass.EXPIRED, ErrorClass.NOT_CONFIGURED, ErrorClass.DAILY_LIMIT})
ON_THE_WAY = frozenset({ErrorClass.UNREACHABLE, ErrorClass.GATEWAY_REFUSAL})


def remedy(notification: WhatsAppNotification, explanation: Explanation | None) -> Remedy:
    """What a person does first about this message."""
    if notification.resent_as_id:
        return Remedy.NONE
    if notification.status in WAITING or notification.status == Status.SENDING:
        return Remedy.WAIT
    if notification.status == Status.UNCONFIRMED:
        return Remedy.DECIDE
    if notification.cancel_reason == CancelReason.WRONG_NUMBER:
        return Remedy.CORRECT
    if notification.status != Status.FAILED or explanation is None:
        return Remedy.NONE
    if _has_another_number(notification):
        return Remedy.CORRECT
    return remedy_of_cause(notification.error_class, notification.error_code, explanation)


def remedy_of_cause(error_class: str, error_code: str, explanation: Explanation) -> Remedy:
    """What a person does first about messages that failed so."""
    if error_class in OF_THE_SENDER:
        return Remedy.ADMINISTRATOR
    if error_class == ErrorClass.RECIPIENT_PERMANENT and error_code not in RIGHT_NUMBERS:
        return Remedy.CORRECT
    if error_class in OF_THE_CLIENT or not explanation.retry_helps:
        return Remedy.CALL
    return Remedy.RETRY


def _has_another_number(notification: WhatsAppNotification) -> bool:
    return notification.user is not None and notification.user.telephone != notification.phone_number


def who_refused(notification: WhatsAppNotification) -> str:
    """The system that said no, as people call it; "" when none did."""
    if not notification.error_class:
        return ""
    if notification.error_class in OUR_OWN:
        return _("our own system, before anything was sent")
    if notification.error_class in ON_THE_WAY:
        return _("the connection between us and WhatsApp")
    sender = notification.sender
    return str(sender.get_provider_display()) if sender else str(WhatsAppSender.Provider.CLOUD_API.label)
