"""The sandbox's magic numbers: each meets a mishap of its own, over real HTTP."""

from dataclasses import replace

import phonenumbers
import pytest
import requests

from tests.whatsapp_monitoring_app.sandbox_peers import CONFIG, Client
from whatsapp_monitoring_app.sandbox import running
from whatsapp_monitoring_app.sandbox.behaviours import MAGIC_NUMBERS


def test_magic_numbers_are_valid_numbers() -> None:
    for digits in MAGIC_NUMBERS:
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}")), digits


@pytest.mark.parametrize(
    ("to", "http_status", "code"),
    [("+22370000001", 400, 131026), ("+22370000002", 400, 131047), ("+22370000007", 401, 190)],
)
def test_some_numbers_always_refuse(quiet: Client, to: str, http_status: int, code: int) -> None:
    for _ in range(3):
        answer = quiet.say(to)
        assert (answer.status_code, answer.json()["error"]["code"]) == (http_status, code)
    assert quiet.messages == []


def test_one_number_answers_500_with_an_empty_body(quiet: Client) -> None:
    answer = quiet.say("+22370000006")

    assert (answer.status_code, answer.content) == (500, b"")
    assert quiet.messages == []


@pytest.mark.parametrize("members", [{}, {"biz_opaque_callback_data": "n-1"}])
@pytest.mark.parametrize(("to", "code", "count"), [("+22370000003", 130429, 2), ("+22370000012", 131056, 1)])
def test_rate_limits_refuse_each_message_a_few_times(
    quiet: Client, to: str, code: int, count: int, members: dict
) -> None:
    for _ in range(count):
        assert quiet.say(to, **members).json()["error"]["code"] == code
    assert quiet.say(to, **members).status_code == 200
    assert quiet.say(to, "Un autre", biz_opaque_callback_data="n-2").status_code == 400
    assert len(quiet.messages) == 1


def test_one_number_accepts_and_answers_too_late(quiet: Client) -> None:
    with pytest.raises(requests.ReadTimeout):
        quiet.say("+22370000005", timeout=0.3)
    assert [message["to"] for message in quiet.messages] == ["+22370000005"]


def test_the_late_answer_is_complete() -> None:
    with running(replace(CONFIG, stall_seconds=0.01)) as sandbox:
        assert Client(sandbox.url).say("+22370000005").json()["messages"]


def test_one_number_accepts_and_drops_the_connection(quiet: Client) -> None:
    with pytest.raises(requests.ConnectionError):
        quiet.say("+22370000011")
    assert [message["to"] for message in quiet.messages] == ["+22370000011"]
    assert [seen["http_status"] for seen in quiet.requests] == [None]


def test_one_number_answers_without_a_message_id(quiet: Client) -> None:
    answer = quiet.say("+22370000013")

    assert answer.status_code == 200
    assert "messages" not in answer.json()
    assert len(quiet.messages) == 1
