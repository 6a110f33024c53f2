"""One event, told to the right people once: written down first, told, and compared with what became of it."""

from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, at_once, change, snapshot
from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import (
    CancelReason,
    InformedHow,
    Standing,
    Status,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.services import announcements, calls, cancellation, corrections
from whatsapp_monitoring_app.services.announcements import Event, Telling

pytestmark = pytest.mark.django_db

LEFT, ARRIVED = 20, 30
WRITTEN = (WhatsAppAnnouncement, WhatsAppAddressee, WhatsAppNotification)


def event(key: str = "shipped:1", **fields: Any) -> Event:
    given = {"source_app": "agent_chine", "message_type": "expedition", "category": "colis_status", "title": "Départ"}
    return Event(**{**given, "idempotency_key": key, **fields})


def telling(user: User, *colis: str, rank: int = LEFT, **fields: Any) -> Telling:
    about = {f"colis:{one}": rank for one in colis or ("TS1",)}
    params = {"nom": str(user), "colis": ", ".join(colis or ("TS1",))}
    return Telling(**{"user": user, "template": "envoi_parti", "params": params, "about": about, **fields})


@pytest.fixture
def people(make_user: Callable[..., User]) -> list[User]:
    return [make_user(first_name="Awa", last_name=f"Traoré {number}") for number in range(3)]


@pytest.fixture
def awa(people: list[User]) -> User:
    return people[0]


def announce(*tellings: Telling, key: str = "shipped:1", **fields: Any) -> announcements.Announced:
    return announcements.announce(event(key, **fields), tellings, NOW)


def standings(announcement: WhatsAppAnnouncement, *expected: User) -> dict[Standing, int]:
    return dict(announcements.reconcile(announcement, [user.pk for user in expected]).counts)


def only_standing() -> Standing:
    """The one addressee's standing, which the row and the query must agree on."""
    addressee = WhatsAppAddressee.objects.select_related("notification").get()
    assert WhatsAppAddressee.objects.count_by_standing() == {addressee.standing: 1}
    assert list(WhatsAppAddressee.objects.all().standing(addressee.standing)) == [addressee]
    return addressee.standing


def test_everybody_is_written_down_with_a_message_each(people: list[User]):
    announced = announce(*map(telling, people), subject="lot:GZ-0412", priority=2, created_by=people[0])

    assert announced.is_new
    announcement = announced.announcement
    assert (announcement.subject, announcement.title, announcement.created_by) == ("lot:GZ-0412", "Départ", people[0])
    assert {one.user for one in announced.notifications} == set(people)
    for addressee in announcement.addressees.all():
        owed = addressee.notification
        assert owed is not None
        assert (owed.user, owed.status, owed.priority) == (addressee.user, Status.PENDING, 2)
        assert str(addressee.user) in owed.message_content
        assert list(owed.subjects.values_list("name", "fact_rank")) == [("colis:TS1", LEFT)]


def test_the_same_event_again_tells_nobody_twice_and_the_new_ones_once(people: list[User]):
    first = announce(telling(people[0]), telling(people[1]))
    again = announce(*map(telling, people))

    assert (again.announcement, again.is_new) == (first.announcement, False)
    assert [one.user for one in again.notifications] == [people[2]]
    assert WhatsAppNotification.objects.count() == WhatsAppAddressee.objects.count() == 3
    before = snapshot(*WRITTEN)
    announce(*map(telling, people))
    assert snapshot(*WRITTEN) == before


def test_the_same_key_of_another_office_is_another_event(awa: User):
    announce(telling(awa))
    assert announce(telling(awa), source_app="agent_mali").is_new


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(3))
def test_two_who_announce_the_same_at_once_announce_it_once(_again: int, people: list[User]):
    call = lambda: announce(*map(telling, people))  # noqa: E731
    first, second = at_once(call, call)

    assert first.announcement == second.announcement
    assert sorted([first.is_new, second.is_new]) == [False, True]
    assert len(first.notifications) + len(second.notifications) == 3
    assert WhatsAppNotification.objects.count() == WhatsAppAddressee.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_who_make_the_missing_messages_at_once_make_each_once(people: list[User]):
    announcement = announce(*(telling(user, template="nowhere") for user in people)).announcement
    WhatsAppAddressee.objects.update(template="envoi_parti")
    call = lambda: announcements.complete(announcement, NOW)  # noqa: E731
    first, second = at_once(call, call)

    assert sorted([len(first), len(second)]) == [0, 3]
    assert WhatsAppNotification.objects.count() == 3


