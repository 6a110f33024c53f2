"""What Meta posts about our templates, numbers and accounts, in the shapes of its own reference pages."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from whatsapp_monitoring_app.providers.base import AccountEvent, TemplateEvent
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

cloud_api = CloudApi()

WABA = "102290129340398"
NUMBER = "+15550783881"
TEMPLATE = {
    "message_template_id": 1689556908129832,
    "message_template_name": "colis_arrive",
    "message_template_language": "en-US",
}
Event = TemplateEvent | AccountEvent


def payload(field: Any, value: Any, account_id: Any = WABA) -> dict[str, Any]:
    entry = {"id": account_id, "time": 1751247548, "changes": [{"value": value, "field": field}]}
    # Through JSON, as a webhook comes.
    return json.loads(json.dumps({"object": "whatsapp_business_account", "entry": [entry]}))


def notices(field: str, value: Any) -> list[Event]:
    return cloud_api.notices(payload(field, value))


def template(field: str, **value: Any) -> TemplateEvent:
    (event,) = notices(field, {**TEMPLATE, **value})
    assert isinstance(event, TemplateEvent)
    assert (event.business_account_id, event.name, event.language) == (WABA, "colis_arrive", "en_US")
    return event


def status(event: str, **value: Any) -> TemplateEvent:
    return template(
        "message_template_status_update",
        event=event,
        message_template_category="UTILITY",
        **{"reason": "NONE", **value},
    )


# --- Templates


def test_an_approved_template_is_approved():
    event = status("APPROVED")
    assert (event.status, event.category, event.quality, event.reason) == ("APPROVED", "UTILITY", "", "")


@pytest.mark.parametrize(
    "event",
    [
        "APPROVED", "ARCHIVED", "DELETED", "DISABLED", "IN_APPEAL", "LIMIT_EXCEEDED", "PAUSED", "PENDING",
        "PENDING_DELETION", "REJECTED", "A_NEW_WORD",
    ],
)  # fmt: skip
def test_metas_word_is_the_status(event: str):
    assert status(event).status == event
    assert status(event.lower()).status == event


@pytest.mark.parametrize("event", ["REINSTATED", "UNARCHIVED"])
def test_a_template_that_is_back_is_approved(event: str):
    assert status(event).status == "APPROVED"


@pytest.mark.parametrize("event", ["FLAGGED", "LOCKED"])
def test_a_warning_leaves_the_status_alone(event: str):
    warned = status(event, disable_info={"disable_date": 1751234563})
    assert (warned.status, warned.reason) == ("", f"{event} – 2025-06-29 22:02 UTC")


def test_a_pause_says_why():
    other = {"title": "FIRST_PAUSE", "description": "Your WhatsApp message template has been paused for 3 hours."}
    paused = status("PAUSED", other_info=other)
    assert (paused.status, paused.reason) == (
        "PAUSED",
        "FIRST_PAUSE – Your WhatsApp message template has been paused for 3 hours.",
    )


def test_a_rejection_says_why():
    rejection = {
        "reason": "Your template has parameters placed next to each other.",
        "recommendation": "Separate parameters with descriptive text.",
    }
    rejected = status("REJECTED", reason="INVALID_FORMAT", rejection_info=rejection)
    assert rejected.reason == (
        "INVALID_FORMAT – Your template has parameters placed next to each other. – Separate parameters with "
        "descriptive text."
    )


def test_a_disabled_template_says_since_when():
    assert status("DISABLED", disable_info={"disable_date": "1751234563"}).reason == "2025-06-29 22:02 UTC"
    assert status("DISABLED", disable_info={"disable_date": "June 29, 2025"}).reason == "June 29, 2025"


@pytest.mark.parametrize("reason", [None, "NONE", "", [], {}])
def test_no_reason_is_no_text(reason: object):
    assert status("APPROVED", reason=reason).reason == ""


def test_the_quality_of_a_template_changes():
    event = template("message_template_quality_update", previous_quality_score="GREEN", new_quality_score="YELLOW")
    assert (event.quality, event.status, event.category) == ("YELLOW", "", "")


def test_the_category_of_a_template_changes():
    event = template("template_category_update", previous_category="UTILITY", new_category="MARKETING")
    assert (event.category, event.reason, event.status) == ("MARKETING", "", "")


@pytest.mark.parametrize(
    ("moment", "reason"),
    [(1760711433, "becomes MARKETING – 2025-10-17 14:30 UTC"), (None, "becomes MARKETING")],
)
def test_a_coming_change_of_category_is_told_and_not_made(moment: object, reason: str):
    event = template(
        "template_category_update",
        # Meta gives the present category this name here.
        new_category="UTILITY",
        correct_category="MARKETING",
        category_update_timestamp=moment,
    )
    assert (event.category, event.reason) == ("", reason)


TEMPLATE_NEWS = {
    "message_template_status_update": {**TEMPLATE, "event": "PAUSED"},
    "message_template_quality_update": {**TEMPLATE, "new_quality_score": "RED"},
    "template_category_update": {**TEMPLATE, "new_category": "MARKETING"},
}


@pytest.mark.parametrize("field", TEMPLATE_NEWS)
@pytest.mark.parametrize("member", ["message_template_name", "message_template_language"])
@pytest.mark.parametrize("odd", [None, "", [], {}])
def test_news_of_no_template_is_left_out(field: str, member: str, odd: object, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert notices(field, {**TEMPLATE_NEWS[field], member: odd}) == []
    assert "left out" in caplog.text


@pytest.mark.parametrize("field", TEMPLATE_NEWS)
def test_a_template_of_which_nothing_is_said_is_no_news(field: str):
    assert len(notices(field, TEMPLATE_NEWS[field])) == 1
    assert notices(field, TEMPLATE) == []


# --- Numbers and limits


def account(field: str, **value: Any) -> AccountEvent:
    (event,) = notices(field, value)
    assert isinstance(event, AccountEvent)
    assert event.business_account_id == WABA
    return event


def number(event: str, **value: Any) -> AccountEvent:
    told = account("phone_number_quality_update", display_phone_number="15550783881", event=event, **value)
    assert (told.number, told.can_send, told.detail) == (NUMBER, None, event)
    return told


@pytest.mark.parametrize(
    ("event", "quality"),
    [("FLAGGED", "RED"), ("UNFLAGGED", "UNKNOWN"), ("UPGRADE", ""), ("DOWNGRADE", ""), ("ONBOARDING", "")],
)
def test_a_flagged_number_has_a_low_quality(event: str, quality: str):
    told = number(event, current_limit="TIER_10K")
    assert (told.quality, told.limit) == (quality, "TIER_10K")


def test_the_newer_limit_counts():
    limits = {"old_limit": "TIER_250", "current_limit": "TIER_1K", "max_daily_conversations_per_business": "TIER_2K"}
    assert number("UPGRADE", **limits).limit == "TIER_2K"


def test_a_higher_throughput_is_no_messaging_limit():
    assert number("THROUGHPUT_UPGRADE", current_limit="TIER_UNLIMITED").limit == ""


def test_a_number_that_has_sent_nothing_yet_has_no_limit():
    assert number("ONBOARDING", max_daily_conversations_per_business="TIER_NOT_SET").limit == ""


@pytest.mark.parametrize("shown", [None, "", "soon", [], "123"])
def test_news_of_no_number_is_not_news_of_all_numbers(shown: object):
    assert notices("phone_number_quality_update", {"display_phone_number": shown, "event": "FLAGGED"}) == []


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ({"max_daily_conversations_per_business": 2000, "max_phone_numbers_per_waba": 25}, "TIER_2K"),
        ({"max_daily_conversations_per_business": "TIER_10K"}, "TIER_10K"),
        ({"max_daily_conversation_per_phone": 250, "max_phone_numbers_per_business": 2}, "TIER_250"),
        ({"max_daily_conversation_per_phone": -1}, "TIER_UNLIMITED"),
        ({"max_daily_conversation_per_phone": 250, "max_daily_conversations_per_business": 100000}, "TIER_100K"),
        ({"max_daily_conversations_per_business": 7777}, "7777"),
    ],
)
def test_the_limit_of_a_company_is_a_word_or_a_number(value: dict[str, Any], limit: str):
    assert notices("business_capability_update", value) == [AccountEvent(WABA, limit=limit)]


def test_a_capability_without_a_limit_is_no_news():
    assert notices("business_capability_update", {"max_phone_numbers_per_waba": 25}) == []


# --- Accounts


@pytest.mark.parametrize(
    ("state", "can_send"),
    [("DISABLE", False), ("REINSTATE", True), ("SCHEDULE_FOR_DISABLE", None), ("A_NEW_WORD", None), (None, None)],
)
def test_a_ban_stops_and_a_warning_does_not(state: str | None, can_send: bool | None):
    ban = {"waba_ban_state": state, "waba_ban_date": "April 17, 2025"}
    event = account("account_update", event="DISABLED_UPDATE", ban_info=ban)
    assert event.can_send is can_send
    assert event.detail == " – ".join(part for part in ("DISABLED_UPDATE", state, "April 17, 2025") if part)


@pytest.mark.parametrize(
    ("event", "can_send"),
    [
        ("ACCOUNT_DELETED", False),
        ("ACCOUNT_OFFBOARDED", False),
        ("ACCOUNT_RECONNECTED", True),
        ("ACCOUNT_RESTRICTION", None),
        ("ACCOUNT_VIOLATION", None),
        ("PARTNER_REMOVED", None),
        ("VERIFIED_ACCOUNT", None),
        ("DISABLED_UPDATE", None),
    ],
)
def test_only_what_ends_sending_stops_us(event: str, can_send: bool | None):
    told = account("account_update", event=event)
    assert (told.can_send, told.detail, told.number) == (can_send, event, "")


def test_a_violation_is_a_warning():
    told = account("account_update", event="ACCOUNT_VIOLATION", violation_info={"violation_type": "ADULT"})
    assert (told.can_send, told.detail) == (None, "ACCOUNT_VIOLATION – ADULT")


def restricted(*restrictions: Any, **value: Any) -> AccountEvent:
    return account("account_update", event="ACCOUNT_RESTRICTION", restriction_info=list(restrictions), **value)


NO_CONVERSATIONS = {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1641330498}
NO_NEW_NUMBERS = {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "expiration": 1641330499}


def test_a_restriction_of_what_we_send_stops_us_until_it_ends():
    event = restricted(NO_CONVERSATIONS, NO_NEW_NUMBERS)
    assert event.can_send is False
    assert event.until == datetime(2022, 1, 4, 21, 8, 18, tzinfo=UTC)
    assert event.detail == (
        "ACCOUNT_RESTRICTION – RESTRICTED_BIZ_INITIATED_MESSAGING 2022-01-04 21:08 UTC – "
        "RESTRICTED_ADD_PHONE_NUMBER_ACTION 2022-01-04 21:08 UTC"
    )


def test_a_restriction_may_say_what_to_do():
    assert restricted({**NO_CONVERSATIONS, "remediation": "Review your practices."}).detail.endswith(
        "21:08 UTC – Review your practices."
    )


@pytest.mark.parametrize(
    "kind",
    [
        "RESTRICTED_ADD_PHONE_NUMBER_ACTION",
        "RESTRICTED_BUSINESS_INITIATED_CALLING",
        "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
        "RESTRICTED_UTILITY_TEMPLATES",
        "A_NEW_WORD",
        None,
    ],
)
def test_another_restriction_stops_nothing(kind: str | None):
    event = restricted({"restriction_type": kind, "expiration": 1641330498})
    assert (event.can_send, event.until) == (None, None)


def test_the_last_restriction_counts_and_one_without_an_end_has_none():
    later = {**NO_CONVERSATIONS, "expiration": "1641330999"}
    assert restricted(NO_CONVERSATIONS, later).until == datetime(2022, 1, 4, 21, 16, 39, tzinfo=UTC)
    endless = {**NO_CONVERSATIONS, "expiration": None}
    assert (restricted(endless).can_send, restricted(endless).until) == (False, None)
    assert restricted(endless, NO_CONVERSATIONS).until is None


def test_a_ban_does_not_end_with_a_restriction():
    event = restricted(NO_CONVERSATIONS, ban_info={"waba_ban_state": "DISABLE"})
    assert (event.can_send, event.until) == (False, None)


def test_a_restriction_is_one_of_the_whole_account_whichever_number_is_to_blame():
    assert restricted(NO_CONVERSATIONS, phone_number="15550783881").number == ""
    assert restricted(NO_NEW_NUMBERS, phone_number="15550783881").number == NUMBER


def test_news_in_the_name_of_a_partner_names_the_account():
    info = {"waba_id": "980198427658004", "owner_business_id": "2329417887457253"}
    (event,) = notices("account_update", {"event": "PARTNER_ADDED", "waba_info": info})
    assert event == AccountEvent("980198427658004", detail="PARTNER_ADDED")


ALERT = {
    "alert_severity": "WARNING",
    "alert_status": "ACTIVE",
    "alert_type": "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED",
    "alert_description": "Limits cannot be increased yet.",
}


@pytest.mark.parametrize("value", [{"alert_info": ALERT}, ALERT])
def test_an_alert_is_for_people(value: dict[str, Any]):
    event = account("account_alerts", entity_type="BUSINESS", entity_id=506914307656634, **value)
    detail = "WARNING – INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED – Limits cannot be increased yet."
    assert event == AccountEvent(WABA, detail=detail)


@pytest.mark.parametrize("decision", ["APPROVED", "REJECTED", "PENDING", "DEFERRED"])
def test_a_review_is_for_people(decision: str):
    assert account("account_review_update", decision=decision) == AccountEvent(
        WABA, detail=f"account review: {decision}"
    )


# --- Any shape

NEWS: dict[str, dict[str, Any]] = {
    **TEMPLATE_NEWS,
    "phone_number_quality_update": {"display_phone_number": "15550783881", "event": "FLAGGED"},
    "business_capability_update": {"max_daily_conversations_per_business": 2000},
    "account_update": {"event": "ACCOUNT_DELETED"},
    "account_alerts": {"alert_info": ALERT},
    "account_review_update": {"decision": "APPROVED"},
}


def test_a_payload_may_hold_news_of_every_kind():
    entries = [entry for field, value in NEWS.items() for entry in payload(field, value)["entry"]]
    assert len(cloud_api.notices({"entry": [None, *entries, {"id": WABA, "changes": [None, {}]}]})) == len(NEWS)


@pytest.mark.parametrize("field", NEWS)
@pytest.mark.parametrize("account_id", [None, "", [], {}])
def test_news_of_no_account_is_not_news_of_any_account(field: str, account_id: object):
    assert cloud_api.notices(payload(field, NEWS[field], account_id)) == []


@pytest.mark.parametrize("field", ["messages", "security", "flows", "phone_number_name_update", "", None, [], {}])
def test_a_field_that_we_do_not_know_holds_nothing(field: object):
    for value in NEWS.values():
        assert cloud_api.notices(payload(field, value)) == []


@pytest.mark.parametrize("field", NEWS)
@pytest.mark.parametrize("value", [None, [], "x", 7, {}, {"event": {}}, {"event": ["DISABLE"]}])
def test_odd_news_holds_nothing(field: str, value: object):
    assert notices(field, value) == []


@pytest.mark.parametrize("field", NEWS)
def test_news_holds_neither_receipts_nor_messages(field: str):
    told = payload(field, NEWS[field])
    assert (cloud_api.receipts(told), cloud_api.inbound(told), cloud_api.preferences(told)) == ([], [], [])


def test_texts_are_cut_and_cleaned_until_postgresql_takes_them():
    long = "x\x00\ud800" * 900
    told = {**TEMPLATE, "event": "PAUSED", "other_info": {"title": long}, "message_template_name": "t" * 600}
    (event,) = notices("message_template_status_update", told)
    assert isinstance(event, TemplateEvent)
    assert len(event.reason) <= 500
    assert len(event.name) <= 512
    assert "\x00" not in event.reason
    assert event.reason.encode()
