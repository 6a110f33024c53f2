"""Administrators are told of alerts, by e-mail and by WhatsApp, until it has succeeded, and not by two at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from tests import rows
from tests.outages import closed_port
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.mail_server import SMTP, MailServer
from tests.whatsapp_monitoring_app.scripts import NOW, at_once
from whatsapp_monitoring_app import tasks
from whatsapp_monitoring_app.models import (
    AlertKind,
    Status,
    WhatsAppAlert,
    WhatsAppAlertChoice,
    WhatsAppNotification,
    WhatsAppTemplate,
)
from whatsapp_monitoring_app.services import alert_news, watch

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def admin(make_user: Callable[..., User]) -> User:
    return make_user(role="admin_mali", email="moussa@cargo.example", telephone="+22370000101", language="en")


class TestByEmail:
    def test_each_reader_gets_one_in_their_language_and_sees_no_other(self, admin, make_user, settings):
        settings.ALERT_EMAILS = ["owner@cargo.example"]
        make_user(role="admin_chine", email="li@cargo.example", language="zh-hans")
        make_user(role="agent_mali", email="agent@cargo.example")
        make_user(role="admin_mali", email="gone@cargo.example", is_active=False)
        make_user(role="admin_mali")
        alert = rows.alert("agent_mali")

        assert alert_news.send_mails(NOW) == 1
        assert alert_news.send_mails(NOW + MINUTE) == 0
        assert sorted(reader for letter in mail.outbox for reader in letter.bcc) == [
            "li@cargo.example",
            "moussa@cargo.example",
            "owner@cargo.example",
        ]
        assert all(not letter.to for letter in mail.outbox)
        [english] = [letter for letter in mail.outbox if letter.bcc == ["moussa@cargo.example"]]
        assert english.subject == "[TS Air Cargo] Messages wait for too long"
        assert "Mali office: 3 messages wait too long" in english.body
        assert f"{settings.PUBLIC_BASE_URL}/admin-chine/whatsapp/alerts/" in english.body
        alert.refresh_from_db()
        assert (alert.mailed_at, alert.mail_error, alert.claimed_until) == (NOW, "", None)

    def test_who_does_not_want_e_mails_gets_none_and_a_superuser_does(self, admin, make_user):
        WhatsAppAlertChoice.objects.create(user=admin, by_email=False)
        make_user(is_superuser=True, email="root@cargo.example")
        assert alert_news.addresses() == {"fr": ["root@cargo.example"]}

    def test_the_end_is_told_too_once(self, admin):
        rows.alert("agent_mali", mailed_at=NOW, resolved_at=NOW)
        assert alert_news.send_mails(NOW + MINUTE) == 1
        assert alert_news.send_mails(NOW + 2 * MINUTE) == 0
        assert [letter.subject for letter in mail.outbox] == ["[TS Air Cargo] Over: Messages wait for too long"]

    def test_what_was_over_before_anybody_was_told_is_told_once_and_old_news_never(self, admin):
        rows.alert("agent_mali", resolved_at=NOW)
        rows.alert("agent_chine", resolved_at=NOW - DAY)
        assert alert_news.send_mails(NOW + MINUTE) == 1
        assert alert_news.send_mails(NOW + 2 * MINUTE) == 0
        assert len(mail.outbox) == 1

    def test_nobody_to_write_to_and_no_mail_server_owe_the_e_mail_on(self, admin, settings):
        alert = rows.alert()
        settings.EMAIL_BACKEND = alert_news.NO_MAIL
        assert alert_news.send_mails(NOW) == 0
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        User.objects.update(email="")
        assert alert_news.send_mails(NOW) == 0
        User.objects.filter(pk=admin.pk).update(email="moussa@cargo.example")
        assert alert_news.send_mails(NOW) == 1
        alert.refresh_from_db()
        assert alert.mailed_at == NOW

    @pytest.mark.parametrize("kind", AlertKind, ids=str)
    @pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
    def test_every_kind_of_alert_can_be_said_in_every_language(self, kind: AlertKind, language: str, make_user):
        make_user(role="admin_mali", email="a@b.example", language=language)
        facts = {
            AlertKind.FAILURE_RATE: {"failed": 10, "total": 20, "percent": 50},
            AlertKind.CIRCUIT_OPEN: {"senders": ["Mali"], "sender": 1, "error_class": "account_stop"},
            AlertKind.TOKEN_EXPIRY: {"senders": ["A", "B"], "sender": 1, "ends": NOW.isoformat(), "is_past": False},
            AlertKind.TEMPLATE_HELD: {"count": 2, "template": "Avis"},
            AlertKind.WEBHOOK_SILENT: {"provider": "Twilio", "count": 7},
        }
        since = {"since": NOW.isoformat(), "count": 1}
        rows.alert("agent_mali", kind, facts=facts.get(kind, since))
        assert alert_news.send_mails(NOW) == 1
        [letter] = mail.outbox
        assert "%(" not in letter.body


class TestAMailServer:
    def test_it_is_given_the_letters(self, admin, mail_host: MailServer):
        rows.alert("agent_mali")
        assert alert_news.send_mails(NOW) == 1
        [(readers, letter)] = mail_host.letters
        assert readers == ["moussa@cargo.example"]
        assert "3 messages wait too long" in letter.get_content()

    def test_a_letter_that_it_refuses_is_tried_again_and_the_page_knows_why(self, admin, mail_host: MailServer):
        alert = rows.alert("agent_mali")
        mail_host.refuses = True
        assert alert_news.send_mails(NOW) == 0
        alert.refresh_from_db()
        assert (alert.mailed_at, alert.claimed_until) == (None, None)
        assert alert.mail_error.startswith("SMTPRecipientsRefused: ")

        mail_host.refuses = False
        assert alert_news.send_mails(NOW + MINUTE) == 1
        alert.refresh_from_db()
        assert (alert.mailed_at, alert.mail_error) == (NOW + MINUTE, "")

    def test_one_that_does_not_answer_is_asked_once_a_look(self, admin, settings):
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", closed_port()
        rows.alert("agent_mali", opened_at=NOW)
        rows.alert("agent_chine", opened_at=NOW + MINUTE)
        assert alert_news.send_mails(NOW) == 0
        errors = WhatsAppAlert.objects.order_by("opened_at").values_list("mail_error", flat=True)
        assert [error.partition(":")[0] for error in errors] == ["ConnectionRefusedError", ""]

    @pytest.mark.django_db(transaction=True)
    def test_two_processes_do_not_write_the_same_letter(self, admin, mail_host: MailServer):
        rows.alert("agent_mali")
        meanwhile: list[int] = []
        mail_host.on_letter = lambda: meanwhile.extend(at_once(lambda: alert_news.send_mails(NOW + MINUTE)))
        assert alert_news.send_mails(NOW) == 1
        assert meanwhile == [0]
        assert len(mail_host.letters) == 1

    @pytest.mark.django_db(transaction=True)
    def test_what_a_process_held_that_died_is_sent_by_another_one(self, admin, mail_host: MailServer):
        rows.alert("agent_mali", claimed_until=NOW + MINUTE)
        assert alert_news.send_mails(NOW) == 0
        assert alert_news.send_mails(NOW + MINUTE) == 1


class TestByWhatsApp:
    def test_each_administrator_who_wants_it_gets_one_once(self, admin, make_user):
        unwilling = make_user(role="admin_mali")
        WhatsAppAlertChoice.objects.create(user=unwilling, by_whatsapp=False)
        make_user(role="agent_mali")
        make_user(role="admin_chine", is_active=False)
        rows.alert("agent_mali")

        [message] = alert_news.post(NOW)
        assert alert_news.post(NOW + MINUTE) == []
        assert (message.user, message.source_app, message.message_type) == (admin, "admin_mali", "alert")
        assert message.message_content.startswith("Alert of the TS Air Cargo system: Mali office: 3 messages wait")
        assert message.message_content.count("/admin-mali/whatsapp/alerts/") == 1

    @pytest.mark.django_db(transaction=True)
    def test_processes_that_look_at_once_tell_each_person_once(self, admin):
        rows.alert("agent_mali")
        assert sum(map(len, at_once(*[lambda: alert_news.post(NOW)] * 4))) == 1

    def test_what_is_over_is_not_told_by_whatsapp(self, admin):
        rows.alert("agent_mali", resolved_at=NOW)
        assert alert_news.post(NOW) == []

    def test_a_template_that_is_switched_off_keeps_nobody_from_the_e_mail(self, admin):
        WhatsAppTemplate.objects.filter(code="alerte").update(is_active=False)
        rows.alert("agent_mali")
        watch.look(timezone.now(), ring=lambda posted: None)
        assert not WhatsAppNotification.objects.exists()
        assert len(mail.outbox) >= 1


def make_trouble() -> None:
    for _ in range(20):
        rows.notification("agent_mali")


def test_the_recovery_of_every_minute_tells_by_whatsapp(stack: Stack, admin: User):
    make_trouble()
    tasks.recover_whatsapp_notifications.apply_async().get(timeout=60)
    [message] = eventually(lambda: stack.messages_to(admin.telephone), "the alert")
    assert "Mali office: 100 % of the messages of the last hour failed (20 of 20)." in message["text"]
    tasks.recover_whatsapp_notifications.apply_async().get(timeout=60)
    assert len(stack.messages_to(admin.telephone)) == 1


@pytest.mark.usefixtures("transactional_db")
def test_the_watch_tells_by_itself_without_any_worker(sandbox: Any, admin: User, mailoutbox: list[Any]):
    stack = Stack(sandbox)
    stack.forget()
    make_trouble()
    call_command("watch_whatsapp", "--once")
    [message] = stack.messages_to(admin.telephone)
    assert "failed (20 of 20)" in message["text"]
    assert WhatsAppNotification.objects.get(message_type="alert").status != Status.PENDING
    assert [letter.subject for letter in mailoutbox] == ["[TS Air Cargo] Many messages fail"]


@pytest.mark.django_db(transaction=True)
def test_alerts_that_cannot_be_looked_after_break_nothing_of_the_recovery():
    waits = rows.notification("agent_mali", Status.PENDING, expires_at=timezone.now() - MINUTE)
    table, away = WhatsAppAlert._meta.db_table, "alerts_are_away"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {away}")
    try:
        counts = tasks.recover_whatsapp_notifications()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {away} RENAME TO {table}")
    assert (counts["expired"], counts["told"]) == (1, 0)
    waits.refresh_from_db()
    assert waits.status == Status.FAILED
