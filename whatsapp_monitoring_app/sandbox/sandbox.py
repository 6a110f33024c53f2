"""The sandbox itself: what it was told, what it remembers, and its judgement of a request."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from random import Random

from whatsapp_monitoring_app.sandbox import cloud_api, errors
from whatsapp_monitoring_app.sandbox.behaviours import Answer, Behaviour, behaviour_of
from whatsapp_monitoring_app.sandbox.catalogue import Catalogue
from whatsapp_monitoring_app.sandbox.cloud_api import Members, SendOrder
from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.errors import Refused
from whatsapp_monitoring_app.sandbox.hostility import BadDay
from whatsapp_monitoring_app.sandbox.phones import Message, Phones, Reply, SendRequest, fingerprint, now
from whatsapp_monitoring_app.sandbox.webhooks import Postman

# The HTTP status of the answers that are not a plain yes.
HEARD = {Answer.NEVER: None, Answer.GARBAGE: 500, Answer.BAD_GATEWAY: 502}


class Sandbox:
    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.phones = Phones()
        self.catalogue = Catalogue(config.templates)
        self.is_flagged = False
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
            self.check_token(authorization)
            order = self._read(cloud_api.decode(body))
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
        message = self._accept(phone_number_id, order)
        return message, self._keep_window(message, behaviour)

    def reply(self, phone: str, text: str, context: str | None) -> Reply:
        """A customer writes."""
        sender = self.phones.sender_for(phone, self.config.phone_number_id)
        reply = Reply(cloud_api.new_wamid(phone, self.random), phone, text, context, sender)
        self.phones.replies.append(reply)
        return reply

    def window_until(self, phone: str, phone_number_id: str) -> datetime | None:
        """When the customer service window closes; None when it is closed."""
        closes_at = self.phones.window_closes_at(phone, phone_number_id)
        return closes_at if closes_at and closes_at > now() else None

    def check_token(self, authorization: str) -> None:
        """Raises `Refused` unless the header holds the token."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(errors.TOKEN_MISSING)
        if not self.knows(token):
            raise Refused(errors.TOKEN_INVALID)

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.config.token.encode())

    def forget(self) -> None:
        """Be as it was when it started."""
        self.phones.clear()
        self.catalogue = Catalogue(self.config.templates)
        self.is_flagged = False

    def _read(self, payload: dict[str, object]) -> SendOrder:
        order = cloud_api.read_order(payload)
        if order.type != "template" or not self.catalogue.templates:
            return order
        return replace(order, text=self.catalogue.read(Members(payload).inside("template")))

    def _keep_window(self, message: Message, behaviour: Behaviour) -> Behaviour:
        """Meta accepts a message outside the window too, and lets it fail afterwards."""
        if not self.config.keeps_window or message.type == "template" or behaviour.failure:
            return behaviour
        if self.window_until(message.phone, message.phone_number_id):
            return behaviour
        return replace(behaviour, receipts=("failed",), failure=errors.WINDOW_CLOSED)

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
            template=order.template,
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
