"""A parcel arrives in Mali: its client is told, once, whoever presses the button how often."""

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Colis, Lot
from agent_mali_app import arrivals
from agent_mali_app.whatsapp_integration import notify_colis_arrival_mali, send_whatsapp_notification_mali
from tests.agent_mali_app import freight
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.tasks import send_whatsapp_async

JEAN = "+22376123456"


@pytest.fixture
def colis(db: None) -> Colis:
    return Colis.objects.create(client=create_client(JEAN, "Jean", "Dupont")[0], status=Colis.Status.SHIPPED)


def address(colis: Colis) -> str:
    return reverse("agent_mali:colis_arrival", args=[colis.pk])


def said(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in get_messages(answer.wsgi_request)]


def test_an_arrived_parcel_is_told_to_its_client(stack: Stack, colis: Colis, log_in: Callable[..., Browser]):
    answer = log_in("agent_mali").post(address(colis))
    (message,) = eventually(lambda: stack.messages_to(JEAN), "the message arrived")

    colis.refresh_from_db()
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("agent_mali:colis_list"))
    assert colis.status == Colis.Status.ARRIVED
    assert colis.arrived_at
    assert timezone.now() - colis.arrived_at < timedelta(minutes=1)
    assert colis.numero_suivi in message["text"]


def test_the_second_press_says_so_and_tells_nobody(colis: Colis, log_in: Callable[..., Browser]):
    browser = log_in("agent_mali")
    first = browser.post(address(colis))
    arrived_at = Colis.objects.get().arrived_at
    second = browser.post(address(colis))

    assert [level for level, _ in said(first)] == ["success"]
    assert said(second)[-1][0] == "info"
    assert colis.numero_suivi in said(second)[-1][1]
    assert WhatsAppNotification.objects.count() == 1
    assert Colis.objects.get().arrived_at == arrived_at


@pytest.mark.django_db
def test_a_parcel_of_a_lot_is_received_with_it_and_its_client_told_with_the_others(log_in: Callable[..., Browser]):
    lot = freight.shipped_lot(2)
    first, second = lot.colis.order_by("pk")
    browser = log_in("agent_mali", language="en")
    answers = [browser.post(address(first)) for _time in range(2)]

    first.refresh_from_db()
    assert (first.status, first.arrival_told_at) == (Colis.Status.ARRIVED, None)
    assert [level for level, _text in said(answers[0])] == ["success"]
    assert "Tell the clients" in said(answers[0])[-1][1]
    assert [level for level, _text in said(answers[1])][-1] == "info"
    assert not WhatsAppNotification.objects.exists()
    browser.post(address(second))
    assert Lot.objects.get().status == Lot.Status.RECEIVED
    assert arrivals.tell_forgotten(timezone.now() + timedelta(hours=1)) == 1
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.django_db
def test_a_parcel_of_a_lot_that_is_in_china_has_not_arrived(log_in: Callable[..., Browser]):
    colis = freight.shipped_lot(1, status=Lot.Status.CLOSED).colis.get()
    answer = log_in("agent_mali").post(address(colis))

    assert [level for level, _text in said(answer)] == ["warning"]
    colis.refresh_from_db()
    assert (colis.status, colis.arrived_at) == (Colis.Status.SHIPPED, None)


def test_several_people_at_once_tell_the_client_once(stack: Stack, colis: Colis, log_in: Callable[..., Browser]):
    browsers = [log_in("agent_mali") for _ in range(6)]

    def press(browser: Browser) -> str:
        try:
            return said(browser.post(address(colis)))[0][0]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(browsers)) as threads:
        levels = list(threads.map(press, browsers))
    eventually(lambda: stack.messages_to(JEAN), "the message arrived")
    assert sorted(levels) == ["info"] * 5 + ["success"]
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_only_a_post_notes_an_arrival(method: str, colis: Colis, log_in: Callable[..., Browser]):
    assert getattr(log_in("agent_mali"), method)(address(colis)).status_code == 405
    colis.refresh_from_db()
    assert (colis.status, colis.arrived_at) == (Colis.Status.SHIPPED, None)
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("role", ["client", "agent_chine", "admin_chine", "admin_mali"])
def test_only_the_mali_office_notes_an_arrival(role: str, colis: Colis, log_in: Callable[..., Browser]):
    assert log_in(role).post(address(colis)).status_code == 403
    colis.refresh_from_db()
    assert colis.status == Colis.Status.SHIPPED
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/agent-mali/?page=2", "/agent-mali/?page=2"),
        ("https://evil.example/", "/agent-mali/colis/"),
        ("//evil.example", "/agent-mali/colis/"),
    ],
)
def test_one_lands_on_the_page_of_the_button_and_never_on_another_site(
    wanted: str, lands: str, colis: Colis, log_in: Callable[..., Browser]
):
    assert log_in("agent_mali").post(address(colis), {"next": wanted}).headers["Location"] == lands


