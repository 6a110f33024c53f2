"""The webhook's door: who is let in, what is written down, and that a worker applies it."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.conf import settings
from django.test import Client, override_settings

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import Provider, accepted, attempt, post, snapshot
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppReceipt, WhatsAppWebhookLog
from whatsapp_monitoring_app.services import webhooks
from whatsapp_monitoring_app.tasks import apply_whatsapp_webhook, send_whatsapp_async

pytestmark = pytest.mark.django_db

ADDRESS = "/webhooks/whatsapp/cloud/"
SECRET = "app secret"
DELIVERED = {"id": "wamid.one", "status": "delivered", "timestamp": "1790000000", "recipient_id": "22376123456"}


@pytest.fixture(autouse=True)
def _secrets() -> Any:
    with override_settings(WHATSAPP_CLOUD_APP_SECRET=SECRET, WHATSAPP_CLOUD_VERIFY_TOKEN="verify é"):
        yield


def payload(*statuses: Any) -> bytes:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "statuses": list(statuses)}
    text = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value}]}]})
    return text.replace("/", "\\/").encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(body: bytes, **headers: str) -> Any:
    headers = headers or {"X-Hub-Signature-256": signature(body)}
    # As strict as the real web server: a missing CSRF token would be noticed.
    browser = Client(enforce_csrf_checks=True)
    return browser.post(ADDRESS, body, content_type="application/json", headers=headers)


def handshake(**more: str) -> Any:
    query = {"hub.mode": "subscribe", "hub.verify_token": "verify é", "hub.challenge": "1158201444"}
    return Client().get(ADDRESS, query | more)


def test_the_handshake_gives_the_bare_challenge_back():
    answer = handshake()
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "wrong", [{"hub.verify_token": "verify"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}, {"hub.mode": ""}]
)
def test_a_wrong_handshake_is_refused_without_the_challenge(wrong: dict[str, str]):
    answer = handshake(**wrong)
    assert answer.status_code == 403
    assert b"1158201444" not in answer.content


def test_a_handshake_without_a_query_is_refused():
    assert Client().get(ADDRESS).status_code == 403


def test_a_signed_payload_is_written_down_as_it_came():
    body = payload(DELIVERED | {"biz_opaque_callback_data": "Traoré/📦"})
    answer = deliver(body)
    assert answer.status_code == 200
    log = WhatsAppWebhookLog.objects.get()
    assert (log.provider, log.payload, log.processed_at, log.error) == ("cloud_api", body.decode(), None, "")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Other": "1"},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": signature(payload(DELIVERED), "another secret")},
        {"X-Hub-Signature-256": signature(payload())},
        {"X-Hub-Signature-256": "sha256=é"},
        {"X-Hub-Signature": signature(payload(DELIVERED))},
    ],
)
def test_an_unsigned_payload_is_refused_and_leaves_nothing(headers: dict[str, str]):
    assert deliver(payload(DELIVERED), **headers).status_code == 403
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b'{"a": "\xe9"}', b'{"a": 1', b"[" * 100_000]
)
def test_a_signed_body_that_is_no_json_object_is_refused_and_leaves_nothing(body: bytes):
    assert deliver(body).status_code == 400
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.parametrize("body", [b"{}", b'{"object": "page"}', b'{"entry": null}', payload(), payload(None, 7)])
def test_news_that_we_do_not_know_is_taken_with_thanks(body: bytes):
    assert deliver(body).status_code == 200
    log = WhatsAppWebhookLog.objects.get()
    assert apply_whatsapp_webhook(log.pk) == 0
    assert not WhatsAppReceipt.objects.exists()


def test_a_body_larger_than_metas_limit_is_refused_and_leaves_nothing():
    body = b'{"entry": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    assert deliver(body).status_code in (400, 413)
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(method: str):
    assert getattr(Client(), method)(ADDRESS).status_code == 405


def test_a_replayed_payload_changes_nothing():
    notification = attempt(post(), Provider(accepted()))
    for _ in range(2):
        assert deliver(payload(DELIVERED)).status_code == 200
    first, second = WhatsAppWebhookLog.objects.order_by("pk")
    apply_whatsapp_webhook(first.pk)
    before = snapshot(WhatsAppNotification, WhatsAppReceipt)
    assert len(before) == 2
    apply_whatsapp_webhook(second.pk)
    apply_whatsapp_webhook(first.pk)
    assert snapshot(WhatsAppNotification, WhatsAppReceipt) == before
    notification.refresh_from_db()
    assert notification.status == Status.DELIVERED


def test_a_refused_payload_says_so_to_its_caller():
    with pytest.raises(webhooks.InvalidPayload):
        webhooks.store("cloud_api", b"[]", post().created_at)
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_payload_that_comes_over_http_is_applied_by_the_worker(
    stack: Stack, live_server: Any, make_user: Callable[..., User]
):
    # Delivered, never read, so that the last word is ours.
    code = send_whatsapp_async(None, "Bonjour", "agent_mali", phone_number="+22370000009").id
    rows = WhatsAppNotification.objects.filter(pk=code)
    with override_settings(WHATSAPP_CLOUD_APP_SECRET="sandbox-app-secret"):
        delivered = eventually(lambda: rows.filter(status=Status.DELIVERED).first(), "delivered")
        body = payload(DELIVERED | {"id": delivered.provider_message_id, "status": "read"})

        def post_signed_with(secret: str) -> int:
            headers = {"X-Hub-Signature-256": signature(body, secret), "Content-Type": "application/json"}
            return requests.post(live_server.url + ADDRESS, body, headers=headers, timeout=5).status_code

        assert post_signed_with("another secret") == 403
        assert post_signed_with("sandbox-app-secret") == 200
        eventually(lambda: rows.filter(status=Status.READ).first(), "read")
    assert not WhatsAppWebhookLog.objects.exclude(error="").exists()
