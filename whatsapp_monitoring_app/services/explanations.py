"""Each cause in plain words: what it means, and what to do now."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppErrorCode, WhatsAppNotification
from whatsapp_monitoring_app.services import error_catalogue


class Owner(models.TextChoices):
    """Who has to act."""

    AGENT = "agent", _("The agent, with the client")
    ADMINISTRATOR = "administrator", _("An administrator")
    NOBODY = "nobody", _("Nobody: it mends itself")


@dataclass(frozen=True)
class Explanation:
    """What the agent should know. `retry_helps` says whether sending again can change anything."""

    meaning: Promise | str
    advice: Promise | str
    retry_helps: bool
    owner: Owner


EXPLANATIONS: dict[ErrorClass, Explanation] = {
    ErrorClass.UNREACHABLE: Explanation(
        _("No connection to WhatsApp could be made: the message has not left."),
        _("Nothing to do: the message leaves by itself when the connection is back."),
        retry_helps=True,
        owner=Owner.NOBODY,
    ),
    ErrorClass.GATEWAY_REFUSAL: Explanation(
        _("Something between us and WhatsApp refused the message, without saying why."),
        _("Tell an administrator. Retry the message when the connection has been looked at."),
        retry_helps=True,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.TRANSIENT: Explanation(
        _("WhatsApp could not be reached, or was overloaded."),
        _("Nothing to do: the message is tried again by itself. Retry it later if it has failed for good."),
        retry_helps=True,
        owner=Owner.NOBODY,
    ),
    ErrorClass.TRANSIENT_CAPPED: Explanation(
        _("WhatsApp answered with an error that it does not explain."),
        _("Retry in a few minutes. If it fails again, tell an administrator."),
        retry_helps=True,
        owner=Owner.AGENT,
    ),
    ErrorClass.THROTTLE_SENDER: Explanation(
        _("The company's number sends too many messages at once."),
        _("Nothing to do: the message leaves as soon as WhatsApp allows it."),
        retry_helps=True,
        owner=Owner.NOBODY,
    ),
    ErrorClass.THROTTLE_PAIR: Explanation(
        _("This person has received too many messages in a short time."),
        _("Nothing to do: the message leaves in a few minutes."),
        retry_helps=True,
        owner=Owner.NOBODY,
    ),
    ErrorClass.RECIPIENT_PERMANENT: Explanation(
        _("This number has no WhatsApp, or cannot receive messages from companies."),
        _("Check the number with the client and correct it, or call them."),
        retry_helps=False,
        owner=Owner.AGENT,
    ),
    ErrorClass.RECIPIENT_TEMPORARY: Explanation(
        _("WhatsApp does not let this person receive the message for now."),
        _("It is tried again tomorrow. If it is urgent, call the client."),
        retry_helps=True,
        owner=Owner.NOBODY,
    ),
    ErrorClass.OPT_OUT: Explanation(
        _("The client has asked not to receive these messages."),
        _("Do not send again. Call them if they must know."),
        retry_helps=False,
        owner=Owner.AGENT,
    ),
    ErrorClass.WINDOW_CLOSED: Explanation(
        _(
            "The client has not written to us in the last 24 hours: WhatsApp then refuses free text, "
            "and no approved template can say this message."
        ),
        _(
            "Ask the client to write one word to our number, then retry; or call them. "
            "An administrator can make a template for this type of message."
        ),
        retry_helps=True,
        owner=Owner.AGENT,
    ),
    ErrorClass.MESSAGE_PERMANENT: Explanation(
        _("WhatsApp refuses the message itself."),
        _("Tell an administrator: the text or its form must be corrected."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.TEMPLATE_STOP: Explanation(
        _("The message template is paused or not approved by WhatsApp."),
        _("Tell an administrator. The message waits, and leaves by itself once the template is approved."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.ACCOUNT_STOP: Explanation(
        _("WhatsApp refuses the company's account: its token has expired, or the account is blocked."),
        _("Tell an administrator. The messages wait, and leave by themselves when the account works again."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.ACCOUNT_SLOW: Explanation(
        _("WhatsApp has restricted the company's number because of complaints."),
        _("Tell an administrator, and send only what is necessary."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.DAILY_LIMIT: Explanation(
        _("The sender has written to as many people as it may in one day."),
        _("Nothing to do: the message leaves when the day's count goes down. An administrator can raise the limit."),
        retry_helps=False,
        owner=Owner.NOBODY,
    ),
    ErrorClass.NOT_CONFIGURED: Explanation(
        _("The sender of this office is paused or has no account yet."),
        _("Tell an administrator. The messages wait, and leave when the sender is ready."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ErrorClass.UNCONFIRMED: Explanation(
        _("WhatsApp did not answer: the message has perhaps been sent, perhaps not."),
        _("Wait some minutes for a receipt. If none comes, ask the client before sending again."),
        retry_helps=True,
        owner=Owner.AGENT,
    ),
    ErrorClass.EXPIRED: Explanation(
        _("The message waited so long that it is no longer useful."),
        _("Retry it only if the client still needs to know."),
        retry_helps=True,
        owner=Owner.AGENT,
    ),
    ErrorClass.UNKNOWN: Explanation(
        _("WhatsApp refused the message for a reason that we do not know yet."),
        _("Show the error code below to an administrator."),
        retry_helps=True,
        owner=Owner.ADMINISTRATOR,
    ),
}

# Codes whose class says too little.
EXPLANATIONS_OF_CODES: dict[tuple[str, str], Explanation] = {
    ("cloud_api", "130472"): Explanation(
        _("WhatsApp keeps this message from this person, as part of an experiment of its own."),
        _("Do not send it again: call the client."),
        retry_helps=False,
        owner=Owner.AGENT,
    ),
    ("cloud_api", "130497"): Explanation(
        _("WhatsApp does not let our account write to people in this country."),
        _("Tell an administrator, and call the client."),
        retry_helps=False,
        owner=Owner.ADMINISTRATOR,
    ),
    ("cloud_api", "131030"): Explanation(
        _("Our number is a test number: it may only write to the numbers on its list."),
        _("Tell an administrator: the number must be added to the list, or the test number replaced."),
        retry_helps=True,
        owner=Owner.ADMINISTRATOR,
    ),
    ("wachap", "SEND_ERROR"): Explanation(
        _("WaChap could not send the message; the telephone that it uses may be disconnected."),
        _("Retry in a few minutes. If it fails again, tell an administrator: the telephone must be linked to WaChap."),
        retry_helps=True,
        owner=Owner.ADMINISTRATOR,
    ),
}


# It failed, and no reason was written down with it.
WITHOUT_REASON = Explanation(
    _("The message failed, and nobody has told why."),
    _("Send it again. If it fails again, call the client, and tell an administrator."),
    retry_helps=True,
    owner=Owner.AGENT,
)


def explain(notification: WhatsAppNotification) -> Explanation | None:
    """What is wrong with this notification, or None when nothing is. The administrators' own words win."""
    return explain_all([notification]).get(notification.pk)


