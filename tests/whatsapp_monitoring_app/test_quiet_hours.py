"""At night at the client's, what is not urgent waits for the morning."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client as Browser
from django.utils import timezone, translation

from accounts.models import User
from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.crowds import bulk_for, expand, people
from tests.whatsapp_monitoring_app.scripts import NUMBER, Provider, accepted, attempt, change, post, refused
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppOptOut, WhatsAppSender
from whatsapp_monitoring_app.services import circuit, message_types, quiet_hours, recovery, retries, templates
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_whatsapp_async

NIGHT = (time(21), time(8))
SIESTA = (time(13), time(14, 30))
BAMAKO, GUANGZHOU, PARIS = ZoneInfo("Africa/Bamako"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Paris")
# In Bamako, which has the time of UTC.
EVENING = datetime(2026, 10, 5, 22, 30, tzinfo=UTC)
MORNING = datetime(2026, 10, 6, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
CHINESE = "+8613800138000"
FRENCH = "+33612345678"
AMERICAN = "+18005550199"  # of any zone of its country
URGENT = ["account_creation", "alert", "credentials", "opt_out_confirmation", "otp", "payment", "sender_test"]


@pytest.fixture
def nights(settings: Any) -> None:
    settings.WHATSAPP_QUIET_HOURS = NIGHT


@pytest.fixture
def night_now(settings: Any) -> tuple[datetime, str]:
    """It is night in Bamako as this test runs, whenever that is; the end of it, and as people write it."""
    now = timezone.now()
    end = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    settings.WHATSAPP_QUIET_HOURS = ((now - 3 * HOUR).time(), end.time())
    return end, f"{end:%H:%M}"


def moment(text: str, zone: ZoneInfo, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("zone", "hours", "at", "leaves_at"),
    [
        (BAMAKO, NIGHT, "2026-10-05T20:59:59.999999", None),
        (BAMAKO, NIGHT, "2026-10-05T21:00", "2026-10-06T08:00"),
        (BAMAKO, NIGHT, "2026-10-05T23:59:59", "2026-10-06T08:00"),
        (BAMAKO, NIGHT, "2026-10-06T00:00", "2026-10-06T08:00"),
        (BAMAKO, NIGHT, "2026-10-06T07:59:59.999999", "2026-10-06T08:00"),
        (BAMAKO, NIGHT, "2026-10-06T08:00", None),
        (BAMAKO, NIGHT, "2026-12-31T22:00", "2027-01-01T08:00"),
        (GUANGZHOU, NIGHT, "2026-10-05T20:59:59", None),
        (GUANGZHOU, NIGHT, "2026-10-05T21:00", "2026-10-06T08:00"),
        (GUANGZHOU, NIGHT, "2026-10-06T07:59:59", "2026-10-06T08:00"),
        (GUANGZHOU, NIGHT, "2026-10-06T08:00", None),
        (BAMAKO, SIESTA, "2026-10-05T12:59:59", None),
        (BAMAKO, SIESTA, "2026-10-05T13:00", "2026-10-05T14:30"),
        (BAMAKO, SIESTA, "2026-10-05T14:29:59", "2026-10-05T14:30"),
        (BAMAKO, SIESTA, "2026-10-05T14:30", None),
        (BAMAKO, SIESTA, "2026-10-05T23:00", None),
        (BAMAKO, (time(0), time(6)), "2026-10-05T00:00", "2026-10-05T06:00"),
        (BAMAKO, (time(22), time(0)), "2026-10-05T22:00", "2026-10-06T00:00"),
        (BAMAKO, (time(22), time(0)), "2026-10-06T00:00", None),
        # The nights in which the clocks change: one is an hour shorter, one an hour longer.
        (PARIS, NIGHT, "2026-03-28T22:00", "2026-03-29T08:00"),
        (PARIS, NIGHT, "2026-10-24T22:00", "2026-10-25T08:00"),
    ],
)
def test_a_message_leaves_at_once_or_when_the_quiet_hours_are_over(
    zone: ZoneInfo, hours: tuple[time, time], at: str, leaves_at: str | None
):
    expected = moment(leaves_at or at, zone)
    found = quiet_hours.end_of_quiet(moment(at, zone).astimezone(UTC), zone, hours)
    assert found.astimezone(UTC) == expected.astimezone(UTC)


HALF_PAST_TWO = (time(1), time(2, 30))


@pytest.mark.parametrize(
    ("at", "waited"),
    [
        (moment("2026-10-25T02:10", PARIS), timedelta(minutes=20)),
        (moment("2026-10-25T02:10", PARIS, fold=1), timedelta(minutes=20)),
        (moment("2026-10-25T02:40", PARIS), timedelta()),
        (moment("2026-10-25T02:40", PARIS, fold=1), timedelta()),
        # There is no half past two: an hour after half past one comes half past three.
        (moment("2026-03-29T01:30", PARIS), HOUR),
    ],
    ids=["first time", "second time", "first time over", "second time over", "left out"],
)
def test_an_end_that_comes_twice_or_not_at_all_never_lies_in_the_past(at: datetime, waited: timedelta):
    at = at.astimezone(UTC)
    end = quiet_hours.end_of_quiet(at, PARIS, HALF_PAST_TWO)
    assert end - at == waited
    assert quiet_hours.end_of_quiet(end, PARIS, HALF_PAST_TWO) == end


@pytest.mark.parametrize(
    ("number", "own_zone", "zone"),
    [
        (NUMBER, "Asia/Shanghai", "Africa/Bamako"),
        (CHINESE, "Africa/Bamako", "Asia/Shanghai"),
        (FRENCH, "Africa/Bamako", "Europe/Paris"),
        (AMERICAN, "America/New_York", "America/New_York"),
        (AMERICAN, None, "Africa/Bamako"),
        (AMERICAN, "Middle-earth/Shire", "Africa/Bamako"),
        (AMERICAN, "Africa", "Africa/Bamako"),
        (AMERICAN, "", "Africa/Bamako"),
    ],
)
def test_the_clock_is_the_one_where_the_number_is_at_home_else_the_persons_own(
    number: str, own_zone: str | None, zone: str
):
    user = None if own_zone is None else User(telephone=number, time_zone=own_zone)
    assert quiet_hours.zone_of(number, user).key == zone


def test_these_types_are_urgent_and_nothing_else():
    assert sorted(code for code, kind in message_types.MESSAGE_TYPES.items() if kind.is_urgent) == URGENT
    assert not message_types.get("a_type_of_tomorrow").is_urgent


@pytest.mark.django_db
@pytest.mark.usefixtures("nights")
class TestTakenIn:
    @pytest.mark.parametrize("message_type", ["notification", "expedition", "delivery", "a_type_of_tomorrow"])
    def test_at_night_a_message_waits_for_the_morning(self, message_type: str):
        notification = post(EVENING, message_type=message_type)
        assert (notification.status, notification.next_attempt_at) == (Status.PENDING, MORNING)
        assert notification.rung_at is None
        assert notification.created_at == EVENING
        assert recovery.to_ring(MORNING - SECOND) == []
        assert recovery.to_ring(MORNING) == [(notification.pk, 3, True)]

    @pytest.mark.parametrize("message_type", URGENT)
    def test_what_is_urgent_leaves_at_night(self, message_type: str):
        notification = post(EVENING, message_type=message_type)
        assert (notification.next_attempt_at, notification.rung_at) == (EVENING, EVENING)
        assert attempt(notification, Provider(accepted()), EVENING).status == Status.SENT

    def test_by_day_a_message_leaves_at_once(self):
        at = EVENING - 3 * HOUR
        notification = post(at)
        assert (notification.next_attempt_at, notification.rung_at) == (at, at)

    def test_each_person_has_their_own_night(self):
        afternoon = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)  # 23:00 in Guangzhou
        malian, chinese = post(afternoon), post(afternoon, phone_number=CHINESE)
        assert malian.next_attempt_at == afternoon
        assert chinese.next_attempt_at == datetime(2026, 10, 6, 0, 0, tzinfo=UTC)

    def test_without_quiet_hours_everything_leaves(self, settings: Any):
        settings.WHATSAPP_QUIET_HOURS = None
        assert attempt(post(EVENING), Provider(accepted()), EVENING).status == Status.SENT

    def test_its_usefulness_counts_from_the_morning(self):
        assert post(EVENING).expires_at == MORNING + timedelta(days=3)
        assert post(EVENING, message_type="otp").expires_at == EVENING + timedelta(minutes=10)
        own = MORNING + HOUR
        assert post(EVENING, expires_at=own).expires_at == own

    def test_a_message_for_later_is_moved_only_when_later_is_night(self):
        noon = MORNING + 4 * HOUR
        assert post(EVENING, not_before=noon).next_attempt_at == noon
        notification = post(EVENING - 3 * HOUR, not_before=EVENING)
        assert (notification.next_attempt_at, notification.rung_at) == (MORNING, None)
        assert notification.expires_at == MORNING + timedelta(days=3)

    def test_who_has_refused_is_not_held_but_cancelled(self):
        WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=EVENING)
        notification = post(EVENING)
        assert (notification.status, notification.next_attempt_at) == (Status.CANCELLED, None)

    def test_a_bulk_at_night_rings_for_nobody_before_the_morning(self, make_user: Callable[..., User]):
        users = people(make_user, 3)
        rung: list[WhatsAppNotification] = []
        bulk = bulk_for([*users, make_user(CHINESE)])
        expand(bulk, EVENING, ring=rung.extend)  # in Guangzhou it is half past six, and night too
        held = WhatsAppNotification.objects.filter(user__in=users)
        assert {row.next_attempt_at for row in held} == {MORNING}
        assert rung == []
        assert len(recovery.to_ring(MORNING)) == 4

    def test_a_bulk_rings_for_those_who_are_awake(self, make_user: Callable[..., User]):
        malian, chinese = make_user(), make_user(CHINESE)
        rung: list[WhatsAppNotification] = []
        expand(bulk_for([malian, chinese]), EVENING - 6 * HOUR, ring=rung.extend)  # half past midnight in Guangzhou
        assert [notification.user_id for notification in rung] == [malian.pk]


@pytest.mark.django_db
@pytest.mark.usefixtures("nights")
class TestSent:
    def due_at_night(self, **fields: Any) -> WhatsAppNotification:
        """One that was taken in by day and whose time comes at night."""
        notification = post(EVENING - 3 * HOUR)
        change(notification, next_attempt_at=EVENING, slot_at=EVENING, **fields)
        return notification

    def test_what_is_due_at_night_is_put_back_until_the_morning_at_no_cost(self):
        notification, provider = self.due_at_night(), Provider(accepted())
        attempt(notification, provider, EVENING)
        assert (notification.status, notification.next_attempt_at) == (Status.PENDING, MORNING)
        assert (notification.attempt_count, notification.attempts.count(), provider.requests) == (0, 0, [])
        assert (notification.error_class, notification.rung_at, notification.slot_at) == ("", None, None)

        assert attempt(notification, provider, MORNING).status == Status.SENT

    def test_a_retry_that_comes_at_night_waits_and_keeps_its_words(self):
        notification = post(EVENING - 2 * HOUR)
        attempt(notification, Provider(refused(131016)), EVENING - 2 * HOUR)
        change(notification, next_attempt_at=EVENING)
        provider = Provider(accepted())
        attempt(notification, provider, EVENING)
        assert (notification.status, notification.next_attempt_at) == (Status.RETRY_SCHEDULED, MORNING)
        assert (notification.attempt_count, notification.error_code) == (1, "131016")
        assert provider.requests == []
        assert attempt(notification, provider, MORNING).status == Status.SENT
        assert [record.trigger for record in notification.attempts.all()] == ["auto", "retry"]

    def test_what_is_urgent_is_retried_at_night(self):
        notification = self.due_at_night(message_type="payment", attempt_count=1, status=Status.RETRY_SCHEDULED)
        assert attempt(notification, Provider(accepted()), EVENING).status == Status.SENT

    def test_a_sender_that_cannot_send_is_not_asked_at_night(self):
        WhatsAppSender.objects.update(is_active=False)
        notification = attempt(self.due_at_night(), Provider(accepted()), EVENING)
        assert (notification.error_class, notification.next_attempt_at) == ("", MORNING)

    def test_what_is_too_old_before_the_morning_expires(self):
        notification = self.due_at_night(expires_at=EVENING + HOUR)
        attempt(notification, Provider(accepted()), EVENING)
        assert recovery.expire(EVENING + HOUR) == 1
        notification.refresh_from_db()
        assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.EXPIRED)

    @pytest.mark.parametrize(
        ("error_class", "mend"),
        [
            (ErrorClass.TEMPLATE_STOP, templates.release),
            (ErrorClass.ACCOUNT_STOP, lambda at: circuit.resume(WhatsAppSender.objects.get(code="mali"), at)),
        ],
        ids=["template", "account"],
    )
    def test_what_is_mended_at_night_lets_nothing_out_before_the_morning(
        self, error_class: ErrorClass, mend: Callable[[datetime], object]
    ):
        notification, provider = self.due_at_night(error_class=error_class), Provider(accepted())
        attempt(notification, provider, EVENING)
        assert (notification.error_class, notification.next_attempt_at) == (error_class, MORNING)

        mend(EVENING + HOUR)
        assert recovery.to_ring(EVENING + HOUR) == [(notification.pk, 3, True)]
        attempt(notification, provider, EVENING + HOUR)
        assert (notification.error_class, notification.next_attempt_at) == ("", MORNING)
        assert provider.requests == []


@pytest.mark.django_db
@pytest.mark.usefixtures("nights")
class TestRetried:
    def failed(self, **fields: Any) -> WhatsAppNotification:
        at = EVENING - 3 * HOUR
        return attempt(post(at, **fields), Provider(refused(135000)), at)

    def test_a_persons_retry_waits_for_the_morning(self, make_user: Callable[..., User]):
        notification, agent, provider = self.failed(), make_user(), Provider(accepted())
        retries.retry(notification, agent, EVENING)
        assert (notification.status, notification.next_attempt_at) == (Status.PENDING, MORNING)
        assert notification.rung_at is None

        assert attempt(notification, provider, EVENING + HOUR).status == Status.PENDING
        assert provider.requests == []
        assert attempt(notification, provider, MORNING).status == Status.SENT
        assert [(record.trigger, record.actor) for record in notification.attempts.all()][1] == ("manual", agent)

    def test_a_retry_of_what_is_urgent_leaves_at_night(self):
        notification = self.failed(message_type="payment")
        retries.retry(notification, None, EVENING)
        assert (notification.next_attempt_at, notification.rung_at) == (EVENING, EVENING)

    @pytest.mark.parametrize("status", [Status.FAILED, Status.UNCONFIRMED, Status.RETRY_SCHEDULED])
    def test_a_retry_that_would_be_too_old_in_the_morning_begins_anew(self, status: Status):
        notification = self.failed()
        needs = {Status.UNCONFIRMED: {"confirm_by": EVENING}, Status.RETRY_SCHEDULED: {"next_attempt_at": MORNING}}
        change(notification, status=status, expires_at=MORNING - HOUR, **needs.get(status, {}))
        retries.retry(notification, None, EVENING)
        assert (notification.next_attempt_at, notification.expires_at) == (MORNING, MORNING + timedelta(days=3))

    def test_retrying_all_at_night_plans_them_for_the_morning(self):
        held, urgent = self.failed(), self.failed(message_type="payment")
        queued = retries.retry_each(WhatsAppNotification.objects.all(), None, EVENING).queued
        assert {row.pk: row.next_attempt_at for row in queued} == {held.pk: MORNING, urgent.pk: EVENING}


def saying(at: datetime, zone: str, **fields: Any) -> str:
    """What somebody in this zone reads of such a message at this moment; nothing when it is not held."""
    notification = WhatsAppNotification(message_type="notification", phone_number=NUMBER, **fields)
    with timezone.override(ZoneInfo(zone)):
        hold = quiet_hours.hold_on(notification, at)
        return quiet_hours.in_words(hold, at) if hold else ""


@pytest.mark.usefixtures("nights")
class TestSaid:
    @pytest.mark.parametrize(
        ("language", "day", "words"),
        [
            ("fr", "today", "08:00, heure de Bamako"),
            ("fr", "tomorrow", "08:00, heure de Bamako, le 6 octobre"),
            ("en", "today", "08:00, Bamako time"),
            ("en", "tomorrow", "08:00, Bamako time, on October 6"),
            ("zh-hans", "today", "巴马科时间 08:00"),
            ("zh-hans", "tomorrow", "巴马科时间 10月6日 08:00"),
        ],
    )
    def test_the_hour_is_the_clients_and_the_day_is_said_unless_it_is_today(self, language: str, day: str, words: str):
        at = EVENING if day == "tomorrow" else MORNING - HOUR
        with translation.override(language):
            assert saying(at, "Africa/Bamako", next_attempt_at=MORNING) == words

    def test_today_is_the_readers(self):
        with translation.override("en"):
            assert saying(EVENING, "Asia/Shanghai", next_attempt_at=MORNING) == "08:00, Bamako time"

    @pytest.mark.parametrize(
        ("number", "own_zone", "words"),
        [
            (CHINESE, "Africa/Bamako", "08:00, Guangzhou time"),
            (FRENCH, "Europe/Paris", "08:00, Paris time"),
            (AMERICAN, "America/New_York", "08:00, New York time"),
        ],
    )
    def test_the_place_is_the_town_that_people_know(self, number: str, own_zone: str, words: str):
        user = User(telephone=number, time_zone=own_zone)
        zone = quiet_hours.zone_of(number, user)
        morning = moment("2026-10-06T08:00", zone)
        notification = WhatsAppNotification(phone_number=number, user=user, next_attempt_at=morning.astimezone(UTC))
        with translation.override("en"), timezone.override(zone):
            hold = quiet_hours.hold_on(notification, morning - HOUR)
            assert hold
            assert quiet_hours.in_words(hold, morning - HOUR) == words

    @pytest.mark.parametrize(
        ("at", "fields"),
        [
            (EVENING, {"next_attempt_at": None, "status": Status.SENT}),
            (EVENING, {"next_attempt_at": MORNING + HOUR}),
            (EVENING, {"next_attempt_at": MORNING - HOUR}),
            (EVENING - 3 * HOUR, {"next_attempt_at": MORNING}),
            (MORNING, {"next_attempt_at": MORNING}),
        ],
        ids=["sent", "planned for later", "planned for the night", "not yet night", "the night is over"],
    )
    def test_nothing_is_said_of_a_message_that_does_not_wait_for_the_morning(
        self, at: datetime, fields: dict[str, Any]
    ):
        assert saying(at, "Africa/Bamako", **fields) == ""

    def test_nothing_is_said_of_what_is_urgent(self):
        notification = WhatsAppNotification(message_type="otp", phone_number=NUMBER, next_attempt_at=MORNING)
        assert quiet_hours.hold_on(notification, EVENING) is None


def page(browser: Browser, path: str = "") -> str:
    answer = browser.get(f"/agent-mali/whatsapp/monitoring/{path}", follow=True)
    return " ".join(answer.content.decode().split())


@pytest.mark.django_db
class TestShown:
    @pytest.mark.parametrize(
        ("language", "on_details", "in_list"),
        [
            ("fr", "Partira à {}, heure de Bamako", "<small>partira à {}, heure de Bamako"),
            ("en", "Will leave at {}, Bamako time", "<small>leaves at {}, Bamako time"),
            ("zh-hans", "将于 巴马科时间", "<small>将于 巴马科时间"),
        ],
    )
    def test_the_details_and_the_list_say_until_when(
        self,
        language: str,
        on_details: str,
        in_list: str,
        log_in: Callable[..., Browser],
        night_now: tuple[datetime, str],
    ):
        end, clock = night_now
        browser = log_in("agent_mali", language=language)
        held = rows.notification("agent_mali", Status.PENDING, next_attempt_at=end)
        details = page(browser, f"{held.pk}/")
        assert on_details.format(clock) in details
        assert f"{end:%H:%M:%S}</span></time></strong>" not in details
        for path in ("", "list/"):
            assert in_list.format(clock) in page(browser, path)

    def test_it_is_in_the_piece_that_asks_for_itself_again_too(
        self, log_in: Callable[..., Browser], night_now: tuple[datetime, str]
    ):
        held = rows.notification("agent_mali", Status.PENDING, next_attempt_at=night_now[0])
        browser = log_in("agent_mali", language="fr")
        answer = browser.get(f"/agent-mali/whatsapp/monitoring/{held.pk}/", headers={"HX-Request": "true"})
        assert "il fait nuit chez le client" in answer.content.decode()

    def test_another_wait_is_shown_as_before(self, log_in: Callable[..., Browser], night_now: tuple[datetime, str]):
        later = night_now[0] + HOUR
        one = rows.notification("agent_mali", Status.RETRY_SCHEDULED, next_attempt_at=later)
        browser = log_in("agent_mali", language="en")
        details = page(browser, f"{one.pk}/")
        assert "Next attempt:" in details
        assert "Will leave at" not in details
        assert "leaves at" not in page(browser, "list/")

    def test_whoever_retries_at_night_is_told_when_it_leaves(
        self, log_in: Callable[..., Browser], night_now: tuple[datetime, str]
    ):
        end, clock = night_now
        failed = rows.notification("agent_mali", error_class="transient")
        browser = log_in("agent_mali", language="en")
        answer = browser.post(f"/agent-mali/whatsapp/monitoring/{failed.pk}/retry/", follow=True)
        assert f"It will leave at {clock}, Bamako time" in answer.content.decode()
        failed.refresh_from_db()
        assert (failed.next_attempt_at, failed.rung_at) == (end, None)

    def test_whoever_retries_many_at_night_is_told_how_many_wait(
        self, log_in: Callable[..., Browser], night_now: tuple[datetime, str]
    ):
        for message_type in ("notification", "expedition", "payment"):
            rows.notification("agent_mali", message_type=message_type)
        browser = log_in("agent_mali", language="en")
        text = browser.post("/agent-mali/whatsapp/monitoring/retry/", follow=True).content.decode()
        assert "3 messages are queued for a new attempt." in text
        assert "2 of them wait for the morning: it is night at the clients’." in text

    def test_by_day_nobody_hears_of_the_night(self, log_in: Callable[..., Browser]):
        failed = rows.notification("agent_mali", error_class="transient")
        browser = log_in("agent_mali", language="en")
        text = browser.post(f"/agent-mali/whatsapp/monitoring/{failed.pk}/retry/", follow=True).content.decode()
        assert "A new attempt is queued." in text
        assert "night" not in text


@pytest.mark.django_db(transaction=True)
def test_at_night_only_what_is_urgent_reaches_the_provider(
    stack: Stack, make_user: Callable[..., User], night_now: tuple[datetime, str]
):
    held = send_whatsapp_async(None, "Bonjour", "agent_mali", phone_number=NUMBER).id
    urgent = send_whatsapp_async(None, "1234", "agent_mali", message_type="payment", phone_number=NUMBER).id
    bulk = send_bulk_whatsapp_async([make_user()], "Fermeture", "agent_mali", message_type="payment").id

    rows_of = WhatsAppNotification.objects
    eventually(lambda: rows_of.filter(pk=urgent, status__in=["sent", "delivered", "read"]).exists(), "it is sent")
    eventually(
        lambda: rows_of.filter(idempotency_key__startswith=f"bulk:{bulk}").exclude(sent_at=None), "the bulk too"
    )
    notification = rows_of.get(pk=held)
    assert (notification.status, notification.next_attempt_at) == (Status.PENDING, night_now[0])
    assert len(stack.messages()) == 2
