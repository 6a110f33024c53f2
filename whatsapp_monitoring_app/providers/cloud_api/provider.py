"""The provider: which of Meta's words is read or written where."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import (
    Accepted,
    Account,
    AccountEvent,
    Health,
    HttpAnswer,
    HttpRequest,
    InboundEvent,
    Message,
    Outcome,
    PreferenceEvent,
    Provider,
    ProviderError,
    ReceiptEvent,
    TemplateEvent,
    TemplatePage,
    TokenFacts,
    Uncertain,
    text_of,
)
from whatsapp_monitoring_app.providers.cloud_api import (
    accounts,
    errors,
    graph,
    notices,
    sending,
    templates,
    webhooks,
)
from whatsapp_monitoring_app.providers.cloud_api.errors import CLASS_BY_CODE, PERMISSIONS, PERMISSIONS_ENTRY
from whatsapp_monitoring_app.providers.cloud_api.payloads import dicts


class CloudApi(Provider):
    code = "cloud_api"
    has_templates = True
    # One entry for the hundred permission codes.
    error_codes = {code: kind for code, kind in CLASS_BY_CODE.items() if int(code) not in PERMISSIONS} | {
        PERMISSIONS_ENTRY: ErrorClass.ACCOUNT_STOP
    }

    def build(self, account: Account, message: Message) -> HttpRequest:
        content.check(message.content, self.text_limit)
        return HttpRequest(
            url=f"{graph.address(account.account_id)}/messages",
            headers={**graph.headers(account), "Content-Type": "application/json"},
            body=json.dumps(sending.body_of(message)).encode(),
        )

    def read_success(self, answer: HttpAnswer) -> Outcome:
        body = answer.json_object()
        message_id = _first(body, "messages").get("id")
        if not isinstance(message_id, str) or not message_id:
            return Uncertain(f"HTTP {answer.status} without a message id")
        return Accepted(text_of(message_id)[:200], wa_id=text_of(_first(body, "contacts").get("wa_id"))[:40])

    def read_error(self, answer: HttpAnswer) -> ProviderError | None:
        error = answer.json_object().get("error")
        if not isinstance(error, dict) or "code" not in error:
            return None
        return errors.read(error, answer)

    def catalogue_code(self, code: str) -> str:
        return PERMISSIONS_ENTRY if code.isdecimal() and int(code) in PERMISSIONS else code

    def is_authentic(
        self, body: bytes, headers: Mapping[str, str], *, url: str = "", secrets: Sequence[str] = ()
    ) -> bool:
        # Over the raw bytes: Meta escapes characters that a parser and writer of ours would not.
        expected = hmac.new(str(settings.WHATSAPP_CLOUD_APP_SECRET).encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("X-Hub-Signature-256", "")
        return hmac.compare_digest(f"sha256={expected}".encode(), given.encode(errors="replace"))

    def receipts(self, payload: Mapping[str, Any]) -> list[ReceiptEvent]:
        return webhooks.receipts(payload)

    def inbound(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        return webhooks.inbound(payload)

    def preferences(self, payload: Mapping[str, Any]) -> list[PreferenceEvent]:
        return webhooks.preferences(payload)

    def notices(self, payload: Mapping[str, Any]) -> list[TemplateEvent | AccountEvent]:
        return notices.read(payload)

    def health_request(self, account: Account) -> HttpRequest:
        return accounts.health_request(account)

    def read_health(self, answer: HttpAnswer, account: Account) -> Health:
        error = self.read_error(answer)
        return accounts.unhealthy(error) if error else accounts.health(answer.json_object(), answer.status)

    def token_request(self, account: Account) -> HttpRequest:
        return accounts.token_request(account)

    def read_token(self, answer: HttpAnswer) -> TokenFacts:
        error = self.read_error(answer)
        return accounts.bad_token(error) if error else accounts.token(answer)

    def templates_request(self, account: Account, after: str = "") -> HttpRequest | None:
        return templates.request(account, after)

    def read_templates(self, answer: HttpAnswer) -> TemplatePage | ProviderError:
        error = self.read_error(answer)
        if error or not 200 <= answer.status < 300:
            return error or self.unexplained(answer)
        page = templates.read(answer.json_object())
        return page or ProviderError(ErrorClass.UNKNOWN, message=f"HTTP {answer.status} without templates")


def _first(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(iter(dicts(body, name)), {})