def test_workers_are_rung_for_what_is_announced(stack: Stack, people: list[User]):
    tasks.announce(event(), [telling(user) for user in people])
    eventually(lambda: len(stack.messages()) == 3, "everybody is told")
    eventually(lambda: standings(WhatsAppAnnouncement.objects.get()) == {Standing.READ: 3}, "everybody has read it")


def test_many_are_written_by_as_many_queries_as_a_few(make_user: Callable[..., User]):
    def question_count(count: int) -> int:
        tellings = [telling(make_user()) for _ in range(count)]
        with CaptureQueriesContext(connection) as asked:
            announce(*tellings, key=f"shipped:{count}")
        return len(asked)

    assert question_count(2) == question_count(60)


def test_a_plan_names_those_who_get_no_message_with_the_reason_and_writes_nothing(people: list[User]):
    WhatsAppMute.objects.create(user=people[0], message_type="expedition", created_at=NOW)
    before = snapshot(*WRITTEN)
    WhatsAppSender.objects.filter(code="chine").update(rate_per_second=0.5)
    plan = announcements.plan(
        event(), [telling(people[0]), telling(people[1]), telling(people[2], template="nowhere")]
    )

    assert [one.user for one in plan.told] == [people[1]]
    assert (plan.expected_count, plan.rate_per_second, plan.duration.total_seconds()) == (3, 0.5, 2)
    assert {one.user for one, _ in plan.untold} == {people[0], people[2]}
    reasons = {user: reason for reason, (user,) in plan.refusals}
    assert "nowhere" in reasons[people[2]]
    assert reasons[people[0]] == str(CancelReason.OPT_OUT.label)
    assert snapshot(*WRITTEN) == before


def test_a_plan_counts_those_who_sleep_and_knows_whether_somebody_calls_the_others(awa: User, settings: Any):
    settings.WHATSAPP_QUIET_HOURS = (time(21), time(8))
    night, noon = NOW.replace(hour=23), NOW.replace(hour=12)

    assert announcements.plan(event(), [telling(awa)], night).sleeping_count == 1
    assert announcements.plan(event(), [telling(awa)], noon).sleeping_count == 0
    assert announcements.plan(event(message_type="delay"), [telling(awa)], noon).must_be_known
    assert not announcements.plan(event(message_type="notification"), [telling(awa)], noon).must_be_known


def test_the_most_frequent_reason_comes_first(people: list[User]):
    for user in people[1:]:
        WhatsAppMute.objects.create(user=user, message_type="expedition", created_at=NOW)
    WhatsAppWrongNumber.objects.create(phone_number=people[0].telephone, created_at=NOW)
    plan = announcements.plan(event(), [telling(user) for user in people])
    assert [names for _, names in plan.refusals] == [people[1:], people[:1]]


def test_a_message_that_cannot_be_made_says_why_and_is_made_later_once(people: list[User]):
    announced = announce(telling(people[0], template="nowhere"), telling(people[1]))
    announcement = announced.announcement
    assert standings(announcement) == {Standing.NEVER_CREATED: 1, Standing.WAITING: 1}
    assert "nowhere" in announcement.addressees.get(notification=None).obstacle
    assert list(announcements.complete(announcement, NOW)) == []

    rows.template("nowhere", variables=["nom", "colis"], text_fr="{nom} {colis}", text_en="{nom} {colis}")
    (made,) = announcements.complete(announcement, NOW)
    assert made.user == people[0]
    assert not announcement.addressees.exclude(obstacle="").exists()
    assert list(announcements.complete(announcement, NOW)) == []
    assert standings(announcement) == {Standing.WAITING: 2}


def test_nobody_is_written_to_of_what_a_person_has_told_them(awa: User, people: list[User]):
    announcement = announce(telling(awa, template="nowhere")).announcement
    assert calls.inform_addressees(announcement.addressees.all(), people[1], NOW) == 1
    assert only_standing() == Standing.INFORMED
    WhatsAppAddressee.objects.update(template="envoi_parti")
    assert list(announcements.complete(announcement, NOW)) == []


