"""What clients write to us: everything is kept, STOP and START are obeyed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client, override_settings
from django.utils import translation

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import (
    NEEDS,
    NOW,
    NUMBER,
    TEXT,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post,
    post_in,
    refused,
    snapshot,
)
from whatsapp_monitoring_app import providers, scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    Status,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.providers.base import (
    HttpAnswer,
    InboundEvent,
    Kind,
    PreferenceEvent,
    ProviderError,
    ReceiptEvent,
)
from whatsapp_monitoring_app.services import bulks, cancellation, drafts, inbound, receipts, webhooks
from whatsapp_monitoring_app.services.message_types import ESSENTIAL_TYPES
from whatsapp_monitoring_app.tasks import apply_whatsapp_webhook, send_whatsapp_async

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
OTHER = "+22376123457"
CANCELLED = (Status.CANCELLED, CancelReason.OPT_OUT)


def event(
    text: str, message_id: str = "", number: str = NUMBER, occurred_at: datetime = NOW, name: str = "", **more: str
) -> InboundEvent:
    message_id = message_id or f"wamid.in.{number}.{text}.{occurred_at}"
    return InboundEvent(message_id, number, text, occurred_at, name, **more)


def write(text: str, at: datetime = NOW, **more: Any) -> WhatsAppNotification | None:
    """The client writes this; the confirmation, if one is to be sent."""
    return inbound.take("cloud_api", event(text, occurred_at=more.pop("occurred_at", at), **more), at)


def has_opted_out(number: str = NUMBER) -> bool:
    return WhatsAppOptOut.objects.filter(phone_number=number).exists()


def fate(notification: WhatsAppNotification) -> tuple[str, str]:
    notification.refresh_from_db()
    return notification.status, notification.cancel_reason


STOPS = [
    "STOP", "stop", "Stop", " stop ", "Stop.", "STOP!", "stop !!!", "STOP\n", "« STOP »", '"stop"', "*STOP*",
    "STOP 🛑", "\u200eSTOP\u200f", "\ufeffstop", "ＳＴＯＰ", "ARRET", "arrêt", "Arrêt", "ARRÊT", "Arre\u0302t !",
    "Arrêt\u202f!", "arrêter", "Unsubscribe", "停", "停。", "停！", " 停止 ", "退订",
]  # fmt: skip
STARTS = ["START", "start", "Start.", "REPRENDRE", "Reprendre !", "« reprendre »", "reprise", "开始", "恢复。"]
OTHERS = [
    "", " ", "Bonjour", "stop stop", "Ne pas arrêter", "STOPPER", "I can't stop", "arrêtez-vous où?", "不停",
    "restart", "start stop", "…", "👍", "0", "[image]",
]  # fmt: skip


@pytest.mark.parametrize("text", STOPS)
def test_stop_is_understood_however_it_is_written(text: str):
    waiting = post()
    assert write(text)
    (entry,) = WhatsAppOptOut.objects.all()
    assert (entry.phone_number, entry.reason, entry.created_at) == (NUMBER, text, NOW)
    assert fate(waiting) == CANCELLED
    assert waiting.cancelled_at == NOW


@pytest.mark.parametrize("text", STARTS)
def test_start_undoes_it_however_it_is_written(text: str):
    write("STOP")
    assert write(text, NOW + MINUTE)
    assert not has_opted_out()
    assert post(NOW + MINUTE).status == Status.PENDING


@pytest.mark.parametrize("text", OTHERS)
def test_other_words_are_kept_and_change_nothing(text: str):
    waiting = post()
    before = snapshot(WhatsAppNotification)
    assert write(text) is None
    assert not has_opted_out()
    assert snapshot(WhatsAppNotification) == before
    assert [message.text for message in WhatsAppInbound.objects.all()] == [text]
    assert fate(waiting) == (Status.PENDING, "")


def test_what_somebody_wrote_is_kept_with_its_moments_and_their_name():
    write("Bonjour", NOW + SECOND, occurred_at=NOW, message_id="wamid.in", name="Awa")
    (message,) = WhatsAppInbound.objects.all()
    assert (message.provider, message.provider_message_id) == ("cloud_api", "wamid.in")
    assert (message.phone_number, message.profile_name) == (NUMBER, "Awa")
    assert (message.occurred_at, message.received_at) == (NOW, NOW + SECOND)


def test_every_stop_is_kept_and_confirmed_once():
    first = write("STOP")
    assert write("STOP", NOW + MINUTE) is None
    assert write("arrêt", NOW + 2 * MINUTE) is None
    assert WhatsAppInbound.objects.count() == 3
    assert [row.pk for row in WhatsAppNotification.objects.all()] == [first.pk if first else None]
    assert WhatsAppOptOut.objects.get().created_at == NOW


def test_start_from_somebody_who_never_stopped_is_not_answered():
    assert write("START") is None
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("words", [("STOP",), ("STOP", "START"), ("STOP", "START", "STOP")])
@pytest.mark.parametrize("pause", [MINUTE, timedelta()], ids=["a minute apart", "in the same second"])
def test_a_replay_changes_nothing(words: tuple[str, ...], pause: timedelta):
    events = [event(word, f"wamid.{n}", occurred_at=NOW + n * pause) for n, word in enumerate(words)]
    answers = [inbound.take("cloud_api", one, NOW) for one in events]
    assert all(answers)
    before = snapshot(WhatsAppNotification, WhatsAppOptOut, WhatsAppInbound)
    assert [inbound.take("cloud_api", one, NOW + MINUTE) for one in events] == [None] * len(events)
    assert snapshot(WhatsAppNotification, WhatsAppOptOut, WhatsAppInbound) == before


@pytest.mark.parametrize(("older", "newer"), [("STOP", "START"), ("START", "STOP")])
@pytest.mark.parametrize("is_out", [True, False])
def test_the_last_word_counts_in_whatever_order_they_come(older: str, newer: str, is_out: bool):
    if is_out:
        write("STOP", NOW - MINUTE)
    write(newer, occurred_at=NOW + SECOND)
    assert write(older, NOW + MINUTE, occurred_at=NOW) is None
    assert has_opted_out() == (newer == "STOP")
    assert WhatsAppInbound.objects.filter(text=older).exists()


def test_a_chat_after_a_stop_does_not_make_it_old():
    write("Merci", occurred_at=NOW + SECOND)
    assert write("STOP", occurred_at=NOW)
    assert has_opted_out()


@pytest.mark.django_db(transaction=True)
def test_the_same_stop_from_eight_threads_at_once_is_confirmed_once():
    answers = at_once(*[partial(inbound.take, "cloud_api", event("STOP"), NOW)] * 8)
    assert len([answer for answer in answers if answer]) == 1
    assert (WhatsAppOptOut.objects.count(), WhatsAppNotification.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_stops_at_once_are_confirmed_once():
    stops = [partial(inbound.take, "cloud_api", event("STOP", f"wamid.{n}"), NOW) for n in range(8)]
    assert len([answer for answer in at_once(*stops) if answer]) == 1
    assert (WhatsAppInbound.objects.count(), WhatsAppNotification.objects.count()) == (8, 1)


@pytest.mark.parametrize(
    ("language", "stopped", "started"), [("fr", "REPRENDRE", "STOP"), ("en", "no more news", "again")]
)
def test_the_confirmation_speaks_the_persons_language_and_is_sent(
    make_user: Callable[..., User], language: str, stopped: str, started: str
):
    user, provider = make_user(NUMBER, language=language), Provider(accepted("wamid.1"), accepted("wamid.2"))
    for word, at in (("STOP", NOW), ("START", NOW + MINUTE)):
        confirmation = write(word, at, account_id=WhatsAppSender.objects.get(code="chine").account)
        assert confirmation
        assert (confirmation.user, confirmation.phone_number, confirmation.language) == (user, NUMBER, language)
        assert confirmation.message_type == "opt_out_confirmation"
        assert attempt(confirmation, provider, at).status == Status.SENT
    assert [body["to"] for body in provider.bodies] == [NUMBER, NUMBER]
    said = [body["text"]["body"] for body in provider.bodies]
    assert stopped in said[0]
    assert started in said[1]
    assert said[0] != said[1]


def test_a_stranger_is_answered_in_french_by_an_office_that_exists():
    confirmation = write("STOP")
    assert confirmation
    assert (confirmation.user, confirmation.language) == (None, "fr")
    with translation.override("fr"):
        assert "nouvelles" in confirmation.message_content
    assert attempt(confirmation, Provider(accepted())).status == Status.SENT


def test_the_confirmation_comes_from_the_office_that_wrote_last():
    post(source_app="agent_chine", at=NOW - MINUTE)
    post(source_app="agent_mali", at=NOW)
    confirmation = write("STOP")
    assert confirmation
    assert confirmation.source_app == "agent_mali"


@pytest.mark.parametrize("number", ["+22307123456", "+2230", "+999123456789"])
def test_a_stop_counts_even_from_a_number_that_cannot_be_answered(number: str):
    assert write("STOP", number=number) is None
    assert has_opted_out(number)
    assert WhatsAppInbound.objects.get().phone_number == number


def test_a_hidden_number_is_kept_and_stops_nobody():
    waiting = post()
    assert write("STOP", number="") is None
    assert not WhatsAppOptOut.objects.exists()
    assert WhatsAppInbound.objects.get().phone_number == ""
    assert fate(waiting) == (Status.PENDING, "")


@pytest.mark.parametrize("status", sorted(WAITING))
def test_what_waits_is_cancelled_but_what_is_essential_or_somebody_elses(status: Status):
    changes = {"status": status, **NEEDS[status]}
    rows = {kind: post(message_type=kind) for kind in ["notification", "colis_arrived", *ESSENTIAL_TYPES]}
    other = post(phone_number=OTHER)
    for row in [*rows.values(), other]:
        change(row, **changes)
    write("STOP")
    assert {kind for kind, row in rows.items() if fate(row) == CANCELLED} == {"notification", "colis_arrived"}
    assert fate(other) == (status, "")


@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_what_no_longer_waits_is_left_as_it_is(status: Status):
    gone = post_in(status)
    before = WhatsAppNotification.objects.filter(pk=gone.pk).values().get()
    write("STOP")
    assert WhatsAppNotification.objects.filter(pk=gone.pk).values().get() == before


def test_a_later_message_is_born_cancelled_and_never_sent():
    write("STOP")
    later, provider = post(NOW + MINUTE), Provider(accepted())
    assert fate(later) == CANCELLED
    assert (later.cancelled_at, later.next_attempt_at) == (NOW + MINUTE, None)
    attempt(later, provider, NOW + MINUTE)
    assert provider.requests == []
    assert post(NOW + MINUTE, phone_number=OTHER).status == Status.PENDING


def test_a_later_message_is_on_record_and_rings_nobody(django_capture_on_commit_callbacks: Any):
    write("STOP")
    with django_capture_on_commit_callbacks() as callbacks:
        result = send_whatsapp_async(None, TEXT, "agent_mali", phone_number=NUMBER)
    assert callbacks == []
    assert fate(WhatsAppNotification.objects.get(pk=result.id)) == CANCELLED


def test_a_bulk_does_not_reach_who_has_stopped(make_user: Callable[..., User]):
    people = [make_user(NUMBER), make_user(OTHER)]
    write("STOP")
    bulk = bulks.create(drafts.Draft(message_content=TEXT, source_app="agent_mali"), people, NOW)
    assert bulks.expand(bulk.pk, ring=list, now=lambda: NOW) == 2
    by_number = {row.phone_number: row for row in WhatsAppNotification.objects.filter(message_type="notification")}
    assert fate(by_number[NUMBER]) == CANCELLED
    assert fate(by_number[OTHER]) == (Status.PENDING, "")


@pytest.mark.parametrize("kind", ESSENTIAL_TYPES)
def test_what_is_essential_is_sent_all_the_same(kind: str):
    write("STOP")
    assert attempt(post(message_type=kind), Provider(accepted())).status == Status.SENT


def test_a_message_that_was_at_the_provider_is_not_tried_again_after_the_stop():
    def send(_request: object) -> HttpAnswer:
        write("STOP")
        return refused(131016)

    notification, provider = attempt(post(), send), Provider(accepted())
    assert notification.status == Status.RETRY_SCHEDULED
    attempt(notification, provider, NOW + 2 * MINUTE)
    assert provider.requests == []
    assert cancellation.cancel_all_refused(NOW + 2 * MINUTE) == 1
    assert fate(notification) == CANCELLED
    assert cancellation.cancel_all_refused(NOW + 2 * MINUTE) == 0


ELSEWHERE = "+22306123456"  # how the person's id differs from the number that we write to


def told(number: str, wa_id: str, **fields: Any) -> WhatsAppNotification:
    """A message that WhatsApp accepted for this number, and whose person it knows by this id."""
    notification = post(phone_number=number, **fields)
    return attempt(notification, Provider(accepted(f"wamid.{notification.pk}", wa_id)))


def numbers_out() -> set[str]:
    return set(WhatsAppOptOut.objects.values_list("phone_number", flat=True))


def test_a_stop_counts_for_every_number_that_whatsapp_knows_by_the_same_id():
    told(NUMBER, ELSEWHERE[1:])
    told(OTHER, OTHER[1:])
    waiting, others = post(), post(phone_number=OTHER)
    write("STOP", number=ELSEWHERE)
    assert numbers_out() == {ELSEWHERE, NUMBER}
    assert fate(waiting) == CANCELLED
    assert fate(others) == (Status.PENDING, "")
    assert fate(post(NOW + MINUTE)) == CANCELLED


def test_the_confirmation_is_one_and_goes_to_the_number_that_we_know(make_user: Callable[..., User]):
    user = make_user(NUMBER, language="en")
    told(NUMBER, ELSEWHERE[1:], source_app="agent_chine")
    confirmation = write("STOP", number=ELSEWHERE)
    assert confirmation
    assert (confirmation.phone_number, confirmation.user, confirmation.language) == (NUMBER, user, "en")
    assert (confirmation.source_app, confirmation.message_content[:7]) == ("agent_chine", "You wil")
    assert WhatsAppNotification.objects.filter(message_type="opt_out_confirmation").count() == 1
    assert write("STOP", NOW + MINUTE, number=ELSEWHERE) is None


def test_a_start_counts_for_the_same_numbers_and_is_confirmed_once():
    told(NUMBER, ELSEWHERE[1:])
    write("STOP", number=ELSEWHERE)
    WhatsAppOptOut.objects.create(phone_number=OTHER, reason="STOP", created_at=NOW)
    confirmation = write("START", NOW + MINUTE, number=ELSEWHERE)
    assert confirmation
    assert confirmation.phone_number == NUMBER
    assert numbers_out() == {OTHER}


def test_a_stop_reaches_a_number_that_got_the_id_only_since():
    write("STOP", number=ELSEWHERE)
    told(NUMBER, ELSEWHERE[1:])
    assert write("STOP", NOW + MINUTE, number=ELSEWHERE)
    assert numbers_out() == {ELSEWHERE, NUMBER}


def test_what_has_no_id_is_nobodys():
    post()
    assert list(WhatsAppNotification.objects.known_as("")) == []
    assert list(WhatsAppNotification.objects.known_as(NUMBER[1:])) == []


def test_whom_an_id_speaks_of_is_found_by_its_index():
    question = WhatsAppNotification.objects.known_as(ELSEWHERE[1:]).order_by()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "notification_by_wa_id" in question.explain()


def choose(
    wants_messages: bool, occurred_at: datetime = NOW, at: datetime | None = None, number: str = NUMBER
) -> None:
    """The person chooses this in WhatsApp's own settings."""
    reason = "User requested to resume" if wants_messages else "User requested to stop marketing messages"
    event = PreferenceEvent(number, wants_messages, reason, occurred_at, "Awa", "106540352242922")
    inbound.take_preference("cloud_api", event, at or occurred_at)


