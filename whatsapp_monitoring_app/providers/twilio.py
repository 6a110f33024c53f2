"""WhatsApp through Twilio.

Sources: twilio.com/docs, pages "Messages resource", "Outbound message status in status callbacks", "Twilio's request
to your incoming message webhook URL" and "Error and warning dictionary" (October 2026).
"""

import base64
import email.utils
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from django.conf import settings

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import content, twilio_signature
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Account,
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Kind,
    Message,
    Outcome,
    Provider,
    ProviderError,
    ReceiptEvent,
    Refused,
    Uncertain,
    class_of_http_status,
    text_of,
)

logger = logging.getLogger(__name__)

WEBHOOK_PATH = "/webhooks/whatsapp/twilio/"
CHANNEL = "whatsapp:"
E164 = re.compile(r"\+[1-9][0-9]{6,14}")

STATUSES = {
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.READ,
    "failed": Kind.FAILED,
    "undelivered": Kind.FAILED,
    "canceled": Kind.FAILED,
}
# On its way to WhatsApp: nothing that the answer to the sending did not say. The last two are of people's messages.
NO_NEWS = {"accepted", "scheduled", "queued", "sending", "receiving", "received"}

CODES_BY_CLASS: dict[ErrorClass, tuple[int, ...]] = {
    ErrorClass.TRANSIENT: (63010, 63012),
    # 63019: WhatsApp could not fetch the media, which may be a matter of moments.
    ErrorClass.TRANSIENT_CAPPED: (63019,),
    ErrorClass.THROTTLE_SENDER: (20429, 30001, 30022, 63017, 63018),
    # 63015: in Twilio's sandbox, somebody who has not joined it.
    ErrorClass.RECIPIENT_PERMANENT: (21211, 21614, 63003, 63015, 63024),
    ErrorClass.RECIPIENT_TEMPORARY: (63032, 63049),
    ErrorClass.OPT_OUT: (21610, 63014, 63033),
    ErrorClass.WINDOW_CLOSED: (63016,),
    ErrorClass.MESSAGE_PERMANENT: (21654, 21656, 63005, 63013, 63021, 63028, 63030, 63034, 63037),
    ErrorClass.TEMPLATE_STOP: (21655, 63027, 63040, 63041),
    ErrorClass.ACCOUNT_STOP: (20003, 63001, 63007, 63020, 63062),
    ErrorClass.DAILY_LIMIT: (63038,),
}
CLASS_BY_CODE = {str(code): error_class for error_class, codes in CODES_BY_CLASS.items() for code in codes}