@pytest.mark.parametrize("refusal", ["mute", "opt-out"])
def test_who_does_not_want_messages_gets_none_and_is_a_gap(refusal: str, awa: User):
    if refusal == "mute":
        WhatsAppMute.objects.create(user=awa, message_type="expedition", created_at=NOW)
    else:
        WhatsAppOptOut.objects.create(phone_number=awa.telephone, created_at=NOW)
    announced = announce(telling(awa))

    assert only_standing() == Standing.REFUSED
    assert WhatsAppNotification.objects.get().cancel_reason == CancelReason.OPT_OUT
    assert announcements.reconcile(announced.announcement).gaps == [(Standing.REFUSED, 1)]


def test_a_mute_of_one_type_lets_the_others_pass(awa: User):
    WhatsAppMute.objects.create(user=awa, message_type="reminder", created_at=NOW)
    announce(telling(awa))
    assert only_standing() == Standing.WAITING


def test_nothing_goes_to_a_number_at_which_somebody_else_answers(awa: User):
    WhatsAppWrongNumber.objects.create(phone_number=awa.telephone, created_at=NOW)
    announce(telling(awa))
    assert only_standing() == Standing.WRONG_NUMBER


def test_what_waits_for_a_number_that_turns_out_to_be_another_s_becomes_a_gap(awa: User, people: list[User]):
    announce(telling(awa))
    corrections.note_stranger(awa.telephone, people[1], NOW)
    assert only_standing() == Standing.WRONG_NUMBER


def test_a_corrected_number_is_told_and_the_announcement_knows(awa: User):
    announce(telling(awa))
    old = WhatsAppNotification.objects.get()
    change(old, status=Status.FAILED, next_attempt_at=None, failed_at=NOW, error_class="recipient_permanent")
    old_number = awa.telephone
    User.objects.filter(pk=awa.pk).update(telephone="+22366123456")
    (again,) = corrections.say_again(corrections.in_vain(awa, old_number, NOW), NOW).new

    assert (again.phone_number, only_standing()) == ("+22366123456", Standing.WAITING)
    assert WhatsAppAddressee.objects.get().notification == again


def test_a_newer_announcement_replaces_what_still_waits(awa: User):
    left = announce(telling(awa, "TS1", "TS2")).announcement
    arrived = announce(telling(awa, "TS1", "TS2", rank=ARRIVED), key="arrived:1").announcement

    assert standings(left) == {Standing.REPLACED: 1}
    assert standings(arrived) == {Standing.WAITING: 1}
    assert announcements.reconcile(left).gaps == []


def test_what_covers_only_a_part_replaces_nothing_until_the_rest_is_covered_too(awa: User):
    left = announce(telling(awa, "TS1", "TS2")).announcement
    announce(telling(awa, "TS1", rank=ARRIVED), key="arrived:1")
    assert standings(left) == {Standing.WAITING: 1}

    announce(telling(awa, "TS2", rank=ARRIVED), key="arrived:2")
    assert standings(left) == {Standing.REPLACED: 1}


def test_what_is_about_other_parcels_or_people_replaces_nothing(people: list[User]):
    left = announce(telling(people[0], "TS1")).announcement
    announce(telling(people[0], "TS2", rank=ARRIVED), key="arrived:2")
    announce(telling(people[1], "TS1", rank=ARRIVED), key="arrived:1")
    assert standings(left) == {Standing.WAITING: 1}


def test_an_announcement_that_comes_too_late_is_not_told(awa: User):
    announce(telling(awa, "TS1", rank=ARRIVED), key="arrived:1")
    late = announce(telling(awa, "TS1")).announcement
    assert standings(late) == {Standing.REPLACED: 1}


