"""The whole journey of a lot, 40 clients and 100 parcels, from the first list of clients to the last hand-over.

China works at a desk, Mali on a telephone, clients read in three languages, and after every step what the lot's page
counts is what the database has and what WhatsApp saw.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from agent_chine_app.models import Colis, Lot
from agent_mali_app.tasks import remind_of_stored_parcels
from tests.e2e.conftest import DESKTOP, new_page
from tests.e2e.journey import cast, china, mali, reckoning
from tests.e2e.journey.cast import Fate, Person, Wave
from tests.e2e.journey.reckoning import counts_reconcile, expected, wait_for_the_end
from tests.e2e.journey.stage import Stage, log_in
from tests.photos import image, written
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.tasks import process_whatsapp_retries_task

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LOT, OTHER_LOT = "GZ-0412", "GZ-0413"
FIRST, SECOND, THIRD = Wave.FIRST, Wave.SECOND, Wave.THIRD
# Who fetches two of three parcels: one came at first, one in between and one at last.
AT_THE_COUNTER = 8
# They know only when somebody calls them; the first two have not even had the link to their account.
WITHOUT_ACCOUNT = (cast.NOT_ON_WHATSAPP, cast.FAILS_LATER)
TO_CALL = (*WITHOUT_ACCOUNT, cast.OPTS_OUT, cast.STRANGER)
HELD = {fate.name: Fate.WAITING for fate in (Fate.READ, Fate.DELIVERED, Fate.ACCEPTED, Fate.FAILED)}
CALLED = {fate.name: Fate.INFORMED for fate in (Fate.FAILED, Fate.REFUSED, Fate.STRANGER)}


@dataclass
class Journey:
    stack: Stack
    people: list[Person]
    china: Stage
    mali: Stage
    admin: Stage

    def ends(self) -> None:
        wait_for_the_end(self.stack, self.people)


@pytest.fixture
def overseer(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    page = new_page(chromium, DESKTOP, complaints)
    yield page
    page.context.close()


@pytest.fixture
def journey(
    stack: Stack,
    media: Path,
    live_server: Any,
    desktop: Page,
    phone: Page,
    overseer: Page,
    make_user: Callable[..., User],
) -> Journey:
    people = cast.people()

    def at_work(page: Page, office: str, time_zone: str) -> Stage:
        log_in(page, live_server.url, make_user(role=office.replace("-", "_"), time_zone=time_zone))
        return Stage(page, office, live_server.url, stack, people)

    return Journey(
        stack,
        people,
        china=at_work(desktop, "agent-chine", "Asia/Shanghai"),
        mali=at_work(phone, "agent-mali", "Africa/Bamako"),
        admin=at_work(overseer, "admin-mali", "Africa/Bamako"),
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0001.JPG"
    path.write_bytes(written(image(1200, 900)))
    return path


def test_a_lot_of_forty_clients_goes_from_the_first_list_to_the_last_hand_over(
    journey: Journey, photo: Path, complaints: list[str]
):
    clients_and_their_parcels_are_registered(journey, photo)
    the_lot_is_filled_and_leaves(journey)
    another_lot_leaves_while_its_messages_wait(journey)
    the_first_part_arrives(journey)
    the_other_lot_arrives_before_its_departure_was_told(journey)
    the_rest_is_late(journey)
    two_more_parts_arrive_while_messages_wait(journey)
    whoever_does_not_come_is_reminded_once(journey)
    whom_no_message_reached_is_called(journey)
    two_of_three_parcels_are_handed_over(journey)
    everything_about_a_parcel_can_be_proved(journey)
    anybody_can_follow_it_without_learning_whose_it_is(journey)
    nothing_was_lost_and_nothing_doubled(journey)
    assert complaints == []


def clients_and_their_parcels_are_registered(journey: Journey, photo: Path) -> None:
    china.bring_in_the_clients(journey.china)
    journey.ends()
    china.one_opts_out(journey.china)
    china.note_a_stranger(journey.china)
    china.register_the_parcels(journey.china, photo)
    assert Colis.objects.count() == 100


def the_lot_is_filled_and_leaves(journey: Journey) -> None:
    stage = china.open_a_lot(journey.china, LOT)
    china.fill_from_the_list(stage)
    china.fill_from_the_list(stage, leave=china.SCANNED)
    china.scan_the_rest(stage)
    china.totals_are_the_sums(stage, [parcel for person in journey.people for parcel in person.parcels])
    china.close_the_lot(stage)
    journey.ends()
    china.look_at_the_plan(stage)
    china.ship_twice(stage, LOT)
    for person in journey.people:
        person.is_told("shipped", person.parcels)
    journey.ends()
    journey.china, journey.mali = stage, journey.mali.with_lot(stage.lot)
    (departure,) = stage.announcements("expedition")
    stage.open_lot()
    stage.says("35 sur 40 au courant")
    counts_reconcile(stage.page, departure, expected(journey.people), journey.stack)


def another_lot_leaves_while_its_messages_wait(journey: Journey) -> None:
    stage = china.open_a_lot(journey.china, OTHER_LOT)
    stage.open("colis/new/")
    for person in in_both_lots(journey):
        person.parcels.append(cast.other_parcel())
        china.register_by_post(stage, person, person.parcels[-1])
    journey.ends()
    pause(journey, "chine")
    stage.open_lot()
    china.fill_from_the_list(stage)
    china.close_the_lot(stage)
    china.ship(stage)
    eventually(lambda: reckoning.held().count() == 3, "the departure waits")
    (departure,) = stage.announcements("expedition")
    stage.open_lot()
    counts_reconcile(stage.page, departure, expected(in_both_lots(journey), READ=Fate.WAITING), journey.stack)
    reckoning.everybody_has_read_theirs(journey.stack, journey.people)


def the_first_part_arrives(journey: Journey) -> None:
    stage = journey.mali
    stage.open_lot()
    mali.scan_some(stage, FIRST, 5)
    mali.tick_all(stage, FIRST, 55)
    stage.says("60 sur 100 reçus")
    mali.tell(stage, waiting=40, told=38)
    for person in journey.people:
        is_told_of_arrival(person, person.has(FIRST), person.has(SECOND, THIRD))
    only_the_other_lots_departure_waits(journey)
    (arrival,) = stage.announcements("delivery")
    stage.open_lot()
    counts_reconcile(stage.page, arrival, expected(journey.people), journey.stack)


def only_the_other_lots_departure_waits(journey: Journey) -> None:
    eventually(lambda: reckoning.unfinished().count() == 3, "every other message ends", seconds=60)
    reckoning.everybody_has_read_theirs(journey.stack, journey.people)


def the_other_lot_arrives_before_its_departure_was_told(journey: Journey) -> None:
    other = Lot.objects.get(number=OTHER_LOT).pk
    stage, china_stage = journey.mali.with_lot(other), journey.china.with_lot(other)
    stage.open_lot()
    mali.receive_all(stage, 3)
    mali.tell(stage, waiting=3, told=3)
    for person in in_both_lots(journey):
        person.is_told("arrived", person.has(Wave.OTHER_LOT))
    resume(journey, "chine")
    journey.ends()
    (arrival,) = stage.announcements("delivery")
    stage.open_lot()
    counts_reconcile(stage.page, arrival, expected(in_both_lots(journey)), journey.stack)
    (departure,) = china_stage.announcements("expedition")
    china_stage.open_lot()
    replaced = expected(in_both_lots(journey), READ=Fate.REPLACED)
    counts_reconcile(china_stage.page, departure, replaced, journey.stack)


def the_rest_is_late(journey: Journey) -> None:
    stage, day = journey.mali, next_fourteenth_of_july()
    late = stage.having(SECOND, THIRD)
    stage.open_lot()
    mali.announce_a_delay(stage, day, told=len(late) - 2)
    for person in late:
        person.is_told("delayed", person.has(SECOND, THIRD), year=str(day.year))
    journey.ends()
    (delay,) = stage.announcements("delay")
    stage.open_lot()
    counts_reconcile(stage.page, delay, expected(late), journey.stack)


def two_more_parts_arrive_while_messages_wait(journey: Journey) -> None:
    """What waits to tell of the second part is not needed any more when the third is told."""
    stage = journey.mali
    second, third = stage.having(SECOND), stage.having(THIRD)
    pause(journey, "mali")
    stage.open_lot()
    mali.tick_all(stage, SECOND, len(second))
    mali.tell(stage, waiting=len(second), told=len(second))
    eventually(lambda: reckoning.held().count() == len(second), "the second part waits to be told")
    stage.open_lot()
    mali.receive_all(stage, len(third))
    stage.says("100 sur 100 reçus")
    mali.tell(stage, waiting=len(third), told=len(third) - 2)
    eventually(lambda: reckoning.held().count() == len(third) - 2, "the third part waits alone")
    _first, replaced, last = stage.announcements("delivery")
    stage.open_lot()
    counts_reconcile(stage.page, last, expected(third, **HELD), journey.stack)
    resume(journey, "mali")
    for person in third:
        person.is_told("arrived", person.has(FIRST, SECOND, THIRD))
    journey.ends()
    stage.open_lot()
    counts_reconcile(stage.page, replaced, expected(second, READ=Fate.REPLACED), journey.stack)
    counts_reconcile(stage.page, last, expected(third), journey.stack)


def whoever_does_not_come_is_reminded_once(journey: Journey) -> None:
    year = next_fourteenth_of_july().year - 2
    Colis.objects.in_storage().update(arrived_at=datetime(year, 7, 14, 12, tzinfo=UTC))
    assert remind_of_stored_parcels.delay().get(timeout=30) == len(journey.people)
    assert remind_of_stored_parcels.delay().get(timeout=30) == 0
    for person in journey.people:
        person.is_told("reminded", person.parcels, year=str(year))
    journey.ends()


def whom_no_message_reached_is_called(journey: Journey) -> None:
    stage = journey.mali
    mali.call(stage, [journey.people[place] for place in TO_CALL])
    china.only_accounts_need_a_call(journey.china, [journey.people[place] for place in WITHOUT_ACCOUNT])
    stage.open_lot()
    first, _replaced, last = stage.announcements("delivery")
    (delay,) = stage.announcements("delay")
    late, third = stage.having(SECOND, THIRD), stage.having(THIRD)
    for announcement, people in ((first, journey.people), (delay, late), (last, third)):
        counts_reconcile(stage.page, announcement, expected(people, **CALLED), journey.stack)
        # All but the one whose telephone is off.
        expect(stage.page.locator(f"#told-{announcement.pk}")).to_contain_text(
            f"{len(people) - 1} sur {len(people)} au courant"
        )


def two_of_three_parcels_are_handed_over(journey: Journey) -> None:
    person = journey.people[AT_THE_COUNTER]
    first, *others = person.parcels
    mali.hand_over(journey.mali, person, others, stays=first)
    journey.ends()


def everything_about_a_parcel_can_be_proved(journey: Journey) -> None:
    """By those who see what both offices said: eight messages; and by Mali: the parcel's own steps."""
    person = journey.people[AT_THE_COUNTER]
    last = person.parcels[-1]
    journey.admin.open(f"whatsapp/proof/?subject=colis:{last.number}")
    notices = journey.admin.page.locator(".notice")
    said = [text.strip() for text in notices.locator("blockquote").all_inner_texts()]
    heard = [text for text in person.read if last.number in text]
    assert [text for text in said if text in heard] == heard
    assert len(said) == len(heard) + 1
    expect(notices.filter(has_text="Un message plus récent en dit plus")).to_have_count(1)
    journey.mali.open(f"colis/{last.pk}/proof/")
    journey.mali.says("Reçu en Chine", "Parti de Chine", "Retardé", "Arrivé au Mali", f"Remis à{mali.FETCHED_BY}")


