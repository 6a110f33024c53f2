"""The 24-hour window and the provider's templates, with every real part running on both sides of the wire."""

from collections.abc import Callable

import requests
from django.utils import timezone

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppProviderTemplate,
)
from whatsapp_monitoring_app.services import templates
from whatsapp_monitoring_app.tasks import process_whatsapp_retries_task, send_whatsapp_async

TEXT = "Votre colis est expédié!"


def has_status(task_id: str, status: Status) -> bool:
    return WhatsAppNotification.objects.filter(pk=task_id, status=status).exists()


def set_status(stack: Stack, name: str, status: str) -> None:
    """Meta changes its mind about the French template of this name, and tells us."""
    listed = requests.get(
        f"{stack.sandbox.url}/v26.0/102290129340398/message_templates?limit=100",
        headers={"Authorization": "Bearer sandbox-token"},
        timeout=5,
    ).json()["data"]
    (template_id,) = [one["id"] for one in listed if (one["name"], one["language"]) == (name, "fr")]
    answer = requests.post(f"{stack.sandbox.url}/templates/{template_id}/status", {"status": status}, timeout=5)
    answer.raise_for_status()
    known = WhatsAppProviderTemplate.objects.filter(name=name, language="fr", status=status)
    eventually(known.exists, f"{name} is {status}")


def test_a_client_who_writes_gets_free_text_and_before_that_a_template(stack: Stack, make_user: Callable[..., User]):
    user = make_user()
    first = send_whatsapp_async(user, TEXT, "agent_chine")
    eventually(lambda: has_status(first.id, Status.READ), "the template was read")

    phone = user.telephone.removeprefix("+")
    requests.post(f"{stack.sandbox.url}/phones/{phone}/reply", {"text": "Merci"}, timeout=5).raise_for_status()
    eventually(lambda: _written(user), "the reply came in")
    second = send_whatsapp_async(user, TEXT, "agent_chine")
    eventually(lambda: has_status(second.id, Status.READ), "the text was read")

    assert [message["type"] for message in stack.messages_to(user.telephone)] == ["template", "text"]
    assert stack.notices_to(user.telephone) == [TEXT, TEXT]


def _written(user: User) -> bool:
    return WhatsAppInbound.objects.filter(phone_number=user.telephone).exists()


def test_a_template_that_is_paused_holds_its_messages_until_it_is_approved(
    stack: Stack, make_user: Callable[..., User]
):
    assert all(not synced.error for synced in templates.sync_all(timezone.now()))
    user = make_user()
    set_status(stack, "avis", "PAUSED")
    task = send_whatsapp_async(user, TEXT, "agent_chine")
    waiting = WhatsAppNotification.objects.filter(pk=task.id, error_class=ErrorClass.TEMPLATE_STOP)
    eventually(waiting.exists, "the message waits for the template")
    assert stack.requests() == []

    set_status(stack, "avis", "APPROVED")
    process_whatsapp_retries_task.delay()  # as beat does
    eventually(lambda: has_status(task.id, Status.READ), "the message left by itself")
    (read,) = waiting.model.objects.filter(pk=task.id)
    assert read.attempt_count == 1
