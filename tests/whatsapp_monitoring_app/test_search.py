"""What each filter lets pass, and what becomes of filters that cannot be understood."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender, WhatsAppSubject
from whatsapp_monitoring_app.services import depth, paging
from whatsapp_monitoring_app.services.search import BEGINNINGS, CONDITIONS, LONGEST, NAMES, STATUS_GROUPS, Filters

# A Wednesday in Bamako, whose clock is UTC.
NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SOME_FILTERS = st.dictionaries(st.sampled_from(NAMES), TEXTS)


def found(query: str, office: str = "admin_mali", at: datetime = NOW) -> set[str]:
    """The titles of what these filters find."""
    visible = WhatsAppNotification.objects.visible_to(scopes.get(office))
    return set(Filters.read(query).apply(visible, at).values_list("title", flat=True))


def obstacles(filters: Filters, visible: Any, at: datetime) -> list[str]:
    """The names of the filters without one of which something would be found."""
    looser = depth.looser(filters, visible, at)
    counts = paging.counts(*looser.values()) if looser else []
    return [name for name, count in zip(looser, counts, strict=True) if count]


def message(title: str, status: Status = Status.READ, /, office: str = "agent_mali", **fields: Any) -> Any:
    return rows.notification(office, status, **{"title": title, "created_at": NOW, "message_content": "-", **fields})


@given(given=SOME_FILTERS)
def test_filters_are_read_as_they_were_written(given: dict[str, str]):
    filters = Filters.read(given)

    assert Filters.read(filters.write()) == filters
    assert Filters.read(filters.write()).write() == filters.write()


@given(given=SOME_FILTERS)
def test_only_what_filters_is_written(given: dict[str, str]):
    filters = Filters.read({**given, "page": "2", "unheard": "of"})

    assert [name for name, _ in filters.chosen()] == [
        name for name in NAMES if given.get(name, "").replace("\x00", "").strip()
    ]
    assert filters.is_filtering == bool(filters.write())
    assert not filters.without(*NAMES).is_filtering


@pytest.mark.django_db
@given(given=SOME_FILTERS)
@settings(deadline=None)
def test_no_text_of_a_filter_breaks_the_list(given: dict[str, str]):
    list(Filters.read(given).apply(WhatsAppNotification.objects.all(), NOW))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"failed", "given-up", "pending", "old-pending", "sent", "late", "silent", "delivered", "read"}),
        ("status=failed", {"failed", "given-up"}),
        ("status=to_handle", {"failed"}),
        ("status=waiting", {"pending", "old-pending"}),
        ("status=overdue", {"old-pending"}),
        ("status=reached", {"delivered", "read"}),
        ("status=read", {"read"}),
        ("status=late", {"late", "silent"}),
        ("status=silent", {"silent"}),
        ("status=sent", {"sent", "late", "silent"}),
        ("status=cancelled", set()),
    ],
)
@pytest.mark.django_db
def test_a_status_may_mean_several_or_more_than_a_status(query: str, expected: set[str], make_user: Any):
    message("failed", Status.FAILED)
    message("given-up", Status.FAILED, settled_by=make_user())
    message("pending", Status.PENDING)
    message("old-pending", Status.PENDING, created_at=NOW - timedelta(minutes=61))
    message("sent", Status.SENT, sent_at=NOW)
    message("late", Status.SENT, sent_at=NOW - timedelta(hours=13))
    message("silent", Status.SENT, sent_at=NOW - timedelta(hours=73))
    message("delivered", Status.DELIVERED)
    message("read")

    assert found(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("period=today", {"hour"}),
        ("period=day", {"hour", "evening"}),
        ("period=morning", {"hour", "evening", "yesterday"}),
        ("period=week", {"hour", "evening", "yesterday", "week"}),
        ("period=month", {"hour", "evening", "yesterday", "week", "month"}),
        ("since=2026-11-24", {"hour", "evening", "yesterday"}),
        ("until=2026-11-24", {"evening", "yesterday", "week", "month", "year"}),
        ("since=2026-11-24&until=2026-11-24", {"evening", "yesterday"}),
        ("period=today&until=2026-11-24", set()),
        ("since=2026-11-26&until=2026-11-24", set()),
        ("until=9999-12-31", {"hour", "evening", "yesterday", "week", "month", "year"}),
        ("since=0001-01-01", {"hour", "evening", "yesterday", "week", "month", "year"}),
    ],
)
@pytest.mark.django_db
def test_a_period_begins_and_ends_by_the_reader_s_clock(query: str, expected: set[str]):
    message("hour", created_at=NOW - timedelta(hours=1))
    message("evening", created_at=NOW - timedelta(hours=16))
    message("yesterday", created_at=NOW - timedelta(hours=30))
    message("week", created_at=NOW - timedelta(days=6))
    message("month", created_at=NOW - timedelta(days=29))
    message("year", created_at=NOW - timedelta(days=360))

    with timezone.override(ZoneInfo("Africa/Bamako")):
        assert found(query) == expected


@pytest.mark.django_db
def test_the_previous_working_day_of_a_monday_is_friday():
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    message("friday", created_at=monday - timedelta(days=3))
    message("thursday", created_at=monday - timedelta(days=4))

    with timezone.override(ZoneInfo("Africa/Bamako")):
        assert found("period=morning", at=monday) == {"friday"}


@pytest.mark.django_db
def test_a_day_is_another_one_in_guangzhou():
    message("night", created_at=datetime(2026, 11, 24, 17, tzinfo=UTC))

    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert found("since=2026-11-25") == {"night"}
    with timezone.override(ZoneInfo("Africa/Bamako")):
        assert found("since=2026-11-25") == set()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("error_class=window_closed", {"one"}),
        ("error_class=template_stop", set()),
        ("error_code=131047", {"one"}),
        ("message_type=delivery", {"two"}),
        ("category=arrivals", {"two"}),
        ("source_app=agent_chine", {"two"}),
        ("source_app=nowhere", set()),
        ("sender=mali", {"one"}),
        ("sender=unheard", set()),
        ("priority=1", {"two"}),
        ("language=en", {"two"}),
        ("attempts=3", {"one"}),
        ("attempts=0", {"one", "two"}),
        ("attempts=4", set()),
        ("message_type=delivery&language=fr", set()),
    ],
)
@pytest.mark.django_db
def test_each_filter_lets_its_own_pass(query: str, expected: set[str]):
    mali = WhatsAppSender.objects.get(code="mali")
    error = {"error_class": ErrorClass.WINDOW_CLOSED, "error_code": "131047"}
    message("one", Status.FAILED, sender=mali, attempt_count=3, **error)
    message("two", office="agent_chine", message_type="delivery", category="arrivals", priority=1, language="en")

    assert found(query) == expected


@pytest.mark.parametrize(
    ("telephone", "expected"),
    [
        ("70123456", {"mali"}),
        ("70 12 34 56", {"mali"}),
        ("70-12-34-56", {"mali"}),
        ("+22370123456", {"mali"}),
        ("+223 70 12 34 56", {"mali"}),
        ("00223 70 12 34 56", {"mali"}),
        ("0022370123456", {"mali"}),
        ("22370123456", {"mali"}),
        ("７０１２３４５６", {"mali"}),
        ("\u202a+223 70 12 34 56\u202c", {"mali"}),
        ("139 1234 5678", {"china"}),
        ("+86 139 1234 5678", {"china"}),
        ("0086 139 1234 5678", {"china"}),
        ("1234", {"mali", "china"}),
        ("+223", {"mali"}),
        ("5678", {"china"}),
        ("70123457", set()),
    ],
)
@pytest.mark.django_db
def test_a_telephone_is_found_in_any_spelling(telephone: str, expected: set[str]):
    message("mali", phone_number="+22370123456")
    message("china", phone_number="+8613912345678")
    filters = Filters(telephone=telephone)

    assert not filters.misread
    assert found(filters.write()) == expected
    assert found(Filters(q=telephone).write()) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("parcel=TS1A2B3C4D", {"own", "several"}),
        ("parcel=ts1a2b3c4d", {"own", "several"}),
        ("parcel=colis:TS1A2B3C4D", {"own", "several"}),
        ("parcel=TS1A", set()),
        ("parcel=GZ-0412", set()),
        ("lot=GZ-0412", {"announced", "of-lot"}),
        ("lot=gz-0412", {"announced", "of-lot"}),
        ("lot=lot:GZ-0412", {"announced", "of-lot"}),
        ("lot=GZ-0413", set()),
        ("q=TS1A2B3C4D", {"own", "several"}),
        ("q=colis:TS1A2B3C4D", {"own", "several"}),
        ("q=gz-0412", {"of-lot"}),
    ],
)
@pytest.mark.django_db
def test_a_parcel_and_a_lot_are_found_by_their_numbers(query: str, expected: set[str], make_user: Any):
    for title, name in (
        ("own", "colis:TS1A2B3C4D"),
        ("several", "colis:TS1A2B3C4D"),
        ("several", "colis:TS00000000"),
        ("of-lot", "lot:GZ-0412"),
    ):
        about = WhatsAppNotification.objects.filter(title=title).first() or message(title)
        WhatsAppSubject.objects.create(notification=about, name=name)
    rows.announcement("agent_mali", [message("announced", user=make_user())], subject="lot:GZ-0412")
    message("other")

    assert found(query) == expected


@pytest.mark.parametrize("text", ["AWA", "diarra", "arrivée", "Départ", "colis:TS9", "wamid.X1"])
@pytest.mark.django_db
def test_free_text_looks_at_the_words_the_person_and_the_subject(text: str, make_user: Any):
    message(
        "Départ de Chine",
        user=make_user(first_name="Awa", last_name="Diarra"),
        message_content="Date d’arrivée : demain",
        subject="colis:TS9",
        provider_message_id="wamid.X1",
    )
    departed = WhatsAppNotification.objects.get()
    WhatsAppSubject.objects.create(notification=departed, name=departed.subject)
    message("other", user=make_user(first_name="Ali", last_name="Ba"))

    assert found(Filters(q=text).write()) == {"Départ de Chine"}


@pytest.mark.django_db
def test_a_message_is_found_by_its_own_code():
    one = message("one")
    message("two")

    assert found(f"q={one.pk}") == {"one"}
    assert found(f"q={uuid.uuid4()}") == set()


@pytest.mark.django_db
def test_a_client_s_messages_are_found_by_the_key_of_the_account(make_user: Any):
    person: User = make_user()
    message("mine", user=person)
    message("somebody's", user=make_user())

    assert found(f"client={person.pk}") == {"mine"}


@pytest.mark.parametrize("character", ["%", "_", "\\", "'", '"'])
@pytest.mark.django_db
def test_a_character_that_databases_know_is_a_character(character: str):
    message("plain")
    message(f"with {character}")

    assert found(Filters(q=character).write()) == {f"with {character}"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("status", "unheard"),
        ("period", "yesterday"),
        ("since", "2026-13-01"),
        ("since", "20261101"),
        ("until", "2026-W01-1"),
        ("until", "tomorrow"),
        ("error_class", "bad"),
        ("client", "1e3"),
        ("client", "²"),
        ("client", "9" * 30),
        ("telephone", "Awa"),
        ("telephone", "+"),
        ("priority", "0"),
        ("priority", "6"),
        ("attempts", "-1"),
        ("attempts", "1001"),
        *((name, "x" * (LONGEST + 1)) for name in NAMES),
    ],
    ids=lambda value: value[:12],
)
@pytest.mark.django_db
def test_a_filter_that_cannot_be_understood_finds_nothing_and_is_named(name: str, text: str):
    message("one")
    filters = Filters.read({name: text})

    assert filters.misread == [name]
    assert getattr(filters, name) == text
    with CaptureQueriesContext(connection) as asked:
        assert list(filters.apply(WhatsAppNotification.objects.all(), NOW)) == []
    assert len(asked) == 0


@pytest.mark.django_db
def test_a_last_day_before_the_first_is_misread():
    assert Filters(since="2026-11-02", until="2026-11-01").misread == ["until"]
    assert Filters(since="2026-11-01", until="2026-11-01").misread == []
    assert Filters(since="garbage", until="2026-11-01").misread == ["since"]


@pytest.mark.parametrize("text", ["\x00", " ", "\x00 \x00", "\n"])
@pytest.mark.django_db
def test_nothing_but_what_cannot_be_seen_filters_nothing(text: str):
    message("one")

    for name in NAMES:
        assert not Filters.read({name: text}).is_filtering
        assert found(Filters.read({name: text}).write()) == {"one"}


@pytest.mark.parametrize("status", [*STATUS_GROUPS, *CONDITIONS, *Status.values])
def test_each_word_for_a_status_is_understood(status: str):
    assert Filters(status=status).misread == []


@pytest.mark.parametrize("period", BEGINNINGS)
def test_each_word_for_a_period_is_understood(period: str):
    assert Filters(period=period).misread == []


@pytest.mark.django_db
def test_an_office_filter_never_widens_what_an_agent_sees():
    message("mine", office="agent_mali")
    message("foreign", office="agent_chine")

    assert found("source_app=agent_chine", "agent_mali") == set()
    assert Filters(source_app="agent_chine", q="x").within(scopes.get("agent_mali")) == Filters(q="x")
    assert Filters(source_app="agent_chine").within(scopes.get("admin_mali")).source_app == "agent_chine"


@pytest.mark.django_db
def test_what_stands_in_the_way_is_named_in_one_query():
    message("one", Status.FAILED, language="fr")
    message("two", language="en")
    visible = WhatsAppNotification.objects.all()

    with CaptureQueriesContext(connection) as asked:
        assert obstacles(Filters(status="failed", language="en", category="colis_status"), visible, NOW) == [
            "status",
            "language",
        ]
    assert len(asked) == 1
    assert obstacles(Filters(status="failed", language="en", category="unheard"), visible, NOW) == []
    assert obstacles(Filters(category="unheard"), visible, NOW) == ["category"]
    assert obstacles(Filters(), visible, NOW) == []


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["q=6001234", "telephone=6001234", "telephone=%2B22370", "q=%2B223700012345"])
def test_a_hidden_number_cannot_be_guessed_part_by_part(query: str):
    message("hers", phone_number="+22370001234")
    visible = WhatsAppNotification.objects.all()

    filters = Filters.read(query.replace("6001234", "0001234"))
    assert not filters.within(scopes.get("admin_mali")).apply(visible, NOW).exists()
    whole = Filters.read(f"{query.partition('=')[0]}=%2B223 70 00 12 34").within(scopes.get("admin_mali"))
    assert whole.apply(visible, NOW).get().title == "hers"
    assert whole.write() == Filters.read(whole.write()).write()


@pytest.mark.django_db
def test_whoever_may_see_numbers_finds_them_by_a_part():
    message("hers", phone_number="+22370001234")
    filters = Filters.read("telephone=0001234").within(scopes.get("agent_mali"))

    assert filters.apply(WhatsAppNotification.objects.all(), NOW).get().title == "hers"
