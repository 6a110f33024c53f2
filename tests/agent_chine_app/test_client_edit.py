"""Putting a client's details right, and sending again what a wrong number kept from them."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from accounts import first_password
from accounts.models import User
from agent_chine_app.client_creation import tell
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, NumberChange
from tests import rows
from tests.stack import Stack
from tests.test_screens import LANGUAGES, Suspects
from tests.waiting import eventually
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.providers.content import Unsendable
from whatsapp_monitoring_app.services import cancellation, rendering, retries

OLD = "+22376123456"
NEW = "+22366554433"
OTHER = "+22376123457"


@pytest.fixture
def client(db: None) -> Client:
    return create_client(OLD, "Jean", "Dupont")[0]


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_chine", language="en", first_name="Wei", last_name="Zhang")


def page(client: Client, name: str = "") -> str:
    return f"/agent-chine/clients/{client.pk}/{name}"


def resend_page(client: Client, number: str = OLD) -> str:
    return f"{page(client, 'resend/')}?from={number.replace('+', '%2B')}"


def filled(**changes: str) -> dict[str, str]:
    details = {"opened_with": OLD, "first_name": "Jean", "last_name": "Dupont", "telephone": "+223 76 12 34 56"}
    return {**details, "email": "", "language": "fr", "country": "ML", "note": "", **changes}


def save(browser: Browser, client: Client, **changes: str) -> Any:
    return browser.post(page(client, "edit/"), filled(**changes))


def text_of(answer: Any) -> str:
    return answer.content.decode()


def miss(client: Client, status: Status = Status.FAILED, **fields: Any) -> WhatsAppNotification:
    """A message to the client's first number that did not reach them."""
    return rows.notification("agent_chine", status, user=client.user, **{"phone_number": OLD, **fields})


def test_the_form_begins_with_what_is_known(client: Client, agent: Browser):
    Client.objects.update(note="Asks for Moussa", shares_phone=True, country="SN")
    User.objects.filter(pk=client.user_id).update(email="jean@example.com", language="zh-hans")
    html = text_of(agent.get(page(client, "edit/")))

    for text in ('value="Jean"', 'value="+223 76 12 34 56"', "Asks for Moussa", 'value="jean@example.com"'):
        assert text in html
    for text in ('value="SN" selected', 'value="zh-hans" selected', 'id="id_shares_phone" checked', "data-keep"):
        assert text in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_shown_in_each_language(language: str, client: Client, log_in: Callable[..., Browser]):
    browser = log_in("agent_chine", language=language)
    miss(client)
    for address in (page(client, "edit/"), resend_page(client), page(client, "wrong-person/")):
        html = text_of(browser.get(address))
        assert f'<html lang="{language}"' in html
        assert Suspects(html).found == []


def test_everything_but_the_number_is_saved_without_further_questions(client: Client, agent: Browser):
    miss(client)
    changes = {"first_name": "Jeanne", "email": "j@example.com", "language": "en", "country": "", "note": "Shop"}
    answer = save(agent, client, **changes, shares_phone="on")

    assert answer.headers["Location"] == page(client)
    client = Client.objects.select_related("user").get()
    assert (client.user.first_name, client.user.email, client.user.language) == ("Jeanne", "j@example.com", "en")
    assert (client.country, client.shares_phone, client.note) == ("", True, "Shop")
    assert not NumberChange.objects.exists()
    html = text_of(agent.get(page(client)))
    assert "The details of Jeanne Dupont are saved." in html
    assert "Shop" in html
    assert "Shared telephone" in html


def test_a_changed_number_is_traced_and_shown(client: Client, agent: Browser):
    answer = save(agent, client, telephone="+223 66 55 44 33")

    assert answer.headers["Location"] == page(client)
    assert User.objects.get(pk=client.user_id).telephone == NEW
    change = NumberChange.objects.get()
    assert (change.client, change.old, change.new) == (client, OLD, NEW)
    assert change.by_id == int(agent.session["_auth_user_id"])
    html = " ".join(text_of(agent.get(page(client))).split())
    assert "by Wei Zhang, before: " in html
    assert "+223 76 12 34 56" in html


def test_a_number_that_did_not_change_is_no_change(client: Client, agent: Browser):
    save(agent, client, telephone="00223 76123456")

    assert not NumberChange.objects.exists()


