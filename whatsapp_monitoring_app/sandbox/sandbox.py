"""The sandbox itself: what it was told, what it remembers, and its judgement of a request to send."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from whatsapp_monitoring_app.sandbox import cloud_api, errors
from whatsapp_monitoring_app.sandbox.behaviours import Answer, Behaviour, behaviour_of
from whatsapp_monitoring_app.sandbox.cloud_api import SendOrder
from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.errors import Refused
from whatsapp_monitoring_app.sandbox.hostility import BadDay
from whatsapp_monitoring_app.sandbox.phones import Message, Phones, Reply, SendRequest, fingerprint
from whatsapp_monitoring_app.sandbox.webhooks import Postman

# The HTTP status of the answers that are not a plain yes.
HEARD = {Answer.NEVER: None, Answer.GARBAGE: 500, Answer.BAD_GATEWAY: 502}


class Sandbox:
    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.phones = Phones()
        self.postman = Postman(config)
        # Delays and ids guard nothing.
        self.random = Random(config.seed)  # noqa: S311
        self.bad_day = BadDay(config.hostility)
        self.webhook_verdict = "not asked yet" if config.webhook_url else "no webhook address: no receipts"

    def receive(self, phone_number_id: str, authorization: str, body: bytes) -> tuple[Message, Behaviour]:
        """Accept a message and remember it.

        Raises `Refused`; the refusal is remembered too.
        """
        request = describe(phone_number_id, body)
        try:
            self._check_token(authorization)
            order = cloud_api.read_order(cloud_api.decode(body))
            behaviour = self.bad_day.disturb(behaviour_of(order.wa_id(self.config.country_code)))
            self._check_refusal(behaviour, request.fingerprint)
        except Refused as refused:
            error = refused.error
            reason = error.details or error.title
            self.phones.requests.append(
                replace(request, http_status=error.http_status, error_code=error.code, reason=reason)
            )
            raise
        heard = HEARD.get(behaviour.answer, 200)
        self.phones.requests.append(replace(request, http_status=heard))
        return self._accept(phone_number_id, order), behaviour

    def reply(self, phone: str, text: str, context: str | None) -> Reply:
        """A customer writes."""
        sender = self.phones.sender_for(phone, self.config.phone_number_id)
        reply = Reply(cloud_api.new_wamid(phone, self.random), phone, text, context, sender)
        self.phones.replies.append(reply)
        return reply

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(errors.TOKEN_MISSING)
        if not hmac.compare_digest(token.encode(), self.config.token.encode()):
            raise Refused(errors.TOKEN_INVALID)

    def _check_refusal(self, behaviour: Behaviour, fingerprint: str) -> None:
        error = behaviour.refusal
        if error is not None and behaviour.refuses_after(self.phones.refused_count(fingerprint, error.code)):
            raise Refused(error)

    def _accept(self, phone_number_id: str, order: SendOrder) -> Message:
        wa_id = order.wa_id(self.config.country_code)
        message = Message(
            wamid=cloud_api.new_wamid(wa_id, self.random),
            to=order.to,
            wa_id=wa_id,
            type=order.type,
            text=order.text,
            tracking=order.tracking,
            phone_number_id=phone_number_id,
            to_had_plus=order.to_had_plus,
        )
        self.phones.accept(message)
        return message


def describe(phone_number_id: str, body: bytes) -> SendRequest:
    """What can be said of a request that may be nonsense."""
    try:
        payload = json.loads(body)
    except ValueError:
        payload = None
    members = payload if isinstance(payload, dict) else {}
    to, kind, tracking = (_string(members, name) for name in ("to", "type", "biz_opaque_callback_data"))
    return SendRequest(phone_number_id, to, kind, tracking, fingerprint(body, to, tracking), http_status=None)


def _string(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None
