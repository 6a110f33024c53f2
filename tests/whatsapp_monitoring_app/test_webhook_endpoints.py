"""The doors of all webhooks: what is refused and how cheaply, who is believed, and that a replay changes nothing."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import resolve

from tests.outages import redis_away
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, at_once, attempt, open_window, post, snapshot
from tests.whatsapp_monitoring_app.twilio_says import (
    ACCOUNT_SID,
    INBOUND,
    SID,
    STATUS,
    TOKEN,
    answered,
    sign,
    sign_form,
)
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.providers.base import Kind
from whatsapp_monitoring_app.services import floods, shared_memory, webhooks
from whatsapp_monitoring_app.tasks import apply_whatsapp_webhook
from whatsapp_monitoring_app.views.webhooks import WebhookView

pytestmark = pytest.mark.django_db

CLOUD, WACHAP, TWILIO = (f"/webhooks/whatsapp/{name}/" for name in ("cloud", "wachap", "twilio"))
PUBLIC = "https://cargo.example"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SECRET = "app secret"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _surroundings() -> Iterator[None]:
    with override_settings(PUBLIC_BASE_URL=PUBLIC, WHATSAPP_CLOUD_APP_SECRET=SECRET):
        WhatsAppSender.objects.update(provider="twilio", account_id=ACCOUNT_SID, token=TOKEN, address="+22370000000")
        open_window()
        forget_refusals()
        yield
    forget_refusals()


def forget_refusals() -> None:
    client = shared_memory.client()
    for key in client.scan_iter("webhook:*"):
        client.delete(key)


def send(path: str, body: bytes, kind: str = FORM, address: str = "203.0.113.7", **headers: str) -> Any:
    # As strict as the real web server: a missing CSRF token would be noticed.
    browser = Client(enforce_csrf_checks=True)
    return browser.post(path, body, content_type=kind, headers=headers, REMOTE_ADDR=address)


def tell(form: dict[str, str], query: str = "", token: str = TOKEN, base: str = PUBLIC, **more: str) -> Any:
    """Twilio posts this form, signed for the address under which it knows us."""
    path = TWILIO + query
    return send(path, urlencode(form).encode(), **{"X-Twilio-Signature": sign_form(base + path, form, token), **more})


def tell_meta(body: bytes, **more: str) -> Any:
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return send(CLOUD, body, JSON, **{"X-Hub-Signature-256": signature, **more})


def apply_all() -> None:
    for pk in WhatsAppWebhookLog.objects.order_by("pk").values_list("pk", flat=True):
        apply_whatsapp_webhook(pk)
    assert not WhatsAppWebhookLog.objects.exclude(error="").exists()


def sent() -> WhatsAppNotification:
    return attempt(post(), Provider(answered()))


# --- Which doors there are


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [WACHAP, TWILIO])
def test_only_posts_are_taken(path: str, method: str):
    assert getattr(Client(), method)(path).status_code == 405


@pytest.mark.parametrize(("path", "provider"), [(CLOUD, "cloud_api"), (WACHAP, "wachap"), (TWILIO, "twilio")])
def test_each_provider_has_its_door(path: str, provider: str):
    view: Any = resolve(path).func
    assert {"provider": view.view_class.provider, **view.view_initkwargs}["provider"] == provider


def test_the_door_of_a_provider_that_is_not_spoken_does_not_exist():
    with pytest.raises(Http404):
        WebhookView.as_view(provider="nobody")(RequestFactory().post("/", b"{}", content_type=JSON))
    assert not WhatsAppWebhookLog.objects.exists()


# --- What is refused without a look at the body


@pytest.mark.parametrize("excess", [0, 1])
def test_a_body_beyond_the_limit_is_refused_whoever_signed_it(excess: int):
    body = b'{"entry": "' + b"x" * 200 + b'"}'
    with override_settings(WEBHOOK_LIMIT=len(body) - excess):
        assert tell_meta(body).status_code == (413 if excess else 200)
    assert WhatsAppWebhookLog.objects.count() == 1 - excess


@pytest.mark.parametrize("path", [CLOUD, TWILIO])
def test_a_long_body_is_refused_by_its_announcement(path: str):
    # Nothing of it has come: whoever read on would wait for it.
    answer = Client().generic("POST", path, b"", content_type=JSON, CONTENT_LENGTH=str(10**12))
    assert answer.status_code == 413
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.parametrize(("length", "status"), [("", 403), ("-1", 403), ("x", 400), ("9" * 5000, 400)])
def test_an_odd_announcement_is_no_reason_to_fail(length: str, status: int):
    answer = Client().generic("POST", CLOUD, b"{}", content_type=JSON, CONTENT_LENGTH=length)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "kind"),
    [(CLOUD, FORM), (CLOUD, "text/plain"), (CLOUD, "multipart/form-data; boundary=x"), (TWILIO, "text/xml"),
     (TWILIO, "multipart/form-data; boundary=x"), (TWILIO, "nonsense")],
)  # fmt: skip
def test_another_kind_of_content_is_refused(path: str, kind: str):
    answer = send(path, b"a=1", kind, **{"X-Twilio-Signature": sign(f"{PUBLIC}{TWILIO}a1")})
    assert answer.status_code == 415
    assert not WhatsAppWebhookLog.objects.exists()


def test_the_kind_of_content_may_be_spelt_out():
    form = urlencode(STATUS).encode()
    signature = {"X-Twilio-Signature": sign_form(PUBLIC + TWILIO, STATUS)}
    assert send(TWILIO, form, f"{FORM}; charset=UTF-8", **signature).status_code == 200
    assert tell_meta(b"{}").status_code == 200


# --- Who is believed


@pytest.mark.parametrize("query", ["", "?code=4f2b", "?code=%C3%A9+1&x="])
def test_what_twilio_signed_for_the_public_address_is_stored(query: str):
    answer = tell(STATUS, query)
    assert answer.status_code == 200
    assert (answer.content, answer["Content-Type"]) == (b"<Response/>", "text/xml")
    log = WhatsAppWebhookLog.objects.get()
    assert (log.provider, log.processed_at, log.error) == ("twilio", None, "")
    assert json.loads(log.payload)["form"] == STATUS


def test_what_was_signed_for_the_address_of_the_request_itself_is_believed_too():
    assert tell(STATUS, "?code=1", base="http://testserver").status_code == 200
    assert tell(STATUS, "?code=1", base="https://testserver", **{"X-Forwarded-Proto": "https"}).status_code == 403
    proxy = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"), "TRUSTED_PROXIES": ["203.0.113.7"]}
    with override_settings(**proxy):
        assert tell(STATUS, "?code=1", base="https://testserver", **{"X-Forwarded-Proto": "https"}).status_code == 200


@pytest.mark.parametrize(
    "more", [{"base": "https://elsewhere.example"}, {"token": "another"}, {"token": ""}, {"X-Twilio-Signature": ""}]
)
def test_what_twilio_did_not_sign_for_us_is_refused_and_leaves_nothing(more: dict[str, str]):
    assert tell(STATUS, "?code=4f2b", **more).status_code == 403
    assert not WhatsAppWebhookLog.objects.exists()


def test_the_signed_query_cannot_be_exchanged():
    signature = sign_form(f"{PUBLIC}{TWILIO}?code=1", STATUS)
    answer = send(f"{TWILIO}?code=2", urlencode(STATUS).encode(), **{"X-Twilio-Signature": signature})
    assert answer.status_code == 403


def test_the_token_of_any_of_our_senders_there_will_do():
    WhatsAppSender.objects.filter(code="mali").update(token="of mali")
    WhatsAppSender.objects.filter(code="chine").update(token="of chine", is_active=False)
    WhatsAppSender.objects.filter(code="systeme").update(token="of meta", provider="cloud_api")
    answers = {token: tell(STATUS, token=token).status_code for token in ("of mali", "of chine", "of meta", TOKEN)}
    assert answers == {"of mali": 200, "of chine": 200, "of meta": 403, TOKEN: 403}


def test_a_sender_without_a_token_opens_no_door():
    WhatsAppSender.objects.update(token="")
    assert tell(STATUS, token="").status_code == 403
    assert not WhatsAppWebhookLog.objects.exists()


def test_a_token_that_cannot_be_read_any_more_opens_no_door():
    with override_settings(WHATSAPP_TOKEN_KEYS=["another key"]):
        assert tell(STATUS, token="").status_code == 403
        assert tell(STATUS).status_code == 403


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_signed_json_that_is_no_object_is_refused_and_leaves_nothing(body: bytes):
    path = f"{TWILIO}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    answer = send(path, body, JSON, **{"X-Twilio-Signature": sign(PUBLIC + path)})
    assert answer.status_code == 400
    assert not WhatsAppWebhookLog.objects.exists()


@pytest.mark.parametrize("form", [{"Nothing": "known"}, {"MessageSid": SID}, STATUS | {"MessageStatus": "queued"}])
def test_news_that_we_do_not_know_is_taken_with_thanks(form: dict[str, str]):
    assert tell(form).status_code == 200
    apply_all()
    assert not WhatsAppReceipt.objects.exists()


def test_a_receipt_of_a_message_that_nobody_knows_is_kept():
    assert tell(STATUS | {"From": "whatsapp:+15550000000", "AccountSid": "AC2"}).status_code == 200
    apply_all()
    receipt = WhatsAppReceipt.objects.get()
    assert (receipt.provider, receipt.notification, receipt.applied_at) == ("twilio", None, None)


def test_metas_answer_is_json():
    assert tell_meta(b"{}").json() == {"received": True}


# --- What it does


@pytest.mark.parametrize(
    ("word", "status"),
    [("sent", Status.SENT), ("delivered", Status.DELIVERED), ("read", Status.READ), ("undelivered", Status.FAILED)],
)
def test_a_receipt_takes_effect(word: str, status: Status):
    notification = sent()
    assert tell(STATUS | {"MessageStatus": word, "ErrorCode": "63003"}).status_code == 200
    apply_all()
    notification.refresh_from_db()
    assert (notification.status, notification.error_code) == (status, "63003" if word == "undelivered" else "")


def test_a_receipt_finds_a_message_whose_answer_was_lost_by_our_code():
    lost = attempt(post(), Provider(answered(200, sid=None)))
    assert lost.status == Status.UNCONFIRMED
    tell(STATUS, f"?code={lost.pk}")
    apply_all()
    lost.refresh_from_db()
    assert (lost.status, lost.provider_message_id) == (Status.DELIVERED, SID)


def test_the_callback_that_is_asked_for_is_the_one_that_finds_the_message():
    wire = Provider(answered(200, sid=None))
    lost = attempt(post(), wire)
    asked_for = wire.requests[0].body.decode().partition("StatusCallback=")[2]
    assert asked_for == urlencode({"": f"{PUBLIC}{TWILIO}?code={lost.pk}"})[1:]


@pytest.mark.parametrize("words", [("read", "delivered", "sent"), ("delivered", "sent", "read"), ("sent", "read")])
def test_receipts_without_a_moment_may_come_in_any_order(words: tuple[str, ...]):
    notification = sent()
    for word in words:
        tell(STATUS | {"MessageStatus": word})
    apply_all()
    notification.refresh_from_db()
    assert notification.status == Status.READ


def test_a_receipt_has_happened_when_it_came():
    sent()
    log = webhooks.store("twilio", urlencode(STATUS).encode(), NOW + MINUTE)
    webhooks.process(log.pk, NOW + 5 * MINUTE)
    receipt = WhatsAppReceipt.objects.get()
    assert (receipt.occurred_at, receipt.received_at) == (NOW + MINUTE, NOW + 5 * MINUTE)


def test_a_receipt_that_comes_again_later_is_stored_and_changes_nothing():
    notification = sent()
    for minutes in (1, 2, 9000):
        webhooks.store("twilio", urlencode(STATUS).encode(), NOW + minutes * MINUTE)
    first, second, third = WhatsAppWebhookLog.objects.order_by("pk")
    webhooks.process(first.pk, NOW + MINUTE)
    before = snapshot(WhatsAppNotification, WhatsAppReceipt)
    for log in (second, first, third):
        webhooks.process(log.pk, NOW + 9000 * MINUTE)
    assert snapshot(WhatsAppNotification, WhatsAppReceipt) == before
    notification.refresh_from_db()
    assert (notification.status, notification.delivered_at) == (Status.DELIVERED, NOW + MINUTE)


@pytest.mark.django_db(transaction=True)
def test_the_same_receipt_from_many_threads_at_once_is_kept_once():
    sent()
    logs = [webhooks.store("twilio", urlencode(STATUS).encode(), NOW + n * MINUTE) for n in range(8)]
    at_once(*[partial(webhooks.process, log.pk, NOW + MINUTE) for log in logs])
    assert WhatsAppReceipt.objects.get().status == Kind.DELIVERED
    assert not WhatsAppWebhookLog.objects.exclude(error="").exists()


def test_what_a_person_writes_is_kept_once_and_obeyed():
    for _ in range(2):
        assert tell(INBOUND).status_code == 200
    apply_all()
    message = WhatsAppInbound.objects.exclude(text="Bonjour").get()
    assert (message.provider, message.phone_number, message.text) == ("twilio", NUMBER, "ARRÊT")
    assert message.occurred_at == WhatsAppWebhookLog.objects.earliest("pk").received_at
    assert WhatsAppOptOut.objects.get().phone_number == NUMBER
    assert WhatsAppNotification.objects.filter(message_type="opt_out_confirmation").count() == 1


# --- Floods


def knock(times: int, address: str = "203.0.113.7", **headers: str) -> list[int]:
    return [send(CLOUD, b"{}", JSON, address, **headers).status_code for _ in range(times)]


def test_after_so_many_wrong_signatures_an_address_is_not_listened_to():
    assert set(knock(floods.REFUSALS_PER_MINUTE)) == {403}
    answer = send(CLOUD, b"{}", JSON)
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    # Not even with the right one: nobody computes it.
    assert tell_meta(b"{}").status_code == 429
    assert tell(STATUS).status_code == 429
    assert not WhatsAppWebhookLog.objects.exists()


def test_other_addresses_are_listened_to():
    knock(floods.REFUSALS_PER_MINUTE + 1)
    assert tell_meta(b"{}", address="203.0.113.8").status_code == 200
    assert knock(1, "203.0.113.8") == [403]


def test_the_count_ends_with_its_minute():
    knock(2)
    client = shared_memory.client()
    (key,) = client.scan_iter("webhook:*")
    assert 0 < client.pttl(key) <= 60_000
    client.delete(key)
    assert knock(1) == [403]


def test_who_waits_for_the_end_of_the_minute_does_not_prolong_it():
    knock(floods.REFUSALS_PER_MINUTE)
    client = shared_memory.client()
    (key,) = client.scan_iter("webhook:*")
    before = client.get(key)
    assert set(knock(3)) == {429}
    assert client.get(key) == before


def test_authentic_posts_are_never_limited():
    assert {tell_meta(b"{}").status_code for _ in range(floods.REFUSALS_PER_MINUTE * 2)} == {200}
    # Nor by their neighbours behind the same address.
    assert set(knock(floods.REFUSALS_PER_MINUTE * 2)) == {403}
    assert tell_meta(b"{}").status_code == 200


def test_refusals_for_another_reason_are_not_counted():
    for _ in range(floods.REFUSALS_PER_MINUTE + 1):
        assert send(CLOUD, b"x", "text/plain").status_code == 415
        assert tell_meta(b"[]").status_code == 400
    assert knock(1) == [403]


def test_behind_our_proxy_the_address_is_the_one_that_it_saw():
    with override_settings(TRUSTED_PROXIES=["127.0.0.1"]):
        flooding = {"X-Forwarded-For": "198.51.100.1, 192.0.2.66"}
        assert set(knock(floods.REFUSALS_PER_MINUTE, "127.0.0.1", **flooding)) == {403}
        # Inventing other addresses before it does not help.
        assert knock(1, "127.0.0.1", **{"X-Forwarded-For": "198.51.100.2,192.0.2.66"}) == [429]
        assert knock(1, "127.0.0.1", **{"X-Forwarded-For": "192.0.2.67"}) == [403]
        assert knock(1, "127.0.0.1") == [403]


def test_without_a_proxy_nobody_invents_an_address():
    knock(floods.REFUSALS_PER_MINUTE, **{"X-Forwarded-For": "198.51.100.1"})
    assert knock(1, **{"X-Forwarded-For": "198.51.100.2"}) == [429]


def test_without_redis_everybody_is_heard():
    with redis_away():
        assert set(knock(floods.REFUSALS_PER_MINUTE + 2)) == {403}
        assert tell_meta(b"{}").status_code == 200
    assert WhatsAppWebhookLog.objects.count() == 1