def test_the_number_of_another_client_is_refused_with_a_link_to_them(client: Client, agent: Browser):
    other = create_client(OTHER, "<b>Awa", "Keïta")[0]
    before = rows.everything()
    answer = save(agent, client, telephone=OTHER, first_name="Jeanne")

    assert answer.status_code == 422
    html = text_of(answer)
    assert f'<a href="{page(other)}">&lt;b&gt;Awa Keïta</a> has this number already.' in html
    assert 'value="Jeanne"' in html
    assert rows.everything() == before


def test_the_number_of_an_agent_is_refused_without_a_name(client: Client, agent: Browser, make_user: Any):
    make_user(OTHER, role="agent_mali", last_name="Secret")
    answer = save(agent, client, telephone=OTHER)

    assert answer.status_code == 422
    assert "An account that is no client’s has this number." in text_of(answer)
    assert "Secret" not in text_of(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"telephone": "12"},
        {"telephone": ""},
        {"first_name": " "},
        {"last_name": "x" * 151},
        {"email": "nothing"},
        {"email": "x" * 300 + "@example.com"},
        {"language": "klingon"},
        {"country": "XX"},
        {"note": "x" * 301},
        {"note": "a\x00b"},
        {"opened_with": ""},
    ],
    ids=lambda changes: ascii(changes)[:60],
)
def test_a_bad_form_is_shown_again_and_changes_nothing(changes: dict[str, str], client: Client, agent: Browser):
    before = rows.everything()
    answer = save(agent, client, **changes)

    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert 'data-keep="answered"' in text_of(answer)
    assert rows.everything() == before


def test_the_form_posted_twice_is_one_correction(client: Client, agent: Browser):
    miss(client)
    answers = [save(agent, client, telephone=NEW) for _ in range(2)]

    assert {answer.headers["Location"] for answer in answers} == {resend_page(client)}
    assert NumberChange.objects.count() == 1


def test_a_number_that_another_agent_changed_meanwhile_is_not_overwritten(client: Client, agent: Browser):
    save(agent, client, telephone=NEW)
    answer = save(agent, client, note="My note")

    assert answer.status_code == 422
    html = text_of(answer)
    assert "Wei Zhang has changed the number to +223 66 55 44 33 meanwhile." in html
    assert "My note" in html
    assert f'value="{NEW}"' in html  # what the form goes on from
    assert 'value="+223 66 55 44 33"' in html  # nobody touched it
    assert User.objects.get(pk=client.user_id).telephone == NEW

    answer = save(agent, client, note="My note", opened_with=NEW, telephone="+223 66 55 44 33")
    assert answer.headers["Location"] == page(client)
    assert Client.objects.get().note == "My note"


def test_what_was_typed_as_number_stays_when_another_agent_changed_it_meanwhile(client: Client, agent: Browser):
    save(agent, client, telephone=NEW)
    html = text_of(save(agent, client, telephone=OTHER))

    assert f'value="{OTHER}"' in html
    assert User.objects.get(pk=client.user_id).telephone == NEW


@pytest.mark.django_db(transaction=True)
def test_two_clients_never_get_one_number_however_many_agents_save_at_once(client: Client, agent: Browser):
    others = [create_client(f"+2237600000{number}", "Awa", "Keïta")[0] for number in range(4)]

    def submit(each: Client) -> int:
        browser = Browser()
        browser.cookies = agent.cookies
        try:
            return save(browser, each, opened_with=each.user.telephone, telephone=NEW).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(submit, others)) == [302, 422, 422, 422]
    assert NumberChange.objects.count() == User.objects.filter(telephone=NEW).count() == 1


def test_what_failed_at_the_old_number_is_listed_after_the_correction(client: Client, agent: Browser):
    miss(client, title="Title of the failed", message_content="Your parcel left.")
    miss(client, Status.PENDING, title="Title of the waiting")
    miss(client, Status.READ, title="Title of the read")
    miss(client, title="Title of long ago", created_at=timezone.now() - timedelta(days=15))
    miss(client, title="Title of a code", message_type="otp")
    miss(client, title="To another number", phone_number=OTHER)
    answer = save(agent, client, telephone=NEW)

    assert answer.headers["Location"] == resend_page(client)
    html = " ".join(text_of(agent.get(answer.headers["Location"])).split())
    for text in ("Title of the failed", "Your parcel left.", "Title of the waiting", "Send these 2 messages to"):
        assert text in html
    for text in ("Title of the read", "Title of long ago", "Title of a code", "To another number"):
        assert text not in html
    assert f'href="{page(client)}">Do not send' in html