def test_a_stop_that_is_chosen_is_obeyed_and_not_confirmed():
    waiting, essential, others = post(), post(message_type="payment"), post(phone_number=OTHER)
    choose(False, NOW, at=NOW + SECOND)
    (entry,) = WhatsAppOptOut.objects.all()
    assert (entry.phone_number, entry.reason) == (NUMBER, "User requested to stop marketing messages")
    assert entry.created_at == NOW
    assert fate(waiting) == CANCELLED
    assert waiting.cancelled_at == NOW + SECOND
    assert [fate(row)[0] for row in (essential, others)] == [Status.PENDING] * 2
    assert WhatsAppNotification.objects.count() == 3


@pytest.mark.parametrize("stop", [partial(choose, False), partial(write, "STOP")], ids=["chosen", "written"])
def test_a_resumption_that_is_chosen_undoes_either_stop_and_is_not_confirmed(stop: Callable[[], Any]):
    stop()
    before = snapshot(WhatsAppNotification)
    choose(True, NOW + MINUTE)
    assert not has_opted_out()
    assert snapshot(WhatsAppNotification) == before
    assert post(NOW + MINUTE).status == Status.PENDING


def test_a_choice_is_kept_among_what_the_person_wrote_and_shown_in_words():
    choose(False)
    choose(True, NOW + MINUTE)
    resumed, stopped = WhatsAppInbound.objects.all()
    assert (stopped.phone_number, stopped.profile_name, stopped.account_id) == (NUMBER, "Awa", "106540352242922")
    assert (stopped.occurred_at, stopped.is_choice, resumed.is_choice) == (NOW, True, True)
    with translation.override("en"):
        assert stopped.said == "Stopped our messages in WhatsApp’s settings"
        assert resumed.said == "Allowed our messages again in WhatsApp’s settings"


