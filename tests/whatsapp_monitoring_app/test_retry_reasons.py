"""What speaks against sending a message again: said in plain words, and nothing has moved."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from tests import rows
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    Provider,
    accepted,
    attempt,
    change,
    open_window,
    post,
    post_in,
    snapshot,
)
from whatsapp_monitoring_app.models import (
    Action,
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppAuditEntry,
    WhatsAppFormerNumber,
    WhatsAppInbound,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppTemplate,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.services import retries, retry_plans, retry_reasons
from whatsapp_monitoring_app.services.retries import NeedsConfirmation, NotRetryable
from whatsapp_monitoring_app.services.retry_reasons import DOUBTS, Reason

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LATER = NOW + HOUR
DAY = timedelta(days=1)


def failed(**fields: Any) -> WhatsAppNotification:
    return post_in(Status.FAILED, **{"error_class": ErrorClass.TRANSIENT, **fields})


def with_newer(status: Status) -> WhatsAppNotification:
    older = post(subject="colis:TS1", fact_rank=1)
    newer = post(subject="colis:TS1", fact_rank=2)
    change(newer, status=status, next_attempt_at=NOW if status == Status.PENDING else None, sent_at=NOW)
    change(older, status=Status.FAILED, next_attempt_at=None, failed_at=NOW, error_class=ErrorClass.TRANSIENT)
    return older


def refused_by_a_stop(user: User) -> WhatsAppNotification:
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    return failed(user=user)


def muted(user: User) -> WhatsAppNotification:
    WhatsAppMute.objects.create(user=user, message_type="reminder", created_at=NOW)
    return failed(user=user, message_type="reminder")


def at_a_strangers(user: User) -> WhatsAppNotification:
    WhatsAppWrongNumber.objects.create(phone_number=NUMBER, noted_by=user, created_at=NOW)
    return failed(user=user)


def at_a_former_number(user: User) -> WhatsAppNotification:
    WhatsAppFormerNumber.objects.create(user=user, phone_number=NUMBER, created_at=NOW)
    return failed(user=user)


def sent_again_elsewhere(user: User) -> WhatsAppNotification:
    return failed(user=user, resent_as=post(phone_number="+22370000009"))


def outside_of_the_window(user: User) -> WhatsAppNotification:
    WhatsAppTemplate.objects.all().update(is_active=False)
    return failed(user=user, error_class=ErrorClass.WINDOW_CLOSED)


def told(user: User) -> WhatsAppNotification:
    return failed(user=user, informed_at=NOW, informed_how="phone", informed_by=user)


SITUATIONS: dict[str, tuple[Callable[[User], WhatsAppNotification], Reason]] = {
    "STOP": (refused_by_a_stop, Reason.REFUSES),
    "muted": (muted, Reason.REFUSES),
    "stranger": (at_a_strangers, Reason.STRANGER),
    "former number": (at_a_former_number, Reason.FORMER_NUMBER),
    "sent to the corrected number": (sent_again_elsewhere, Reason.RESENT),
    "newer one arrived": (lambda user: with_newer(Status.DELIVERED), Reason.KNOWN_BETTER),
    "newer one accepted": (lambda user: with_newer(Status.SENT), Reason.KNOWN_BETTER),
    "newer one on its way": (lambda user: with_newer(Status.PENDING), Reason.KNOWN_BETTER),
    "window closed": (outside_of_the_window, Reason.WINDOW_CLOSED),
    "no WhatsApp": (lambda user: failed(error_class=ErrorClass.RECIPIENT_PERMANENT), Reason.NO_WHATSAPP),
    "old": (lambda user: failed(created_at=LATER - DAY - HOUR), Reason.STALE),
    "given up": (lambda user: failed(settled_by=user), Reason.GIVEN_UP),
    "told": (told, Reason.TOLD),
}
EVERY_SITUATION = pytest.mark.parametrize("situation", SITUATIONS)


@EVERY_SITUATION
def test_what_is_pointless_is_refused_with_its_reason_and_nothing_moves(
    situation: str, make_user: Callable[..., User]
):
    make, reason = SITUATIONS[situation]
    notification = make(make_user())
    before = snapshot(WhatsAppNotification, WhatsAppAttempt)

    with pytest.raises(NotRetryable) as refusal:
        retries.retry(notification, None, LATER)
    assert refusal.value.reason == reason
    assert str(reason.label) in str(refusal.value)
    assert isinstance(refusal.value, NeedsConfirmation) == (reason in DOUBTS)
    assert snapshot(WhatsAppNotification, WhatsAppAttempt) == before


@EVERY_SITUATION
def test_what_speaks_against_one_speaks_against_it_among_many(situation: str, make_user: Callable[..., User]):
    make, reason = SITUATIONS[situation]
    notification = make(make_user())
    found = retry_plans.plan(WhatsAppNotification.objects.filter(pk=notification.pk), LATER)

    assert (found.count, found.excluded) == (0, [(reason, 1)])
    confirmed = retry_plans.plan(WhatsAppNotification.objects.filter(pk=notification.pk), LATER, frozenset(DOUBTS))
    assert confirmed.count == (reason in DOUBTS)


@pytest.mark.parametrize("situation", [name for name, (_make, reason) in SITUATIONS.items() if reason in DOUBTS])
def test_whoever_answers_for_it_sends_it_again(situation: str, make_user: Callable[..., User]):
    make, reason = SITUATIONS[situation]
    notification = make(make_user())
    retries.retry(notification, None, LATER, confirmed={reason})
    assert attempt(notification, Provider(accepted()), LATER).status == Status.SENT


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in DOUBTS])
def test_nobody_can_answer_for_the_others(reason: Reason, make_user: Callable[..., User]):
    makers = [make for make, found in SITUATIONS.values() if found == reason]
    for make in makers:
        with pytest.raises(NotRetryable):
            retries.retry(make(make_user()), None, LATER, confirmed=set(Reason))
        WhatsAppNotification.objects.update(resent_as=None)
        for model in (WhatsAppOptOut, WhatsAppMute, WhatsAppWrongNumber, WhatsAppFormerNumber):
            model.objects.all().delete()


def test_several_doubts_are_asked_about_together():
    notification = failed(error_class=ErrorClass.RECIPIENT_PERMANENT, created_at=NOW - 2 * DAY)
    with pytest.raises(NeedsConfirmation) as question:
        retries.retry(notification, None, LATER, confirmed={Reason.GIVEN_UP})
    assert question.value.doubts == [Reason.NO_WHATSAPP, Reason.STALE]
    with pytest.raises(NeedsConfirmation):
        retries.retry(notification, None, LATER, confirmed={Reason.STALE})


def test_a_newer_message_that_failed_too_replaces_nothing():
    retries.retry(with_newer(Status.CANCELLED), None, LATER)


@pytest.mark.parametrize("kind", ["credentials", "expedition"])
def test_a_doubtful_message_is_confirmed_where_a_second_one_would_confuse(kind: str):
    notification = post_in(Status.UNCONFIRMED, message_type=kind, attempt_count=1)
    if kind == "credentials":
        with pytest.raises(NeedsConfirmation) as question:
            retries.retry(notification, None, LATER)
        assert question.value.doubts == [Reason.PERHAPS_SENT]
    retries.retry(notification, None, LATER, confirmed={Reason.PERHAPS_SENT})
    assert notification.status == Status.RETRY_SCHEDULED


def test_what_is_tried_again_by_itself_is_sent_now_however_old():
    planned = post_in(Status.RETRY_SCHEDULED, next_attempt_at=LATER + HOUR, created_at=NOW - 2 * DAY)
    retries.retry(planned, None, LATER)
    assert planned.next_attempt_at == LATER


def test_the_window_that_is_open_again_lets_free_text_leave(make_user: Callable[..., User]):
    notification = outside_of_the_window(make_user())
    open_window(at=LATER)
    assert retry_plans.plan(WhatsAppNotification.objects.all(), LATER + HOUR).count == 1
    retries.retry(notification, None, LATER + HOUR)
    assert notification.status == Status.PENDING


def test_a_template_stands_in_outside_of_the_window():
    notification = failed(error_class=ErrorClass.WINDOW_CLOSED)
    assert not WhatsAppInbound.objects.exists()
    assert retry_plans.plan(WhatsAppNotification.objects.all(), LATER).count == 1
    retries.retry(notification, None, LATER)
    assert notification.status == Status.PENDING


def test_a_number_that_meta_s_test_list_lacks_is_no_number_without_whatsapp():
    assert "131030" in retry_reasons.MENDABLE
    retries.retry(failed(error_class=ErrorClass.RECIPIENT_PERMANENT, error_code="131030"), None, LATER)


# The screens


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en")


def address(notification: WhatsAppNotification, name: str = "whatsapp_retry") -> str:
    return reverse(f"agent_mali:{name}", args=[notification.pk])


def test_a_number_without_whatsapp_takes_a_second_step(agent: Browser):
    notification = rows.notification("agent_mali")
    answer = agent.post(address(notification), follow=True)
    assert answer.redirect_chain == [(address(notification), 302)]
    page = answer.content.decode()
    assert "This number has no WhatsApp: correct it, or call." in page
    assert "The client has WhatsApp now: send again" in page
    notification.refresh_from_db()
    assert notification.status == Status.FAILED
    assert not WhatsAppAuditEntry.objects.exists()

    answer = agent.post(address(notification), {"confirmed": "no_whatsapp"})
    assert answer["Location"] == address(notification, "whatsapp_attempt_details")
    notification.refresh_from_db()
    assert notification.status == Status.PENDING
    entry = WhatsAppAuditEntry.objects.get()
    assert (entry.action, entry.target, entry.detail) == (Action.RETRY, str(notification.pk), "no_whatsapp")


def test_an_old_message_is_shown_with_its_age_and_its_text(agent: Browser):
    notification = rows.notification(
        "agent_mali", error_class="transient", created_at=timezone.now() - timedelta(days=3, hours=1)
    )
    page = agent.get(address(notification)).content.decode()
    assert "It is more than 24 hours old: is it still true?" in page
    assert "3\xa0days" in page
    assert notification.message_content in page
    assert agent.post(address(notification), {"confirmed": "no_whatsapp"})["Location"] == address(notification)


def test_pressing_twice_is_one_attempt_and_one_entry(agent: Browser):
    notification = rows.notification("agent_mali", error_class="transient")
    texts = []
    for _ in range(2):
        answer = agent.post(address(notification), follow=True)
        texts.append(answer.content.decode())
    assert "A new attempt is queued. Its result will show here." in texts[0]
    assert "Only a failed message can be retried; this one is: Waiting." in texts[1]
    notification.refresh_from_db()
    assert notification.max_attempts == 5
    assert WhatsAppAuditEntry.objects.count() == 1


def test_what_can_never_be_sent_again_says_why_at_once(agent: Browser):
    notification = rows.notification("agent_mali", error_class="transient")
    WhatsAppOptOut.objects.create(phone_number=notification.phone_number, reason="STOP", created_at=NOW)
    for answer in (agent.get(address(notification), follow=True), agent.post(address(notification), follow=True)):
        assert "This person does not want such messages any more." in answer.content.decode()


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_a_failure_without_a_reason_has_a_text_and_a_button_all_the_same(
    language: str, log_in: Callable[..., Browser]
):
    notification = rows.notification("agent_mali", error_class="", error_code="")
    browser = log_in("agent_mali", language=language)
    page = browser.get(address(notification, "whatsapp_attempt_details")).content.decode()
    with translation.override(language):
        assert translation.gettext("The message failed, and nobody has told why.") in page
    assert f'action="{address(notification)}"' in page
    browser.post(address(notification))
    notification.refresh_from_db()
    assert notification.status == Status.PENDING
