"""Who has to be called: what the machine gave up on, and what takes somebody off the list."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import translation

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
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
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    InformedHow,
    Status,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppMute,
    WhatsAppNotification,
)
from whatsapp_monitoring_app.services import (
    announcements,
    call_list,
    call_queue,
    calls,
    cleanup,
    corrections,
    failures,
    history,
    recovery,
    retries,
    statistics,
    trends,
)
from whatsapp_monitoring_app.services.announcements import Event, Telling
from whatsapp_monitoring_app.services.call_queue import Kind, Search
from whatsapp_monitoring_app.services.retries import NotRetryable

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)
MALI = scopes.get("agent_mali")
ADMIN = scopes.get("admin_mali")


def on_the_list(scope: scopes.Scope = MALI, **search: str) -> list[str]:
    return call_queue.of(scope, Search(**search), LATER).numbers


def failed(**fields: Any) -> WhatsAppNotification:
    return attempt(post(**fields), Provider(refused(131026)))


def doubtful(**fields: Any) -> WhatsAppNotification:
    notification = post(message_type="credentials", **fields)
    change(notification, status=Status.UNCONFIRMED, next_attempt_at=None, confirm_by=NOW)
    return notification


def untold(user: User, message_type: str = "delivery") -> WhatsAppAddressee:
    """Somebody for whom no message can be made: the number of their account is none."""
    User.objects.filter(pk=user.pk).update(telephone="+999")
    user.refresh_from_db()
    event = Event(
        source_app="agent_mali", idempotency_key="e", message_type=message_type, category="c", title="Arrivée"
    )
    params = {"nom": str(user), "colis": "colis TS1"}
    announced = announcements.announce(
        event, [Telling(user=user, template="envoi_arrive", params=params, about={})], NOW
    )
    return announced.announcement.addressees.get()


def errands(*notifications: WhatsAppNotification) -> calls.Errands:
    pks = [notification.pk for notification in notifications]
    return calls.Errands(WhatsAppNotification.objects.filter(pk__in=pks), WhatsAppAddressee.objects.none())


def tell(person: User, *notifications: WhatsAppNotification) -> None:
    calls.tell(errands(*notifications), person, LATER, uuid.uuid4())


def test_whoever_no_message_reached_is_called(make_user: Callable[..., User]):
    failed(phone_number="+22370000001")
    doubtful(phone_number="+22370000002")
    muted = make_user()
    WhatsAppMute.objects.create(user=muted, message_type="delivery")
    post(user=muted, phone_number="", message_type="delivery")
    corrections.note_stranger("+22370000003", make_user(), NOW)
    post(phone_number="+22370000003")
    untold(make_user())

    assert set(on_the_list()) == {"+22370000001", "+22370000002", muted.telephone, "+22370000003", "+999"}
    assert call_queue.count(MALI, LATER) == 5
    by_kind = {kind: on_the_list(kind=kind) for kind in Kind}
    assert by_kind == {
        Kind.FAILED: ["+22370000001"],
        Kind.DOUBTFUL: ["+22370000002"],
        Kind.TO_CORRECT: ["+22370000003"],
        Kind.UNWANTED: [muted.telephone],
        Kind.NO_MESSAGE: ["+999"],
    }


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED, Status.UNCONFIRMED}))
def test_nobody_else_is_called(status: Status, make_user: Callable[..., User]):
    post_in(status)
    muted = make_user()
    WhatsAppMute.objects.create(user=muted, message_type="promotion")
    post(user=muted, phone_number="", message_type="promotion")
    failed(message_type="otp", phone_number="+22370000001")

    assert on_the_list() == []
    assert call_queue.count(MALI, LATER) == 0


def test_the_most_urgent_come_first_then_who_waits_longest_and_last_whom_somebody_tried_today(
    make_user: Callable[..., User],
):
    for priority, number in ((3, "+22370000001"), (1, "+22370000002"), (3, "+22370000003"), (5, "+22370000004")):
        change(failed(phone_number=number, priority=priority), created_at=NOW - timedelta(hours=int(number[-1])))
    assert on_the_list() == ["+22370000002", "+22370000003", "+22370000001", "+22370000004"]

    calls.note_try(call_list.at_number(MALI, "+22370000002", LATER), make_user(), LATER, uuid.uuid4())
    assert on_the_list() == ["+22370000003", "+22370000001", "+22370000004", "+22370000002"]
    assert call_queue.tried_since(MALI, LATER + timedelta(days=1)) == set()


def test_a_person_is_one_entry_whatever_failed_and_the_newest_message_comes_first(make_user: Callable[..., User]):
    user = make_user("+22370000001")
    old = failed(user=user, phone_number="", title="old")
    change(old, created_at=NOW - timedelta(days=2))
    failed(user=user, phone_number="", title="new")

    assert on_the_list() == ["+22370000001"]
    (person,) = call_list.people(MALI, ["+22370000001"], LATER)
    assert [errand.title for errand in person.errands] == ["new", "old"]
    assert (person.user, person.since, person.tries) == (user, NOW - timedelta(days=2), [])


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("traoré", True), ("Awa tra", True), ("7000 00 01", True), ("Awa Keïta", False), ("70000002", False)],
)
def test_people_are_found_by_name_or_number(text: str, is_found: bool, make_user: Callable[..., User]):
    failed(user=make_user("+22370000001"), phone_number="")
    assert bool(on_the_list(text=text)) is is_found


def test_the_count_stops_where_the_menu_stops_counting(make_user: Callable[..., User]):
    notifications = [failed(phone_number=f"+2237000{number:04}") for number in range(1)]
    template = notifications[0]
    WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(
            source_app="agent_mali",
            phone_number=f"+2237100{number:04}",
            message_type="delivery",
            category="c",
            message_content="x",
            status=Status.FAILED,
            failed_at=NOW,
            created_at=template.created_at,
        )
        for number in range(150)
    )
    assert call_queue.count(MALI, LATER) == call_queue.COUNTED_AT_MOST + 1
    assert len(on_the_list()) == 151


def test_an_office_calls_about_its_own_messages_and_the_administration_about_all(make_user: Callable[..., User]):
    failed(phone_number="+22370000001")
    failed(phone_number="+22370000002", source_app="agent_chine")
    untold(make_user())

    assert set(on_the_list()) == {"+22370000001", "+999"}
    assert on_the_list(scopes.get("agent_chine")) == ["+22370000002"]
    assert set(on_the_list(ADMIN)) == {"+22370000001", "+22370000002", "+999"}
    assert [call_queue.count(scope, LATER) for scope in (MALI, ADMIN)] == [2, 3]


def test_whoever_was_told_is_off_every_list(make_user: Callable[..., User]):
    agent, notification = make_user(), failed()
    tell(agent, notification)
    notification.refresh_from_db()

    assert (notification.informed_by, notification.informed_at) == (agent, LATER)
    assert notification.informed_how == InformedHow.PHONE
    assert on_the_list() == []
    visible = WhatsAppNotification.objects.all()
    assert list(statistics.to_handle(visible, LATER)) == []
    assert failures.of(ADMIN, LATER, LATER).to_handle == 0
    assert trends.of(ADMIN, trends.period("day", LATER)).whole.counts.failed == 1
    assert retries.retry_each(visible, agent, LATER).queued == []
    (call,) = WhatsAppCall.objects.all()
    assert (call.phone_number, call.source_app, call.person, call.outcome) == (NUMBER, "agent_mali", agent, "told")


def test_whoever_has_no_message_is_told_too(make_user: Callable[..., User]):
    agent, addressee = make_user(), untold(make_user())
    found = calls.Errands(WhatsAppNotification.objects.none(), WhatsAppAddressee.objects.filter(pk=addressee.pk))
    calls.tell(found, agent, LATER, uuid.uuid4())
    addressee.refresh_from_db()

    assert (addressee.informed_by, addressee.informed_at) == (agent, LATER)
    assert on_the_list() == []
    assert WhatsAppCall.objects.get().phone_number == "+999"
    with pytest.raises(calls.NothingToNote, match="Awa"):
        calls.tell(found, make_user(), LATER, uuid.uuid4())


def test_the_second_to_note_it_hears_who_did_and_changes_nothing(make_user: Callable[..., User]):
    notification = failed()
    tell(make_user(first_name="Moussa", last_name="Keïta"), notification)
    before = snapshot(WhatsAppNotification, WhatsAppCall)

    with translation.override("en"), pytest.raises(calls.NothingToNote, match=r"Moussa Keïta told them already: .+"):
        tell(make_user(), notification)
    assert snapshot(WhatsAppNotification, WhatsAppCall) == before


def test_what_has_arrived_meanwhile_is_not_noted(make_user: Callable[..., User]):
    arrived = post_in(Status.DELIVERED)
    with pytest.raises(calls.NothingToNote, match=r"\w"):
        tell(make_user(), arrived)
    arrived.refresh_from_db()
    assert arrived.informed_at is None


@pytest.mark.django_db(transaction=True)
def test_eight_who_note_it_at_once_are_one(make_user: Callable[..., User]):
    notification, people = failed(), [make_user() for _ in range(8)]

    def press(person: User) -> bool:
        try:
            tell(person, notification)
        except calls.NothingToNote:
            return False
        return True

    assert sum(at_once(*[partial(press, person) for person in people])) == 1
    assert WhatsAppCall.objects.count() == 1


def test_a_doubtful_message_that_was_told_by_telephone_is_never_sent_again(make_user: Callable[..., User]):
    notification, provider = doubtful(), Provider(accepted())
    tell(make_user(), notification)
    recovery.run(LATER)
    attempt(notification, provider, LATER)

    assert (notification.status, provider.requests) == (Status.FAILED, [])
    assert history.decision(notification) is None
    (_created, told) = history.timeline(notification)
    assert (told.is_informing, told.at) == (True, LATER)


def test_whoever_learnt_more_from_a_newer_message_is_not_called():
    failed(subject="colis:TS1", fact_rank=20)
    newer = post(subject="colis:TS1", fact_rank=30)
    assert on_the_list() == [NUMBER]

    change(newer, status=Status.DELIVERED, next_attempt_at=None, delivered_at=NOW)
    assert on_the_list() == []
    assert call_queue.count(MALI, LATER) == 0


def test_whoever_learnt_of_one_of_two_parcels_is_called_about_the_other():
    failed(about={"colis:TS1": 20, "colis:TS2": 20})
    newer = post(about={"colis:TS1": 30})
    change(newer, status=Status.DELIVERED, next_attempt_at=None, delivered_at=NOW)
    assert on_the_list() == [NUMBER]


def test_parcels_that_were_handed_over_need_no_call(make_user: Callable[..., User]):
    user, agent = make_user(), make_user()
    told = failed(user=user, phone_number="", subject="colis:TS1", fact_rank=30)
    other = failed(user=user, phone_number="", subject="colis:TS2", fact_rank=30)
    assert calls.close(["colis:TS1"], user, agent, LATER) == 1

    told.refresh_from_db()
    assert told.informed_how == InformedHow.IN_PERSON
    (person,) = call_list.people(MALI, on_the_list(), LATER)
    assert [errand.notification for errand in person.errands] == [other]


def test_what_went_to_the_corrected_number_needs_no_call_and_no_retry(make_user: Callable[..., User]):
    agent, again = make_user(), post(phone_number="+22370000009")
    resent, sent_in_doubt = failed(), doubtful()
    for old in (resent, sent_in_doubt):
        change(old, resent_as=again)
    visible = WhatsAppNotification.objects.all()

    assert on_the_list() == []
    assert list(statistics.to_handle(visible, LATER)) == []
    assert retries.retry_each(visible, agent, LATER).queued == []
    assert not resent.can_retry
    before = snapshot(WhatsAppNotification)
    with translation.override("en"), pytest.raises(NotRetryable, match="corrected number"):
        retries.retry(resent, agent, LATER)
    assert snapshot(WhatsAppNotification) == before


def test_a_try_is_counted_once_for_each_form(make_user: Callable[..., User]):
    failed()
    request_id, agent = uuid.uuid4(), make_user()
    for _ in range(2):
        calls.note_try(call_list.at_number(MALI, NUMBER, LATER), agent, LATER, request_id)

    (person,) = call_list.people(MALI, [NUMBER], LATER)
    assert [(call.person, call.at) for call in person.tries] == [(agent, LATER)]
    with pytest.raises(calls.NothingToNote):
        calls.note_try(call_list.at_number(MALI, "+22370000009", LATER), agent, LATER, uuid.uuid4())


def test_tries_before_the_message_concerned_something_else(make_user: Callable[..., User]):
    WhatsAppCall.objects.create(
        phone_number=NUMBER, source_app="agent_mali", at=NOW - timedelta(days=1), outcome="not_reached"
    )
    failed()
    (person,) = call_list.people(MALI, [NUMBER], LATER)
    assert person.tries == []


def test_a_wrong_person_is_written_to_no_more_and_stays_on_the_list_to_be_corrected(make_user: Callable[..., User]):
    failed()
    waiting = post()
    calls.note_wrong_person(call_list.at_number(MALI, NUMBER, LATER), make_user(), LATER, uuid.uuid4())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancel_reason) == (Status.CANCELLED, CancelReason.WRONG_NUMBER)
    assert on_the_list(kind=Kind.TO_CORRECT) == [NUMBER]
    assert on_the_list(kind=Kind.FAILED) == []
    assert call_list.people(MALI, [NUMBER], LATER)[0].is_stranger


@pytest.mark.parametrize(("mine", "translated"), [("en", True), ("fr", False)])
def test_a_template_is_also_told_in_the_language_of_whoever_calls(
    mine: str, translated: bool, make_user: Callable[..., User]
):
    params = {"nom": "Awa", "numero_suivi": "TS1"}
    failed(message_content="", template="colis_arrive", params=params, user=make_user(NUMBER, language="fr"))
    with translation.override(mine):
        (person,) = call_list.people(MALI, [NUMBER], LATER)

    assert person.newest.text.startswith("Bonjour Awa")
    assert person.newest.translation.startswith("Hello Awa") is translated


def test_whoever_has_no_message_gets_the_words_of_the_announcement_and_the_reason(make_user: Callable[..., User]):
    addressee = untold(make_user())
    with translation.override("zh-hans"):
        (person,) = call_list.people(MALI, ["+999"], LATER)

    assert person.newest.text.startswith("Bonjour Awa Traoré, arrivée à Bamako")
    assert person.newest.translation_language == "zh-hans"
    assert person.newest.reason == addressee.obstacle != ""


def test_a_number_that_was_corrected_since_is_the_one_to_call(make_user: Callable[..., User]):
    user = make_user("+22370000001")
    failed(user=user, phone_number="")
    User.objects.filter(pk=user.pk).update(telephone="+22370000002")
    (person,) = call_list.people(MALI, ["+22370000001"], LATER)
    assert person.other_number == "+22370000002"


def test_old_calls_are_forgotten_with_the_messages():
    for days in (1, 91):
        WhatsAppCall.objects.create(
            phone_number=NUMBER, source_app="agent_mali", at=NOW - timedelta(days=days), outcome="told"
        )
    deleted = cleanup.delete_old(NOW, keep=timedelta(days=90), keep_payloads=timedelta(days=7))
    assert deleted["calls"] == WhatsAppCall.objects.count() == 1