@pytest.mark.parametrize("text", ["[stop]", "[resume]", "preference:"])
def test_what_somebody_types_is_never_taken_for_a_choice(text: str):
    write(text)
    (message,) = WhatsAppInbound.objects.all()
    assert (message.is_choice, message.said) == (False, text)


def test_a_choice_counts_for_every_number_that_whatsapp_knows_by_the_same_id():
    told(NUMBER, ELSEWHERE[1:])
    choose(False, number=ELSEWHERE)
    assert numbers_out() == {ELSEWHERE, NUMBER}
    choose(True, NOW + MINUTE, number=ELSEWHERE)
    assert numbers_out() == set()


SAY: dict[str, Callable[..., Any]] = {
    "STOP": partial(write, "STOP"),
    "START": partial(write, "START"),
    "stop": partial(choose, False),
    "resume": partial(choose, True),
}


@pytest.mark.parametrize(
    ("older", "newer"),
    [(older, newer) for older in SAY for newer in SAY if not (older.isupper() and newer.isupper())],
    ids="-".join,
)
@pytest.mark.parametrize("is_out", [True, False], ids=["who was out", "who was in"])
def test_the_last_word_or_choice_counts_in_whatever_order_they_come(older: str, newer: str, is_out: bool):
    if is_out:
        write("STOP", NOW - MINUTE)
    SAY[newer](occurred_at=NOW + SECOND, at=NOW + SECOND)
    before = snapshot(WhatsAppOptOut, WhatsAppNotification)
    SAY[older](occurred_at=NOW, at=NOW + MINUTE)
    assert has_opted_out() == (newer.lower() == "stop")
    assert snapshot(WhatsAppOptOut, WhatsAppNotification) == before


