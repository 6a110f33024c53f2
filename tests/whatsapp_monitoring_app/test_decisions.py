"""A person says what became of a message of which nobody knows: in the service, and on the page of the message."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import translation

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    Provider,
    accepted,
    at_once,
    attempt,
    change,
    post,
    post_in,
    refused,
    snapshot,
)
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification
from whatsapp_monitoring_app.providers.base import Kind, ReceiptEvent
from whatsapp_monitoring_app.services import decisions, history, receipts, recovery, retries, statistics
from whatsapp_monitoring_app.services.retry_reasons import Reason

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = NOW + MINUTE
DECISIONS = {"arrived": decisions.confirm_arrival, "give-up": decisions.give_up}
OUTCOMES = {"arrived": Status.DELIVERED, "give-up": Status.FAILED}
EITHER = pytest.mark.parametrize("word", sorted(DECISIONS))
KNOWN = sorted(set(Status) - {Status.UNCONFIRMED})


def doubtful(**fields: Any) -> WhatsAppNotification:
    """A credentials message whose call ended without a clear answer."""
    notification = attempt(post(message_type="credentials"), Provider(refused(1, http_status=502)))
    error = {"error_class": ErrorClass.UNCONFIRMED, "error_message": "no answer"}
    change(notification, status=Status.UNCONFIRMED, next_attempt_at=None, confirm_by=NOW, **{**error, **fields})
    return notification


def receive(notification: WhatsAppNotification, kind: Kind) -> None:
    event = ReceiptEvent("wamid.late", kind, kind.value, LATER, tracking=str(notification.pk))
    receipts.take("cloud_api", event, LATER)
    notification.refresh_from_db()


def test_an_arrival_that_a_person_confirms_is_a_delivery_in_their_name(make_user: Callable[..., User]):
    notification, agent = doubtful(failed_at=NOW - MINUTE), make_user()
    decisions.confirm_arrival(notification, agent, LATER)
    notification.refresh_from_db()
    assert (notification.status, notification.settled_by) == (Status.DELIVERED, agent)
    assert (notification.sent_at, notification.delivered_at, notification.read_at) == (LATER, LATER, None)
    assert (notification.error_class, notification.error_code, notification.error_message) == ("", "", "")
    assert (notification.confirm_by, notification.failed_at) == (None, None)


def test_an_arrival_keeps_the_moment_of_an_earlier_acceptance(make_user: Callable[..., User]):
    notification = doubtful(sent_at=NOW)
    decisions.confirm_arrival(notification, make_user(), LATER)
    assert (notification.sent_at, notification.delivered_at) == (NOW, LATER)


def test_what_is_given_up_fails_in_the_persons_name_and_keeps_its_cause(make_user: Callable[..., User]):
    notification, agent = doubtful(), make_user()
    decisions.give_up(notification, agent, LATER)
    notification.refresh_from_db()
    assert (notification.status, notification.settled_by) == (Status.FAILED, agent)
    assert (notification.failed_at, notification.delivered_at, notification.confirm_by) == (LATER, None, None)
    assert (notification.error_class, notification.error_message) == (ErrorClass.UNCONFIRMED, "no answer")


@EITHER
@pytest.mark.parametrize("status", KNOWN)
def test_what_is_known_is_not_a_persons_to_decide(word: str, status: Status, make_user: Callable[..., User]):
    notification, agent = post_in(status), make_user()
    before = snapshot(WhatsAppNotification)
    with translation.override("en"), pytest.raises(decisions.TooLate, match=str(status.label)):
        DECISIONS[word](notification, agent, LATER)
    assert snapshot(WhatsAppNotification) == before


@EITHER
@pytest.mark.parametrize("kind", [Kind.SENT, Kind.DELIVERED, Kind.READ], ids=str)
def test_a_receipt_that_came_since_the_page_was_read_wins(word: str, kind: Kind, make_user: Callable[..., User]):
    stale, agent = doubtful(), make_user()
    receive(WhatsAppNotification.objects.get(pk=stale.pk), kind)
    before = snapshot(WhatsAppNotification)
    with pytest.raises(decisions.TooLate):
        DECISIONS[word](stale, agent, LATER)
    assert snapshot(WhatsAppNotification) == before
    assert stale.settled_by is None


@EITHER
def test_a_second_press_changes_nothing_and_is_no_error(word: str, make_user: Callable[..., User]):
    notification, first, second = doubtful(), make_user(), make_user()
    again = WhatsAppNotification.objects.get(pk=notification.pk)
    DECISIONS[word](notification, first, LATER)
    before = snapshot(WhatsAppNotification)
    DECISIONS[word](again, first, LATER + MINUTE)
    DECISIONS[word](again, second, LATER + MINUTE)
    assert snapshot(WhatsAppNotification) == before


@EITHER
def test_the_opposite_decision_comes_too_late(word: str, make_user: Callable[..., User]):
    notification, agent = doubtful(), make_user()
    DECISIONS[word](notification, agent, LATER)
    before = snapshot(WhatsAppNotification)
    other = next(iter(set(DECISIONS) - {word}))
    with pytest.raises(decisions.TooLate):
        DECISIONS[other](notification, agent, LATER + MINUTE)
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_disagree_at_the_same_moment_one_wins(make_user: Callable[..., User]):
    people = {"arrived": make_user(), "give-up": make_user()}
    for _ in range(5):
        notification = doubtful()
        results = at_once(*[partial(decided, word, notification.pk, people[word]) for word in ("arrived", "give-up")])
        notification.refresh_from_db()
        assert sorted(results) == [False, True]
        winner = ("arrived", "give-up")[results.index(True)]
        assert (notification.status, notification.settled_by) == (OUTCOMES[winner], people[winner])


def decided(word: str, code: Any, person: User) -> bool:
    try:
        DECISIONS[word](WhatsAppNotification.objects.get(pk=code), person, LATER)
    except decisions.TooLate:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_a_decision_and_a_receipt_at_the_same_moment_end_in_one_truth(make_user: Callable[..., User]):
    agent = make_user()
    for _ in range(5):
        notification = doubtful()
        event = ReceiptEvent(f"wamid.{uuid4()}", Kind.READ, "read", LATER, tracking=str(notification.pk))
        at_once(partial(decided, "give-up", notification.pk, agent), partial(receipts.take, "cloud_api", event, LATER))
        notification.refresh_from_db()
        # A receipt outranks a decision, whichever came first.
        assert notification.status == Status.READ


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.READ], ids=str)
def test_a_receipt_outranks_a_person_who_gave_up(kind: Kind, make_user: Callable[..., User]):
    notification = doubtful()
    decisions.give_up(notification, make_user(), NOW)
    receive(notification, kind)
    assert (notification.status, notification.error_class) == (kind.value, "")


@pytest.mark.parametrize("kind", [Kind.SENT, Kind.DELIVERED, Kind.FAILED], ids=str)
def test_a_late_receipt_does_not_take_a_confirmed_arrival_back(kind: Kind, make_user: Callable[..., User]):
    notification, agent = doubtful(), make_user()
    decisions.confirm_arrival(notification, agent, NOW)
    receive(notification, kind)
    assert (notification.status, notification.delivered_at, notification.settled_by) == (Status.DELIVERED, NOW, agent)


@EITHER
def test_the_machine_leaves_what_a_person_settled(word: str, make_user: Callable[..., User]):
    notification = doubtful(message_type="notification")
    DECISIONS[word](notification, make_user(), LATER)
    assert recovery.settle_unconfirmed(LATER + MINUTE) == 0
    notification.refresh_from_db()
    assert notification.status == OUTCOMES[word]


def test_what_a_person_gave_up_is_retried_by_a_person_alone(make_user: Callable[..., User]):
    notification, agent = doubtful(), make_user()
    other = post_in(Status.FAILED)
    decisions.give_up(notification, agent, LATER)
    visible = WhatsAppNotification.objects.all()
    assert list(statistics.to_handle(visible, LATER)) == [other]
    assert retries.retry_each(visible, agent, LATER).queued == [other]

    with pytest.raises(retries.NeedsConfirmation):
        retries.retry(notification, agent, LATER)
    retries.retry(notification, agent, LATER, confirmed={Reason.GIVEN_UP})
    assert (notification.status, notification.settled_by) == (Status.PENDING, None)
    assert attempt(notification, Provider(accepted()), LATER).status == Status.SENT


@EITHER
def test_the_history_says_who_settled_it_and_when(word: str, make_user: Callable[..., User]):
    notification, agent = doubtful(created_at=NOW - MINUTE), make_user()
    DECISIONS[word](notification, agent, LATER)
    last = history.timeline(notification)[-1]
    assert last.decision == history.Decision(agent, LATER, has_arrived=word == "arrived")
    assert last.at == LATER


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.READ], ids=str)
def test_the_history_still_tells_that_it_was_given_up_after_a_receipt(kind: Kind, make_user: Callable[..., User]):
    notification, agent = doubtful(), make_user()
    decisions.give_up(notification, agent, NOW)
    receive(notification, kind)
    assert history.decision(notification) == history.Decision(agent, NOW, has_arrived=False)


def test_a_history_without_a_decision_shows_none():
    assert history.decision(doubtful()) is None
    assert [moment for moment in history.timeline(doubtful()) if moment.decision] == []


def page(notification: WhatsAppNotification, word: str = "", office: str = "agent-mali") -> str:
    return f"/{office}/whatsapp/monitoring/{notification.pk}/{word}{'/' if word else ''}"


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def agent(log_in: Callable[..., Client]) -> Client:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Keïta")


@EITHER
def test_a_press_settles_it_says_so_and_leaves_the_name_on_the_page(agent: Client, word: str):
    notification, other = doubtful(), doubtful()
    answer = agent.post(page(notification, word))
    notification.refresh_from_db()
    other.refresh_from_db()
    assert (answer.status_code, answer["Location"]) == (302, page(notification))
    assert said(answer) == [
        {"arrived": "Noted: the message has arrived.", "give-up": "The message is given up: it is not sent again."}[
            word
        ]
    ]
    assert (notification.status, other.status) == (OUTCOMES[word], Status.UNCONFIRMED)
    html = agent.get(page(notification)).content.decode()
    assert "Decided by Awa Keïta" in html
    assert {
        "arrived": "Awa Keïta noted that the client has it",
        "give-up": "Awa Keïta gave this message up",
    }[word] in html


def test_giving_up_asks_first_and_changes_nothing(agent: Client):
    notification = doubtful()
    before = snapshot(WhatsAppNotification)
    answer = agent.get(page(notification, "give-up"))
    assert answer.status_code == 200
    assert notification.message_content in answer.content.decode()
    assert '<form class="actions" method="post">' in answer.content.decode()
    assert snapshot(WhatsAppNotification) == before


def test_an_arrival_is_not_confirmed_by_opening_its_address(agent: Client):
    notification = doubtful()
    before = snapshot(WhatsAppNotification)
    assert agent.get(page(notification, "arrived")).status_code == 405
    assert snapshot(WhatsAppNotification) == before


@pytest.mark.parametrize(
    ("method", "word"),
    [("post", "arrived"), ("post", "give-up"), ("get", "give-up")],
    ids=["arrived", "give up", "ask"],
)
@pytest.mark.parametrize("status", KNOWN)
def test_too_late_is_said_and_nothing_moves(agent: Client, status: Status, method: str, word: str):
    notification = post_in(status)
    before = snapshot(WhatsAppNotification)
    answer = getattr(agent, method)(page(notification, word))
    assert (answer.status_code, answer["Location"]) == (302, page(notification))
    with translation.override("en"):
        expected = f"It is too late: this message is no longer in doubt. Its status: {status.label}."
    assert said(answer) == [expected]
    assert snapshot(WhatsAppNotification) == before


@EITHER
def test_a_form_from_elsewhere_settles_nothing(agent: Client, word: str):
    notification = doubtful()
    before = snapshot(WhatsAppNotification)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = agent.cookies
    assert strict.post(page(notification, word)).status_code == 403
    assert snapshot(WhatsAppNotification) == before


@EITHER
def test_the_administration_settles_for_every_office(log_in: Callable[..., Client], word: str):
    notification = post(source_app="agent_chine")
    change(notification, status=Status.UNCONFIRMED, next_attempt_at=None, confirm_by=NOW)
    log_in("admin_mali").post(page(notification, word, "admin-mali"))
    notification.refresh_from_db()
    assert notification.status == OUTCOMES[word]
