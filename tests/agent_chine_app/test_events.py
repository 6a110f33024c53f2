"""What clients are told of their parcels: one message each, in their language, of all of theirs."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import User
from agent_chine_app import events
from agent_chine_app.client_management import create_client
from agent_chine_app.events import Occasion
from agent_chine_app.models import Client, Colis, Lot
from whatsapp_monitoring_app.models import WhatsAppAnnouncement, WhatsAppTemplate
from whatsapp_monitoring_app.services import announcements, default_templates

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LANGUAGES = ("fr", "en", "zh-hans")
NUMBERS = {"fr": "+22376000001", "en": "+22376000002", "zh-hans": "+8613800138009"}
Status = Colis.Status


def client_who_reads(language: str) -> Client:
    return create_client(NUMBERS[language], "Awa", "Keïta", language=language)[0]


def colis_of(client: Client, count: int, lot: Lot | None, status: Status = Status.SHIPPED) -> list[Colis]:
    first = Colis.objects.count() + 1
    return [
        Colis.objects.create(
            client=client,
            lot=lot,
            status=status,
            numero_suivi=f"TS{first + index:08}",
            arrived_at=NOW - timedelta(days=5) if status in (Status.ARRIVED, Status.READY) else None,
        )
        for index in range(count)
    ]


@pytest.fixture
def lot() -> Lot:
    return Lot.objects.create(number="GZ-0412", status=Lot.Status.SHIPPED)


def texts(occasion: Occasion) -> list[str]:
    """What each of the people would read."""
    announced = announcements.announce(occasion.event, occasion.tellings, NOW)
    return [notification.message_content for notification in announced.notifications]


SHIPPED = {
    "fr": "Bonjour Awa Keïta, départ de Chine pour Bamako : {}. Nous vous préviendrons à l’arrivée.",
    "en": "Hello Awa Keïta, on the way from China to Bamako: {}. We will tell you on arrival.",
    "zh-hans": "Awa Keïta，您好！{}已从中国发往巴马科，到达后我们会通知您。",
}
ONE = {"fr": "colis TS00000001", "en": "parcel TS00000001", "zh-hans": "包裹 TS00000001"}
TWO = {
    "fr": "2 colis (TS00000001, TS00000002)",
    "en": "2 parcels (TS00000001, TS00000002)",
    "zh-hans": "2 个包裹（TS00000001, TS00000002）",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("count", "named"), [(1, ONE), (2, TWO)], ids=["one parcel", "two parcels"])
def test_a_departure_lists_the_client_s_parcels(language: str, count: int, named: dict[str, str], lot: Lot):
    colis_of(client_who_reads(language), count, lot)

    assert texts(events.shipping(lot, "agent_chine", None)) == [SHIPPED[language].format(named[language])]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Bonjour Awa Keïta, retard pour colis TS00000001 : arrivée à Bamako prévue le 3 décembre 2026."),
        ("en", "Hello Awa Keïta, a delay for parcel TS00000001: now expected in Bamako on Dec. 3, 2026."),
        ("zh-hans", "Awa Keïta，您好！包裹 TS00000001有延误，预计 2026年12月3日 到达巴马科。"),
    ],
)
def test_a_delay_says_until_when(language: str, expected: str, lot: Lot):
    client = client_who_reads(language)
    colis_of(client, 1, lot)
    colis_of(client, 1, lot, Status.ARRIVED)

    (text,) = texts(events.delay(lot, "agent_mali", date(2026, 12, 3), uuid.uuid4(), None))
    assert text.startswith(expected)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Bonjour Awa Keïta, arrivée à Bamako : {}. À retirer à notre agence."),
        ("en", "Hello Awa Keïta, arrived in Bamako: {}. Ready to be fetched at our office."),
        ("zh-hans", "Awa Keïta，您好！{}已到达巴马科，您可以到我们的网点领取。"),
    ],
)
def test_an_arrival_lists_what_is_there(language: str, expected: str, lot: Lot):
    colis = colis_of(client_who_reads(language), 2, lot, Status.ARRIVED)

    assert texts(events.arrival(lot, colis, "agent_mali", None)) == [expected.format(TWO[language])]


@pytest.mark.parametrize(
    ("language", "rest"),
    [
        ("fr", "Encore en route : 2 colis (TS00000002, TS00000003). Nous vous préviendrons."),
        ("en", "Still on the way: 2 parcels (TS00000002, TS00000003). We will tell you."),
        ("zh-hans", "仍在途中：2 个包裹（TS00000002, TS00000003），到达后我们会通知您。"),
    ],
)
def test_an_arrival_in_part_says_what_is_still_on_its_way(language: str, rest: str, lot: Lot):
    client = client_who_reads(language)
    arrived = colis_of(client, 1, lot, Status.ARRIVED)
    colis_of(client, 2, lot)

    (text,) = texts(events.arrival(lot, arrived, "agent_mali", None))
    assert ONE[language] in text
    assert text.endswith(rest)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Bonjour Awa Keïta, à retirer à notre agence de Bamako depuis le 17 novembre 2026 : {}."),
        ("en", "Hello Awa Keïta, waiting for you at our office in Bamako since Nov. 17, 2026: {}."),
        ("zh-hans", "Awa Keïta，您好！{}自 2026年11月17日 起存放在我们的巴马科网点，"),
    ],
)
def test_a_reminder_says_since_when(language: str, expected: str, lot: Lot):
    stored = colis_of(client_who_reads(language), 2, lot, Status.READY)

    (text,) = texts(events.reminder(stored, "agent_mali", NOW.date()))
    assert text.startswith(expected.format(TWO[language]))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Bonjour Awa Keïta, remise à Moussa : {}. Si ce n’est pas normal, répondez tout de suite"),
        ("en", "Hello Awa Keïta, handed over to Moussa: {}. If that is not right, answer this message"),
        ("zh-hans", "Awa Keïta，您好！{}已交给 Moussa。如有异议，请立即回复本消息。"),
    ],
)
def test_what_was_handed_over_says_to_whom(language: str, expected: str, lot: Lot):
    stored = colis_of(client_who_reads(language), 2, lot, Status.READY)

    (text,) = texts(events.handing_over(stored, "Moussa", "agent_mali", uuid.uuid4(), None))
    assert text.startswith(expected.format(TWO[language]))


def test_many_parcels_are_counted_and_some_of_them_named(lot: Lot):
    colis_of(client_who_reads("fr"), 30, lot)

    (text,) = texts(events.shipping(lot, "agent_chine", None))
    assert "30 colis (TS00000001, " in text
    assert text.count("TS0") == events.NAMED_AT_MOST
    assert ", …)" in text


def test_every_default_template_of_an_event_is_one_of_ours():
    codes = {values["code"] for values in default_templates.DEFAULTS}
    assert set(WhatsAppTemplate.objects.values_list("code", flat=True)) == codes


def ranks(occasion: Occasion) -> Sequence[dict[str, int]]:
    return [dict(telling.about) for telling in occasion.tellings]


def test_what_is_said_later_of_a_parcel_says_more(lot: Lot):
    client = client_who_reads("fr")
    here = colis_of(client, 1, lot)
    (on_the_way,) = colis_of(client, 1, lot)
    (shipped,) = ranks(events.shipping(lot, "agent_chine", None))
    texts(events.shipping(lot, "agent_chine", None))
    Colis.objects.filter(pk=here[0].pk).update(status=Status.ARRIVED, arrived_at=NOW)
    here[0].refresh_from_db()
    (arrived,) = ranks(events.arrival(lot, here, "agent_mali", None))
    (reminded,) = ranks(events.reminder(here, "agent_mali", NOW.date()))
    (handed_over,) = ranks(events.handing_over(here, "Moussa", "agent_mali", uuid.uuid4(), None))

    subject = here[0].subject
    assert shipped[subject] < arrived[subject] < reminded[subject] < handed_over[subject]
    assert shipped[on_the_way.subject] < arrived[on_the_way.subject] < Colis.Rank.ARRIVED


def test_the_event_is_named_after_its_lot_in_the_company_s_language(lot: Lot):
    colis_of(client_who_reads("zh-hans"), 1, lot)
    agent = User.objects.create_user("+8613800138000", role="agent_chine", language="zh-hans")
    occasion = events.shipping(lot, "agent_chine", agent)
    announcement = announcements.announce(occasion.event, occasion.tellings, NOW).announcement

    assert (announcement.title, announcement.subject) == ("Départ de Chine · GZ-0412", "lot:GZ-0412")
    assert WhatsAppAnnouncement.objects.get().created_by == agent
