"""What each provider says, for the suite that every provider passes. A new provider is one more entry in DIALECTS."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.whatsapp_monitoring_app import twilio_says
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, accepted, json_answer, refused
from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import base
from whatsapp_monitoring_app.providers.base import HttpAnswer, Kind
from whatsapp_monitoring_app.providers.cloud_api import CloudApi
from whatsapp_monitoring_app.providers.console import Console
from whatsapp_monitoring_app.providers.twilio import Twilio
from whatsapp_monitoring_app.providers.wachap import WaChap

TOKEN = "secret/token+of=ours"
BAD_GATEWAY = HttpAnswer(502, b"<html><h1>502 Bad Gateway</h1></html>")
SILENT_FAILURE = HttpAnswer(500, b"")


@dataclass(frozen=True)
class Post:
    """A webhook's payload as it comes to our address."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = "https://cargo.example/webhooks/whatsapp/x/"


@dataclass(frozen=True)
class Dialect:
    """A provider, and examples of all that it may say.

    `accepted` holds the id `message_id`. `echo` is a refusal that repeats a text in its own words. `sign` makes a
    payload authentic, for the account whose token is TOKEN; `forge` are ways to fail at it. `receipt` is the payload
    that says this word of the message `message_id`; `inbound` the one in which NUMBER writes STOP to us; `notices` are
    those about our templates and accounts. `facts` are answers to other questions than to send something.
    """

    provider: base.Provider
    accepted: HttpAnswer
    refusals: Mapping[ErrorClass, HttpAnswer]
    message_id: str = ""
    uncertain: tuple[HttpAnswer, ...] = ()
    malformed: tuple[HttpAnswer, ...] = ()
    echo: Callable[[str], HttpAnswer] | None = None
    account_id: str = "106540352242922"
    token: str = TOKEN
    address: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    sign: Callable[[bytes], Post] | None = None
    forge: Mapping[str, Callable[[bytes], Post]] = field(default_factory=dict)
    receipt: Callable[[str], bytes] | None = None
    words: Mapping[str, Kind] = field(default_factory=dict)
    unknown_words: tuple[str, ...] = ()
    inbound: bytes = b""
    notices: tuple[bytes, ...] = ()
    facts: tuple[HttpAnswer, ...] = ()

    @property
    def account(self) -> base.Account:
        return base.Account(self.account_id, self.token, self.address, "102290129340398")

    @property
    def payloads(self) -> list[bytes]:
        """Every example of a webhook's payload about messages."""
        receipts = [self.receipt(word) for word in (*self.words, *self.unknown_words)] if self.receipt else []
        return [*receipts, *([self.inbound] if self.inbound else [])]

    @property
    def answers(self) -> list[HttpAnswer]:
        """Every example of an answer."""
        return [self.accepted, *self.refusals.values(), *self.uncertain, *self.malformed, *self.facts]


# --- WhatsApp Cloud API

APP_SECRET = "app secret"


def _meta_payload(**value: Any) -> bytes:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    text = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1022", "changes": [change]}]})
    return text.replace("/", "\\/").encode()


def _meta_receipt(word: str) -> bytes:
    error = {"code": 131026, "title": "Undeliverable", "message": "No", "error_data": {"details": "Not on WhatsApp"}}
    errors = {"errors": [error]} if word == "failed" else {}
    status = {"id": "wamid.one", "status": word, "timestamp": str(int(NOW.timestamp())), "recipient_id": "22376123456"}
    return _meta_payload(statuses=[status | errors])


