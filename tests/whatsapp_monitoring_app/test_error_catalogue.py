"""The catalogue of error codes: complete, classified, and told of every code that nobody knows."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    json_answer,
    post,
    refused,
    snapshot,
)
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppErrorCode, WhatsAppSender
from whatsapp_monitoring_app.providers.base import Kind, ProviderError, ReceiptEvent
from whatsapp_monitoring_app.services import error_catalogue, receipts

pytestmark = pytest.mark.django_db

NEW_CODE = "777777"
LATER = NOW + timedelta(minutes=10)


def entry(code: str = NEW_CODE) -> WhatsAppErrorCode:
    return WhatsAppErrorCode.objects.get(code=code)


def unclassified() -> list[str]:
    return list(WhatsAppErrorCode.objects.filter(is_classified=False).values_list("code", flat=True))


def test_every_code_of_every_provider_has_its_row_and_class():
    for provider in providers.all_providers():
        rows = WhatsAppErrorCode.objects.filter(provider=provider.code).values_list("code", "error_class")
        assert dict(rows) == dict(provider.error_codes)
    assert unclassified() == []


def test_a_migration_that_runs_again_keeps_the_administrators_words_and_repairs_the_class():
    WhatsAppErrorCode.objects.filter(code="131026").update(meaning_fr="Pas de WhatsApp", error_class="unknown")
    count = WhatsAppErrorCode.objects.count()
    error_catalogue.provision()
    assert WhatsAppErrorCode.objects.count() == count
    assert (entry("131026").meaning_fr, entry("131026").error_class) == ("Pas de WhatsApp", "recipient_permanent")


def test_a_code_that_the_table_learns_is_classified_from_then_on():
    WhatsAppErrorCode.objects.filter(code="131026").update(is_classified=False, error_class="unknown", example="old")
    error_catalogue.provision()
    assert (entry("131026").is_classified, entry("131026").error_class) == (True, "recipient_permanent")
    assert entry("131026").example == "old"


@pytest.mark.parametrize(
    ("http_status", "error_class", "status"),
    [
        (400, ErrorClass.UNKNOWN, Status.FAILED),
        (404, ErrorClass.UNKNOWN, Status.FAILED),
        (401, ErrorClass.ACCOUNT_STOP, Status.PENDING),
        (403, ErrorClass.ACCOUNT_STOP, Status.PENDING),
        (429, ErrorClass.THROTTLE_SENDER, Status.PENDING),
        (500, ErrorClass.TRANSIENT_CAPPED, Status.RETRY_SCHEDULED),
        (503, ErrorClass.TRANSIENT_CAPPED, Status.RETRY_SCHEDULED),
    ],
)
def test_an_unknown_code_is_judged_by_its_http_status_and_raised(
    http_status: int, error_class: ErrorClass, status: Status
):
    notification = attempt(post(), Provider(refused(NEW_CODE, http_status)))
    assert (notification.status, notification.error_class) == (status, error_class)
    row = entry()
    assert (row.provider, row.error_class, row.is_classified) == ("cloud_api", error_class, False)
    assert (row.last_seen_at, "Some detail." in row.example) == (NOW, True)
    is_stopped = WhatsAppSender.objects.get(code="mali").stopped_until is not None
    assert is_stopped == (error_class is ErrorClass.ACCOUNT_STOP)


def test_a_code_that_comes_again_updates_its_entry_and_keeps_the_words():
    attempt(post(), Provider(refused(NEW_CODE)))
    WhatsAppErrorCode.objects.filter(code=NEW_CODE).update(meaning_fr="Nos mots")
    error = {"error": {"code": int(NEW_CODE), "message": "Another wording"}}
    attempt(post(), Provider(json_answer(500, error)), LATER)
    row = entry()
    assert (row.last_seen_at, row.example, row.meaning_fr) == (LATER, "Another wording", "Nos mots")
    assert (row.error_class, row.is_classified) == (ErrorClass.UNKNOWN, False)


@pytest.mark.parametrize("answer", [accepted(), refused(131026), refused(200, 403), refused(131016, 503)])
def test_known_codes_raise_nothing(answer: Any):
    before = snapshot(WhatsAppErrorCode)
    attempt(post(), Provider(answer))
    assert snapshot(WhatsAppErrorCode) == before


def failed_receipt(code: str, error_class: ErrorClass = ErrorClass.UNKNOWN, *, is_classified: bool) -> ReceiptEvent:
    error = ProviderError(error_class, code, "Some words", is_classified=is_classified)
    return ReceiptEvent("wamid.one", Kind.FAILED, "failed", NOW, error=error)


def test_an_unknown_code_in_a_receipt_is_raised_once():
    attempt(post(), Provider(accepted()))
    receipts.take("cloud_api", failed_receipt(NEW_CODE, is_classified=False), LATER)
    assert (entry().last_seen_at, entry().example, unclassified()) == (LATER, "Some words", [NEW_CODE])
    receipts.take("cloud_api", failed_receipt(NEW_CODE, is_classified=False), LATER + timedelta(hours=1))
    assert entry().last_seen_at == LATER


def test_a_known_code_in_a_receipt_raises_nothing():
    attempt(post(), Provider(accepted()))
    receipts.take("cloud_api", failed_receipt("131026", ErrorClass.RECIPIENT_PERMANENT, is_classified=True), LATER)
    assert unclassified() == []


def test_an_answer_without_a_code_raises_no_entry():
    before = snapshot(WhatsAppErrorCode)
    attempt(post(), Provider(json_answer(418, {})))
    assert snapshot(WhatsAppErrorCode) == before


@pytest.mark.django_db(transaction=True)
def test_eight_workers_that_meet_the_same_new_code_make_one_entry():
    WhatsAppSender.objects.update(rate_per_second=10_000)  # nobody waits for a slot
    rows = [post(phone_number=f"+2237612340{n}") for n in range(8)]
    at_once(*[partial(attempt, row, Provider(refused(NEW_CODE))) for row in rows])
    assert unclassified() == [NEW_CODE]
    for row in rows:
        row.refresh_from_db()
    assert {row.status for row in rows} == {Status.FAILED}


def test_an_administrator_edits_words_and_nothing_else(make_user: Callable[..., User]):
    browser = Client()
    browser.force_login(make_user(role="admin_mali", is_staff=True, is_superuser=True))
    attempt(post(), Provider(refused(NEW_CODE)))
    address = reverse("admin:whatsapp_monitoring_app_whatsapperrorcode_change", args=[entry().pk])
    words = {f"{name}_{language}": "" for name in ("meaning", "advice") for language in ("fr", "en", "zh_hans")}
    answer = browser.post(
        address, words | {"meaning_fr": "Compte suspendu", "error_class": "transient", "is_classified": "on"}
    )
    assert answer.status_code == 302
    assert (entry().meaning_fr, entry().error_class, entry().is_classified) == ("Compte suspendu", "unknown", False)
