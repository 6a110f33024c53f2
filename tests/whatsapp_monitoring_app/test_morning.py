"""The start of the day: which clients were not reached since the previous working day."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.services import announcements, morning
from whatsapp_monitoring_app.services.announcements import Event, Telling

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def accepted(office: str = "agent_mali", hours: int = 13, **fields: Any) -> WhatsAppNotification:
    at = timezone.now() - hours * HOUR
    sender = WhatsAppSender.objects.get(code="mali")
    return rows.notification(office, Status.SENT, sent_at=at, created_at=at, sender=sender, **fields)


def announce_to_nobody(user: User) -> None:
    User.objects.filter(pk=user.pk).update(telephone="+999")
    user.refresh_from_db()
    event = Event(
        source_app="agent_mali", idempotency_key="e", message_type="delivery", category="c", title="Arrivée · GZ-1"
    )
    telling = Telling(user=user, template="envoi_arrive", params={"nom": "Awa", "colis": "colis TS1"}, about={})
    announcements.announce(event, [telling], timezone.now())


@pytest.mark.parametrize(
    ("zone", "at", "begin"),
    [
        ("Africa/Bamako", datetime(2026, 10, 6, 8, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)),
        ("Africa/Bamako", datetime(2026, 10, 5, 8, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)),
        ("Africa/Bamako", datetime(2026, 10, 4, 23, 59, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC)),
        ("Asia/Shanghai", datetime(2026, 10, 4, 23, 59, tzinfo=UTC), datetime(2026, 10, 1, 16, tzinfo=UTC)),
    ],
    ids=["on a Tuesday", "on a Monday", "on a Sunday", "on a Monday in China"],
)
def test_the_morning_looks_back_to_the_previous_working_day(zone: str, at: datetime, begin: datetime):
    with timezone.override(ZoneInfo(zone)):
        assert morning.since(at) == begin


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def page(browser: Browser, office: str = "agent_mali") -> str:
    answer = browser.get(reverse(f"{office}:whatsapp_morning"))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_when_all_is_well_the_page_says_so(agent: Browser):
    rows.notification("agent_mali", Status.READ)
    rows.notification("agent_chine")
    html = page(agent)
    assert "Nobody has to be called" in html
    assert "Nothing waits here." in html


def test_each_figure_leads_to_what_it_counts(agent: Browser, make_user: Callable[..., User]):
    rows.notification("agent_mali", user=make_user(first_name="Jean", last_name="Dupont"))
    late = accepted()
    accepted(hours=11)
    waiting = rows.notification("agent_mali", Status.PENDING)
    html = page(agent)
    messages = reverse("agent_mali:whatsapp_monitoring_list")

    assert f'href="{reverse("agent_mali:whatsapp_calls")}"><strong>1</strong> person to call' in html
    assert "<strong>1</strong> message accepted but not delivered for more than 12 hours" in html
    assert "<strong>1</strong> message on its way" in html
    assert "Jean Dupont" in html
    assert "tel:+22376123456" in html
    assert "Nobody has to be called" not in html
    assert list(agent.get(messages, {"period": "morning", "status": "late"}).context["page"]) == [late]
    assert list(agent.get(messages, {"status": "waiting"}).context["page"]) == [waiting]


def test_the_first_five_people_are_named(agent: Browser):
    for number in range(7):
        rows.notification("agent_mali", phone_number=f"+2237000000{number}")
    html = page(agent)
    assert "<strong>7</strong> people to call" in html
    assert html.count("tel:+223") == morning.NAMED_AT_MOST


def test_what_is_late_for_longer_or_will_never_be_confirmed_is_no_news(agent: Browser):
    accepted(hours=24 * 5)
    WhatsAppSender.objects.filter(code="systeme").update(provider="wachap")
    accepted(phone_number="+22370000001")
    WhatsAppNotification.objects.filter(phone_number="+22370000001").update(
        sender=WhatsAppSender.objects.get(code="systeme")
    )
    assert "Nobody has to be called" in page(agent)


def test_an_announcement_that_has_not_reached_everybody_is_named(agent: Browser, make_user: Callable[..., User]):
    announce_to_nobody(make_user())
    html = page(agent)
    assert "Arrivée · GZ-1" in html
    assert "1 person does not know yet" in html


def test_stopped_senders_are_told(agent: Browser):
    sender = WhatsAppSender.objects.get(code="mali")
    sender.stop(timezone.now() + HOUR, "account_stop", "190")  # type: ignore[arg-type]
    assert "The senders Chine, Mali, Système are stopped." in page(agent)


def test_administrators_get_every_office_with_its_name(log_in: Callable[..., Browser]):
    rows.notification("agent_mali")
    accepted("agent_chine", phone_number="+22370000001")
    html = page(log_in("admin_mali", language="en"), "admin_mali")

    offices = {one.scope.office: one for one in morning.of(scopes.get("admin_mali"), timezone.now()).offices}
    assert set(offices) == {"agent_mali", "agent_chine", "admin_mali"}
    assert (offices["agent_mali"].call_count, offices["agent_chine"].late_count) == (1, 1)
    assert "Mali office" in html
    assert "China office" in html


@pytest.mark.parametrize("office", ["agent_chine", "agent_mali"])
@pytest.mark.parametrize("name", ["home", "whatsapp_monitoring"])
def test_the_morning_is_offered_where_the_day_begins(office: str, name: str, log_in: Callable[..., Browser]):
    html = log_in(office).get(reverse(f"{office}:{name}")).content.decode()
    assert f'href="{reverse(f"{office}:whatsapp_morning")}"' in html
