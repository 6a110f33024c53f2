"""The way of a lot: opened, filled, closed, shipped; twice, or by two people at once, is once."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from agent_chine_app import lots
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, ColisStep, Lot, Transport
from agent_mali_app import arrivals
from tests.whatsapp_monitoring_app.scripts import at_once, snapshot
from whatsapp_monitoring_app.models import (
    Standing,
    Status,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppMute,
    WhatsAppNotification,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(make_user: Callable[..., User]) -> User:
    return make_user("+8613800000001", role="agent_chine", first_name="Li", last_name="Wei")


def client(number: int = 0) -> Client:
    return create_client(f"+2237612{number:04}", f"Client{number}", "Dupont")[0]


def lot_of(*parcels: Colis, number: str = "GZ-0412", **fields: Any) -> Lot:
    lot = Lot.objects.create(number=number, **fields)
    Colis.objects.filter(pk__in=[colis.pk for colis in parcels]).update(lot=lot)
    return lot


def closed_lot(*parcels: Colis, number: str = "GZ-0412") -> Lot:
    return lot_of(*parcels, number=number, status=Lot.Status.CLOSED, closed_at=timezone.now())


def parcel(owner: Client | None = None, **fields: Any) -> Colis:
    return Colis.objects.create(client=owner or client(), **fields)


def refusal(call: Callable[[], Any]) -> str:
    """What the refused call says; nothing may have moved."""
    before = snapshot(Lot, Colis, ColisStep, WhatsAppNotification)
    with pytest.raises(lots.LotRefusal) as refused:
        call()
    assert snapshot(Lot, Colis, ColisStep, WhatsAppNotification) == before
    return str(refused.value)


def fresh(lot: Lot) -> Lot:
    return Lot.objects.get(pk=lot.pk)


@pytest.mark.parametrize(
    ("latest", "next_one"),
    [
        (None, "GZ-0001"),
        ("GZ-0412", "GZ-0413"),
        ("GZ-0999", "GZ-1000"),
        ("GZ-9999", "GZ-10000"),
        ("2026/11-7", "2026/11-8"),
        ("41", "42"),
        ("NOEL", "GZ-0001"),
    ],
)
def test_the_next_number_is_one_more_than_the_latest(latest: str | None, next_one: str):
    if latest:
        lot_of(number="ZZ-9000")
        lot_of(number=latest)
    assert lots.next_number() == next_one


def test_the_same_request_twice_is_one_lot(agent: User):
    request_id = uuid.uuid4()
    first = lots.create(" gz-0413 ", Transport.BATEAU, request_id, agent)
    again = lots.create("GZ-0413", Transport.CARGO, request_id, agent)

    assert first == again == Lot.objects.get()
    assert (first.number, again.transport, first.created_by) == ("GZ-0413", Transport.BATEAU, agent)


def test_a_number_that_is_taken_is_refused(agent: User):
    lot_of(number="GZ-0412")
    assert refusal(lambda: lots.create("GZ-0412", Transport.CARGO, uuid.uuid4(), agent))


@pytest.mark.django_db(transaction=True)
def test_two_people_who_open_lots_of_one_number_at_once_open_one(agent: User):
    def create() -> str:
        try:
            return lots.create("GZ-0413", Transport.CARGO, uuid.uuid4(), agent).number
        except lots.LotRefusal:
            return "refused"

    assert sorted(at_once(create, create)) == ["GZ-0413", "refused"]
    assert Lot.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_form_that_is_posted_twice_at_once_opens_one_lot(agent: User):
    request_id = uuid.uuid4()

    def create() -> Lot:
        return lots.create("GZ-0413", Transport.CARGO, request_id, agent)

    first, second = at_once(create, create)
    assert first == second == Lot.objects.get()


def test_a_parcel_joins_by_its_number_however_it_is_typed():
    colis, lot = parcel(), lot_of()
    added = lots.add(lot, [f"  {colis.numero_suivi.lower()}\t", "", colis.numero_suivi])

    assert (added.numbers, added.refusals) == ([colis.numero_suivi], [])
    assert list(lot.colis.all()) == [colis]


def test_each_parcel_that_cannot_join_says_why_and_keeps_no_other_from_joining():
    lot, other = lot_of(), lot_of(number="GZ-0411")
    good, inside = parcel(), parcel(lot=lot)
    elsewhere = parcel(lot=other)
    gone = parcel(status=Colis.Status.ARRIVED)
    by_ship = parcel(transport=Transport.BATEAU)
    wanted = [inside, elsewhere, gone, by_ship, good]
    added = lots.add(lot, ["TSNOWHERE", *(colis.numero_suivi for colis in wanted)])

    assert added.numbers == [good.numero_suivi]
    assert len(added.refusals) == len(set(added.refusals)) == 5
    named = ["TSNOWHERE", *(colis.numero_suivi for colis in wanted[:-1])]
    assert [number in sentence for number, sentence in zip(named, added.refusals, strict=True)] == [True] * 5
    assert "GZ-0411" in added.refusals[2]
    assert set(lot.colis.all()) == {good, inside}


@pytest.mark.parametrize("status", [Lot.Status.CLOSED, Lot.Status.SHIPPED, Lot.Status.RECEIVED])
def test_nothing_joins_or_leaves_a_lot_that_is_not_open(status: Lot.Status):
    inside, outside = parcel(), parcel()
    lot = lot_of(inside, status=status)

    assert refusal(lambda: lots.add(lot, [outside.numero_suivi]))
    assert refusal(lambda: lots.remove(lot, inside))


def test_a_parcel_is_taken_out_once():
    inside, outside = parcel(), parcel()
    lot = lot_of(inside)
    assert [lots.remove(lot, inside), lots.remove(lot, inside), lots.remove(lot, outside)] == [True, False, False]
    assert not lot.colis.exists()


def test_an_empty_lot_is_not_closed_and_a_closed_one_not_again():
    lot = lot_of()
    assert refusal(lambda: lots.close(lot, timezone.now()))
    lots.add(lot, [parcel().numero_suivi])
    lots.close(lot, timezone.now())
    assert fresh(lot).status == Lot.Status.CLOSED
    assert fresh(lot).closed_at
    assert refusal(lambda: lots.close(lot, timezone.now()))


def test_a_closed_lot_is_opened_again_and_no_other_one():
    lot = closed_lot(parcel())
    lots.reopen(lot)
    assert (fresh(lot).status, fresh(lot).closed_at) == (Lot.Status.OPEN, None)
    assert refusal(lambda: lots.reopen(lot))


def test_a_lot_that_leaves_owes_each_client_one_message_whatever_they_ship(agent: User):
    rich, poor = client(1), client(2)
    lot = closed_lot(parcel(rich), parcel(rich), parcel(rich), parcel(poor))
    at, day = timezone.now(), date(2026, 12, 3)
    announced = lots.ship(lot, agent, at, day)

    shipped = fresh(lot)
    assert (shipped.status, shipped.shipped_at, shipped.expected_on) == (Lot.Status.SHIPPED, at, day)
    assert set(lot.colis.values_list("status", flat=True)) == {Colis.Status.SHIPPED}
    assert ColisStep.objects.filter(kind=ColisStep.Kind.SHIPPED, by=agent, at=at).count() == 4
    assert {one.user for one in announced.notifications} == {rich.user, poor.user}
    assert WhatsAppNotification.objects.count() == 2
    for colis in Colis.objects.filter(client=rich):
        assert colis.numero_suivi in WhatsAppNotification.objects.get(user=rich.user).message_content


def test_a_lot_leaves_once_and_not_before_it_is_closed(agent: User):
    lot = lot_of(parcel())
    assert refusal(lambda: lots.ship(lot, agent, timezone.now()))
    lots.close(lot, timezone.now())
    lots.ship(lot, agent, timezone.now())
    assert refusal(lambda: lots.ship(lot, agent, timezone.now()))
    assert refusal(lambda: lots.reopen(lot))


def test_a_plan_counts_those_who_will_be_told_and_writes_nothing(agent: User):
    told, muted = client(1), client(2)
    WhatsAppMute.objects.create(user=muted.user, message_type="expedition", created_at=timezone.now())
    lot = closed_lot(parcel(told), parcel(muted), parcel(muted))
    before = snapshot(Lot, Colis, WhatsAppAnnouncement, WhatsAppNotification)
    plan = lots.plan(lot)

    assert [telling.user for telling in plan.told] == [told.user]
    ((telling, reason),) = plan.untold
    assert (telling.user, bool(reason)) == (muted.user, True)
    assert snapshot(Lot, Colis, WhatsAppAnnouncement, WhatsAppNotification) == before


def outcomes(*calls: Callable[[], Any]) -> list[str]:
    """What became of these calls at one moment, in words that can be sorted."""

    def run(call: Callable[[], Any]) -> Callable[[], str]:
        def try_it() -> str:
            try:
                call()
            except lots.LotRefusal:
                return "refused"
            return "done"

        return try_it

    return sorted(at_once(*(run(call) for call in calls)))


@pytest.mark.django_db(transaction=True)
def test_several_people_who_ship_a_lot_at_once_ship_it_once(agent: User):
    lot = closed_lot(*(parcel(client(number)) for number in range(5)))
    ship = lambda: lots.ship(lot, agent, timezone.now())  # noqa: E731

    assert outcomes(ship, ship, ship) == ["done", "refused", "refused"]
    assert WhatsAppAnnouncement.objects.count() == 1
    assert WhatsAppNotification.objects.count() == 5
    assert ColisStep.objects.filter(kind=ColisStep.Kind.SHIPPED).count() == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(3))
def test_two_people_who_scan_the_same_parcels_into_two_lots_put_each_into_one(_again: int):
    parcels = [parcel() for _ in range(10)]
    numbers = [colis.numero_suivi for colis in parcels]
    here, there = lot_of(), lot_of(number="GZ-0413")
    first, second = at_once(lambda: lots.add(here, numbers), lambda: lots.add(there, numbers[::-1]))

    assert sorted([*first.numbers, *second.numbers]) == sorted(numbers)
    assert len(first.refusals) + len(second.refusals) == len(numbers)
    assert here.colis.count() == len(first.numbers)
    assert there.colis.count() == len(second.numbers)


@pytest.mark.django_db(transaction=True)
def test_a_parcel_that_is_scanned_twice_at_once_joins_once():
    colis, lot = parcel(), lot_of()
    scan = lambda: lots.add(lot, [colis.numero_suivi])  # noqa: E731
    first, second = at_once(scan, scan)

    assert sorted([len(first.numbers), len(second.numbers)]) == [0, 1]
    assert sorted([len(first.refusals), len(second.refusals)]) == [0, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(3))
def test_what_is_scanned_while_the_lot_is_closed_is_in_it_or_refused(_again: int):
    late, lot = parcel(), lot_of(parcel())
    done = outcomes(lambda: lots.add(lot, [late.numero_suivi]), lambda: lots.close(lot, timezone.now()))

    assert fresh(lot).status == Lot.Status.CLOSED
    assert lot.colis.count() == (2 if done == ["done", "done"] else 1)


def test_whoever_was_forgotten_is_found_and_told_once(agent: User):
    lot = closed_lot(parcel(client(1)))
    lots.ship(lot, agent, timezone.now())
    forgotten = parcel(client(2), status=Colis.Status.SHIPPED, lot=lot)

    (told,) = lots.told(lot)
    assert list(told.forgotten) == [forgotten.client.user]
    assert told.reconciliation.counts == {Standing.WAITING: 1, Standing.NEVER_CREATED: 1}

    made = lots.complete(lot, agent).notifications
    assert [one.user for one in made] == [forgotten.client.user]
    assert not lots.complete(lot, agent).notifications
    (told,) = lots.told(lot)
    assert (list(told.forgotten), told.reconciliation.counts) == ([], {Standing.WAITING: 2})
    assert WhatsAppAddressee.objects.count() == 2


def test_what_is_said_too_late_gives_way_to_what_the_client_knows_already(agent: User):
    lot = closed_lot(parcel(client(1)))
    lots.ship(lot, agent, timezone.now())
    late = parcel(client(2), status=Colis.Status.ARRIVED, lot=lot)
    arrivals.tell(lot, agent, timezone.now())
    lots.complete(lot, agent)

    theirs = WhatsAppNotification.objects.filter(user=late.client.user).order_by("fact_rank")
    assert [one.status for one in theirs] == [Status.CANCELLED, Status.PENDING]


def test_missing_messages_are_not_made_before_the_lot_has_left(agent: User):
    lot = closed_lot(parcel())
    assert refusal(lambda: lots.complete(lot, agent))
    assert lots.told(lot) == []


@pytest.mark.parametrize("text", ["0412", "gz-", "number"])
def test_a_lot_is_found_by_its_number_and_by_that_of_a_parcel(text: str):
    inside = parcel()
    lot = lot_of(inside, parcel())
    lot_of(number="TK-1")
    assert list(Lot.objects.matching(inside.numero_suivi[2:] if text == "number" else text)) == [lot]


def test_the_totals_of_many_lots_are_those_of_each():
    full, empty = lot_of(parcel(weight_kg="12.50", pieces=2), parcel(pieces=3)), lot_of(number="GZ-0413")
    rows: dict[int, Any] = {lot.pk: vars(lot) for lot in Lot.objects.with_totals()}
    found = [[rows[lot.pk][name] for name in ("colis_count", "piece_count", "weight_sum")] for lot in (full, empty)]

    assert found == [[2, 5, full.totals.weight_kg], [0, 0, 0]]
    assert (full.totals.colis, full.totals.pieces, full.totals.clients, full.totals.unweighed) == (2, 5, 1, 1)
