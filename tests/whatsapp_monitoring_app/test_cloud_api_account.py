"""What Meta says of a number and of a token of ours."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import json_answer, refused
from whatsapp_monitoring_app.providers import base
from whatsapp_monitoring_app.providers.base import Health, HttpAnswer, TokenFacts
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

ACCOUNT = base.Account("106540352242922", "EAAsecret", business_account_id="102290129340398")
NUMBER = "+22370000000"
cloud_api = CloudApi()


@override_settings(WHATSAPP_CLOUD_API_URL="https://graph.example", WHATSAPP_CLOUD_API_VERSION="v26.0")
def test_the_health_of_a_number_is_asked_for_without_sending_anything():
    request = cloud_api.health_request(ACCOUNT)
    fields = (
        "verified_name,quality_rating,whatsapp_business_manager_messaging_limit,messaging_limit_tier,status,"
        "platform_type,display_phone_number"
    )
    assert request.url == f"https://graph.example/v26.0/106540352242922?fields={fields}"
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers == {"Authorization": "Bearer EAAsecret"}


NUMBER_FACTS = {
    "verified_name": "TS Air Cargo",
    "quality_rating": "GREEN",
    "whatsapp_business_manager_messaging_limit": "TIER_2K",
    "status": "CONNECTED",
    "platform_type": "CLOUD_API",
    "display_phone_number": "+223 70 00 00 00",
    "id": "106540352242922",
}


@pytest.mark.parametrize(
    ("status", "is_connected"),
    [
        ("CONNECTED", True), ("FLAGGED", True), ("RESTRICTED", True), ("RATE_LIMITED", True), ("BANNED", False),
        ("DISCONNECTED", False), ("PENDING", False), ("OFFLINE", False), ("UNKNOWN", None), ("NEW_WORD", None),
    ],
)  # fmt: skip
def test_metas_word_says_whether_a_number_is_connected(status: str, is_connected: bool | None):
    health = cloud_api.read_health(json_answer(200, NUMBER_FACTS | {"status": status}), ACCOUNT)
    assert health == Health(is_connected, f"{status}, TS Air Cargo, CLOUD_API", "GREEN", "TIER_2K", NUMBER)


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (refused(190, 401), Health(False, "190 (#190) No – Some detail.")),
        (refused(131016, 503), Health(None, "131016 (#131016) No – Some detail.")),
        (HttpAnswer(502, b"<html>"), Health(None, "HTTP 502")),
        (json_answer(200, {"id": "1"}), Health(None, "HTTP 200")),
        (json_answer(200, {"quality_rating": None, "status": {}}), Health(None, "HTTP 200")),
    ],
)
def test_what_meta_does_not_say_of_a_number_is_not_known(answer: HttpAnswer, health: Health):
    assert cloud_api.read_health(answer, ACCOUNT) == health


@pytest.mark.parametrize(
    ("shown", "number"),
    [
        ("+1 631-555-5555", "+16315555555"),
        ("15550783881", "+15550783881"),
        ("+223 70 00 00 00", NUMBER),
        ("", ""),
        (None, ""),
        ({"number": NUMBER}, ""),
        ("soon", ""),
        ("+0 631-555-5555", ""),
        ("9" * 16, ""),
        ("٢٢٣٧٠٠٠٠٠٠٠", ""),
    ],
)
def test_our_own_number_is_read_as_it_is_written_for_people(shown: object, number: str):
    answer = json_answer(200, NUMBER_FACTS | {"display_phone_number": shown})
    assert cloud_api.read_health(answer, ACCOUNT).number == number


def test_an_older_account_still_has_a_limit_for_each_number():
    facts = {"status": "CONNECTED", "messaging_limit_tier": "TIER_1K"}
    assert cloud_api.read_health(json_answer(200, facts), ACCOUNT).limit == "TIER_1K"
    both = facts | {"whatsapp_business_manager_messaging_limit": "TIER_10K"}
    assert cloud_api.read_health(json_answer(200, both), ACCOUNT).limit == "TIER_10K"


# --- The token


@override_settings(WHATSAPP_CLOUD_API_URL="https://graph.example", WHATSAPP_CLOUD_API_VERSION="v26.0")
def test_a_token_is_asked_about_with_itself():
    request = cloud_api.token_request(base.Account("1", "EAA/+=&secret"))
    assert request.method == "GET"
    assert request.url.startswith("https://graph.example/v26.0/debug_token?")
    assert parse_qs(urlsplit(request.url).query) == {"input_token": ["EAA/+=&secret"]}
    assert request.headers == {"Authorization": "Bearer EAA/+=&secret"}
    assert "secret" not in repr(request)


# From Meta's page on debugging tokens.
TOKEN_FACTS = {
    "app_id": "138483919580948",
    "type": "SYSTEM_USER",
    "application": "TS Air Cargo",
    "data_access_expires_at": 0,
    "expires_at": 0,
    "is_valid": True,
    "issued_at": 1759300000,
    "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
    "user_id": "122093290000000000",
}


def token(**members: Any) -> TokenFacts:
    return cloud_api.read_token(json_answer(200, {"data": {**TOKEN_FACTS, **members}}))


def test_a_system_users_token_may_be_good_for_ever():
    assert token() == TokenFacts(True, None, "SYSTEM_USER, TS Air Cargo")


@pytest.mark.parametrize("seconds", [1793433600, "1793433600"])
def test_another_token_ends(seconds: object):
    assert token(expires_at=seconds).expires_at == datetime(2026, 10, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [None, 0, "0x", [], {}, -(10**30), 10**30, "soon"])
def test_an_impossible_end_is_not_known(seconds: object):
    assert token(expires_at=seconds) == token()


def test_a_bad_token_is_said_to_be_bad():
    error = {"code": 190, "message": "Error validating access token: Session has expired.", "subcode": 463}
    facts = token(is_valid=False, error=error, scopes=[])
    assert facts.is_valid is False
    assert facts.detail.startswith("Error validating access token")


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        # The one who asks is the one who is asked about.
        (refused(190, 401), TokenFacts(False, None, "190 (#190) No – Some detail.")),
        (refused(0, 401), TokenFacts(False, None, "0 (#0) No – Some detail.")),
        # May not ask: that says nothing against the token.
        (refused(100, 400), TokenFacts(None, None, "100 (#100) No – Some detail.")),
        (refused(200, 403), TokenFacts(None, None, "200 (#200) No – Some detail.")),
        (refused(2, 503), TokenFacts(None, None, "2 (#2) No – Some detail.")),
        (HttpAnswer(502, b"<html>"), TokenFacts(None, None, "HTTP 502")),
        (json_answer(200, {}), TokenFacts(None, None, "HTTP 200")),
        (json_answer(200, {"data": []}), TokenFacts(None, None, "HTTP 200")),
        (json_answer(200, {"data": {"is_valid": "true"}}), TokenFacts(None, None, "HTTP 200")),
    ],
)
def test_what_meta_does_not_say_of_a_token_is_not_known(answer: HttpAnswer, facts: TokenFacts):
    assert cloud_api.read_token(answer) == facts
