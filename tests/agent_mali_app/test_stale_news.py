"""News that is none any more: a parcel that was handed over, or cannot be found, is not announced."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection

from accounts.models import User
from agent_chine_app.models import Colis, Lot
from agent_mali_app import arrivals
from tests.agent_mali_app import freight
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppTemplate,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_a_hand_over_while_the_clients_are_being_told_leaves_no_message_about_nothing():
    lot = freight.shipped_lot()
    one = Colis.objects.filter(lot=lot).select_related("client__user")[0]
    arrivals.receive(lot, freight.pks(lot), freight.agent(), NOW)
    lot.colis.exclude(pk=one.pk).update(arrival_told_at=NOW)
    person = freight.agent(1)

    def act(number: int) -> object:
        if number:
            return arrivals.tell(lot, None, NOW)
        return arrivals.hand_over(one.client, [one.pk], "Awa", uuid.uuid4(), person, NOW)

    freight.at_once(2, act)
    for notification in WhatsAppNotification.objects.all():
        assert "0 colis" not in notification.message_content
        assert notification.subjects.exists()


def test_what_was_handed_over_is_not_announced_though_its_client_does_without_the_news_of_it():
    lot = freight.shipped_lot(colis_count=2)
    given, kept = lot.colis.select_related("client__user")
    arrivals.receive(lot, [given.pk], freight.agent(), NOW)
    arrivals.tell(lot, None, NOW)
    WhatsAppMute.objects.create(user=given.client.user, message_type="pickup")
    waiting = WhatsAppNotification.objects.get()
    waiting.subjects.filter(name=kept.subject).delete()
    arrivals.hand_over(given.client, [given.pk], "Awa", uuid.uuid4(), freight.agent(1), NOW)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancel_reason) == (Status.CANCELLED, CancelReason.SUPERSEDED)


def test_a_parcel_that_cannot_be_found_is_not_announced_any_more():
    lot = freight.shipped_lot(colis_count=1)
    colis = lot.colis.get()
    arrivals.receive(lot, [colis.pk], freight.agent(), NOW)
    arrivals.tell(lot, None, NOW)
    arrivals.lose(colis, freight.agent(1), NOW)

    assert WhatsAppNotification.objects.get().status == Status.CANCELLED


def failed_arrival(lot: Lot) -> WhatsAppNotification:
    """The arrival of all of the lot, which no message could tell."""
    arrivals.receive(lot, freight.pks(lot), freight.agent(), NOW)
    arrivals.tell(lot, None, NOW)
    WhatsAppNotification.objects.update(status=Status.FAILED, failed_at=NOW, next_attempt_at=None)
    return WhatsAppNotification.objects.get()


@pytest.mark.parametrize(("count", "is_closed"), [(1, True), (2, False)], ids=["all of it", "a part of it"])
def test_handing_over_closes_a_call_about_what_was_handed_over_and_nothing_else(count: int, is_closed: bool):
    lot = freight.shipped_lot(colis_count=count)
    failed, given = failed_arrival(lot), lot.colis.select_related("client__user")[0]
    arrivals.hand_over(given.client, [given.pk], "Moussa", uuid.uuid4(), freight.agent(1), NOW)

    failed.refresh_from_db()
    assert (failed.informed_at is not None) == is_closed


def test_somebody_for_whom_no_message_could_be_made_need_not_be_called_once_they_have_their_parcel():
    lot = freight.shipped_lot(colis_count=1)
    colis = lot.colis.select_related("client__user").get()
    arrivals.receive(lot, [colis.pk], freight.agent(), NOW)
    WhatsAppTemplate.objects.filter(code="envoi_arrive").update(is_active=False)
    arrivals.tell(lot, None, NOW)
    assert WhatsAppAddressee.objects.never_told().count() == 1

    arrivals.hand_over(colis.client, [colis.pk], "Awa", uuid.uuid4(), freight.agent(1), NOW)
    assert not WhatsAppAddressee.objects.never_told().exists()


def test_a_lot_that_cannot_be_announced_does_not_keep_the_others_from_it():
    lots = [freight.shipped_lot(colis_count=1, number=number) for number in ("GZ-1", "GZ-2")]
    for lot in lots:
        arrivals.receive(lot, freight.pks(lot), User.objects.filter(role="agent_mali").first() or freight.agent(), NOW)
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'no'; END $$ LANGUAGE plpgsql")
        cursor.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON whatsapp_monitoring_app_whatsappannouncement "
            "FOR EACH ROW WHEN (NEW.subject = 'lot:GZ-1') EXECUTE FUNCTION refuse()"
        )

    assert arrivals.tell_forgotten(NOW + arrivals.FORGOTTEN_AFTER * 2) == 1
    assert WhatsAppAnnouncement.objects.get().subject == "lot:GZ-2"
