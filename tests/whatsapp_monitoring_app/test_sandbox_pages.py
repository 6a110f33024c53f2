"""The sandbox's pages and telephones, and how it starts."""

from dataclasses import replace

import pytest
import requests

from tests.waiting import eventually
from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, CUSTOMER, SENDER, Client, Receiver, statuses_of
from whatsapp_monitoring_app.sandbox import PortTaken, running
from whatsapp_monitoring_app.sandbox.behaviours import MAGIC_NUMBERS
from whatsapp_monitoring_app.sandbox.phones import Message, Phones


def test_a_customer_replies(talking: Client, receiver: Receiver) -> None:
    wamid = talking.say("+22370000004").json()["messages"][0]["id"]
    statuses_of(receiver, 1)
    form = {"text": "Merci, à demain", "context": wamid}
    page = requests.post(f"{talking.url}/phones/22370000004/reply", data=form, timeout=5)

    assert page.status_code == 200
    assert "Merci, à demain" in page.text
    eventually(lambda: len(receiver.posts) == 2)
    value = receiver.values[1]
    (message,) = value["messages"]
    assert (message["from"], message["type"], message["text"]) == ("22370000004", "text", {"body": "Merci, à demain"})
    assert message["context"]["id"] == wamid
    assert value["contacts"][0]["wa_id"] == "22370000004"
    assert value["metadata"]["phone_number_id"] == SENDER


def test_an_empty_reply_is_refused(quiet: Client) -> None:
    answer = requests.post(f"{quiet.url}/phones/22370000004/reply", data={"text": " "}, timeout=5)

    assert answer.status_code == 400
    assert "No message yet" in quiet.page("/phones/22370000004")


def test_the_pages_show_messages_states_and_refusals(talking: Client, receiver: Receiver) -> None:
    talking.say("+22370000009", "<b>Colis</b> prêt")
    talking.say("+22370000001", biz_opaque_callback_data="n-1")
    statuses_of(receiver, 2)

    index = talking.page("/")
    for expected in ("&lt;b&gt;Colis&lt;/b&gt; prêt", "1 unread", "131026", "tracking n-1", *MAGIC_NUMBERS):
        assert expected in index
    assert "delivered" in talking.page("/phones/22370000009")


def test_the_oldest_is_forgotten_first() -> None:
    phones = Phones(limit=2)
    for wamid in ("first", "second", "third"):
        phones.accept(Message(wamid, CUSTOMER, "22376123456", "text", "Bonjour", None, SENDER, to_had_plus=True))

    assert list(phones.messages) == ["second", "third"]


def test_an_address_that_is_no_phone_is_not_found(quiet: Client) -> None:
    assert requests.get(f"{quiet.url}/phones/awa", timeout=5).status_code == 404


def test_a_taken_port_is_said_by_name(quiet: Client) -> None:
    taken = int(quiet.url.rpartition(":")[2])

    with pytest.raises(PortTaken, match=str(taken)), running(replace(CONFIG, port=taken)):
        pass


def test_the_same_seed_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        with running(replace(CONFIG, seed=7)) as sandbox:
            ids.append(Client(sandbox.url).say(CUSTOMER).json()["messages"][0]["id"])
    assert ids[0] == ids[1]
