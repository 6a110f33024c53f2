"""Receiving, announcing, losing and handing over: once, whoever does it how often, at the same moment."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from agent_chine_app.models import Colis, ColisStep, Lot
from agent_mali_app import arrivals, told
from tests.agent_mali_app import freight
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import Standing, Status, WhatsAppAnnouncement, WhatsAppNotification, WhatsAppOptOut

pytestmark = pytest.mark.django_db

DAY = timezone.now().date() + timedelta(days=9)


def statuses(lot: Lot) -> list[str]:
    return list(lot.colis.order_by("pk").values_list("status", flat=True))


def test_what_is_received_has_arrived_and_the_rest_is_on_its_way():
    lot, by, at = freight.shipped_lot(3), freight.agent(), timezone.now()
    first, second, _third = freight.pks(lot)

    received = arrivals.receive(lot, [first, second], by, at)
    again = arrivals.receive(lot, [first], by, at + timedelta(hours=1))

    assert ([colis.pk for colis in received.colis], received.known_count) == ([first, second], 0)
    assert (list(again.colis), again.known_count) == ([], 1)
    assert statuses(lot) == ["arrived", "arrived", "shipped"]
    assert Colis.objects.get(pk=first).arrived_at == at
    assert ColisStep.objects.filter(kind="arrived", by=by).count() == 2
    assert Lot.objects.get().status == Lot.Status.SHIPPED


def test_a_lot_is_received_with_its_last_parcel():
    lot, at = freight.shipped_lot(2), timezone.now()

    assert len(arrivals.receive_all(lot, freight.agent(), at).colis) == 2
    assert (Lot.objects.get().status, Lot.objects.get().received_at) == (Lot.Status.RECEIVED, at)
    assert not arrivals.receive_all(lot, freight.agent(1), at).colis


@pytest.mark.parametrize("status", [Lot.Status.OPEN, Lot.Status.CLOSED], ids=str)
def test_a_lot_that_is_still_in_china_cannot_be_received(status: Lot.Status):
    lot = freight.shipped_lot(1, status=status)

    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.receive_all(lot, freight.agent(), timezone.now())
    assert arrivals.scan(lot, lot.colis.get().numero_suivi, freight.agent(1), timezone.now()).outcome == "refused"
    assert statuses(lot) == ["shipped"]


def test_a_parcel_of_another_lot_is_not_received_with_this_one():
    lot, other = freight.shipped_lot(1), freight.shipped_lot(1, number="GZ-0413")

    assert not arrivals.receive(lot, freight.pks(other), freight.agent(), timezone.now()).colis
    assert statuses(other) == ["shipped"]


def test_a_scan_says_what_the_number_is():
    lot, by, at = freight.shipped_lot(1), freight.agent(), timezone.now()
    other = freight.shipped_lot(1, number="GZ-0413").colis.get()
    loose = Colis.objects.create(client=other.client)
    number = lot.colis.get().numero_suivi

    def scan(text: str) -> tuple[str, str]:
        result = arrivals.scan(lot, text, by, at)
        return result.outcome, result.sentence

    outcomes = [scan(text)[0] for text in (f"  {number.lower()}\r\n", number, other.numero_suivi, loose.numero_suivi)]
    assert outcomes == ["received", "known", "elsewhere", "elsewhere"]
    assert "GZ-0413" in scan(other.numero_suivi)[1]
    for nonsense in ("TS00000000", "", "\x00", "é" * 5000):
        outcome, sentence = scan(nonsense)
        assert outcome == "unknown"
        assert len(sentence) < 120
    assert statuses(lot) == ["arrived"]
    other.refresh_from_db()
    assert other.status == Colis.Status.SHIPPED


@pytest.mark.django_db(transaction=True)
def test_two_agents_who_receive_one_lot_at_once_receive_each_parcel_once():
    lot = freight.shipped_lot(20)
    wanted, agents, at = freight.pks(lot), [freight.agent(number) for number in range(4)], timezone.now()

    received = freight.at_once(4, lambda number: arrivals.receive(lot, wanted, agents[number], at))

    assert sorted(len(each.colis) for each in received) == [0, 0, 0, 20]
    assert ColisStep.objects.filter(kind="arrived").count() == 20
    assert Lot.objects.get().status == Lot.Status.RECEIVED


@pytest.mark.django_db(transaction=True)
def test_a_parcel_that_is_scanned_by_two_agents_at_once_is_noted_once():
    lot = freight.shipped_lot(1)
    number, agents, at = lot.colis.get().numero_suivi, [freight.agent(number) for number in range(4)], timezone.now()

    scans = freight.at_once(4, lambda person: arrivals.scan(lot, number, agents[person], at).outcome)

    assert sorted(scans) == ["known", "known", "known", "received"]


@pytest.mark.django_db(transaction=True)
def test_receiving_and_losing_the_same_parcels_at_once_waits_for_nobody_for_ever():
    lot = freight.shipped_lot(12)
    colis, agents, at = list(lot.colis.order_by("-pk")), [freight.agent(0), freight.agent(1)], timezone.now()

    def act(number: int) -> None:
        if number:
            arrivals.receive_all(lot, agents[1], at)
        else:
            for one in colis:
                arrivals.lose(one, agents[0], at)

    freight.at_once(2, act)
    assert set(statuses(lot)) <= {"arrived", "lost"}
    assert Lot.objects.get().status == Lot.Status.RECEIVED


def test_the_clients_of_what_has_arrived_are_told_once_each(stack: Stack):
    lot, by, at = freight.shipped_lot(5, client_count=2), freight.agent(), timezone.now()
    arrivals.receive(lot, freight.pks(lot)[:4], by, at)

    announced = arrivals.tell(lot, by, at)
    assert announced is not None
    assert len(announced.notifications) == 2
    assert arrivals.tell(lot, by, at) is None
    first = eventually(lambda: stack.messages_to("+22366000000"), "the first client is told")
    (second,) = eventually(lambda: stack.messages_to("+22366000001"), "the second client is told")
    numbers = list(lot.colis.order_by("pk").values_list("numero_suivi", flat=True))
    assert len(first) == 1
    assert all(number in first[0]["text"] for number in (numbers[0], numbers[2], numbers[4]))
    assert all(number in second["text"] for number in (numbers[1], numbers[3]))


@pytest.mark.django_db(transaction=True)
def test_two_who_tell_the_clients_at_once_tell_them_once():
    lot, at = freight.shipped_lot(6, client_count=3), timezone.now()
    agents = [freight.agent(number) for number in range(3)]
    arrivals.receive_all(lot, agents[0], at)

    told_by = freight.at_once(3, lambda number: arrivals.tell(lot, agents[number], at))

    assert sum(1 for one in told_by if one) == 1
    assert WhatsAppNotification.objects.count() == 3


def test_what_comes_later_of_a_lot_is_told_later_even_when_the_oldest_announcements_are_gone():
    lot, by, at = freight.shipped_lot(2), freight.agent(), timezone.now()
    first, second = freight.pks(lot)
    departure = WhatsAppAnnouncement.objects.create(
        source_app="agent_chine", idempotency_key=f"shipped:{lot.pk}", subject=lot.subject
    )
    arrivals.receive(lot, [first], by, at)
    arrivals.tell(lot, by, at)
    departure.delete()
    arrivals.receive(lot, [second], by, at)
    again = arrivals.tell(lot, by, at)

    assert again is not None
    assert again.is_new
    assert len(again.notifications) == 1


def test_forgotten_arrivals_are_announced_after_half_an_hour_of_quiet():
    lot, by, at = freight.shipped_lot(2), freight.agent(), timezone.now()
    first, second = freight.pks(lot)
    arrivals.receive(lot, [first], by, at)
    arrivals.receive(lot, [second], by, at + timedelta(minutes=20))

    assert arrivals.told_by_itself_at(lot) == at + timedelta(minutes=50)
    assert arrivals.tell_forgotten(at + timedelta(minutes=49)) == 0
    assert arrivals.tell_forgotten(at + timedelta(minutes=51)) == 1
    assert arrivals.tell_forgotten(at + timedelta(minutes=52)) == 0
    assert WhatsAppNotification.objects.count() == 1
    assert arrivals.told_by_itself_at(lot) is None


def test_an_announcement_is_compared_with_the_clients_of_what_it_told():
    lot, by, at = freight.shipped_lot(2, client_count=2), freight.agent(), timezone.now()
    arrivals.receive_all(lot, by, at)
    arrivals.tell(lot, by, at)
    moved = lot.colis.order_by("pk").first()
    assert moved is not None
    moved.client = freight.client(7)
    moved.save()

    (row,) = told.of(lot)
    assert row.forgotten == [moved.client.user]
    assert row.reconciliation.counts[Standing.NEVER_CREATED] == 1
    assert len(told.complete(lot, row.announcement)) == 1
    (row,) = told.of(lot)
    assert not row.forgotten
    assert not told.complete(lot, row.announcement)


def test_each_announcement_answers_for_its_own_parcels():
    lot, by, at = freight.shipped_lot(2, client_count=2), freight.agent(), timezone.now()
    first, second = freight.pks(lot)
    arrivals.receive(lot, [first], by, at)
    arrivals.tell(lot, by, at)
    later = timezone.now()
    arrivals.receive(lot, [second], by, later)
    arrivals.tell(lot, by, later)

    assert [row.forgotten for row in told.of(lot)] == [[], []]
    assert [row.reconciliation.expected_count for row in told.of(lot)] == [1, 1]


def test_a_delay_is_told_once_for_each_request():
    lot, by, request_id = freight.shipped_lot(2, client_count=2), freight.agent(), uuid.uuid4()

    assert arrivals.plan_delay(lot, DAY).expected_count == 2
    assert not WhatsAppNotification.objects.exists()
    for _time in range(2):
        arrivals.delay(lot, DAY, request_id, by, timezone.now(), "Panne")
    assert WhatsAppNotification.objects.count() == 2
    assert Lot.objects.get().expected_on == DAY
    assert list(ColisStep.objects.filter(kind="delayed").values_list("note", flat=True)) == ["Panne"] * 2


def test_two_people_who_note_the_same_delay_tell_the_clients_once():
    lot, by = freight.shipped_lot(1), freight.agent()
    arrivals.delay(lot, DAY, uuid.uuid4(), by, timezone.now())

    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.delay(lot, DAY, uuid.uuid4(), by, timezone.now())
    assert WhatsAppNotification.objects.count() == ColisStep.objects.count() == 1
    arrivals.delay(lot, DAY + timedelta(days=1), uuid.uuid4(), by, timezone.now())
    assert WhatsAppNotification.objects.count() == 2


def test_nothing_of_a_lot_that_is_here_can_be_late():
    lot, by = freight.shipped_lot(1), freight.agent()
    arrivals.receive_all(lot, by, timezone.now())

    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.delay(lot, DAY, uuid.uuid4(), by, timezone.now())
    assert Lot.objects.get().expected_on is None
    assert not WhatsAppNotification.objects.exists()


def test_a_lost_parcel_is_found_again_and_nobody_gets_a_message():
    lot, by, at = freight.shipped_lot(1), freight.agent(), timezone.now()
    colis = lot.colis.get()

    assert arrivals.lose(colis, by, at, "Not in the crate")
    assert not arrivals.lose(colis, by, at)
    assert Lot.objects.get().status == Lot.Status.RECEIVED
    assert arrivals.scan(lot, colis.numero_suivi, by, at).outcome == "received"
    assert statuses(lot) == ["arrived"]
    assert not WhatsAppNotification.objects.exists()


def test_what_is_ready_lies_on_a_shelf_that_can_change_until_it_is_fetched():
    colis, by, at = freight.stored(freight.client()), freight.agent(), timezone.now()

    assert arrivals.make_ready(colis, "A1", by, at)
    assert not arrivals.make_ready(colis, "A2", by, at)
    assert arrivals.put_on_shelf(colis, "B7")
    assert Colis.objects.get().shelf == "B7"
    arrivals.hand_over(colis.client, [colis.pk], "Awa", uuid.uuid4(), by, at)
    assert not arrivals.put_on_shelf(colis, "C1")
    assert Colis.objects.get().shelf == "B7"


def test_what_is_handed_over_is_gone_and_told_of_once():
    client, by, at, request_id = freight.client(), freight.agent(), timezone.now(), uuid.uuid4()
    colis = [freight.stored(client), freight.stored(client, status=Colis.Status.READY)]
    wanted = [one.pk for one in colis]

    given = arrivals.hand_over(client, wanted, " Moussa ", request_id, by, at)
    again = arrivals.hand_over(client, wanted, "Moussa", request_id, by, at + timedelta(hours=1))

    assert list(given) == list(again) == colis
    assert {(one.handed_over_to, one.handed_over_at) for one in again} == {("Moussa", at)}
    assert WhatsAppNotification.objects.get().message_type == "pickup"
    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.hand_over(client, wanted, "Moussa", uuid.uuid4(), by, at)


def test_a_page_that_was_used_hands_nothing_else_over():
    client, by, at, request_id = freight.client(), freight.agent(), timezone.now(), uuid.uuid4()
    first, second = freight.stored(client), freight.stored(client)
    arrivals.hand_over(client, [first.pk], "Awa", request_id, by, at)

    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.hand_over(client, [second.pk], "Awa", request_id, by, at)
    second.refresh_from_db()
    assert second.status == Colis.Status.ARRIVED
    assert WhatsAppNotification.objects.count() == 1


def test_a_parcel_of_somebody_else_is_not_handed_over():
    mine, other = freight.client(0), freight.client(1)
    colis = freight.stored(other)

    with pytest.raises(arrivals.ArrivalRefusal):
        arrivals.hand_over(mine, [colis.pk], "Awa", uuid.uuid4(), freight.agent(), timezone.now())
    colis.refresh_from_db()
    assert colis.status == Colis.Status.ARRIVED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_one_form", [True, False], ids=["one form posted twice", "two desks"])
def test_parcels_are_handed_over_once_whoever_presses_at_once(is_one_form: bool):
    client, at = freight.client(), timezone.now()
    wanted = [freight.stored(client).pk for _ in range(3)]
    agents, requests = [freight.agent(number) for number in range(3)], [uuid.uuid4() for _ in range(3)]

    def act(number: int) -> int:
        request_id = requests[0 if is_one_form else number]
        try:
            return len(arrivals.hand_over(client, wanted, "Awa", request_id, agents[number], at))
        except arrivals.ArrivalRefusal:
            return 0

    assert sorted(freight.at_once(3, act)) == ([3, 3, 3] if is_one_form else [0, 0, 3])
    assert ColisStep.objects.filter(kind="handed_over").count() == 3
    assert WhatsAppNotification.objects.count() == 1


def test_handing_over_settles_the_calls_about_the_parcel():
    client, by, at = freight.client(), freight.agent(), timezone.now()
    lot = freight.shipped_lot(1)
    arrivals.receive_all(lot, by, at)
    WhatsAppOptOut.objects.create(phone_number=client.user.telephone, reason="STOP", created_at=at)
    arrivals.tell(lot, by, at)
    unheard = WhatsAppNotification.objects.get()
    assert unheard.status == Status.CANCELLED

    arrivals.hand_over(client, freight.pks(lot), "Awa", uuid.uuid4(), by, at)
    unheard.refresh_from_db()
    assert unheard.informed_by == by