@pytest.mark.parametrize(("office", "has_button"), [("agent_chine", False), ("agent_mali", True)])
@pytest.mark.parametrize("page", ["home", "colis_list"])
def test_mali_alone_has_the_button(
    page: str, office: str, has_button: bool, colis: Colis, log_in: Callable[..., Browser]
):
    shown = log_in(office).get(reverse(f"{office}:{page}")).content.decode()

    assert colis.numero_suivi in shown
    assert (address(colis) in shown) is has_button


@pytest.mark.parametrize("office", ["agent_chine", "agent_mali"])
def test_the_list_can_be_cut_down_to_what_is_awaited_or_has_arrived(
    office: str, colis: Colis, log_in: Callable[..., Browser]
):
    arrived = Colis.objects.create(client=colis.client, status=Colis.Status.ARRIVED)
    browser = log_in(office)

    def shown(status: str) -> set[Colis]:
        return set(browser.get(reverse(f"{office}:colis_list"), {"status": status}).context["page"])

    assert shown("awaited") == {colis}
    assert shown("arrived") == {arrived}
    assert shown("") == shown("unknown") == {colis, arrived}


def test_a_parcel_that_does_not_exist_is_404(colis: Colis, log_in: Callable[..., Browser]):
    assert log_in("agent_mali").post(reverse("agent_mali:colis_arrival", args=[colis.pk + 1])).status_code == 404
    assert not WhatsAppNotification.objects.exists()


def test_the_message_has_the_fields_of_the_guide_and_is_owed_once(colis: Colis):
    assert notify_colis_arrival_mali(colis).id == notify_colis_arrival_mali(colis).id

    owed = WhatsAppNotification.objects.get()
    assert (owed.user, owed.phone_number, owed.source_app) == (colis.client.user, JEAN, "agent_mali")
    assert (owed.message_type, owed.category, owed.priority) == ("delivery", "colis_arrival", 1)
    assert owed.subject == f"colis:{colis.numero_suivi}"
    assert colis.numero_suivi in owed.message_content


def test_the_message_is_written_in_the_client_s_language(colis: Colis):
    User.objects.filter(pk=colis.client.user_id).update(language="en")
    notify_colis_arrival_mali(Colis.objects.get())

    assert "has arrived in Mali" in WhatsAppNotification.objects.get().message_content


def test_mali_s_own_function_speaks_for_mali_with_the_defaults_of_the_general_one(make_user: Callable[..., User]):
    user = make_user()
    send_whatsapp_notification_mali(user, "Bonjour", idempotency_key="once", phone_number="66 00 00 00")
    send_whatsapp_notification_mali(user, "Bonjour", idempotency_key="once")

    owed = WhatsAppNotification.objects.get()
    assert (owed.source_app, owed.message_type, owed.category) == ("agent_mali", "notification", "general")
    assert (owed.title, owed.priority, owed.phone_number) == ("", 3, "+22366000000")


def test_mali_s_own_function_takes_what_the_general_one_takes_but_the_office():
    general = dict(inspect.signature(send_whatsapp_async).parameters)
    del general["source_app"]
    assert dict(inspect.signature(send_whatsapp_notification_mali).parameters) == general


@pytest.mark.django_db
def test_a_message_for_nobody_is_refused_and_nothing_is_written():
    with pytest.raises(ValueError, match=r"\w"):
        send_whatsapp_notification_mali(message_content="Bonjour")
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("obstacle", ["opt-out", "number"])
def test_a_parcel_arrives_also_when_its_client_cannot_be_told_and_the_sentence_says_why(
    obstacle: str, colis: Colis, log_in: Callable[..., Browser]
):
    if obstacle == "number":
        User.objects.filter(pk=colis.client.user_id).update(telephone="+999123456")
    else:
        WhatsAppOptOut.objects.create(phone_number=JEAN, created_at=timezone.now())
    ((level, text),) = said(log_in("agent_mali", language="en").post(address(colis)))

    assert level == "warning"
    assert "cannot be told on WhatsApp: " in text
    colis.refresh_from_db()
    assert (colis.status, colis.arrival_told_at) == (Colis.Status.ARRIVED, None)