@pytest.mark.parametrize(
    "said",
    [("stop",), ("stop", "resume"), ("stop", "resume", "stop"), ("stop", "START"), ("STOP", "resume")],
    ids="-".join,
)
def test_choices_that_are_told_again_change_nothing(said: tuple[str, ...]):
    for number, word in enumerate(said):
        SAY[word](occurred_at=NOW + number * MINUTE, at=NOW)
    before = snapshot(WhatsAppNotification, WhatsAppOptOut, WhatsAppInbound)
    for number, word in enumerate(said):
        SAY[word](occurred_at=NOW + number * MINUTE, at=NOW + 9 * MINUTE)
    assert snapshot(WhatsAppNotification, WhatsAppOptOut, WhatsAppInbound) == before


@pytest.mark.parametrize(
    ("occurred_at", "is_out"), [(NOW - SECOND, True), (NOW + SECOND, False)], ids=["older", "newer"]
)
def test_a_resumption_undoes_no_refusal_that_was_noted_afterwards(occurred_at: datetime, is_out: bool):
    inbound.opt_out(NUMBER, "131050", NOW)
    choose(True, occurred_at, at=NOW + MINUTE)
    assert has_opted_out() == is_out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("words", [("STOP", "resume"), ("stop", "START"), ("STOP", "START")], ids="-".join)