def test_a_newer_message_that_failed_replaces_nothing(awa: User):
    announce(telling(awa, "TS1", rank=ARRIVED), key="arrived:1")
    newer = WhatsAppNotification.objects.get()
    change(newer, status=Status.FAILED, next_attempt_at=None, failed_at=NOW)
    assert standings(announce(telling(awa, "TS1")).announcement) == {Standing.WAITING: 1}


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({"status": Status.PENDING, "next_attempt_at": NOW}, Standing.WAITING),
        ({"status": Status.RETRY_SCHEDULED, "next_attempt_at": NOW}, Standing.WAITING),
        ({"status": Status.SENDING, "claim_id": "0" * 32, "claimed_until": NOW}, Standing.WAITING),
        ({"status": Status.UNCONFIRMED, "confirm_by": NOW}, Standing.UNCONFIRMED),
        ({"status": Status.SENT}, Standing.ACCEPTED),
        ({"status": Status.DELIVERED}, Standing.DELIVERED),
        ({"status": Status.READ}, Standing.READ),
        ({"status": Status.FAILED, "failed_at": NOW}, Standing.FAILED),
        ({"status": Status.CANCELLED, "cancel_reason": CancelReason.PERSON}, Standing.CANCELLED),
        ({"status": Status.CANCELLED, "cancel_reason": CancelReason.SUPERSEDED}, Standing.REPLACED),
        ({"status": Status.CANCELLED, "cancel_reason": CancelReason.OPT_OUT}, Standing.REFUSED),
        ({"status": Status.CANCELLED, "cancel_reason": CancelReason.WRONG_NUMBER}, Standing.WRONG_NUMBER),
    ],
    ids=lambda value: value.value if isinstance(value, Standing) else str(value["status"]),
)
@pytest.mark.parametrize("is_informed", [False, True], ids=["untold", "called"])
def test_every_fate_of_a_message_is_a_standing(
    is_informed: bool, fields: dict[str, Any], standing: Standing, awa: User
):
    announce(telling(awa))
    called = {"informed_at": NOW, "informed_how": InformedHow.PHONE} if is_informed else {}
    change(WhatsAppNotification.objects.get(), **{"next_attempt_at": None, **fields, **called})
    is_reached = standing in (Standing.DELIVERED, Standing.READ)
    assert only_standing() == (Standing.INFORMED if is_informed and not is_reached else standing)


def test_a_person_told_of_what_failed_is_no_gap_any_more(awa: User, people: list[User]):
    announcement = announce(telling(awa)).announcement
    change(WhatsAppNotification.objects.get(), status=Status.FAILED, next_attempt_at=None, failed_at=NOW)
    assert announcements.reconcile(announcement).gaps == [(Standing.FAILED, 1)]

    calls.inform(WhatsAppNotification.objects.all(), people[1], NOW)
    found = announcements.reconcile(announcement)
    assert (found.told_count, found.expected_count, found.gaps) == (1, 1, [])


def test_whoever_should_have_been_told_and_was_not_written_down_is_found(people: list[User]):
    announcement = announce(telling(people[0])).announcement
    assert standings(announcement, *people) == {Standing.WAITING: 1, Standing.NEVER_CREATED: 2}
    assert announcements.forgotten_by(announcement, [user.pk for user in people]) == {people[1].pk, people[2].pk}
    assert announcements.reconcile(announcement, [user.pk for user in people]).expected_count == 3

    announce(*map(telling, people))
    assert standings(announcement, *people) == {Standing.WAITING: 3}


def test_the_count_of_many_announcements_is_that_of_each(people: list[User]):
    one = announce(telling(people[0]), telling(people[1], template="nowhere")).announcement
    other = announce(telling(people[2]), key="shipped:2").announcement
    empty = announce(key="shipped:3").announcement
    found = dict(announcements.reconcile_all([one, other, empty]))

    assert {each: found[each].counts for each in found} == {each: standings(each) for each in (one, other, empty)}
    assert found[empty].expected_count == 0


def test_what_failed_is_queued_again_and_what_may_not_be_says_why(people: list[User]):
    announcement = announce(*map(telling, people)).announcement
    for owed in WhatsAppNotification.objects.all():
        change(owed, status=Status.FAILED, next_attempt_at=None, failed_at=NOW, attempt_count=owed.max_attempts)
    WhatsAppOptOut.objects.create(phone_number=people[0].telephone, created_at=NOW)
    WhatsAppNotification.objects.filter(user=people[1]).update(settled_by=people[2])
    retried = announcements.retry(announcement, people[2], timezone.now())

    assert [one.user for one in retried.queued] == [people[2]]
    assert sorted(retried.refusals.values()) == [1, 1]
    again = announcements.retry(announcement, people[2], timezone.now())
    assert (again.queued, sorted(again.refusals.values())) == ([], [1, 1])


def test_a_cancelled_message_is_a_gap_for_a_person(awa: User):
    announcement = announce(telling(awa)).announcement
    cancellation.cancel(WhatsAppNotification.objects.all(), CancelReason.PERSON, NOW)
    assert announcements.reconcile(announcement).gaps == [(Standing.CANCELLED, 1)]


def test_a_template_that_is_switched_off_keeps_nobody_from_being_written_down(awa: User):
    WhatsAppTemplate.objects.filter(code="envoi_parti").update(is_active=False)
    announcement = announce(telling(awa)).announcement
    assert standings(announcement) == {Standing.NEVER_CREATED: 1}