def test_what_still_waits_does_not_go_to_the_old_number_any_more(client: Client, agent: Browser):
    waiting = miss(client, Status.PENDING)
    save(agent, client, telephone=NEW)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancel_reason) == (Status.CANCELLED, CancelReason.WRONG_NUMBER)


def test_sending_again_owes_each_message_once_to_the_new_number(client: Client, agent: Browser):
    missed = [miss(client, title=f"Title {number}") for number in range(3)]
    save(agent, client, telephone=NEW)
    answers = [agent.post(resend_page(client)) for _ in range(2)]

    assert {answer.headers["Location"] for answer in answers} == {page(client)}
    again = WhatsAppNotification.objects.filter(phone_number=NEW)
    assert sorted(again.values_list("title", flat=True)) == ["Title 0", "Title 1", "Title 2"]
    assert {each.status for each in again} == {Status.PENDING}
    for each in missed:
        each.refresh_from_db()
        assert each.resent_as is not None
    html = text_of(agent.get(page(client)))
    assert "3 messages are on their way to Jean Dupont." in html
    assert "There was nothing left to send again." in html
    assert "Nothing to send again" in text_of(agent.get(resend_page(client)))


@pytest.mark.django_db(transaction=True)
def test_sending_again_by_many_at_once_owes_each_message_once(client: Client, agent: Browser):
    miss(client)
    save(agent, client, telephone=NEW)

    def submit(_number: int) -> int:
        browser = Browser()
        browser.cookies = agent.cookies
        try:
            return browser.post(resend_page(client)).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(submit, range(6))) == {302}
    assert WhatsAppNotification.objects.filter(phone_number=NEW).count() == 1


def test_what_other_offices_owe_is_sent_again_too_but_not_shown(client: Client, agent: Browser):
    miss(client, title="Ours")
    rows.notification("agent_mali", user=client.user, phone_number=OLD, title="Foreign", message_content="Secret")
    save(agent, client, telephone=NEW)
    html = " ".join(text_of(agent.get(resend_page(client))).split())

    assert "Foreign" not in html
    assert "Secret" not in html
    assert "Messages of other offices are sent again with them." in html
    assert "Send these 2 messages to" in html
    agent.post(resend_page(client))
    assert WhatsAppNotification.objects.filter(phone_number=NEW, source_app="agent_mali").exists()


def test_nothing_is_sent_when_nobody_presses_the_button(client: Client, agent: Browser):
    miss(client)
    save(agent, client, telephone=NEW)
    agent.get(resend_page(client))

    assert not WhatsAppNotification.objects.filter(phone_number=NEW).exists()


@pytest.mark.parametrize("number", ["", "garbage", "%00", "%2B999", "x" * 300])
def test_a_number_that_was_never_the_clients_has_nothing_to_send(number: str, client: Client, agent: Browser):
    miss(client)
    address = f"{page(client, 'resend/')}?from={number}"

    assert "Nothing to send again" in text_of(agent.get(address))
    agent.post(address)
    assert WhatsAppNotification.objects.count() == 1


def test_a_link_that_went_to_the_old_number_opens_nothing_any_more(client: Client, agent: Browser):
    link = first_password.link_for(client.user).partition("/first-password/")[2]
    save(agent, client, telephone=NEW)

    assert not Browser().get(f"/first-password/{link}", follow=True).context["validlink"]


def test_a_password_that_the_client_chose_at_their_own_number_stays(client: Client, agent: Browser):
    client.user.set_password("seven green parcels")
    client.user.save()
    save(agent, client, telephone=NEW)

    assert User.objects.get(pk=client.user_id).check_password("seven green parcels")


def test_a_password_that_a_stranger_may_have_chosen_is_taken_away(client: Client, agent: Browser):
    client.user.set_password("seven green parcels")
    client.user.save()
    WhatsAppWrongNumber.objects.create(phone_number=OLD, created_at=timezone.now())
    save(agent, client, telephone=NEW)

    assert not User.objects.get(pk=client.user_id).has_usable_password()
    assert "Send a new link" in text_of(agent.get(page(client)))