def explain_all(notifications: Collection[WhatsAppNotification]) -> dict[UUID, Explanation]:
    """What is wrong with each of them, by their codes, in one query; nothing for those with which nothing is."""
    wrong = [notification for notification in notifications if notification.error_class]
    codes = error_catalogue.entries(wrong)
    silent = {one.pk: WITHOUT_REASON for one in notifications if one.status == Status.FAILED and not one.error_class}
    return silent | {one.pk: _explanation(ErrorClass(one.error_class), codes.get(one.pk)) for one in wrong}


def _explanation(error_class: ErrorClass, code: WhatsAppErrorCode | None) -> Explanation:
    return of_code(code, error_class) if code else EXPLANATIONS[error_class]


def default(code: WhatsAppErrorCode, error_class: ErrorClass) -> Explanation:
    """What is said of this code as long as the administrators have no words of their own for it."""
    return EXPLANATIONS_OF_CODES.get((code.provider, code.code), EXPLANATIONS[error_class])


def of_code(code: WhatsAppErrorCode, error_class: ErrorClass) -> Explanation:
    """What agents read of this code, in the language of the moment: the administrators' own words win."""
    explanation = default(code, error_class)
    language = get_language() or "fr"
    return replace(
        explanation,
        meaning=code.text("meaning", language) or explanation.meaning,
        advice=code.text("advice", language) or explanation.advice,
    )
