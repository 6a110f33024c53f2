"""The text as the client gets it. Secrets are put in at the last moment: no row, task or log ever holds them."""

from django.conf import settings
from django.utils.translation import gettext as _

from accounts import first_password
from accounts.models import User
from whatsapp_monitoring_app.models import WhatsAppFormerNumber, WhatsAppNotification
from whatsapp_monitoring_app.providers.content import Unsendable

FIRST_PASSWORD_LINK = "{first_password_link}"  # noqa: S105 - a placeholder


def without_link(text: str) -> str:
    """A text as it may be shown: a personal link was never stored, and the text says so."""
    return text.replace(FIRST_PASSWORD_LINK, _("[personal link, never stored]"))


def text_to_send(notification: WhatsAppNotification) -> str:
    """The stored text with its secrets filled in."""
    return fill_secrets(notification, notification.message_content)


def fill_secrets(notification: WhatsAppNotification, text: str) -> str:
    """This text of the notification's, or this value of its template, with its secrets filled in.

    Raises content.Unsendable.
    """
    if notification.is_secret and notification.user and FIRST_PASSWORD_LINK in text:
        if _is_left(notification.user, notification.phone_number):
            # The last door: a fresh link opens the account to whoever reads it.
            raise Unsendable("phone_number", "is not the person’s any more: their link does not go there")
        text = text.replace(FIRST_PASSWORD_LINK, first_password.link_for(notification.user))
    return text


def _is_left(user: User, phone_number: str) -> bool:
    return WhatsAppFormerNumber.objects.filter(user=user, phone_number=phone_number).exists()


def number_to_call(notification: WhatsAppNotification) -> str:
    """The recipient's number, or the test phone while one is set."""
    return settings.WHATSAPP_TEST_PHONE or notification.phone_number