def anybody_can_follow_it_without_learning_whose_it_is(journey: Journey) -> None:
    person, page = journey.people[AT_THE_COUNTER], journey.mali.page
    page.context.clear_cookies()
    page.goto(f"{journey.mali.url}/suivi/{person.parcels[-1].number}/")
    steps = page.locator(".timeline strong").all_inner_texts()
    assert steps == ["Remis", "Arrivé au Mali", "Retardé", "Parti de Chine", "Reçu en Chine"]
    journey.mali.fits()
    for secret in (person.last_name, person.telephone, mali.FETCHED_BY, Wave.THIRD):
        assert secret not in page.content()


def nothing_was_lost_and_nothing_doubled(journey: Journey) -> None:
    """Each message that was owed has ended; WhatsApp has each that left once, and no other."""
    journey.ends()
    left = WhatsAppNotification.objects.exclude(provider_message_id=None)
    tracked = [one["tracking"] for one in journey.stack.messages()]
    assert sorted(tracked) == sorted(str(code) for code in left.values_list("code", flat=True))


def in_both_lots(journey: Journey) -> list[Person]:
    return [journey.people[place] for place in cast.IN_BOTH_LOTS]


def is_told_of_arrival(person: Person, here: list[cast.Parcel], rest: list[cast.Parcel]) -> None:
    person.is_told("arrived in part" if rest else "arrived", here, rest)


def pause(journey: Journey, sender: str) -> None:
    _open_sender(journey, sender, "pause/")
    journey.admin.press("Suspendre cet expéditeur")
    journey.admin.is_told("il n’envoie rien jusqu’à la reprise")


def resume(journey: Journey, sender: str) -> None:
    """What waited is due, and the next sweep, which nobody waits a minute for here, finds it."""
    _open_sender(journey, sender)
    journey.admin.press("Reprendre")
    journey.admin.is_told("Les messages en attente partent dans la minute")
    process_whatsapp_retries_task.delay().get(timeout=30)


def _open_sender(journey: Journey, sender: str, path: str = "") -> None:
    journey.admin.open(f"whatsapp/senders/{WhatsAppSender.objects.get(code=sender).pk}/{path}")


def next_fourteenth_of_july() -> date:
    today = timezone.localdate()
    day = date(today.year, 7, 14)
    return day if day >= today else day.replace(year=today.year + 1)
