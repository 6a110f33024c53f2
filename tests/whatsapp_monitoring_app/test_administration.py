"""The page that leads to everything an administration sees to, the queues, and Django's admin."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import rows
from whatsapp_monitoring_app.admin.base import EstimatingPaginator
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppPulse,
    WhatsAppSender,
    WhatsAppTally,
)
from whatsapp_monitoring_app.services import queues

pytestmark = pytest.mark.django_db

NUMBER = "+22376123456"
OURS = sorted(
    (model for model in admin.site._registry if model._meta.app_label == "whatsapp_monitoring_app"),
    key=lambda model: model.__name__,
)
# The database's own ledger is not for people: the dashboard reads it to them.
LEDGER = WhatsAppTally.__module__
ALL_MODELS = sorted(
    (
        model
        for model in WhatsAppNotification._meta.apps.get_app_config("whatsapp_monitoring_app").get_models()
        if model.__module__ != LEDGER
    ),
    key=lambda model: model.__name__,
)


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370009001")


@pytest.fixture
def staff(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", is_staff=True, is_superuser=True, telephone="+22370009002")


def page(browser: Browser, name: str, **query: str) -> str:
    answer = browser.get(reverse(f"admin_mali:whatsapp_{name}"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_leads_to_every_screen_that_there_is(browser: Browser):
    html = page(browser, "administration")
    for name in ("senders", "queues", "templates", "errors", "opt_outs", "audit"):
        assert f'href="{reverse(f"admin_mali:whatsapp_{name}")}"' in html, name


def test_the_page_says_what_wants_somebody(browser: Browser):
    at = timezone.now()
    WhatsAppSender.objects.filter(code="mali").update(is_active=False)
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=at)
    rows.notification("agent_mali", Status.PENDING, error_class=ErrorClass.TEMPLATE_STOP)
    html = page(browser, "administration")

    for words in ("1 sender is stopped or paused", "1 message waits", "1 message waits for a template", "1 number"):
        assert words in html, words


@pytest.mark.parametrize(
    ("address", "words"), [("https://flower.example", "https://flower.example"), ("", "FLOWER_URL")]
)
def test_flower_is_linked_where_there_is_one(address: str, words: str, browser: Browser, settings: Any):
    settings.FLOWER_URL = address
    html = page(browser, "administration")
    assert words in html
    assert ('href="https://flower.example"' in html) == bool(address)


def test_django_s_admin_is_linked_for_those_who_may_open_it(browser: Browser, staff: Browser):
    assert "Django admin" not in page(browser, "administration")
    assert "Django admin" in page(staff, "administration")


def test_the_menu_has_one_entry_for_all_of_it(browser: Browser):
    for name in ("administration", "senders", "queues", "audit"):
        html = page(browser, name)
        menu = html[html.index('class="main-nav"') : html.index("</nav>")]
        assert "<span>Admin</span>" in menu
        assert menu.count("<a ") == 4
        assert ("aria-current" in menu) is True


def test_the_menu_of_an_agent_is_what_it_was(log_in: Callable[..., Browser]):
    html = log_in("agent_mali", language="en").get(reverse("agent_mali:whatsapp_monitoring")).content.decode()
    assert "<span>Admin</span>" not in html


def test_a_queue_is_counted_by_lane_and_by_what_it_waits_for():
    at = timezone.now()
    soon, morning = at + timedelta(minutes=1), at + timedelta(hours=9)
    rows.notification("agent_mali", Status.PENDING, priority=1, next_attempt_at=soon)
    rows.notification("agent_mali", Status.PENDING, priority=3, next_attempt_at=morning)
    rows.notification("agent_mali", Status.RETRY_SCHEDULED, priority=5, error_class=ErrorClass.TRANSIENT)
    rows.notification("agent_mali", Status.PENDING, priority=5, error_class=ErrorClass.TEMPLATE_STOP)
    rows.notification("agent_chine", Status.PENDING)
    found = {queue.sender.code: queue for queue in queues.queues(at)}

    mali = found["mali"]
    assert {lane.name: lane.count for lane in mali.lanes} == {"urgent": 1, "normal": 1, "bulk": 2}
    assert (mali.retry_count, mali.template_count, mali.later_count) == (1, 1, 1)
    assert mali.overview.queue.count == 4
    assert found["chine"].overview.queue.count == 1
    assert found["systeme"].overview.queue.count == 0


def test_people_of_today_are_counted_once_for_each_account():
    at = timezone.now()
    mali, chine = (WhatsAppSender.objects.get(code=code) for code in ("mali", "chine"))
    for sender, number in ((mali, NUMBER), (chine, NUMBER), (mali, "+22376123457")):
        rows.notification("agent_mali", Status.SENT, sender=sender, phone_number=number, sent_at=at)
    rows.notification(
        "agent_mali", Status.SENT, sender=mali, phone_number="+22376123458", sent_at=at - timedelta(days=2)
    )
    found = {queue.sender.code: queue for queue in queues.queues(at)}

    # All senders have the account of the environment at first.
    assert [found[code].reached_today for code in ("mali", "chine")] == [2, 2]
    assert found["mali"].last_accepted_at == at
    assert found["systeme"].last_accepted_at is None


def test_a_sender_that_comes_back_goes_slowly_and_the_page_says_so(browser: Browser):
    WhatsAppSender.objects.filter(code="mali").update(resumed_at=timezone.now())
    html = page(browser, "queues")
    assert "% of 70: it comes back slowly" in html


def test_workers_and_scheduler_give_signs_of_life(browser: Browser):
    at = timezone.now()
    assert page(browser, "queues").count("never seen here") == 2
    WhatsAppPulse.objects.create(part="worker", at=at)
    WhatsAppPulse.objects.create(part="beat", at=at - timedelta(minutes=10))
    html = page(browser, "queues")
    assert html.count("last seen") == 2


@pytest.mark.parametrize("name", ["administration", "queues", "errors", "opt_outs", "audit"])
def test_the_questions_of_a_page_do_not_grow_with_the_rows(name: str, browser: Browser):
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(browser, name)
        return len(asked)

    rows.company(2, "agent_mali")
    WhatsAppOptOut.objects.create(phone_number="+22376000001", reason="STOP", created_at=timezone.now())
    few = question_count()
    rows.company(9, "agent_chine")
    for number in range(9):
        WhatsAppOptOut.objects.create(phone_number=f"+2237612345{number}", reason="STOP", created_at=timezone.now())
    assert question_count() == few <= 12


def test_django_s_admin_knows_every_model():
    assert set(OURS) == set(ALL_MODELS)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_of_django_s_admin_opens_and_finds_with_constant_questions(model: Any, staff: Browser):
    url = reverse(f"admin:whatsapp_monitoring_app_{model._meta.model_name}_changelist")

    def question_count(**query: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert staff.get(url, query).status_code == 200
        return len(asked)

    few = question_count()
    owed = rows.company(4, "agent_mali")
    rows.announcement("agent_mali", owed)
    assert question_count() <= few + 1
    for text in (NUMBER, "76 12 34 56", str(owed[0].pk), "colis:TS1", "²", "x\x00y"):
        assert question_count(q=text) <= few + 1


def test_a_message_is_found_in_django_s_admin_by_its_number_in_any_spelling(staff: Browser):
    wanted, _other = rows.notification("agent_mali"), rows.notification("agent_mali", phone_number="+22376000000")
    url = reverse("admin:whatsapp_monitoring_app_whatsappnotification_changelist")
    for text in (NUMBER, "76 12 34 56", "00223 76123456", str(wanted.pk)):
        assert list(staff.get(url, {"q": text}).context["cl"].result_list) == [wanted], text
    assert not staff.get(url, {"q": "7612"}).context["cl"].result_list


def test_what_the_engine_writes_is_read_only(staff: Browser):
    notification = rows.notification("agent_mali")
    attempt = rows.attempt(notification)
    for row in (notification, attempt):
        url = reverse(f"admin:whatsapp_monitoring_app_{row._meta.model_name}_change", args=[row.pk])
        html = staff.get(url).content.decode()
        assert 'name="_save"' not in html
        assert staff.post(url, {"status": "sent", "outcome": "accepted"}).status_code == 403


def test_many_rows_are_estimated_and_few_are_counted(staff: Browser, monkeypatch: pytest.MonkeyPatch):
    rows.company(3, "agent_mali")
    everything = WhatsAppNotification.objects.all()
    assert EstimatingPaginator(everything, 50).count == 3
    monkeypatch.setattr("whatsapp_monitoring_app.admin.base.COUNTED_AT_MOST", 1)
    with connection.cursor() as cursor:
        cursor.execute('ANALYZE "whatsapp_monitoring_app_whatsappnotification"')
    assert EstimatingPaginator(everything, 50).count == 3
    assert EstimatingPaginator(everything.filter(source_app="agent_mali"), 50).count == 2
