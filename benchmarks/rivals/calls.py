"""The call to the provider as both rivals make it; as an e-mail backend for django-post_office."""

import os
from collections.abc import Sequence
from typing import Any

import requests
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

TEXT = "Votre colis est arrivé à Bamako. Vous pouvez venir le chercher du lundi au samedi, de 8 h à 18 h."
HEADERS = {"Authorization": "Bearer benchmark-token"}


def address() -> str:
    """Where the provider takes messages."""
    return f"{os.environ['WHATSAPP_CLOUD_API_URL']}/v26.0/100000000000001/messages"


def body_of(phone_number: str, text: str) -> dict[str, Any]:
    """The same request as ours."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone_number,
        "type": "text",
        "text": {"body": text, "preview_url": False},
        "biz_opaque_callback_data": phone_number,
    }


class WhatsAppBackend(BaseEmailBackend):
    """Sends a mail's text to the number in front of the @. post_office keeps one per thread, and so one connection."""

    def open(self) -> bool:
        self.session = requests.Session()
        self.session.trust_env = False
        return True

    def close(self) -> None:
        self.session.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            number = message.to[0].partition("@")[0]
            body = body_of(f"+223{number}", str(message.body))
            answer = self.session.post(address(), json=body, headers=HEADERS, timeout=30)
            answer.raise_for_status()
        return len(email_messages)
