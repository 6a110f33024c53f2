"""How far a bulk message is, as whoever sent it sees it."""

from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from tests import rows
from tests.whatsapp_monitoring_app.crowds import TEXT, bulk_for, expand, people, unreachable
from whatsapp_monitoring_app.models import Status, WhatsAppNotification

pytestmark = pytest.mark.django_db

LIST = "agent_mali:whatsapp_bulks"
ONE = "agent_mali:whatsapp_bulk"


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", last_name="Keïta")


def test_an_office_without_bulk_messages_is_told_so(agent: Browser):
    assert "No bulk message yet" in agent.get(reverse(LIST)).text


def test_a_bulk_message_says_how_many_are_written_and_whom_it_cannot_tell(
    agent: Browser, make_user: Callable[..., User]
):
    bulk = bulk_for([*people(make_user, 3), unreachable(make_user)], title="Closed on Saturday")
    expand(bulk)

    assert "3 of 4 messages" in agent.get(reverse(LIST)).text
    page = agent.get(reverse(ONE, args=[bulk.pk])).text
    assert "4 of 4 people" in page
    assert TEXT in page
    assert "+999" in page


def test_what_became_of_its_messages_is_counted_and_leads_to_them(agent: Browser, make_user: Callable[..., User]):
    bulk = bulk_for(people(make_user, 3))
    expand(bulk)
    other = rows.notification("agent_mali", Status.PENDING)
    one = bulk.notifications.all()[0]
    WhatsAppNotification.objects.filter(pk=one.pk).move(Status.CANCELLED, cancelled_at=one.created_at)

    answer = agent.get(reverse(ONE, args=[bulk.pk]))
    stages = {stage.query: stage.count for stage in answer.context["stages"]}
    assert stages == {f"bulk={bulk.pk}&status=waiting": 2, f"bulk={bulk.pk}&status=cancelled": 1}
    for query, count in stages.items():
        listed = agent.get(f"{reverse('agent_mali:whatsapp_monitoring_list')}?{query}").text
        assert listed.count('class="stretched-link"') == count
        assert str(other.pk) not in listed


def test_it_asks_for_itself_until_all_is_written(agent: Browser, make_user: Callable[..., User]):
    bulk = bulk_for(people(make_user, 2))
    address = reverse(ONE, args=[bulk.pk])
    assert "every 3s" in agent.get(address, headers={"HX-Request": "true"}).text

    expand(bulk)
    piece = agent.get(address, headers={"HX-Request": "true"}).text
    assert "every 3s" not in piece
    assert "<html" not in piece


def test_those_who_cannot_be_told_are_paged(agent: Browser):
    refusals = {str(10_000 + number): f"reason {number}" for number in range(30)}
    bulk = rows.bulk("agent_mali", refusals=refusals, refused_count=30, people_count=30)
    address = reverse(ONE, args=[bulk.pk])
    assert (agent.get(address).text.count("reason "), agent.get(f"{address}?page=2").text.count("reason ")) == (25, 5)


def test_an_administrator_does_not_see_the_numbers(log_in: Callable[..., Browser], make_user: Callable[..., User]):
    user = unreachable(make_user, "+99976123456")
    bulk = bulk_for([user])
    expand(bulk)
    page = log_in("admin_mali").get(reverse("admin_mali:whatsapp_bulk", args=[bulk.pk])).text
    assert "76123456" not in page
