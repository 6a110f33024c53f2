"""What Twilio answers and posts, with its signatures computed apart from ours: what its tests share."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

from tests.whatsapp_monitoring_app.scripts import json_answer
from whatsapp_monitoring_app.providers.base import HttpAnswer

ACCOUNT_SID = "AC" + "0" * 31 + "1"
SID = "SM" + "a" * 32
TOKEN = "12345"
# A receipt as Twilio posts it for a message on WhatsApp.
STATUS = {
    "ApiVersion": "2010-04-01",
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "MessageSid": SID,
    "SmsSid": SID,
    "AccountSid": ACCOUNT_SID,
    "From": "whatsapp:+22370000000",
    "To": "whatsapp:+22376123456",
    "ChannelPrefix": "whatsapp",
    "ChannelToAddress": "+22376XXXXXX",
    "ChannelInstallSid": "XE" + "c" * 32,
    "StructuredMessage": "false",
    "EventType": "DELIVERED",
}
# Somebody writes to us.
INBOUND = {
    "SmsMessageSid": "SM" + "d" * 32,
    "NumMedia": "0",
    "ProfileName": "Awa",
    "MessageType": "text",
    "SmsSid": "SM" + "d" * 32,
    "WaId": "22376123456",
    "SmsStatus": "received",
    "Body": "ARRÊT",
    "To": "whatsapp:+22370000000",
    "NumSegments": "1",
    "ReferralNumMedia": "0",
    "MessageSid": "SM" + "d" * 32,
    "AccountSid": ACCOUNT_SID,
    "From": "whatsapp:+22376123456",
    "ApiVersion": "2010-04-01",
}


def answered(http_status: int = 201, **members: Any) -> HttpAnswer:
    """Twilio's answer to a sending, or to a question: the message as it stands."""
    message = {
        "sid": SID,
        "account_sid": ACCOUNT_SID,
        "status": "queued",
        "error_code": None,
        "error_message": None,
        "to": "whatsapp:+22376123456",
        "from": "whatsapp:+22370000000",
        "num_segments": "1",
        "date_updated": "Mon, 05 Oct 2026 08:00:01 +0000",
    }
    return json_answer(http_status, message | members)


def refused(code: Any, http_status: int = 400, retry_after: timedelta | None = None) -> HttpAnswer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_answer(
        http_status, {"code": code, "message": "No", "more_info": more, "status": http_status}, retry_after
    )


def sign(text: str, token: str = TOKEN) -> str:
    """Twilio's signature of an address with what is signed after it."""
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def sign_form(url: str, form: dict[str, str], token: str = TOKEN) -> str:
    return sign(url + "".join(name + form[name] for name in sorted(form)), token)