def test_the_corrected_message_really_arrives(stack: Stack, agent: Browser):
    client = create_client(OLD, "Jean", "Dupont")[0]
    miss(client, message_content="Votre colis est parti de Guangzhou.")
    save(agent, client, telephone=NEW)
    agent.post(resend_page(client))

    eventually(lambda: stack.messages_to(NEW), "the message arrived at the right number")
    assert not stack.messages_to(OLD)
    eventually(lambda: WhatsAppNotification.objects.filter(status=Status.READ).exists(), "the receipts are applied")


def test_a_first_link_for_a_shared_telephone_asks_whether_the_client_has_it_in_hand(client: Client, agent: Browser):
    Client.objects.update(shares_phone=True)
    html = text_of(agent.get(page(client)))
    assert "Others use this telephone too: Jean Dupont has it in hand now." in html
    request_id = {"request_id": html.partition('name="request_id" value="')[2][:36]}

    answer = agent.post(page(client, "new-link/"), request_id, follow=True)
    assert "say first that the client has it in hand" in text_of(answer)
    assert not WhatsAppNotification.objects.exists()
    agent.post(page(client, "new-link/"), {**request_id, "is_in_hand": "on"})
    assert WhatsAppNotification.objects.count() == 1


def test_a_first_password_link_never_goes_to_the_old_number_once_the_client_has_another(
    client: Client, agent: Browser
):
    tell(client)
    waiting = WhatsAppNotification.objects.get()
    WhatsAppNotification.objects.update(status=Status.FAILED, failed_at=timezone.now(), next_attempt_at=None)
    save(agent, client, telephone=NEW)

    waiting.refresh_from_db()
    with pytest.raises(retries.NotRetryable, match="autre numéro"):
        retries.retry(waiting, None, timezone.now())
    with pytest.raises(Unsendable):
        rendering.text_to_send(WhatsAppNotification.objects.get())


def test_what_a_worker_had_in_its_hands_does_not_come_back_to_the_old_number(client: Client, agent: Browser):
    held = miss(client, Status.SENDING, claim_id=uuid.uuid4(), claimed_until=timezone.now())
    save(agent, client, telephone=NEW)
    WhatsAppNotification.objects.filter(pk=held.pk).update(
        status=Status.PENDING, claimed_until=None, next_attempt_at=timezone.now()
    )

    assert cancellation.still_wanted().claim(held.pk, timezone.now()) is None
    assert cancellation.cancel_all_to_strangers(timezone.now()) == 1


def test_a_number_that_was_right_after_all_is_written_to_again(client: Client, agent: Browser):
    old = client.user.telephone
    save(agent, client, telephone=NEW)
    client = Client.objects.get(pk=client.pk)
    save(agent, client, opened_with=NEW, telephone=old)

    message = miss(Client.objects.get(pk=client.pk), Status.PENDING, phone_number=old)
    assert cancellation.still_wanted().filter(pk=message.pk).exists()


def test_a_changed_number_where_somebody_else_answers_is_noted_and_what_arrived_there_offered(
    client: Client, agent: Browser
):
    client.user.set_password("seven green parcels")
    client.user.save()
    arrived = miss(client, Status.READ)
    answer = save(agent, client, telephone=NEW, old_is_strangers="on")

    assert WhatsAppWrongNumber.objects.get().phone_number == OLD
    assert not User.objects.get(pk=client.user_id).has_usable_password()
    assert list(agent.get(answer.headers["Location"]).context["notifications"]) == [arrived]


def test_somebody_else_at_the_old_number_counts_only_when_it_changes(client: Client, agent: Browser):
    assert save(agent, client, old_is_strangers="on").status_code == 302
    create_client(OTHER, "Awa", "Traoré")
    assert save(agent, client, telephone=OTHER, old_is_strangers="on").status_code == 422

    assert not WhatsAppWrongNumber.objects.exists()


def test_what_cannot_leave_again_is_not_said_to_be_on_its_way(client: Client, agent: Browser):
    miss(client)
    save(agent, client, telephone=NEW)
    WhatsAppOptOut.objects.create(phone_number=NEW, created_at=timezone.now())
    shown = text_of(agent.post(resend_page(client), follow=True))

    assert "on its way to" not in shown
    assert "1 message cannot be sent on WhatsApp" in shown
