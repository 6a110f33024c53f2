"""The sandbox behaves as Meta does. Everything here goes over real HTTP."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import phonenumbers
import pytest
import requests

from whatsapp_monitoring_app.sandbox import PortTaken, SandboxConfig, running
from whatsapp_monitoring_app.sandbox.behaviours import MAGIC_NUMBERS
from whatsapp_monitoring_app.sandbox.phones import Message, Phones

Found = TypeVar("Found")

DEADLINE_SECONDS = 10
SENDER = "106540352242922"
CUSTOMER = "+22376123456"
AT_ONCE = (0.0, 0.0)
CONFIG = SandboxConfig(
    app_secret="app secret",
    verify_token="verify me",
    token="good token",
    sent_delay=AT_ONCE,
    delivered_delay=AT_ONCE,
    read_delay=AT_ONCE,
    webhook_retry_delays=(0.01, 0.01),
    stall_seconds=60,
    phone_number_id=SENDER,
)


class Receiver:
    """A webhook that keeps what it gets and answers as it is told."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/webhook"
        self.posts: list[tuple[str, bytes]] = []
        self.answers: Queue[int] = Queue()
        self.verify_token = CONFIG.verify_token

    @property
    def values(self) -> list[dict]:
        return [json.loads(body)["entry"][0]["changes"][0]["value"] for _, body in list(self.posts)]

    @property
    def statuses(self) -> list[dict]:
        return [status for value in self.values for status in value.get("statuses", [])]


class ReceiverHandler(BaseHTTPRequestHandler):
    def __init__(self, receivers: list[Receiver], *arguments: object) -> None:
        self.receivers = receivers
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        (receiver,) = self.receivers
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.posts.append((self.headers["X-Hub-Signature-256"], body))
        self._answer(200 if receiver.answers.empty() else receiver.answers.get())

    def do_GET(self) -> None:
        (receiver,) = self.receivers
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        is_known = query["hub.mode"] == "subscribe" and query["hub.verify_token"] == receiver.verify_token
        self._answer(200 if is_known else 403, query["hub.challenge"] if is_known else "")

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests read the posts, not the console."""

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Client:
    """Someone who sends messages through the sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, body: object, token: str | None = CONFIG.token, timeout: float = 5) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) else json.dumps(body)
        return requests.post(f"{self.url}/v24.0/{SENDER}/messages", data=data, headers=headers, timeout=timeout)

    def say(self, to: str, text: str = "Bonjour", timeout: float = 5, **members: object) -> requests.Response:
        return self.post(text_message(to, text, **members), timeout=timeout)

    @property
    def messages(self) -> list[dict]:
        return requests.get(f"{self.url}/_sandbox/messages", timeout=5).json()

    @property
    def requests(self) -> list[dict]:
        return requests.get(f"{self.url}/_sandbox/requests", timeout=5).json()

    def page(self, path: str) -> str:
        return requests.get(f"{self.url}{path}", timeout=5).text


def text_message(to: str = CUSTOMER, text: str = "Bonjour", **members: object) -> dict:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}, **members}


def typed(kind: str, **members: object) -> dict:
    return {"messaging_product": "whatsapp", "to": CUSTOMER, "type": kind, kind: members}


def template(**members: object) -> dict:
    return typed("template", **{"name": "cargo_arrived", "language": {"code": "fr"}, **members})


