"""What is not to go out any more: by a person's hand, in the service and on its page."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import translation

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, at_once, attempt, post, post_in, snapshot
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppAttempt, WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import WAITING
from whatsapp_monitoring_app.services import cancellation, delivery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]


def cancel(notification: WhatsAppNotification, reason: CancelReason = CancelReason.PERSON) -> int:
    cancelled = cancellation.cancel(WhatsAppNotification.objects.filter(pk=notification.pk), reason, NOW)
    notification.refresh_from_db()
    return cancelled


@pytest.mark.parametrize("reason", CancelReason)
@pytest.mark.parametrize("status", sorted(WAITING))
def test_what_waits_is_cancelled_with_moment_and_reason(status: Status, reason: CancelReason):
    notification = post_in(status)
    assert cancel(notification, reason) == 1
    assert (notification.status, notification.cancel_reason) == (Status.CANCELLED, reason)
    assert (notification.cancelled_at, notification.next_attempt_at, notification.attempt_count) == (NOW, None, 0)


@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_what_does_not_wait_is_not_cancelled(status: Status):
    notification = post_in(status)
    before = snapshot(WhatsAppNotification)
    assert cancel(notification) == 0
    assert snapshot(WhatsAppNotification) == before


def test_what_is_cancelled_is_never_sent():
    notification, provider = post(), Provider(accepted())
    cancel(notification)
    attempt(notification, provider)
    assert (notification.status, provider.requests) == (Status.CANCELLED, [])
    assert not WhatsAppAttempt.objects.exists()


def test_others_are_left_alone():
    notification, other = post(), post()
    cancel(notification)
    other.refresh_from_db()
    assert (other.status, other.cancel_reason, other.cancelled_at) == (Status.PENDING, "", None)


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_and_a_worker_at_the_same_moment_never_both_win():
    for _ in range(10):
        notification, provider = post(), Provider(accepted(f"wamid.{uuid4()}"))
        chosen = WhatsAppNotification.objects.filter(pk=notification.pk)
        send = partial(delivery.deliver, notification.pk, send=provider, now=lambda: NOW)
        at_once(send, partial(cancellation.cancel, chosen, CancelReason.PERSON, NOW))
        notification.refresh_from_db()
        assert notification.status in (Status.SENT, Status.CANCELLED, Status.PENDING)
        assert len(provider.requests) == (notification.status == Status.SENT)


def page(notification: WhatsAppNotification, office: str = "agent-mali") -> str:
    return f"/{office}/whatsapp/monitoring/{notification.pk}/cancel/"


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def agent(log_in: Callable[..., Client]) -> Client:
    return log_in("agent_mali", language="en")


@pytest.mark.parametrize("status", sorted(WAITING))
def test_the_page_asks_first_and_changes_nothing(agent: Client, status: Status):
    notification = post_in(status)
    before = snapshot(WhatsAppNotification)
    answer = agent.get(page(notification))
    assert answer.status_code == 200
    assert notification.message_content in answer.content.decode()
    assert '<form class="actions" method="post">' in answer.content.decode()
    assert snapshot(WhatsAppNotification) == before


def test_a_press_cancels_and_says_so(agent: Client):
    notification, other = post(), post()
    answer = agent.post(page(notification))
    notification.refresh_from_db()
    other.refresh_from_db()
    assert other.status == Status.PENDING
    assert (notification.status, notification.cancel_reason) == (Status.CANCELLED, CancelReason.PERSON)
    assert answer.status_code == 302
    assert answer["Location"] == page(notification).removesuffix("cancel/")
    assert said(answer) == ["The message is cancelled."]
    details = agent.get(answer["Location"]).content.decode()
    with translation.override("en"):
        assert str(Status.CANCELLED.label) in details


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("status", sorted(set(Status) - WAITING))
def test_too_late_is_said_and_nothing_moves(agent: Client, status: Status, method: str):
    notification = post_in(status)
    before = snapshot(WhatsAppNotification)
    answer = getattr(agent, method)(page(notification))
    assert (answer.status_code, answer["Location"]) == (302, page(notification).removesuffix("cancel/"))
    assert said(answer) == ["It is too late: this message does not wait any more."]
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_offices_message_is_not_found(agent: Client, method: str):
    notification = post(source_app="agent_chine")
    before = snapshot(WhatsAppNotification)
    assert getattr(agent, method)(page(notification)).status_code == 404
    assert getattr(agent, method)(page(notification, "agent-chine")).status_code == 403
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_message_that_never_was_is_not_found(agent: Client, method: str):
    assert getattr(agent, method)(f"/agent-mali/whatsapp/monitoring/{uuid4()}/cancel/").status_code == 404


def test_nobody_cancels_without_logging_in():
    notification = post()
    before = snapshot(WhatsAppNotification)
    answer = Client().post(page(notification))
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]
    assert snapshot(WhatsAppNotification) == before


def test_a_form_from_elsewhere_cancels_nothing(log_in: Callable[..., Client]):
    agent, notification = log_in("agent_mali"), post()
    before = snapshot(WhatsAppNotification)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = agent.cookies
    assert strict.post(page(notification)).status_code == 403
    assert snapshot(WhatsAppNotification) == before


def test_the_administration_cancels_for_every_office(log_in: Callable[..., Client]):
    notification = post(source_app="agent_chine")
    log_in("admin_mali").post(page(notification, "admin-mali"))
    notification.refresh_from_db()
    assert notification.status == Status.CANCELLED
