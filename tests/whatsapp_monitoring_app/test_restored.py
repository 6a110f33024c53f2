"""After a restore nothing goes out twice: what waited is held for a person, everything else stays as it was."""

import html
import uuid
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from tests import rows
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY
from whatsapp_monitoring_app.services import restored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", sorted(ON_THE_WAY))
def test_what_waited_is_a_failure_of_which_nobody_knows(status: Status, capsys: pytest.CaptureFixture[str]):
    claim = {"claim_id": uuid.uuid4(), "claimed_until": timezone.now()} if status == Status.SENDING else {}
    waiting = rows.notification("agent_mali", status, **claim)
    call_command("hold_after_restore")
    waiting.refresh_from_db()

    assert (waiting.status, waiting.error_class, waiting.next_attempt_at) == ("failed", ErrorClass.UNCONFIRMED, None)
    assert "restored from a backup" in waiting.error_message
    assert capsys.readouterr().out.startswith("Held: 1.")
    assert restored.hold(timezone.now()) == 0


@pytest.mark.parametrize("status", sorted(set(Status) - ON_THE_WAY))
def test_what_did_not_wait_stays_as_it_was(status: Status):
    other = rows.notification("agent_mali", status)
    before = WhatsAppNotification.objects.values().get(pk=other.pk)

    assert restored.hold(timezone.now()) == 0
    assert WhatsAppNotification.objects.values().get(pk=other.pk) == before


def test_the_page_of_the_message_says_that_it_was_perhaps_sent(log_in: Callable[..., Browser]):
    waiting = rows.notification("agent_mali", Status.PENDING)
    restored.hold(timezone.now())
    answer = log_in("agent_mali").get(f"/agent-mali/whatsapp/monitoring/{waiting.pk}/")

    assert str(ErrorClass.UNCONFIRMED.label) in html.unescape(answer.content.decode())
