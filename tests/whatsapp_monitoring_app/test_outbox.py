"""Taking a message in: what is accepted becomes a row, what is refused leaves nothing behind."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone, translation

from accounts.models import User
from accounts.phones import InvalidTelephone
from tests.stack import ROOT, child_environment
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, at_once, post
from whatsapp_monitoring_app.bells import queue_for
from whatsapp_monitoring_app.models import Status, Trigger, WhatsAppNotification
from whatsapp_monitoring_app.scopes import UnknownOffice
from whatsapp_monitoring_app.services import drafts, recovery
from whatsapp_monitoring_app.services.drafts import InvalidNotification
from whatsapp_monitoring_app.tasks import send_whatsapp_async

WRONG_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("message_content", {"message_content": "é" * 4097}),
    ("message_content", {"message_content": ""}),
    ("message_content", {"message_content": " \n\t"}),
    ("message_content", {"message_content": "Bon\x00jour"}),
    ("message_content", {"message_content": "Bon\ud800jour"}),
    ("message_content", {"message_content": None}),
    ("message_content", {"message_content": b"Bonjour"}),
    ("title", {"title": "t" * 201}),
    ("title", {"title": "Bon\x00jour"}),
    ("message_type", {"message_type": "t" * 61}),
    ("category", {"category": "c" * 61}),
    ("subject", {"subject": "s" * 121}),
    ("subject", {"subject": "colis:\x00"}),
    ("language", {"language": "l" * 11}),
    ("idempotency_key", {"idempotency_key": "k" * 201}),
    ("idempotency_key", {"idempotency_key": "k\x00"}),
    *[("priority", {"priority": priority}) for priority in (0, 6, -1, "x", "3", True, None, 2.5)],
    ("phone_number", {"phone_number": ""}),
]


def send(**fields: Any) -> str:
    given = {"message_content": "Bonjour", "source_app": "agent_mali", "phone_number": NUMBER} | fields
    return send_whatsapp_async(**given).id


@pytest.mark.django_db
@pytest.mark.parametrize(("field", "fields"), WRONG_FIELDS)
def test_a_message_that_cannot_be_sent_is_refused_by_field(field: str, fields: dict[str, Any]):
    with pytest.raises(InvalidNotification) as refusal:
        send(**fields)
    assert refusal.value.field == field
    assert str(refusal.value)
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "number", ["76 12 34", "76 12 34 56 78", "+223761234", "+999123456789", "bonjour", "+", "1" * 300]
)
def test_a_number_that_cannot_exist_is_refused(number: str):
    with pytest.raises(InvalidTelephone):
        send(phone_number=number)
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("office", ["", "agent_france", "AGENT_MALI", "agent_mali_app"])
def test_an_office_that_does_not_exist_is_refused(office: str):
    with pytest.raises(UnknownOffice):
        send(source_app=office)
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.django_db
def test_the_refusal_is_told_in_the_language_of_the_moment():
    sentences = set()
    for language in ("fr", "en", "zh-hans"):
        with translation.override(language), pytest.raises(InvalidNotification) as refusal:
            send(priority=9)
        assert "9" in str(refusal.value)
        sentences.add(str(refusal.value))
    assert "The priority goes from 1 (most urgent) to 5; “9” does not." in sentences


@pytest.mark.django_db
def test_a_refusal_leaves_the_callers_transaction_usable(make_user: Callable[..., User]):
    with transaction.atomic():
        with pytest.raises(ValueError, match="subject"):
            send(subject="s" * 121)
        code = send()
    assert [str(row.code) for row in WhatsAppNotification.objects.all()] == [code]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["é" * 4096, "x", "Votre colis est arrivé 📦\n*Merci*"])
def test_a_text_within_whatsapps_limit_is_kept_as_it_is(text: str):
    code = send(message_content=text)
    assert WhatsAppNotification.objects.get(pk=code).message_content == text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("office", "written", "stored"),
    [
        ("agent_mali", "76 12 34 56", "+22376123456"),
        ("admin_mali", "76123456", "+22376123456"),
        ("agent_mali", "00223 76 12 34 56", "+22376123456"),
        ("agent_chine", "13812345678", "+8613812345678"),
        ("admin_chine", "138 1234 5678", "+8613812345678"),
        ("agent_chine", "+223 76-12-34-56", "+22376123456"),
        ("agent_mali", "+86 138 1234 5678", "+8613812345678"),
        ("agent_mali", "+225 07 08 12 34 56", "+2250708123456"),
        ("agent_mali", "+229 01 97 12 34 56", "+2290197123456"),
    ],
)
def test_a_local_number_is_read_as_the_office_writes_it(office: str, written: str, stored: str):
    code = send(source_app=office, phone_number=written)
    assert WhatsAppNotification.objects.get(pk=code).phone_number == stored


@pytest.mark.django_db
def test_a_chinese_number_typed_in_mali_is_not_made_malian():
    with pytest.raises(InvalidTelephone):
        send(source_app="agent_mali", phone_number="13812345678")
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.django_db
def test_the_user_gives_number_and_language_and_a_given_number_wins(make_user: Callable[..., User]):
    user = make_user(language="zh-hans")
    own = WhatsAppNotification.objects.get(pk=send_whatsapp_async(user, "Bonjour", "agent_chine").id)
    other = WhatsAppNotification.objects.get(pk=send(user=user, language="en"))
    assert (own.user, own.phone_number, own.language) == (user, user.telephone, "zh-hans")
    assert (other.user, other.phone_number, other.language) == (user, NUMBER, "en")


@pytest.mark.django_db
def test_the_result_is_the_notification_and_its_row_is_ready_to_be_sent():
    before = timezone.now()
    code = send(priority=1, title="Colis", subject="colis:TS1", context_data={"lot": 7}, category="colis")
    row = WhatsAppNotification.objects.get()
    assert row.pk == UUID(code)
    assert (row.status, row.attempt_count, row.next_trigger) == (Status.PENDING, 0, Trigger.AUTO)
    assert (row.priority, row.title, row.subject, row.context_data) == (1, "Colis", "colis:TS1", {"lot": 7})
    assert row.next_attempt_at == row.created_at == row.rung_at
    assert before <= row.created_at <= timezone.now()


@pytest.mark.django_db
def test_a_message_for_later_is_not_rung_and_not_due_before():
    later = NOW + timedelta(hours=5)
    notification = post(not_before=later)
    assert (notification.next_attempt_at, notification.rung_at) == (later, None)
    assert recovery.to_ring(later - timedelta(seconds=1)) == []
    assert recovery.to_ring(later) == [(notification.pk, 3, True)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("message_type", "age", "attempts"),
    [
        ("notification", timedelta(days=3), 10),
        ("a_type_of_tomorrow", timedelta(days=3), 10),
        ("payment", timedelta(days=3), 10),
        ("account_creation", timedelta(days=2), 10),
        ("credentials", timedelta(days=2), 10),
        ("otp", timedelta(minutes=10), 5),
    ],
)
def test_the_type_decides_how_long_a_message_is_useful(message_type: str, age: timedelta, attempts: int):
    notification = post(message_type=message_type)
    assert (notification.expires_at, notification.max_attempts) == (NOW + age, attempts)
    own = NOW + timedelta(minutes=1)
    assert post(message_type=message_type, expires_at=own).expires_at == own


@pytest.mark.django_db
def test_an_idempotency_key_is_used_once_per_office():
    first = send(idempotency_key="arrival:TS1")
    assert send(idempotency_key="arrival:TS1", message_content="Autre texte") == first
    row = WhatsAppNotification.objects.get()
    assert row.message_content == "Bonjour"

    other_office = send(idempotency_key="arrival:TS1", source_app="agent_chine")
    assert other_office != first
    assert send() != send()  # without a key, every call is a new message
    assert WhatsAppNotification.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_eight_threads_at_once_makes_one_row():
    codes = at_once(*[partial(send, idempotency_key="double click", not_before=NOW)] * 8)
    assert len(set(codes)) == 1
    assert WhatsAppNotification.objects.count() == 1


@pytest.mark.parametrize(
    ("priority", "queue"),
    [(1, "whatsapp_high"), (2, "whatsapp_high"), (3, "whatsapp"), (4, "whatsapp_bulk"), (5, "whatsapp_bulk")],
)
def test_urgent_messages_have_a_queue_of_their_own(priority: int, queue: str):
    assert queue_for(priority) == queue


SEND_ONE = """
import django; django.setup()
from whatsapp_monitoring_app.tasks import send_whatsapp_async
print(send_whatsapp_async(None, "Bonjour", "agent_mali", phone_number="+22376123456").id)
"""


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_delays_the_message_and_loses_nothing():
    environment = child_environment(
        REDIS_URL="redis://127.0.0.1:1/0", DJANGO_SETTINGS_MODULE="ts_air_cargo.settings", LOG_LEVEL="ERROR"
    )
    caller = subprocess.run(
        [sys.executable, "-c", SEND_ONE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert caller.returncode == 0, caller.stderr
    row = WhatsAppNotification.objects.get()
    assert caller.stdout.split() == [str(row.pk)]
    assert (row.status, row.attempt_count, row.rung_at) == (Status.PENDING, 0, None)
    assert recovery.to_ring(timezone.now()) == [(row.pk, 3, True)]


@pytest.mark.django_db
def test_a_draft_is_checked_without_being_written():
    draft = drafts.Draft(message_content="Bonjour", source_app="agent_mali")
    assert drafts.check(draft).office == "agent_mali"
    assert not WhatsAppNotification.objects.exists()