def test_of_two_words_at_the_same_moment_the_later_one_counts(words: tuple[str, str]):
    for number in range(10):
        phone_number = f"+2237612{number:04}"
        at_once(
            *[
                partial(SAY[word], number=phone_number, occurred_at=NOW + second * SECOND, at=NOW)
                for second, word in enumerate(words)
            ]
        )
        assert not has_opted_out(phone_number)


def check_metas_own_stop(notification: WhatsAppNotification, waiting: WhatsAppNotification) -> None:
    assert fate(notification) == (Status.FAILED, "")
    assert notification.error_class == ErrorClass.OPT_OUT
    assert "Some detail" in WhatsAppOptOut.objects.get().reason
    assert fate(waiting) == CANCELLED
    assert not WhatsAppInbound.objects.exists()
    assert WhatsAppNotification.objects.count() == 2  # it is Meta's button: nothing of ours confirms it


def test_metas_own_stop_in_the_answer_is_remembered():
    waiting = post()
    check_metas_own_stop(attempt(post(), Provider(refused(131050))), waiting)


def test_metas_own_stop_in_a_receipt_is_remembered():
    waiting, notification = post(), attempt(post(), Provider(accepted()))
    error = ProviderError(ErrorClass.OPT_OUT, "131050", "Some detail")
    receipts.take("cloud_api", ReceiptEvent("wamid.one", Kind.FAILED, "failed", NOW, error=error), NOW)
    check_metas_own_stop(notification, waiting)