class Twilio(Provider):
    code = "twilio"
    error_codes = CLASS_BY_CODE
    text_limit = 1600
    content_types = ("application/x-www-form-urlencoded", "application/json")
    # An empty TwiML document: no answer to the person. Any other kind of body is reported as an error (12300).
    acknowledgement = ("text/xml", "<Response/>")
    signs_with_tokens = True
    dates_receipts = False
    can_be_asked = True

    def build(self, account: Account, message: Message) -> HttpRequest:
        content.check(message.content, self.text_limit)
        fields = {
            "To": CHANNEL + message.to,
            **_origin(account.address),
            **_content(message.content),
            "StatusCallback": f"{settings.PUBLIC_BASE_URL}{WEBHOOK_PATH}?{urlencode({'code': message.tracking})}",
        }
        headers = {**_authorization(account), "Content-Type": "application/x-www-form-urlencoded"}
        return HttpRequest(f"{_messages_url(account)}.json", headers, urlencode(fields).encode())

    def read_success(self, answer: HttpAnswer) -> Outcome:
        body = answer.json_object()
        if STATUSES.get(text_of(body.get("status"))) is Kind.FAILED:
            # Told here or never: Twilio posts no receipt for the status in its answer.
            return Refused(_error(body.get("error_code"), body.get("error_message"), answer))
        sid = _sid(body)
        return Accepted(sid) if sid else Uncertain(f"HTTP {answer.status} without a message id")

    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        body = answer.json_object()
        return _error(body["code"], body.get("message"), answer) if text_of(body.get("code")) else None

    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        return twilio_signature.is_valid(headers.get("X-Twilio-Signature", ""), url, body, secrets)

    def payload(self, body: bytes, *, url: str = "") -> dict[str, Any]:
        is_json = twilio_signature.is_json(url)
        form = super().payload(body, url=url) if is_json else dict(twilio_signature.fields(body))
        return {"form": form, "query": dict(parse_qsl(urlsplit(url).query))}

    def payload_text(self, body: bytes, *, url: str = "") -> str:
        return json.dumps(self.payload(body, url=url))

    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        form = _members(payload, "form")
        word = text_of(form.get("MessageStatus"))
        if not word or word in NO_NEWS:
            return []
        message_id = text_of(form.get("MessageSid")) or text_of(form.get("SmsSid"))
        if not message_id:
            logger.warning("A status without id was left out")
            return []
        error = _error(form.get("ErrorCode"), form.get("ErrorMessage") or form.get("ChannelStatusMessage"))
        tracking = text_of(_members(payload, "query").get("code"))[:512]
        return [replace(_receipt(message_id, word, error), tracking=tracking)]

    def inbound(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        form = _members(payload, "form")
        message_id = text_of(form.get("MessageSid")) or text_of(form.get("SmsMessageSid"))
        # What Twilio says of our own messages has a MessageStatus, what people write has none.
        if (
            not message_id
            or "MessageStatus" in form
            or text_of(form.get("SmsStatus")) not in ("received", "receiving")
        ):
            return []
        return [
            InboundEvent(
                provider_message_id=message_id[:200],
                phone_number=_telephone(form),
                text=_words(form)[:4096],
                occurred_at=None,
                profile_name=text_of(form.get("ProfileName"))[:200],
                account_id=text_of(form.get("AccountSid"))[:80],
            )
        ]

    def build_status_request(self, account: Account, message_id: str) -> HttpRequest:
        url = f"{_messages_url(account)}/{quote(message_id, safe='')}.json"
        return HttpRequest(url, _authorization(account), method="GET")

    def read_status(self, answer: HttpAnswer) -> ReceiptEvent | None:
        body = answer.json_object() if 200 <= answer.status < 300 else {}
        word, message_id = text_of(body.get("status")), _sid(body)
        if not message_id or not word or word in NO_NEWS:
            return None
        error = _error(body.get("error_code"), body.get("error_message"))
        return replace(_receipt(message_id, word, error), occurred_at=_moment(body.get("date_updated")))


def _messages_url(account: Account) -> str:
    return f"{settings.TWILIO_API_URL}/2010-04-01/Accounts/{quote(account.account_id, safe='')}/Messages"


def _authorization(account: Account) -> dict[str, str]:
    credentials = base64.b64encode(f"{account.account_id}:{account.token}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


def _origin(address: str) -> dict[str, str]:
    if not address:
        raise content.Unsendable("sender.address", "is empty: Twilio wants our number, or a messaging service")
    return {"MessagingServiceSid": address} if address.startswith("MG") else {"From": CHANNEL + address}


def _content(what: content.Content) -> dict[str, str]:
    match what:
        case content.Text(body):
            return {"Body": body}
        case content.Image(link, caption) | content.Document(link, _, caption):
            return {"MediaUrl": link} | ({"Body": caption} if caption else {})
        case content.Template():
            return _template(what)


def _template(template: content.Template) -> dict[str, str]:
    """The language is part of what Twilio's ContentSid names."""
    # All variables of a template are in one list there, whatever part they are in.
    if template.header:
        raise content.Unsendable("template.header", "has to be among the body's values, by its number at Twilio")
    if template.buttons:
        raise content.Unsendable("template.buttons", "have to be among the body's values, by their number at Twilio")
    named = isinstance(template.body, Mapping)
    variables = template.body if named else {str(number): value for number, value in enumerate(template.body, 1)}
    return {"ContentSid": template.name} | ({"ContentVariables": json.dumps(variables)} if variables else {})


def _receipt(message_id: str, word: str, error: ProviderError) -> ReceiptEvent:
    status = STATUSES.get(word, Kind.UNKNOWN)
    return ReceiptEvent(
        provider_message_id=message_id[:200],
        status=status,
        raw_status=word[:40],
        # Callbacks do not say when, and a RawDlrDoneDate, which operators of SMS give, is a minute in an unknown time
        # zone. The engine takes the moment of arrival instead, and each word of a message once (dates_receipts).
        occurred_at=None,
        error=error if status is Kind.FAILED and error.code else None,
    )


def _error(code: Any, message: Any, answer: HttpAnswer | None = None) -> ProviderError:
    word = text_of(code)
    unknown = class_of_http_status(answer.status) if answer else ErrorClass.UNKNOWN
    return ProviderError(
        error_class=CLASS_BY_CODE.get(word, unknown),
        code=word[:40],
        message=text_of(message)[:2000],
        retry_after=answer.retry_after if answer else None,
        is_classified=word in CLASS_BY_CODE or not word,
    )


def _telephone(form: Mapping[str, Any]) -> str:
    """Who wrote, or "" for people who are known by their user name only."""
    number = text_of(form.get("From")).removeprefix(CHANNEL)
    return number if E164.fullmatch(number) else ""


def _words(form: Mapping[str, Any]) -> str:
    """What the person said: text, a pressed button; else the kind of message in brackets."""
    for name in ("Body", "ButtonText"):
        if text_of(form.get(name)).strip():
            return text_of(form[name])
    kind = text_of(form.get("MessageType")) or text_of(form.get("MediaContentType0")).partition("/")[0]
    return f"[{kind}]"


def _moment(text: Any) -> datetime | None:
    """Twilio's dates, in the form of RFC 2822; it means UTC where it names no zone."""
    try:
        moment = email.utils.parsedate_to_datetime(text_of(text))
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _sid(body: Mapping[str, Any]) -> str:
    sid = body.get("sid")
    return text_of(sid)[:200] if isinstance(sid, str) else ""


def _members(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    members = payload.get(name)
    return members if isinstance(members, dict) else {}
