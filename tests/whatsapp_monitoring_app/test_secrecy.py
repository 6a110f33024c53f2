"""What an answer may not repeat: the token, what was said, and links, in every spelling and wherever a text is cut."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import NUMBER, TEXT, json_answer, post
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppNotification
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.base import Accepted, HttpRequest, ProviderError, Refused, Uncertain
from whatsapp_monitoring_app.services import rendering, secrecy

pytestmark = pytest.mark.django_db

ACCOUNT = base.Account("acc", "secret/token+of=ours")
REQUEST = HttpRequest("https://gateway.example", {"Authorization": f"Bearer {ACCOUNT.token}"})


def secrets(
    what: content.Content | None = None,
    notification: WhatsAppNotification | None = None,
    account: base.Account = ACCOUNT,
    request: HttpRequest = REQUEST,
) -> tuple[str, ...]:
    message = base.Message(NUMBER, what or content.Text(TEXT), "4f2b")
    return secrecy.of(notification or post(), account, message, request)


def test_the_token_and_the_text_are_secret_the_longest_first():
    assert secrets() == (TEXT, ACCOUNT.token)


def test_credentials_are_secret_as_they_stand_in_the_header_too():
    basic = base64.b64encode(b"AC1:secret/token+of=ours").decode()
    assert basic in secrets(request=HttpRequest("https://x.example", {"Authorization": f"Basic {basic}"}))


@pytest.mark.parametrize("token", ["", "x", "1234567"])
def test_what_stands_in_any_answer_is_no_secret(token: str):
    account = base.Account("acc", token)
    assert secrets(content.Text("id"), account=account, request=HttpRequest("console:", {})) == ()


@pytest.mark.parametrize(
    "what",
    [
        content.Image("https://cargo.example/a.png", TEXT),
        content.Document("https://cargo.example/a.pdf", "a.pdf", TEXT),
        content.Template("t", "fr", text=TEXT),
        content.Template("t", "fr", (TEXT,)),
        content.Template("t", "fr", {"name": TEXT}),
        content.Template("t", "fr", header=content.Text(TEXT)),
        content.Template("t", "fr", header=content.Image("https://cargo.example/a.png", TEXT)),
        content.Template("t", "fr", buttons=(content.UrlButton(0, TEXT),)),
        content.Template("t", "fr", buttons=(content.QuickReply(0, TEXT),)),
    ],
)
def test_every_part_that_says_something_is_secret(what: content.Content):
    assert TEXT in secrets(what)


def test_a_link_that_was_filled_in_is_secret_wherever_the_text_is_cut(make_user: Callable[..., User]):
    text = f"Bienvenue ({rendering.FIRST_PASSWORD_LINK}), choisissez un mot de passe."
    notification = post(message_content=text, is_secret=True, user=make_user())
    said = rendering.text_to_send(notification)
    link = said.partition("(")[2].partition(")")[0]
    assert link.startswith("http")
    hidden = secrecy.hide(f"Text too long: {said[:-20]}…", secrets(content.Text(said), notification))
    assert link not in hidden
    assert link.rstrip("/") not in hidden
    assert hidden.startswith("Text too long: Bienvenue (")


SPELLINGS: list[Callable[[str], str]] = [
    str,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(text).replace("/", "\\/"),
    lambda text: re.sub(r"(?<=u)[0-9a-f]{4}", lambda digits: digits[0].upper(), json.dumps(text)),
    html.escape,
    lambda text: html.escape(json.dumps(text)),
    lambda text: quote(text, safe=""),
    quote,
    quote_plus,
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_secret_is_hidden_in_every_spelling(spell: Callable[[str], str]):
    secret = "Été & « hiver » / <b> \n 📦 + fin"
    hidden = secrecy.hide(f"before {spell(secret)} after", [secret])
    assert hidden.replace('"', "").replace("&quot;", "") == f"before {secrecy.HIDDEN} after"


def test_an_answer_and_a_refusal_keep_the_rest():
    answer = secrecy.hide_in_answer(json_answer(418, {"you said": TEXT, "code": 7}), [TEXT])
    assert (answer.status, answer.json_object()) == (418, {"you said": secrecy.HIDDEN, "code": 7})
    refusal = Refused(ProviderError(ErrorClass.UNKNOWN, "7", f"Bad: {TEXT}", is_classified=False))
    expected = Refused(ProviderError(ErrorClass.UNKNOWN, "7", f"Bad: {secrecy.HIDDEN}", is_classified=False))
    assert secrecy.hide_in_outcome(refusal, [TEXT]) == expected


@pytest.mark.parametrize("outcome", [Accepted("wamid.one", "22376123456"), Uncertain("HTTP 502")])
def test_other_outcomes_stay_as_they_are(outcome: base.Outcome):
    assert secrecy.hide_in_outcome(outcome, ["wamid.one", "HTTP 502"]) is outcome