def message(kind: str = "text", **content: Any) -> dict[str, Any]:
    return {"from": "22376123456", "id": "wamid.in", "timestamp": "1790000000", "type": kind, kind: content}


def understood(*messages: Any, contacts: Any = None) -> list[InboundEvent]:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "messages": list(messages)}
    if contacts is not None:
        value["contacts"] = contacts
    payload = {"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value, "field": "messages"}]}]}
    return providers.get("cloud_api").inbound(payload)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (message(body="Bonjour 📦"), "Bonjour 📦"),
        (message("button", text="STOP", payload="stop-payload"), "STOP"),
        (message("interactive", type="button_reply", button_reply={"id": "1", "title": "Arrêt"}), "Arrêt"),
        (message("interactive", type="list_reply", list_reply={"id": "1", "title": "Mali"}), "Mali"),
        (message("interactive", type="nfm_reply", nfm_reply={"body": "Sent"}), "[interactive]"),
        (message("image", id="1", mime_type="image/jpeg", caption="Mon colis"), "Mon colis"),
        (message("image", id="1", mime_type="image/jpeg"), "[image]"),
        (message("audio", id="1", voice=True), "[audio]"),
        (message("reaction", message_id="wamid.one", emoji="👍"), "👍"),
        (message("reaction", message_id="wamid.one"), "[reaction]"),
        ({**message("unsupported"), "errors": [{"code": 131051}]}, "[unsupported]"),
        (message("system", body="The user changed their number"), "The user changed their number"),
    ],
)
def test_each_shape_of_meta_is_understood(shape: dict[str, Any], text: str):
    (one,) = understood(shape, contacts=[{"profile": {"name": "Awa"}, "wa_id": "22376123456"}])
    assert (one.text, one.phone_number, one.provider_message_id) == (text, NUMBER, "wamid.in")
    assert (one.profile_name, one.occurred_at) == ("Awa", datetime.fromtimestamp(1_790_000_000, UTC))


def test_the_number_of_ours_that_was_written_to_is_kept():
    (one,) = understood(message(body="Bonjour"))
    inbound.take("cloud_api", one, NOW)
    assert WhatsAppInbound.objects.get().account_id == "1"


@pytest.mark.parametrize("metadata", [None, [], "x", {}, {"phone_number_id": None}, {"phone_number_id": {}}], ids=repr)
def test_a_payload_that_does_not_tell_our_number_is_understood(metadata: Any):
    value = {"metadata": metadata, "messages": [message(body="STOP")]}
    (one,) = providers.get("cloud_api").inbound({"entry": [{"changes": [{"value": value}]}]})
    assert one.account_id == ""


@pytest.mark.parametrize("account_id", [106540352242922, "1\x00" + "0" * 200], ids=["a number", "too long"])
def test_an_odd_number_of_ours_is_cut_until_postgresql_takes_it(account_id: Any):
    value = {"metadata": {"phone_number_id": account_id}, "messages": [message(body="Bonjour")]}
    (one,) = providers.get("cloud_api").inbound({"entry": [{"changes": [{"value": value}]}]})
    inbound.take("cloud_api", one, NOW)
    assert WhatsAppInbound.objects.get().account_id == str(account_id).replace("\x00", "")[:80]


ACCOUNTS = {"chine": "1001", "mali": "1002", "systeme": "1003"}
WRITTEN_TO = ("", "1001", "1002", "1003", "environment", "strange")


@pytest.fixture
def accounts() -> None:
    for code, account_id in ACCOUNTS.items():
        WhatsAppSender.objects.filter(code=code).update(account_id=account_id)
    for number in WRITTEN_TO:
        row = event(f"to {number}")
        inbound.take("cloud_api", replace(row, account_id=number), NOW)


def read_in(office: str) -> set[str]:
    return {one.account_id for one in WhatsAppInbound.objects.visible_to(scopes.get(office))}