def eventually(question: Callable[[], Found]) -> Found:
    """The first true answer."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < deadline, "Nothing happened before the deadline."
        time.sleep(0.01)
    return answer


def statuses_of(receiver: Receiver, count: int) -> list[str]:
    eventually(lambda: len(receiver.statuses) >= count)
    return [status["status"] for status in receiver.statuses]


@contextmanager
def listening() -> Iterator[Receiver]:
    receivers: list[Receiver] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(ReceiverHandler, receivers))
    receivers.append(Receiver(server))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield receivers[0]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def quiet_sandbox() -> Iterator[Client]:
    """One without a webhook, shared by the tests that only look at answers."""
    with running(CONFIG) as sandbox:
        yield Client(sandbox.url)


@pytest.fixture
def client(quiet_sandbox: Client) -> Client:
    requests.delete(f"{quiet_sandbox.url}/_sandbox/messages", timeout=5)
    return quiet_sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def talking(receiver: Receiver) -> Iterator[Client]:
    """A client of a sandbox that posts to the receiver."""
    with running(replace(CONFIG, webhook_url=receiver.url)) as sandbox:
        yield Client(sandbox.url)


def test_a_message_is_accepted_as_meta_accepts_it(client: Client) -> None:
    answer = client.say(CUSTOMER, "Votre colis est arrivé", biz_opaque_callback_data="n-1")

    assert answer.status_code == 200
    (message,) = client.messages
    assert answer.json() == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": CUSTOMER, "wa_id": "22376123456"}],
        "messages": [{"id": message["wamid"]}],
    }
    assert message["wamid"].startswith("wamid.")
    expected = {
        "to": CUSTOMER,
        "wa_id": "22376123456",
        "type": "text",
        "text": "Votre colis est arrivé",
        "tracking": "n-1",
        "phone_number_id": SENDER,
        "status": "accepted",
        "to_had_plus": True,
    }
    assert expected.items() <= message.items()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (template(), "cargo_arrived (fr)"),
        (
            template(
                components=[
                    {
                        "type": "header",
                        "parameters": [{"type": "image", "image": {"link": "https://a.example/i.png"}}],
                    },
                    {"type": "body", "parameters": [{"type": "text", "text": "Awa"}, {"type": "text", "text": "TS1"}]},
                ]
            ),
            "cargo_arrived (fr): https://a.example/i.png, Awa, TS1",
        ),
        (typed("image", link="https://a.example/i.png", caption="Le colis"), "Le colis"),
        (typed("document", link="https://a.example/d.pdf", filename="facture.pdf"), "facture.pdf"),
        (typed("image", id="123"), "media 123"),
    ],
)
def test_it_understands_templates_and_media(client: Client, body: dict, text: str) -> None:
    assert client.post(body).status_code == 200
    assert [message["text"] for message in client.messages] == [text]


@pytest.mark.parametrize("token", [None, "wrong token"])
def test_without_the_right_token_nothing_is_accepted(client: Client, token: str | None) -> None:
    answer = client.post(text_message(), token=token)

    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("OAuthException", 190)
    assert error["fbtrace_id"]
    assert client.messages == []


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"not json", 100, "JSON"),
        ([], 100, "JSON object"),
        ({}, 100, "messaging_product"),
        ({"messaging_product": "sms"}, 100, "messaging_product"),
        ({"messaging_product": "whatsapp"}, 100, "to"),
        (text_message(to=22376123456), 100, "to"),  # type: ignore[arg-type]
        (text_message(to="abc"), 131009, "to"),
        (text_message(to="+123"), 131009, "to"),
        (text_message(text=""), 100, "text['body']"),
        (text_message(text="x" * 4097), 100, "text['body']"),
        (text_message(text=3), 100, "text['body']"),  # type: ignore[arg-type]
        ({**text_message(), "text": "Bonjour"}, 100, "text"),
        (text_message(type="template"), 100, "template"),
        (text_message(type="sticker"), 131051, "type"),
        (text_message(biz_opaque_callback_data="x" * 513), 100, "biz_opaque_callback_data"),
        (typed("image"), 100, "image['link']"),
        (typed("image", link="http://a.example/i.png"), 100, "image['link']"),
        (typed("document", link="https://a.example/d.pdf", caption="x" * 1025), 100, "document['caption']"),
        (template(name=None), 100, "template['name']"),
        (template(language={}), 100, "template['language']['code']"),
        (template(components="body"), 100, "template['components']"),
        (template(components=["body"]), 100, "template['components'][0]"),
        (
            template(components=[{"type": "body", "parameters": [{"type": "text", "text": 3}]}]),
            100,
            "template['components'][0]['parameters'][0]['text']",
        ),
    ],
)
def test_a_wrong_message_is_refused_by_the_name_of_its_fault(
    client: Client, body: object, code: int, named: str
) -> None:
    answer = client.post(body)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == code
    assert named in error["error_data"]["details"]
    assert client.messages == []
    assert [(seen["http_status"], seen["error_code"]) for seen in client.requests] == [(400, code)]


@pytest.mark.parametrize(
    ("to", "wa_id"),
    [
        ("+16315551234", "16315551234"),
        ("+1 (631) 555-1234", "16315551234"),
        ("(631) 555-1234", "2236315551234"),
        ("1 (631) 555-1234", "22316315551234"),
        ("22376123456", "22322376123456"),
    ],
)
def test_without_a_plus_the_country_code_of_the_business_is_prepended(client: Client, to: str, wa_id: str) -> None:
    answer = client.say(to)

    assert answer.json()["contacts"] == [{"input": to, "wa_id": wa_id}]
    (message,) = client.messages
    assert message["to_had_plus"] is to.startswith("+")
    assert ("without plus" in client.page(f"/phones/{wa_id}")) is not message["to_had_plus"]


def test_magic_numbers_are_valid_numbers() -> None:
    for digits in MAGIC_NUMBERS:
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}")), digits


@pytest.mark.parametrize(
    ("to", "http_status", "code"),
    [("+22370000001", 400, 131026), ("+22370000002", 400, 131047), ("+22370000007", 401, 190)],
)
def test_some_numbers_always_refuse(client: Client, to: str, http_status: int, code: int) -> None:
    for _ in range(3):
        answer = client.say(to)
        assert (answer.status_code, answer.json()["error"]["code"]) == (http_status, code)
    assert client.messages == []


def test_one_number_answers_500_with_an_empty_body(client: Client) -> None:
    answer = client.say("+22370000006")

    assert (answer.status_code, answer.content) == (500, b"")
    assert client.messages == []


@pytest.mark.parametrize("members", [{}, {"biz_opaque_callback_data": "n-1"}])
@pytest.mark.parametrize(("to", "code", "count"), [("+22370000003", 130429, 2), ("+22370000012", 131056, 1)])
def test_rate_limits_refuse_each_message_a_few_times(
    client: Client, to: str, code: int, count: int, members: dict
) -> None:
    for _ in range(count):
        assert client.say(to, **members).json()["error"]["code"] == code
    assert client.say(to, **members).status_code == 200
    assert client.say(to, "Un autre", biz_opaque_callback_data="n-2").status_code == 400
    assert len(client.messages) == 1


def test_one_number_accepts_and_answers_too_late(client: Client) -> None:
    with pytest.raises(requests.ReadTimeout):
        client.say("+22370000005", timeout=0.3)
    assert [message["to"] for message in client.messages] == ["+22370000005"]


def test_the_late_answer_is_complete() -> None:
    with running(replace(CONFIG, stall_seconds=0.01)) as sandbox:
        assert Client(sandbox.url).say("+22370000005").json()["messages"]


def test_one_number_accepts_and_drops_the_connection(client: Client) -> None:
    with pytest.raises(requests.ConnectionError):
        client.say("+22370000011")
    assert [message["to"] for message in client.messages] == ["+22370000011"]
    assert [seen["http_status"] for seen in client.requests] == [None]


def test_one_number_answers_without_a_message_id(client: Client) -> None:
    answer = client.say("+22370000013")

    assert answer.status_code == 200
    assert "messages" not in answer.json()
    assert len(client.messages) == 1


def test_receipts_follow_in_order_and_carry_the_tracking_string(talking: Client, receiver: Receiver) -> None:
    wamid = talking.say(CUSTOMER, biz_opaque_callback_data="n-1").json()["messages"][0]["id"]

    assert statuses_of(receiver, 3) == ["sent", "delivered", "read"]
    for status in receiver.statuses:
        assert (status["id"], status["recipient_id"]) == (wamid, "22376123456")
        assert status["biz_opaque_callback_data"] == "n-1"
        assert abs(int(status["timestamp"]) - time.time()) < DEADLINE_SECONDS
    assert ["pricing" in status for status in receiver.statuses] == [False, True, False]
    assert receiver.values[0]["metadata"]["phone_number_id"] == SENDER
    assert talking.messages[0]["status"] == "read"


@pytest.mark.parametrize(
    ("to", "receipts"),
    [
        ("+22370000004", ["sent"]),
        ("+22370000008", ["failed"]),
        ("+22370000009", ["sent", "delivered"]),
        ("+22370000010", ["sent", "read"]),
        ("+22370000013", ["sent", "delivered", "read"]),
    ],
)
def test_magic_numbers_choose_their_receipts(
    talking: Client, receiver: Receiver, to: str, receipts: list[str]
) -> None:
    talking.say(to)
    # A message that is read shows that no receipt of the other one is still under way.
    eventually(lambda: len(receiver.statuses) >= len(receipts))
    talking.say(CUSTOMER)
    eventually(lambda: receiver.statuses[-1]["status"] == "read" and is_for(receiver.statuses[-1], CUSTOMER))

    assert [status["status"] for status in receiver.statuses if is_for(status, to)] == receipts


def is_for(status: dict, to: str) -> bool:
    return f"+{status['recipient_id']}" == to


def test_a_failure_says_why(talking: Client, receiver: Receiver) -> None:
    talking.say("+22370000008")

    assert statuses_of(receiver, 1) == ["failed"]
    (error,) = receiver.statuses[0]["errors"]
    assert error["code"] == 131026
    assert error["error_data"]["details"]


@pytest.mark.parametrize("to", ["+22370000005", "+22370000011"])
def test_receipts_follow_even_when_the_answer_was_lost(talking: Client, receiver: Receiver, to: str) -> None:
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        talking.say(to, timeout=0.3, biz_opaque_callback_data="n-1")

    assert statuses_of(receiver, 3) == ["sent", "delivered", "read"]
    assert {status["biz_opaque_callback_data"] for status in receiver.statuses} == {"n-1"}


def test_webhooks_are_signed_over_the_bytes_that_meta_would_send(talking: Client, receiver: Receiver) -> None:
    talking.say(CUSTOMER, biz_opaque_callback_data="n/1@é")
    statuses_of(receiver, 3)

    for signature, body in receiver.posts:
        digest = hmac.new(b"app secret", body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={digest}"
        assert body.isascii()
        assert b"n\\/1\\u0040\\u00e9" in body


def test_a_webhook_that_fails_is_posted_again_unchanged(talking: Client, receiver: Receiver) -> None:
    receiver.answers.put(500)
    receiver.answers.put(302)
    talking.say("+22370000004")

    eventually(lambda: len(receiver.posts) == 3)
    assert len({body for _, body in receiver.posts}) == 1


def test_receipts_go_on_after_a_webhook_was_given_up(talking: Client, receiver: Receiver) -> None:
    for _ in range(3):
        receiver.answers.put(500)
    talking.say("+22370000009")

    assert statuses_of(receiver, 4) == ["sent", "sent", "sent", "delivered"]


def test_forgetting_stops_the_receipts(receiver: Receiver) -> None:
    with running(replace(CONFIG, webhook_url=receiver.url, delivered_delay=(0.2, 0.2))) as sandbox:
        client = Client(sandbox.url)
        client.say(CUSTOMER)
        statuses_of(receiver, 1)
        assert requests.delete(f"{sandbox.url}/_sandbox/messages", timeout=5).status_code == 204
        assert client.messages == client.requests == []
        client.say("+22370000009")
        assert statuses_of(receiver, 3) == ["sent", "sent", "delivered"]


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


def test_an_empty_reply_is_refused(client: Client) -> None:
    answer = requests.post(f"{client.url}/phones/22370000004/reply", data={"text": " "}, timeout=5)

    assert answer.status_code == 400
    assert "No message yet" in client.page("/phones/22370000004")


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


def test_an_address_that_is_no_phone_is_not_found(client: Client) -> None:
    assert requests.get(f"{client.url}/phones/awa", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("token", "verdict"), [(CONFIG.verify_token, "verified"), ("other", "not verified: HTTP 403")]
)
def test_the_webhook_can_be_verified(talking: Client, receiver: Receiver, token: str, verdict: str) -> None:
    receiver.verify_token = token
    page = requests.post(f"{talking.url}/webhook/verify", timeout=5)

    assert f"<small>{verdict}</small>" in page.text


def test_a_taken_port_is_said_by_name(client: Client) -> None:
    taken = int(client.url.rpartition(":")[2])

    with pytest.raises(PortTaken, match=str(taken)), running(replace(CONFIG, port=taken)):
        pass


def test_the_same_seed_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        with running(replace(CONFIG, seed=7)) as sandbox:
            ids.append(Client(sandbox.url).say(CUSTOMER).json()["messages"][0]["id"])
    assert ids[0] == ids[1]
