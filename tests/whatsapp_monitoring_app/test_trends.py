"""The dashboard's figures: right on rows made by hand, by the reader's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from tests import rows
from tests.whatsapp_monitoring_app.brute_force import is_about
from tests.whatsapp_monitoring_app.scripts import NOW as MORNING
from tests.whatsapp_monitoring_app.scripts import post
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import CancelReason, ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import failures, recording, search, statistics, trends
from whatsapp_monitoring_app.services.durations import Spread
from whatsapp_monitoring_app.services.preparation import Wait
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

# Half past two in the morning at Guangzhou, half past six in the evening at Bamako, a Monday.
NOW = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
ADMIN = scopes.get("admin_mali")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["Africa/Bamako", "Asia/Shanghai"])
def zone(request: pytest.FixtureRequest) -> Iterator[ZoneInfo]:
    with timezone.override(ZoneInfo(request.param)):
        yield ZoneInfo(request.param)


def owed(status: Status, before: timedelta, office: str = "agent_mali", **fields: Any) -> WhatsAppNotification:
    """A message that was created so long before now."""
    return rows.notification(office, status, created_at=NOW - before, **fields)


def trend(name: str, office: str = "admin_mali") -> trends.Trend:
    return trends.of(scopes.get(office), trends.period(name, NOW))


def listed(filters: search.Filters) -> int:
    return filters.apply(WhatsAppNotification.objects.all(), NOW).count()


def busy(found: trends.Trend) -> dict[str, int]:
    """The hours or days in which something happened."""
    counts = {f"{point.at:%d %H:%M}": point.figures.counts.total for point in found.points}
    return {moment: count for moment, count in counts.items() if count}


@pytest.mark.parametrize(
    ("name", "bamako", "guangzhou", "point_counts"),
    [
        ("today", "2026-11-23 00:00", "2026-11-24 00:00", (19, 3)),
        ("day", "2026-11-22 18:00", "2026-11-23 02:00", (25, 25)),
        ("week", "2026-11-17 00:00", "2026-11-18 00:00", (7, 7)),
        ("month", "2026-10-25 00:00", "2026-10-26 00:00", (30, 30)),
    ],
)
def test_a_period_begins_by_the_reader_s_clock(
    name: str, bamako: str, guangzhou: str, point_counts: tuple[int, int], zone: ZoneInfo
):
    period = trends.period(name, NOW)
    is_bamako = zone.key == "Africa/Bamako"

    assert f"{period.begin:%Y-%m-%d %H:%M}" == (bamako if is_bamako else guangzhou)
    assert len(period.moments) == point_counts[0 if is_bamako else 1]
    assert period.moments[-1] == (datetime(2026, 11, 23, 18) if is_bamako else datetime(2026, 11, 24, 2)).replace(  # noqa: DTZ001 - the clock on the wall
        hour={"hour": 18 if is_bamako else 2, "day": 0}[period.unit]
    )


@pytest.mark.parametrize("name", trends.PERIODS)
def test_the_list_of_a_period_shows_what_it_counts(name: str, zone: ZoneInfo):
    for hours in (0, 2, 3, 17, 19, 23, 25, 24 * 6 + 3, 24 * 6 + 18, 24 * 6 + 19, 24 * 29 + 3, 24 * 30):
        owed(Status.READ, hours * HOUR)
    found = trend(name)

    assert listed(found.period.filters) == found.whole.counts.total
    assert sum(point.figures.counts.total for point in found.points) == found.whole.counts.total
    assert sum(kind.figures.counts.total for kind in found.kinds) == found.whole.counts.total


@pytest.mark.parametrize("name", ["garbage", "", "DAY"])
def test_an_unknown_period_is_the_last_24_hours(name: str):
    assert trends.period(name, NOW).name == "day"


def test_messages_around_midnight_belong_to_the_reader_s_day(zone: ZoneInfo):
    for at in (datetime(2026, 11, 22, 15, 59), datetime(2026, 11, 22, 16), datetime(2026, 11, 22, 23, 59, 59)):  # noqa: DTZ001
        rows.notification("agent_mali", Status.READ, created_at=at.replace(tzinfo=UTC))
    rows.notification("agent_mali", Status.READ, created_at=datetime(2026, 11, 23, tzinfo=UTC))

    by_place = {
        "Africa/Bamako": {"22 00:00": 3, "23 00:00": 1},
        # Sixteen o'clock UTC is midnight there.
        "Asia/Shanghai": {"22 00:00": 1, "23 00:00": 3},
    }
    assert busy(trend("week")) == by_place[zone.key]


def test_hours_are_those_of_the_reader(zone: ZoneInfo):
    owed(Status.READ, 5 * HOUR)
    owed(Status.READ, timedelta(minutes=30))
    owed(Status.READ, timedelta(minutes=29))

    by_place = {"Africa/Bamako": {"23 13:00": 1, "23 18:00": 2}, "Asia/Shanghai": {"23 21:00": 1, "24 02:00": 2}}
    assert busy(trend("day")) == by_place[zone.key]


def test_an_hour_without_messages_is_there_too():
    owed(Status.READ, 3 * HOUR)
    found = trend("today")

    assert [point.at.hour for point in found.points] == list(range(19))
    assert [point.figures.counts.total for point in found.points] == [0] * 15 + [1] + [0] * 3
    assert found.points[0].figures.counts.success_percent is None


def test_every_message_has_one_status():
    for number, status in enumerate(Status):
        for _ in range(number + 1):
            held: dict[str, Any] = {"claim_id": "0" * 32, "claimed_until": NOW} if status == Status.SENDING else {}
            owed(status, HOUR, **held)
    counts = trend("day").whole.counts

    assert (counts.waiting, counts.unconfirmed, counts.accepted, counts.unknown) == (1 + 2 + 4, 3, 5, 0)
    assert (counts.delivered, counts.read, counts.failed, counts.cancelled) == (6, 7, 8, 9)
    assert counts.total == 45
    assert counts.success_percent == round(100 * 13 / 21)


@pytest.mark.parametrize(("name", "length"), [("today", DAY), ("day", DAY), ("week", 7 * DAY), ("month", 30 * DAY)])
def test_a_period_is_compared_with_the_one_before(name: str, length: timedelta):
    for status in (Status.READ, Status.READ, Status.READ, Status.FAILED):
        owed(status, HOUR)
    for status in (Status.READ, Status.FAILED):
        owed(status, HOUR + length)
    # Of neither: later than this clock time in the period before, and before that one.
    owed(Status.FAILED, length - HOUR, office="agent_chine") if name == "today" else None
    owed(Status.READ, HOUR + 2 * length)
    found = trend(name)

    assert (found.whole.counts.success_percent, found.before.success_percent, found.gain) == (75, 50, 25)
    (point,) = [point for point in found.points if point.previous_percent is not None]
    assert (point.previous_percent, point.figures.counts.success_percent) == (50, 75)


def test_there_is_no_change_where_there_is_nothing_to_compare():
    assert trend("week").gain is None
    owed(Status.READ, HOUR)
    assert (trend("week").whole.counts.success_percent, trend("week").gain) == (100, None)


def test_the_times_are_those_within_which_half_and_95_of_100_were_done():
    for number in range(101):
        tried = NOW - HOUR + number * SECOND
        owed(
            Status.DELIVERED,
            HOUR,
            first_attempt_at=tried,
            sent_at=tried + 2 * SECOND,
            delivered_at=NOW - HOUR + number * 10 * SECOND,
        )
    whole = trend("day").whole

    assert is_about(whole.tried, 50 * SECOND, 95 * SECOND)
    assert is_about(whole.accepted, 52 * SECOND, 97 * SECOND)
    assert is_about(whole.delivered, 500 * SECOND, 950 * SECOND)
    assert [point.figures.tried for point in trend("day").points if point.figures.counts.total] == [whole.tried]


def test_what_never_happened_has_no_time():
    owed(Status.PENDING, HOUR)
    nothing = Spread(None, None)

    whole = trend("day").whole
    assert (whole.tried, whole.accepted, whole.delivered) == (nothing,) * 3


def test_a_delivery_that_a_person_noted_has_no_time():
    person = User.objects.create_user("+22370000000")
    owed(Status.DELIVERED, 2 * HOUR, delivered_at=NOW - HOUR, settled_by=person)
    owed(Status.DELIVERED, 2 * HOUR, delivered_at=NOW - 2 * HOUR + SECOND)

    assert is_about(trend("day").whole.delivered, SECOND, SECOND)


def test_promptness_is_counted_from_when_a_message_was_due():
    def tried(after: timedelta, **fields: Any) -> None:
        owed(Status.READ, 3 * HOUR, first_attempt_at=NOW - 3 * HOUR + after, **fields)

    tried(10 * SECOND)
    tried(11 * SECOND)
    # Held on purpose until an hour ago.
    tried(2 * HOUR + 10 * SECOND, held_until=NOW - HOUR)
    tried(2 * HOUR + 11 * SECOND, held_until=NOW - HOUR)
    # Still not tried: due long ago, not due yet, and not to be sent any more.
    owed(Status.PENDING, HOUR)
    owed(Status.PENDING, HOUR, held_until=NOW + HOUR, next_attempt_at=NOW + HOUR)
    owed(Status.PENDING, 9 * SECOND, next_attempt_at=NOW - 9 * SECOND)
    owed(Status.CANCELLED, HOUR, cancel_reason=CancelReason.OPT_OUT)
    found = trend("day")

    assert (found.whole.prompt, found.whole.tardy, found.whole.prompt_percent) == (2, 3, 40)
    assert listed(search.Filters(period="day", status="tardy")) == 3


@pytest.mark.parametrize(("prompt", "tardy", "percent"), [(0, 0, None), (3, 0, 100), (999, 1, 99), (0, 1, 0)])
def test_only_all_of_them_are_100_percent(prompt: int, tardy: int, percent: int | None):
    figures = trends.Figures(trends.NOTHING.counts, prompt, tardy)
    assert figures.prompt_percent == percent


@pytest.mark.parametrize(
    ("hour", "fields", "held_until"),
    [
        (12, {}, None),
        (23, {}, MORNING + DAY),
        (12, {"not_before": MORNING + 8 * HOUR}, MORNING + 8 * HOUR),
    ],
    ids=["by day", "by night", "on a later wish"],
)
def test_the_engine_notes_what_it_holds_on_purpose(
    hour: int, fields: dict[str, Any], held_until: datetime | None, settings: Any
):
    settings.WHATSAPP_QUIET_HOURS = (time(21), time(8))
    held = post(MORNING.replace(hour=hour), **fields)

    assert held.held_until == held_until
    assert held.next_attempt_at == (held_until or held.created_at)


def test_what_is_given_back_without_a_call_was_not_attempted():
    claimed = WhatsAppNotification.objects.claim(
        rows.notification("agent_mali", Status.PENDING, next_attempt_at=NOW).pk, NOW
    )
    assert claimed
    assert claimed.first_attempt_at == NOW
    recording.put_back({claimed: Wait(ProviderError(ErrorClass.NOT_CONFIGURED), NOW + HOUR)}, NOW)
    assert claimed.first_attempt_at is None

    again = WhatsAppNotification.objects.claim(claimed.pk, NOW + HOUR)
    assert again
    recording.put_back({again: Wait(None, NOW + 2 * HOUR)}, NOW + HOUR)
    assert again.first_attempt_at is None


def test_types_and_offices_are_counted_apart():
    for _ in range(2):
        owed(Status.READ, HOUR, message_type="delivery", category="colis_arrival")
    owed(Status.FAILED, HOUR, office="agent_chine", message_type="delivery", category="other")
    found = trend("day")

    kinds = [(kind.message_type, kind.category, kind.figures.counts.total) for kind in found.kinds]
    assert kinds == [("delivery", "colis_arrival", 2), ("delivery", "other", 1)]
    counts = {office.scope.office: office.figures.counts for office in found.offices}
    assert {office: (count.total, count.to_handle) for office, count in counts.items()} == {
        "agent_mali": (2, 0),
        "agent_chine": (1, 1),
    }


def test_an_office_sees_its_own_figures_and_no_comparison():
    owed(Status.READ, HOUR)
    owed(Status.FAILED, HOUR, office="agent_chine", message_type="secret")
    found = trend("week", "agent_mali")

    assert (found.whole.counts.total, found.offices, found.before.total) == (1, [], 0)
    assert [kind.message_type for kind in found.kinds] == ["expedition"]
    assert [cell.count for hour in found.clock for cell in hour.cells if cell.count] == [1]


def test_the_busiest_hours_stand_out(zone: ZoneInfo):
    for _ in range(4):
        owed(Status.READ, HOUR)
    owed(Status.READ, DAY + 3 * HOUR)
    clock = trend("week").clock

    by_place = {"Africa/Bamako": (17, 0, 15, 6), "Asia/Shanghai": (1, 1, 23, 6)}
    hour, weekday, other_hour, other_weekday = by_place[zone.key]
    cells = {one.hour: one.cells for one in clock}
    assert cells[hour][weekday] == trends.Cell(4, 4)
    assert cells[other_hour][other_weekday] == trends.Cell(1, 1)
    assert sum(cell.count for one in clock for cell in one.cells) == 5
    assert trend("day").clock == []


def test_causes_are_counted_with_the_provider_s_codes():
    for code in ("131026", "131026", "131027"):
        owed(Status.FAILED, HOUR, error_code=code)
    owed(Status.FAILED, HOUR, error_class=ErrorClass.EXPIRED, error_code="")
    owed(Status.FAILED, 2 * DAY)
    found = failures.of(ADMIN, NOW - DAY, NOW)

    assert found.causes == [
        failures.CodedCause(ErrorClass.RECIPIENT_PERMANENT, 3, [("131026", 2), ("131027", 1)]),
        failures.CodedCause(ErrorClass.EXPIRED, 1, [("", 1)]),
    ]
    assert found.open_causes == [
        statistics.Cause(ErrorClass.RECIPIENT_PERMANENT, 4),
        statistics.Cause(ErrorClass.EXPIRED, 1),
    ]
    assert found.to_handle == 5


def test_what_failed_without_a_reason_is_a_cause_of_its_own():
    for error_class in ("", ErrorClass.UNKNOWN, ErrorClass.UNKNOWN):
        owed(Status.FAILED, HOUR, error_class=error_class, error_code="")
    found = failures.of(ADMIN, NOW - DAY, NOW)

    assert found.open_causes == [statistics.Cause(ErrorClass.UNKNOWN, 2), statistics.Cause("", 1)]
    assert found.to_handle == 3
    assert [(cause.error_class, cause.count) for cause in found.causes] == [("unknown", 2), ("", 1)]


def test_who_was_missed_several_times_is_named():
    unlucky, other = (User.objects.create_user(f"+2237000000{number}", last_name=f"N{number}") for number in (1, 2))
    for _ in range(3):
        owed(Status.FAILED, HOUR, user=unlucky)
    owed(Status.FAILED, HOUR, user=other)
    owed(Status.FAILED, HOUR)
    found = failures.of(ADMIN, NOW - DAY, NOW)

    assert found.people == [failures.Unlucky(unlucky.pk, "+22370000001", "N1", 3)]


def test_what_waits_is_counted_whenever_it_was_created():
    for status in (Status.PENDING, Status.RETRY_SCHEDULED, Status.UNCONFIRMED, Status.FAILED):
        owed(status, 40 * DAY)
    found = failures.of(ADMIN, NOW - DAY, NOW)

    assert (found.waiting, found.unconfirmed, found.to_handle, found.causes) == (2, 1, 1, [])


def test_a_home_page_counts_the_week_and_what_waits():
    owed(Status.READ, HOUR)
    owed(Status.FAILED, 9 * DAY)
    home = statistics.home(ADMIN, NOW)

    assert (home.success_percent, home.to_handle, home.since.isoformat()) == (100, 1, "2026-11-17")


def test_all_figures_are_three_questions():
    owed(Status.FAILED, HOUR)
    with CaptureQueriesContext(connection) as asked:
        trend("month")
        failures.of(ADMIN, NOW - DAY, NOW)
    assert len(asked) == 3


def test_the_templates_whose_messages_fail_are_named_with_their_list():
    template = rows.template()
    owed(Status.FAILED, HOUR, template=template)
    owed(Status.FAILED, HOUR, template=template)
    owed(Status.FAILED, HOUR)
    found = failures.of(ADMIN, NOW - DAY, NOW)

    assert found.templates == [failures.FailingTemplate(template.code, template.label, 2)]
    assert Filters(template=template.code, status="failed").apply(WhatsAppNotification.objects.all(), NOW).count() == 2