@pytest.mark.parametrize(
    ("office", "read"),
    [
        ("agent_chine", {"", "1001", "1003"}),
        ("agent_mali", {"", "1002", "1003"}),
        ("admin_chine", set(WRITTEN_TO)),
        ("admin_mali", set(WRITTEN_TO)),
    ],
    ids=["agent_chine", "agent_mali", "admin_chine", "admin_mali"],
)
def test_an_office_reads_what_was_written_to_a_number_that_it_speaks_through(
    office: str, read: set[str], accounts: None, settings: Any
):
    settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID = "environment"
    assert read_in(office) == read


@pytest.mark.parametrize("code", ["mali", "systeme"])
def test_a_sender_without_an_account_of_its_own_speaks_through_the_one_of_the_environment(
    code: str, accounts: None, settings: Any
):
    settings.WHATSAPP_CLOUD_PHONE_NUMBER_ID = "environment"
    WhatsAppSender.objects.filter(code=code).update(account_id="")
    assert read_in("agent_mali") == {"", "1002", "1003", "environment"} - {ACCOUNTS[code]}


def test_the_details_show_what_the_office_may_read(accounts: None, log_in: Callable[..., Client]):
    notification = post()
    shown = {
        office: log_in(office)
        .get(f"/{office.replace('_', '-')}/whatsapp/monitoring/{notification.pk}/")
        .content.decode()
        for office in ("agent_mali", "admin_mali")
    }
    assert [
        (text in shown["agent_mali"], text in shown["admin_mali"]) for text in ("to 1001", "to 1002", "to 1003")
    ] == [
        (False, True),
        (True, True),
        (True, True),
    ]


def test_a_person_without_a_number_is_understood():
    shape = {**message(body="STOP"), "from_user_id": "ML.123"}
    del shape["from"]
    (one,) = understood(shape)
    assert (one.phone_number, one.text) == ("", "STOP")


def test_each_author_keeps_their_own_name():
    contacts = [{"profile": {"name": "Awa"}, "wa_id": "22376123456"}, {"profile": {"name": "Li"}, "wa_id": "8613"}]
    events = understood(message(body="1"), {**message(body="2"), "from": "8613"}, contacts=contacts)
    assert [one.profile_name for one in events] == ["Awa", "Li"]


HOSTILE: list[Any] = [
    None,
    "STOP",
    [],
    {},
    {**message(body="x"), "id": None},
    {**message(body="x"), "id": {}},
    {**message(body="x"), "timestamp": "soon"},
    {**message(body="x"), "timestamp": 10**30},
    {**message(body="x"), "timestamp": []},
]
ODD = [
    {**message(body="x"), "from": "'; DROP TABLE"},
    {**message(body="x"), "from": "9" * 400},
    {**message(body="x"), "from": ["22376123456"]},
    {**message(body="x"), "type": None},
    {**message(body="x"), "type": {"text": 1}},
    {**message(body="x"), "type": "text" * 5000},
    {**message(body="x"), "text": "not an object"},
    {**message(body="x"), "text": None},
    message(body=["STOP"]),
    message(body="\x00\ud800" + "STOP" * 9000),
    message(body={"body": "STOP"}),
    {**message(body="x"), "id": "wamid.\x00" + "x" * 900},
    message("interactive", button_reply="x", list_reply=7),
]


@pytest.mark.parametrize("shape", HOSTILE)
def test_what_cannot_be_a_message_is_left_out_and_does_not_lose_the_others(shape: Any):
    assert [one.text for one in understood(shape, message(body="Bonjour"))] == ["Bonjour"]


@pytest.mark.parametrize("shape", ODD)
@pytest.mark.parametrize("contacts", [None, "x", [None], [{"profile": "x", "wa_id": "22376123456"}], [{"wa_id": {}}]])
def test_what_is_odd_is_kept_and_stops_nobody(shape: dict[str, Any], contacts: Any):
    for one in understood(shape, contacts=contacts):
        assert inbound.take("cloud_api", one, NOW) is None
    assert WhatsAppInbound.objects.count() == 1
    assert not WhatsAppOptOut.objects.exists()


@pytest.mark.parametrize("name", [None, 7, {"a": 1}, "\x00\ud800", "A" * 900])
def test_an_odd_name_does_not_lose_the_message(name: Any):
    contacts = [{"profile": {"name": name}, "wa_id": "22376123456"}]
    (one,) = understood(message(body="STOP"), contacts=contacts)
    assert inbound.take("cloud_api", one, NOW)


