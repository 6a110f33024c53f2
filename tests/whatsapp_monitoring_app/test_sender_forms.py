"""What an administrator writes about a sender: its settings, new and changed."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone, translation

from tests.whatsapp_monitoring_app.administrators import DAY, TOKEN, Graph, configured, said, url, values
from tests.whatsapp_monitoring_app.test_stop_banner import stored_token
from whatsapp_monitoring_app.forms import NewSenderForm
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppSender

pytestmark = pytest.mark.django_db


NEW = {
    "code": "lome",
    "label": "Lomé",
    "provider": "cloud_api",
    "account_id": "3000",
    "rate_per_second": "20",
    "is_active": "on",
}


def test_a_created_sender_is_checked_at_once(browser: Browser, graph: Graph):
    answer = browser.post(url("sender_create"), {**NEW, "token": TOKEN})
    sender = WhatsAppSender.objects.get(code="lome")

    assert answer.headers["Location"] == url("sender", sender)
    assert (sender.label, sender.token, sender.rate_per_second) == ("Lomé", TOKEN, 20)
    assert (sender.is_active, sender.is_connected, sender.limit) == (True, True, "TIER_10K")
    assert graph.requests[0][1] == f"Bearer {TOKEN}"
    assert "Lomé is connected." in said(answer)
    assert TOKEN not in stored_token(sender)


def test_a_sender_may_be_created_without_a_token_and_says_so(browser: Browser, graph: Graph):
    answer = browser.post(url("sender_create"), NEW)
    assert "Lomé cannot send yet. Still missing: token." in said(answer)
    assert WhatsAppSender.objects.get(code="lome").missing_fields == ["token"]
    assert graph.requests == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"code": "mali"}, "code", "A sender with this code exists already."),
        ({"code": "not a word"}, "code", "slug"),
        ({"label": ""}, "label", "required"),
        ({"account_id": "+22370000000"}, "account_id", "digits only"),
        ({"business_account_id": "Meta"}, "business_account_id", "digits only"),
        ({"address": "our office"}, "address", "not a valid telephone number"),
        ({"provider": "wachap", "account_id": ""}, "account_id", "WaChap needs the id"),
        ({"provider": "twilio", "account_id": "", "address": "MG1"}, "account_id", "begins with AC"),
        ({"provider": "twilio", "account_id": "SK1", "address": "MG1"}, "account_id", "begins with AC"),
        ({"provider": "twilio", "account_id": "AC1"}, "address", "Twilio needs our number"),
        ({"provider": "twilio", "account_id": "AC1", "address": "SK1"}, "address", "not a valid telephone number"),
        ({"provider": "smoke signals"}, "provider", "not one of the available choices"),
        ({"rate_per_second": "0"}, "rate_per_second", "Write more than 0"),
        ({"rate_per_second": "-1"}, "rate_per_second", "Write more than 0"),
        ({"rate_per_second": "nan"}, "rate_per_second", "Enter a number"),
        ({"daily_limit": "0"}, "daily_limit", "Write more than 0"),
        ({"daily_limit": "-5"}, "daily_limit", "greater than or equal to 0"),
        ({"fallback": "999999"}, "fallback", "not one of the available choices"),
        ({"token": f"{TOKEN} é"}, "token", "one word without spaces"),
        ({"token": "x" * 2001}, "token", "at most 2000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, str], field: str, words: str, browser: Browser):
    before = WhatsAppSender.objects.count()
    answer = browser.post(url("sender_create"), NEW | changes)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    with translation.override("en"):
        assert words in str(answer.context["form"].errors[field])
    assert WhatsAppSender.objects.count() == before
    assert TOKEN not in answer.content.decode()


def test_of_two_who_take_a_code_at_once_one_is_told():
    forms = [NewSenderForm(NEW), NewSenderForm(NEW)]
    assert [form.is_valid() for form in forms] == [True, True]
    assert [form.insert() for form in forms] == [True, False]
    assert list(forms[1].errors) == ["code"]


@pytest.mark.parametrize(
    ("provider", "account_id", "address", "kept"),
    [
        ("twilio", "AC1", "MG1", "MG1"),
        ("twilio", "AC1", "+223 70 00 00 01", "+22370000001"),
        ("cloud_api", "", "", ""),
        ("wachap", "any id", "", ""),
        ("console", "", "", ""),
    ],
)
def test_what_each_provider_needs_is_taken(provider: str, account_id: str, address: str, kept: str, browser: Browser):
    given = {"provider": provider, "account_id": account_id, "address": address}
    answer = browser.post(url("sender_create"), NEW | given)
    assert answer.status_code == 302
    assert WhatsAppSender.objects.get(code="lome").address == kept


def test_a_sender_never_comes_to_replace_itself(browser: Browser):
    a, b, c = (configured(code, account_id="1", token="t" * 20) for code in ("chine", "mali", "systeme"))
    assert browser.post(url("sender_edit", a), values(a, fallback=b.pk)).status_code == 302
    assert browser.post(url("sender_edit", b), values(b, fallback=c.pk)).status_code == 302
    for target in (a, b, c):
        answer = browser.post(url("sender_edit", c), values(c, fallback=target.pk))
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["fallback"])
    assert WhatsAppSender.objects.get(code="systeme").fallback is None


def test_two_administrators_who_edit_at_once_keep_what_the_other_wrote(browser: Browser, mali: WhatsAppSender):
    seen = values(mali)
    configured("mali", rate_per_second=5)
    answer = browser.post(url("sender_edit", mali), seen | {"label": "Bamako"})
    mali.refresh_from_db()

    assert answer.status_code == 302
    assert (mali.label, mali.rate_per_second, mali.token) == ("Bamako", 5, TOKEN)
    page = browser.get(url("sender_edit", mali)).content.decode()
    assert 'name="initial-rate_per_second"' in page
    assert 'name="code"' not in page


def test_editing_leaves_a_token_alone_that_no_key_opens(browser: Browser, mali: WhatsAppSender, settings: Any):
    before = stored_token(mali)
    settings.WHATSAPP_TOKEN_KEYS = ["another key than before"]
    browser.post(url("sender_edit", mali), values(mali, label="Bamako"))
    mali.refresh_from_db()
    assert (mali.label, stored_token(mali)) == ("Bamako", before)


def test_another_account_is_asked_how_it_is_and_what_was_known_of_the_first_is_forgotten(
    browser: Browser, graph: Graph, mali: WhatsAppSender
):
    configured("mali", quality="RED", display_number="+22370000001", token_expires_at=timezone.now(), limit="TIER_50")
    mali.stop(timezone.now() + DAY, ErrorClass.ACCOUNT_STOP, "190")
    graph.answer = {"status": "CONNECTED"}
    answer = browser.post(url("sender_edit", mali), values(mali, account_id="2999"))
    mali.refresh_from_db()

    assert "/2999?" in graph.requests[0][0]
    assert (mali.quality, mali.limit, mali.display_number, mali.token_expires_at) == ("", "", "", None)
    assert (mali.is_connected, mali.stopped_until) == (True, None)
    assert "Mali is connected." in said(answer)


def test_another_label_asks_nobody(browser: Browser, graph: Graph, mali: WhatsAppSender):
    configured("mali", quality="RED", is_connected=True)
    browser.post(url("sender_edit", mali), values(mali, label="Bamako"))
    mali.refresh_from_db()
    assert (graph.requests, mali.quality, mali.is_connected) == ([], "RED", True)