def _meta_notice(field: str, **value: Any) -> bytes:
    entry = {"id": "102290129340398", "time": 1751247548, "changes": [{"field": field, "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


META_TEMPLATE = {
    "message_template_id": 1689556908129832,
    "message_template_name": "colis_arrive",
    "message_template_language": "fr",
}
META_NOTICES = (
    _meta_notice(
        "message_template_status_update",
        **META_TEMPLATE,
        event="REJECTED",
        reason="INVALID_FORMAT",
        message_template_category="UTILITY",
        rejection_info={"reason": "Parameters stand side by side.", "recommendation": "Put words between them."},
        other_info={"title": "FIRST_PAUSE", "description": "Paused for 3 hours."},
        disable_info={"disable_date": 1751234563},
    ),
    _meta_notice("message_template_quality_update", **META_TEMPLATE, new_quality_score="YELLOW"),
    _meta_notice("template_category_update", **META_TEMPLATE, previous_category="UTILITY", new_category="MARKETING"),
    _meta_notice(
        "template_category_update",
        **META_TEMPLATE,
        correct_category="MARKETING",
        new_category="UTILITY",
        category_update_timestamp=1760711433,
    ),
    _meta_notice(
        "phone_number_quality_update",
        display_phone_number="15550783881",
        event="FLAGGED",
        max_daily_conversations_per_business="TIER_2K",
    ),
    _meta_notice(
        "business_capability_update", max_daily_conversations_per_business=2000, max_phone_numbers_per_waba=25
    ),
    _meta_notice(
        "account_update",
        event="ACCOUNT_RESTRICTION",
        phone_number="15550783881",
        restriction_info=[{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1641330498}],
        violation_info={"violation_type": "SPAM"},
        ban_info={"waba_ban_state": "DISABLE", "waba_ban_date": "April 17, 2025"},
        waba_info={"waba_id": "980198427658004"},
    ),
    _meta_notice(
        "account_alerts",
        entity_type="BUSINESS",
        alert_info={"alert_severity": "WARNING", "alert_type": "OBA_REJECTED", "alert_description": "No."},
    ),
    _meta_notice("account_review_update", decision="APPROVED"),
)
META_FACTS = (
    json_answer(
        200,
        {
            "data": [
                {
                    "name": "colis_arrive",
                    "language": "fr",
                    "status": "APPROVED",
                    "category": "UTILITY",
                    "parameter_format": "NAMED",
                    "quality_score": {"score": "GREEN"},
                    "rejected_reason": "NONE",
                    "components": [
                        {"type": "HEADER", "format": "TEXT", "text": "{{ville}}"},
                        {"type": "BODY", "text": "Bonjour {{prenom}}"},
                        {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://cargo.example/{{1}}"}]},
                    ],
                }
            ],
            "paging": {"cursors": {"after": "QVFI"}, "next": "https://graph.example/next"},
        },
    ),
    json_answer(200, {"data": {"is_valid": True, "expires_at": 1793433600, "type": "USER", "application": "Cargo"}}),
    json_answer(200, {"status": "CONNECTED", "verified_name": "Cargo", "display_phone_number": "+1 555-078-3881"}),
)


def _meta_signature(body: bytes, secret: str = APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


CLOUD_API = Dialect(
    provider=CloudApi(),
    accepted=accepted("wamid.one"),
    message_id="wamid.one",
    refusals={
        ErrorClass.TRANSIENT: refused(131016, 503),
        ErrorClass.TRANSIENT_CAPPED: refused(131000, 500),
        ErrorClass.THROTTLE_SENDER: refused(130429, 400, timedelta(seconds=40)),
        ErrorClass.THROTTLE_PAIR: refused(131056),
        ErrorClass.RECIPIENT_PERMANENT: refused(131026),
        ErrorClass.RECIPIENT_TEMPORARY: refused(131049),
        ErrorClass.OPT_OUT: refused(131050),
        ErrorClass.WINDOW_CLOSED: refused(131047),
        ErrorClass.MESSAGE_PERMANENT: refused(132012),
        ErrorClass.TEMPLATE_STOP: refused(132001, 404),
        ErrorClass.ACCOUNT_STOP: refused(190, 401),
        ErrorClass.ACCOUNT_SLOW: refused(131048),
        ErrorClass.UNKNOWN: refused(999_999),
        ErrorClass.GATEWAY_REFUSAL: HttpAnswer(403, b"Forbidden"),
        ErrorClass.NOT_CONFIGURED: HttpAnswer(404, b"<html>nginx</html>"),
    },
    uncertain=(json_answer(200, {}), json_answer(200, {"messages": [{"id": ""}]}), HttpAnswer(200, b"OK")),
    malformed=(json_answer(400, {"error": "down"}), json_answer(200, {"messages": {"id": "x"}})),
    echo=lambda text: json_answer(400, {"error": {"code": 131009, "message": "Bad", "error_data": {"details": text}}}),
    settings={"WHATSAPP_CLOUD_APP_SECRET": APP_SECRET},
    sign=lambda body: Post(body, {"X-Hub-Signature-256": _meta_signature(body)}),
    forge={
        "missing": lambda body: Post(body),
        "of another secret": lambda body: Post(body, {"X-Hub-Signature-256": _meta_signature(body, "another")}),
        "of another body": lambda body: Post(body, {"X-Hub-Signature-256": _meta_signature(body + b" ")}),
    },
    receipt=_meta_receipt,
    words={"sent": Kind.SENT, "delivered": Kind.DELIVERED, "read": Kind.READ, "failed": Kind.FAILED},
    unknown_words=("deleted", "held", "Sent"),
    inbound=_meta_payload(
        contacts=[{"wa_id": "22376123456", "profile": {"name": "Awa"}}],
        messages=[
            {
                "id": "wamid.in",
                "from": "22376123456",
                "timestamp": str(int(NOW.timestamp())),
                "type": "text",
                "text": {"body": "STOP"},
            }
        ],
    ),
    notices=META_NOTICES,
    facts=META_FACTS,
)

# --- WaChap

WEBHOOK_SECRET = "chosen by us é&="


def _wachap_error(code: str, status: int = 400, message: str = "No") -> HttpAnswer:
    return json_answer(status, {"error": {"code": code, "message": message}})


def _wachap_post(body: bytes, query: str) -> Post:
    return Post(body, url=f"https://cargo.example/webhooks/whatsapp/wachap/{query}")


WACHAP = Dialect(
    provider=WaChap(),
    account_id="acc_7",
    accepted=json_answer(200, {"success": True, "messageId": "wachap-1", "message": "Message sent"}),
    message_id="wachap-1",
    refusals={
        ErrorClass.TRANSIENT_CAPPED: _wachap_error("SEND_ERROR", 500),
        ErrorClass.RECIPIENT_PERMANENT: _wachap_error("RECIPIENT_NOT_FOUND"),
        ErrorClass.ACCOUNT_STOP: json_answer(401, {"success": False, "message": "Invalid key"}),
        ErrorClass.THROTTLE_SENDER: HttpAnswer(429, b"", timedelta(seconds=40)),
        ErrorClass.UNKNOWN: json_answer(200, {"success": False, "message": "Something else"}),
        ErrorClass.NOT_CONFIGURED: HttpAnswer(404, b"<html>nginx</html>"),
    },
    uncertain=(
        HttpAnswer(200, b"OK"),
        json_answer(200, {"messageId": "wachap-1"}),
        json_answer(200, {"success": "true"}),
        _wachap_error("INTERNAL", 500),
    ),
    malformed=(json_answer(400, {"error": ["down"]}), json_answer(200, {"success": False, "error": 7})),
    echo=lambda text: json_answer(200, {"success": False, "error": {"code": "BAD_DATA", "message": text}}),
    settings={"WACHAP_WEBHOOK_SECRET": WEBHOOK_SECRET},
    sign=lambda body: _wachap_post(body, "?token=chosen+by+us+%C3%A9%26%3D"),
    forge={
        "missing": lambda body: _wachap_post(body, ""),
        "empty": lambda body: _wachap_post(body, "?token="),
        "another": lambda body: _wachap_post(body, "?token=chosen"),
        "twice": lambda body: _wachap_post(body, "?token=chosen+by+us+%C3%A9%26%3D&token=x"),
        "in a header": lambda body: Post(body, {"token": WEBHOOK_SECRET, "Authorization": WEBHOOK_SECRET}),
        "at no address": lambda body: Post(body, url="https://[::1?token=chosen+by+us+%C3%A9%26%3D"),
    },
    inbound=json.dumps(
        {"event": "message.received", "data": {"from": NUMBER, "content": "STOP", "accountId": "acc_7"}}
    ).encode(),
    facts=(
        json_answer(200, {"success": True, "accounts": [{"id": "acc_7", "status": "connected"}]}),
        json_answer(200, {"success": True, "results": [{"isOnWhatsApp": True}, {"isOnWhatsApp": False}]}),
    ),
)

# --- Console

CONSOLE = Dialect(
    provider=Console(),
    account_id="",
    token="",
    accepted=json_answer(200, {"id": "console-1"}),
    message_id="console-1",
    refusals={},
    uncertain=(HttpAnswer(200, b"OK"),),
    # Outside development it sends nothing at all.
    settings={"DEBUG": True},
    forge={"missing": lambda body: Post(body)},
)

# --- Twilio

TWILIO_URL = "https://cargo.example/webhooks/whatsapp/twilio/?code=4f2b"
TWILIO_FAILURES = ("failed", "undelivered", "canceled")


def _twilio_receipt(word: str) -> bytes:
    failure = {"ErrorCode": "63024", "ErrorMessage": "Not on WhatsApp"} if word in TWILIO_FAILURES else {}
    return urlencode(twilio_says.STATUS | {"MessageStatus": word} | failure).encode()


def _twilio_post(body: bytes, *, token: str = TOKEN, url: str = TWILIO_URL, signed: bytes | None = None) -> Post:
    fields = parse_qsl((body if signed is None else signed).decode(), keep_blank_values=True)
    text = url + "".join(name + value for name, value in sorted(fields))
    return Post(body, {"X-Twilio-Signature": twilio_says.sign(text, token)}, TWILIO_URL)


TWILIO = Dialect(
    provider=Twilio(),
    account_id=twilio_says.ACCOUNT_SID,
    address="+22370000000",
    accepted=twilio_says.answered(),
    message_id=twilio_says.SID,
    refusals={
        ErrorClass.TRANSIENT: twilio_says.refused(63010, 500),
        ErrorClass.TRANSIENT_CAPPED: twilio_says.refused(63019),
        ErrorClass.THROTTLE_SENDER: twilio_says.refused(20429, 429, timedelta(seconds=40)),
        ErrorClass.RECIPIENT_PERMANENT: twilio_says.refused(21211),
        ErrorClass.RECIPIENT_TEMPORARY: twilio_says.refused(63049),
        ErrorClass.OPT_OUT: twilio_says.refused(21610),
        ErrorClass.WINDOW_CLOSED: twilio_says.answered(status="failed", error_code=63016, error_message="No"),
        ErrorClass.MESSAGE_PERMANENT: twilio_says.refused(63013),
        ErrorClass.TEMPLATE_STOP: twilio_says.refused(63041),
        ErrorClass.ACCOUNT_STOP: twilio_says.refused(20003, 401),
        ErrorClass.DAILY_LIMIT: twilio_says.refused(63038, 429),
        ErrorClass.UNKNOWN: twilio_says.refused(99_999),
        ErrorClass.GATEWAY_REFUSAL: HttpAnswer(403, b"Forbidden"),
        ErrorClass.NOT_CONFIGURED: HttpAnswer(404, b"<html>nginx</html>"),
    },
    uncertain=(twilio_says.answered(201, sid=None), json_answer(200, {}), HttpAnswer(201, b"OK")),
    malformed=(json_answer(400, {"code": None}), json_answer(201, {"sid": ["SM1"], "status": {}})),
    echo=lambda text: json_answer(400, {"code": 63013, "message": text}),
    sign=_twilio_post,
    forge={
        "missing": lambda body: Post(body, url=TWILIO_URL),
        "of another token": lambda body: _twilio_post(body, token="another"),
        "of no token": lambda body: _twilio_post(body, token=""),
        "of another body": lambda body: _twilio_post(body, signed=body + b"&x=1"),
        "of another address": lambda body: _twilio_post(body, url=f"{TWILIO_URL}1"),
    },
    receipt=_twilio_receipt,
    words={
        "sent": Kind.SENT,
        "delivered": Kind.DELIVERED,
        "read": Kind.READ,
        **dict.fromkeys(TWILIO_FAILURES, Kind.FAILED),
    },
    unknown_words=("partially_delivered", "Sent"),
    inbound=urlencode(twilio_says.INBOUND | {"Body": "STOP"}).encode(),
)

DIALECTS = {dialect.provider.code: dialect for dialect in (CLOUD_API, WACHAP, TWILIO, CONSOLE)}