def test_a_payload_brings_receipts_and_messages_and_is_safe_to_repeat():
    notification = attempt(post(), Provider(accepted()))
    status = {"id": "wamid.one", "status": "delivered", "timestamp": "1790000000", "recipient_id": "22376123456"}
    value = {"messaging_product": "whatsapp", "statuses": [status], "messages": [message(body="STOP"), None]}
    body = json.dumps({"entry": [{"changes": [{"value": value, "field": "messages"}]}]}).encode()
    log = webhooks.store("cloud_api", body, NOW)
    first, second = webhooks.process(log.pk, NOW), webhooks.process(log.pk, NOW)
    assert (first.event_count, len(first.answers), first.errors) == (2, 1, [])
    assert (second.event_count, second.answers, second.errors) == (2, [], [])
    assert fate(notification)[0] == Status.DELIVERED
    assert has_opted_out()


def test_a_payload_of_preferences_is_obeyed_answered_by_nothing_and_safe_to_repeat():
    choice = {"wa_id": "22376123456", "detail": "User requested to stop marketing messages", "value": "stop"}
    choices = [choice | {"category": "marketing_messages", "timestamp": 1790000000}, None, {"wa_id": 7}]
    value = {"messaging_product": "whatsapp", "user_preferences": choices}
    body = json.dumps({"entry": [{"changes": [{"value": value, "field": "user_preferences"}]}]}).encode()
    log = webhooks.store("cloud_api", body, NOW)
    first, second = webhooks.process(log.pk, NOW), webhooks.process(log.pk, NOW)
    assert (first.event_count, first.answers, first.errors) == (1, [], [])
    assert (second.event_count, second.answers, second.errors) == (1, [], [])
    assert numbers_out() == {NUMBER}
    assert WhatsAppInbound.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_confirmation_really_goes_out_once(stack: Stack):
    send_whatsapp_async(phone_number=NUMBER, message_content=TEXT, source_app="agent_mali")
    eventually(lambda: WhatsAppNotification.objects.filter(status=Status.READ).first(), "read")
    phone = NUMBER.removeprefix("+")
    requests.post(f"{stack.sandbox.url}/phones/{phone}/reply", {"text": "STOP"}, timeout=5).raise_for_status()
    eventually(
        lambda: WhatsAppNotification.objects.filter(status=Status.READ).count() == 2, "the confirmation was read"
    )
    for log in WhatsAppWebhookLog.objects.filter(payload__contains="STOP"):
        WhatsAppWebhookLog.objects.filter(pk=log.pk).update(processed_at=None)
        apply_whatsapp_webhook.delay(log.pk)
        eventually(WhatsAppWebhookLog.objects.filter(pk=log.pk, processed_at__isnull=False).exists, "applied again")
    assert [(sent["type"], sent["text"][:4]) for sent in stack.messages_to(NUMBER)] == [
        ("template", "TS A"),
        ("text", "Vous"),
    ]


@override_settings(WHATSAPP_TEST_PHONE=ELSEWHERE)
def test_a_stop_from_the_test_phone_is_no_clients():
    told(NUMBER, ELSEWHERE[1:])
    with override_settings(WHATSAPP_TEST_PHONE=""):
        write("STOP", number=ELSEWHERE)
    assert numbers_out() == {ELSEWHERE}


@override_settings(WHATSAPP_TEST_PHONE=ELSEWHERE)
def test_what_whatsapp_says_of_the_test_phone_opts_no_client_out():
    attempt(post(), Provider(refused(131050)))
    assert numbers_out() == set()


def test_a_stop_is_obeyed_though_the_office_that_wrote_last_is_gone():
    change(told(NUMBER, NUMBER[1:]), source_app="agent_lune")
    confirmation = write("STOP")
    assert numbers_out() == {NUMBER}
    assert confirmation
    assert confirmation.source_app in scopes.all_scopes()


def test_a_late_start_leaves_a_refusal_that_came_after_it():
    inbound.opt_out(NUMBER, "131050", NOW + MINUTE)
    assert write("START", NOW + 2 * MINUTE, occurred_at=NOW) is None
    assert numbers_out() == {NUMBER}
    assert write("START", NOW + 3 * MINUTE, message_id="wamid.again")
    assert numbers_out() == set()
