"""The banner and the page of the alerts: plain words for agents, what to do for administrators."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.template import Context, Template
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.administrators import said
from tests.whatsapp_monitoring_app.mail_server import MailServer
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Action,
    AlertKind,
    ErrorClass,
    Status,
    WhatsAppAlertChoice,
    WhatsAppAuditEntry,
    WhatsAppNotification,
    WhatsAppPulse,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import pulses
from whatsapp_monitoring_app.services.pulses import Part

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Traoré")


@pytest.fixture
def admin(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370000101", email="moussa@cargo.example")


@pytest.fixture(autouse=True)
def _alive() -> None:
    for part in Part:
        pulses.note(part, timezone.now())


def page(browser: Browser, office: str, name: str = "whatsapp_alerts") -> str:
    answer = browser.get(reverse(f"{office}:{name}"))
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def banner(office: str, **options: Any) -> str:
    """What the banner says on a page of this office, as text."""
    tag = "{% load health %}{% health_banner " + " ".join(f"{name}={value}" for name, value in options.items()) + " %}"
    with translation.override("en"):
        html = Template(tag).render(Context({"scope": scopes.get(office)}))
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


class TestTheBanner:
    def test_it_says_that_all_is_well_and_on_lists_nothing(self):
        assert banner("agent_mali") == "No alert Past alerts"
        assert banner("agent_mali", compact=True) == ""

    @pytest.mark.parametrize("office", ["agent_mali", "admin_mali"])
    @pytest.mark.parametrize("name", ["whatsapp_monitoring", "whatsapp_morning", "whatsapp_monitoring_list"])
    def test_it_stands_on_the_pages_that_people_open_first(self, office: str, name: str, log_in):
        rows.alert("agent_mali", AlertKind.FAILURE_RATE, facts={"failed": 10, "total": 20, "percent": 50})
        html = page(log_in(office, language="en"), office, name)
        if name.endswith("list"):
            assert "Something is wrong with the WhatsApp messages: see the alerts" in html
        else:
            assert "Trouble Mali office: 50 % of the messages of the last hour failed (10 of 20)." in html

    def test_it_is_true_although_nobody_evaluates_any_more(self):
        pulses.note(Part.WORKER, timezone.now() - 4 * MINUTE)
        assert "Trouble Nothing is being sent: the workers have been silent since" in banner("agent_mali")
        assert "The messages wait, and leave by themselves. Tell an administrator" in banner("agent_mali")
        assert "Start a worker" in banner("admin_mali")
        assert "Start a worker" not in banner("agent_mali")

    def test_a_part_that_was_never_seen_is_said_to_be_so(self):
        WhatsAppPulse.objects.all().delete()
        assert "no worker was ever seen here" in banner("agent_mali")
        assert "the scheduler was never seen here" in banner("admin_mali")
        assert "1970" not in banner("admin_mali")

    def test_nothing_is_said_twice(self):
        now = timezone.now()
        WhatsAppSender.objects.update(
            stopped_until=now + MINUTE, stop_class=ErrorClass.ACCOUNT_STOP, token_expires_at=now + MINUTE
        )
        rows.notification("agent_mali", Status.PENDING, error_class=ErrorClass.TEMPLATE_STOP)
        pulses.note(Part.BEAT, now - 4 * MINUTE)
        facts = {"senders": ["Mali"], "sender": 1, "error_class": "account_stop", "ends": now.isoformat()}
        for kind in (AlertKind.CIRCUIT_OPEN, AlertKind.TOKEN_EXPIRY, AlertKind.TEMPLATE_HELD, AlertKind.BEAT_SILENT):
            rows.alert(
                "", kind, facts={**facts, "is_past": False, "count": 1, "template": "", "since": now.isoformat()}
            )
        words = banner("agent_mali")
        for sentence in ("are stopped.", "expires on", "waits for the template", "scheduler has been silent"):
            assert words.count(sentence) == 1, sentence

    def test_an_office_is_told_of_its_own_troubles_and_the_company_s(self):
        rows.alert("agent_chine")
        rows.notification("agent_chine", Status.PENDING, error_class=ErrorClass.TEMPLATE_STOP)
        assert banner("agent_mali") == "No alert Past alerts"
        assert "China office: 3 messages wait too long" in banner("admin_mali")
        rows.alert("", AlertKind.WEBHOOK_SILENT, facts={"provider": "Twilio", "count": 7})
        assert "No receipts come from Twilio" in banner("agent_mali")

    def test_it_says_who_takes_care(self, make_user):
        rows.alert("agent_mali", taken_by=make_user(first_name="Moussa", last_name="Keïta"))
        assert "Moussa Keïta takes care of it" in banner("agent_mali")

    @pytest.mark.parametrize("office", ["agent_mali", "admin_mali"])
    def test_it_asks_two_questions_while_no_template_holds_anything_back(self, office: str):
        rows.alert("agent_mali")
        rows.alert("", AlertKind.WEBHOOK_SILENT, facts={"provider": "Twilio", "count": 7})
        with CaptureQueriesContext(connection) as asked:
            banner(office)
        assert len(asked) == 2


class TestThePage:
    def test_while_nothing_is_wrong_it_says_so(self, agent: Browser):
        words = page(agent, "agent_mali")
        assert "No alert is open" in words
        assert "Nothing was wrong in the last 30 days" in words
        assert "How you are told" not in words

    def test_what_is_open_comes_first_and_what_is_over_is_kept_for_30_days(self, agent: Browser, make_user):
        now = timezone.now()
        rows.alert("", AlertKind.BEAT_SILENT, facts={"since": now.isoformat()}, resolved_at=now)
        rows.alert("", AlertKind.WORKERS_SILENT, facts={}, resolved_at=now - timedelta(days=31))
        rows.alert("agent_mali", taken_by=make_user(first_name="Moussa"), taken_at=now)
        rows.alert("agent_chine")
        words = page(agent, "agent_mali")
        assert words.index("3 messages wait too long") < words.index("The scheduler is silent")
        assert "Moussa Traoré takes care of it" in words
        assert "workers are silent" not in words
        assert "China office:" not in words

    def test_it_is_true_although_nobody_evaluates_any_more_and_says_nothing_twice(self, agent: Browser):
        pulses.note(Part.WORKER, timezone.now() - 4 * MINUTE)
        assert page(agent, "agent_mali").count("Nothing is being sent: the workers have been silent") == 1
        assert "No alert is open" not in page(agent, "agent_mali")
        rows.alert("", AlertKind.WORKERS_SILENT, facts={"since": timezone.now().isoformat()})
        assert page(agent, "agent_mali").count("Nothing is being sent: the workers have been silent") == 1

    def test_administrators_see_every_office_and_whether_people_were_told(self, admin: Browser):
        rows.alert("agent_chine", mail_error="SMTPServerDisconnected: gone", messaged_at=timezone.now())
        words = page(admin, "admin_mali")
        assert "China office: 3 messages wait too long" in words
        assert "not sent by e-mail yet: SMTPServerDisconnected: gone" in words
        assert "sent by WhatsApp" in words

    def test_a_link_leads_to_the_messages_that_are_meant(self, agent: Browser):
        rows.alert("agent_mali")
        waiting = rows.notification("agent_mali", Status.PENDING)
        rows.notification("agent_mali")
        answer = agent.get(reverse("agent_mali:whatsapp_alerts"))
        [link] = re.findall(r'href="([^"]+)">See the waiting messages', answer.content.decode())
        assert list(agent.get(link).context["page"]) == [waiting]

    @pytest.mark.parametrize(
        ("backend", "email", "words"),
        [
            ("locmem", "moussa@cargo.example", "1 address gets alerts by e-mail."),
            ("locmem", "", "Nobody gets alerts by e-mail"),
            ("dummy", "moussa@cargo.example", "This installation has no mail server"),
        ],
        ids=["well", "nobody", "no server"],
    )
    def test_it_says_loudly_when_nobody_gets_e_mails(self, backend: str, email: str, words: str, log_in, settings):
        settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
        assert words in page(log_in("admin_chine", language="en", email=email), "admin_chine")


class TestTaking:
    def test_somebody_takes_care_and_everybody_sees_it(self, agent: Browser, admin: Browser):
        alert = rows.alert("agent_mali")
        answer = agent.post(reverse("agent_mali:whatsapp_alert_take", args=[alert.pk]))
        assert (answer.status_code, answer["Location"]) == (302, reverse("agent_mali:whatsapp_alerts"))
        assert said(answer) == "Noted: you take care of it."
        assert "Awa Traoré takes care of it" in page(admin, "admin_mali")
        entry = WhatsAppAuditEntry.objects.get()
        assert (entry.action, entry.target, entry.source_app) == (Action.ALERT_TAKE, str(alert.pk), "agent_mali")

        second = admin.post(reverse("admin_mali:whatsapp_alert_take", args=[alert.pk]))
        assert said(second) == "Awa Traoré takes care of it already."
        assert WhatsAppAuditEntry.objects.count() == 1

    def test_what_is_over_is_said_to_be_so_and_a_foreign_alert_does_not_exist(self, agent: Browser):
        over, foreign = rows.alert("agent_mali", resolved_at=timezone.now()), rows.alert("agent_chine")
        assert said(agent.post(reverse("agent_mali:whatsapp_alert_take", args=[over.pk]))) == "This is over already."
        assert agent.post(reverse("agent_mali:whatsapp_alert_take", args=[foreign.pk])).status_code == 404


class TestHowPeopleAreTold:
    def test_a_person_chooses(self, admin: Browser):
        url = reverse("admin_mali:whatsapp_alert_choice")
        assert said(admin.post(url, {"by_email": "on"})) == "Your choice is saved."
        choice = WhatsAppAlertChoice.objects.get()
        assert (choice.by_email, choice.by_whatsapp) == (True, False)
        admin.post(url, {"by_whatsapp": "on"})
        choice.refresh_from_db()
        assert (choice.by_email, choice.by_whatsapp) == (False, True)

    def test_a_test_reaches_them_by_both_ways_once(self, stack: Stack, admin: Browser):
        url, form = reverse("admin_mali:whatsapp_alert_test"), {"request_id": uuid.uuid4()}
        words = said(admin.post(url, form))
        assert "A test is on its way to you by WhatsApp" in words
        assert "The mail server took a test for moussa@cargo.example." in words
        admin.post(url, form)
        [letter] = mail.outbox
        assert letter.subject == "[TS Air Cargo] Test alert"
        [message] = eventually(lambda: stack.messages_to("+22370000101"), "the test")
        assert "This is only a test" in message["text"]
        assert WhatsAppNotification.objects.count() == 1

    def test_what_went_wrong_is_said(self, admin: Browser, mail_host: MailServer, settings: Any):
        url = reverse("admin_mali:whatsapp_alert_test")
        mail_host.refuses = True
        assert "The test by e-mail failed: SMTPRecipientsRefused" in said(
            admin.post(url, {"request_id": uuid.uuid4()})
        )
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
        assert "no mail server" in said(admin.post(url, {"request_id": uuid.uuid4()}))
        assert said(admin.post(url, {"request_id": "nonsense"})).endswith("Open this page anew, and try again.")

    def test_who_has_no_address_is_told_so(self, log_in):
        browser = log_in("admin_chine", language="en")
        words = said(browser.post(reverse("admin_chine:whatsapp_alert_test"), {"request_id": uuid.uuid4()}))
        assert "your account has no e-mail address" in words
