"""What every provider keeps to, whatever its dialect. A new one joins by an entry in `dialects.DIALECTS`."""

import copy
import html
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import User
from tests.whatsapp_monitoring_app.dialects import BAD_GATEWAY, DIALECTS, SILENT_FAILURE, Dialect
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    TEXT,
    Provider,
    attempt,
    change,
    open_window,
    post,
    snapshot,
)
from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppAttempt,
    WhatsAppErrorCode,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.base import Accepted, HttpAnswer, Kind, Refused, Uncertain
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.services import error_catalogue, explanations, webhooks
from whatsapp_monitoring_app.services.rendering import FIRST_PASSWORD_LINK
from whatsapp_monitoring_app.services.retry_policy import EFFECTS, Fate

pytestmark = pytest.mark.django_db

FIXED = hypothesis_settings(derandomize=True, deadline=None, database=None, max_examples=150)
EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
LINK = "https://cargo.example/file.pdf"
WHAT_MOVES = (WhatsAppNotification, WhatsAppAttempt, WhatsAppReceipt, WhatsAppInbound, WhatsAppOptOut)


def of_each(choose: Callable[[Dialect], Any]) -> list[Any]:
    """A pytest parameter for every example that `choose` finds in a dialect."""
    return [
        pytest.param(dialect, example, id=f"{code}-{getattr(example, 'value', number)}")
        for code, dialect in DIALECTS.items()
        for number, example in enumerate(choose(dialect))
    ]


def senders_speak(dialect: Dialect) -> None:
    """Let every office send through this provider."""
    WhatsAppSender.objects.update(
        provider=dialect.provider.code,
        account_id=dialect.account_id,
        token=dialect.token,
        address=dialect.address,
    )
    # Free text leaves as it is: what is tried here is the provider, not the form.
    open_window()


@pytest.fixture(autouse=True)
def _settings(request: pytest.FixtureRequest) -> Iterator[None]:
    dialect = request.node.callspec.params["dialect"] if hasattr(request.node, "callspec") else None
    with override_settings(**(dialect.settings if dialect else {})):
        if dialect:
            senders_speak(dialect)
        yield


def sent_by(dialect: Dialect, answer: HttpAnswer | Exception, **fields: Any) -> WhatsAppNotification:
    return attempt(post(**fields), Provider(answer))


def test_every_provider_is_in_this_suite():
    assert {provider.code for provider in providers.all_providers()} == set(DIALECTS)


# --- Answers


@EVERY_DIALECT
def test_an_accepted_message_is_sent_and_recorded(dialect: Dialect):
    provider = Provider(dialect.accepted)
    notification = attempt(post(), provider)
    assert (notification.status, notification.attempt_count, notification.sent_at) == (Status.SENT, 1, NOW)
    assert (notification.provider_message_id or "") == dialect.message_id
    assert len(provider.requests) == 1
    (record,) = notification.attempts.all()
    assert (record.outcome, record.http_status) == ("accepted", dialect.accepted.status)
    assert notification.is_delivery_unknown is not dialect.provider.has_receipts


@pytest.mark.parametrize(("dialect", "error_class"), of_each(lambda dialect: dialect.refusals))
def test_a_refusal_does_what_its_class_says(dialect: Dialect, error_class: ErrorClass):
    effect = EFFECTS[error_class]
    post(phone_number="+22376123457")
    before = snapshot(WhatsAppNotification)
    notification = sent_by(dialect, dialect.refusals[error_class])
    expected = {
        Fate.FAIL: (Status.FAILED, 1),
        Fate.RETRY: (Status.RETRY_SCHEDULED, 1),
        Fate.GIVE_BACK: (Status.PENDING, 0),
    }
    assert notification.error_class == error_class
    assert (notification.status, notification.attempt_count) == expected[effect.fate]
    (record,) = notification.attempts.all()
    assert (record.outcome, record.error_class) == ("refused", error_class)
    assert WhatsAppSender.objects.filter(stopped_until__gt=NOW).exists() == effect.stops_sender
    retry_after = dialect.refusals[error_class].retry_after
    if retry_after:
        assert notification.next_attempt_at
        assert notification.next_attempt_at >= NOW + retry_after
    WhatsAppAttempt.objects.all().delete()
    notification.delete()
    assert snapshot(WhatsAppNotification) == before


@EVERY_DIALECT
@pytest.mark.parametrize(
    "silence", [NoAnswer("ReadTimeout"), SILENT_FAILURE, BAD_GATEWAY, HttpAnswer(408, b"")], ids=repr
)
def test_silence_is_uncertain_and_nothing_is_sent_again(dialect: Dialect, silence: HttpAnswer | Exception):
    provider = Provider(silence)
    notification = attempt(post(), provider)
    assert (notification.status, notification.error_class) == (Status.UNCONFIRMED, ErrorClass.UNCONFIRMED)
    assert notification.confirm_by
    attempt(notification, provider, NOW + timedelta(minutes=1))
    assert len(provider.requests) == 1
    assert [record.outcome for record in notification.attempts.all()] == ["uncertain"]


@pytest.mark.parametrize(("dialect", "answer"), of_each(lambda dialect: dialect.uncertain))
def test_an_answer_that_says_neither_yes_nor_no_is_uncertain(dialect: Dialect, answer: HttpAnswer):
    assert isinstance(dialect.provider.read(answer), Uncertain)
    assert sent_by(dialect, answer).status == Status.UNCONFIRMED


@EVERY_DIALECT
def test_what_never_left_costs_nothing(dialect: Dialect):
    notification = sent_by(dialect, NotSent("no connection"))
    assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
    assert notification.error_class == ErrorClass.UNREACHABLE


@EVERY_DIALECT
def test_every_code_is_in_the_catalogue_and_explained(dialect: Dialect):
    error_catalogue.provision()
    rows = WhatsAppErrorCode.objects.filter(provider=dialect.provider.code).values_list("code", "error_class")
    assert dict(rows) == dict(dialect.provider.error_codes)
    notification = post()
    sender = WhatsAppSender.objects.get(code="mali")
    for code, error_class in dialect.provider.error_codes.items():
        change(notification, error_code=code, error_class=error_class, sender=sender)
        assert error_catalogue.entry(notification)
        assert explanations.explain(notification)


@pytest.mark.parametrize(("dialect", "error_class"), of_each(lambda dialect: dialect.refusals))
def test_only_an_unknown_code_is_raised_for_classification(dialect: Dialect, error_class: ErrorClass):
    sent_by(dialect, dialect.refusals[error_class])
    unclassified = WhatsAppErrorCode.objects.filter(is_classified=False)
    assert unclassified.exists() == (error_class is ErrorClass.UNKNOWN)


# --- Answers and payloads of any shape


def fits(thing: Any) -> bool:
    """Whether PostgreSQL takes these values: no NUL, no half characters, no longer than their columns."""
    widths = {
        "provider_message_id": 200,
        "wa_id": 40,
        "code": 40,
        "raw_status": 40,
        "tracking": 512,
        "phone_number": 16,
        "text": 4096,
        "message": 2000,
        "number": 16,
        "name": 512,
        "reason": 500,
        "detail": 500,
        "after": 10_000,  # goes back as it came, into no column
    }
    for member in fields(thing):
        value = getattr(thing, member.name)
        if is_dataclass(value):
            assert fits(value)
        elif isinstance(value, tuple):
            assert all(fits(one) if is_dataclass(one) else len(str(one)) <= 200 for one in value)
        elif isinstance(value, str):
            assert "\x00" not in value
            value.encode()
            assert len(value) <= widths.get(member.name, 200)
    return True


def understand(dialect: Dialect, answer: HttpAnswer) -> None:
    """Read an answer in every way; it must not raise."""
    outcome = dialect.provider.read(answer)
    assert isinstance(outcome, Accepted | Refused | Uncertain)
    assert fits(outcome) if not isinstance(outcome, Uncertain) else outcome.reason
    assert fits(dialect.provider.read_health(answer, dialect.account))
    assert fits(dialect.provider.read_token(answer))
    if dialect.provider.has_templates:
        assert fits(dialect.provider.read_templates(answer))
    if dialect.provider.can_check_numbers:
        assert set(dialect.provider.read_number_check(answer)) <= {True, False, None}


def hear(provider: base.Provider, payload: dict[str, Any]) -> None:
    """Understand a payload in every way; it must not raise."""
    said = (provider.receipts, provider.inbound, provider.preferences, provider.notices)
    for event in [event for events in said for event in events(payload)]:
        assert fits(event)


def receive(dialect: Dialect, body: bytes) -> None:
    """Understand a payload; nothing but its not being an object may be said against it."""
    with suppress(ValueError):
        hear(dialect.provider, dialect.provider.payload(body))


STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 405, 408, 429, 500, 502, 503])
BYTES = st.binary(max_size=200) | st.sampled_from([b"[" * 200_000, b"null", b"{", b"\xff\xfe", b'{"a":1e999}'])


def bodies(dialect: Dialect) -> list[bytes]:
    return [*(answer.body for answer in dialect.answers), *dialect.payloads, *dialect.notices]


def words_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from words_of(inner)


def like(dialect: Dialect) -> st.SearchStrategy[bytes]:
    """JSON of any shape, in the words that this provider uses."""
    parsed = [HttpAnswer(200, body).json_object() for body in bodies(dialect)]
    words = st.sampled_from(sorted({word for value in parsed for word in words_of(value)}) or [""])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | words
    anything = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
        max_leaves=25,
    )
    return anything.map(lambda value: json.dumps(value).encode())


@EVERY_DIALECT
def test_no_answer_and_no_payload_is_too_odd(dialect: Dialect):
    @FIXED
    @given(STATUSES, BYTES | like(dialect))
    def check(status: int, body: bytes) -> None:
        understand(dialect, HttpAnswer(status, body))
        receive(dialect, body)

    check()


ODD: list[Any] = [
    None,
    True,
    "",
    7,
    -1.5,
    [],
    {},
    [None],
    ["x"],
    {"a": {}},
    "\x00\ud800",
    "x" * 9000,
    "9" * 5000,
    10**40,
]


def disturbed(value: Any) -> Iterator[Any]:
    """This JSON value once without each of its members, and once with each of them replaced by something odd."""
    for path in paths(value):
        for odd in ("absent", *ODD):
            changed = copy.deepcopy(value)
            holder = changed
            for step in path[:-1]:
                holder = holder[step]
            if odd == "absent":
                del holder[path[-1]]
            else:
                holder[path[-1]] = odd
            yield changed


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in members:
        yield (*before, name)
        yield from paths(inner, (*before, name))


@EVERY_DIALECT
def test_a_member_may_be_missing_or_of_any_kind(dialect: Dialect):
    for answer in dialect.answers:
        for changed in disturbed(answer.json_object()):
            understand(dialect, replace(answer, body=json.dumps(changed).encode()))
    for body in (*dialect.payloads, *dialect.notices):
        for changed in disturbed(dialect.provider.payload(body)):
            hear(dialect.provider, changed)


# --- What a provider can be asked besides


@EVERY_DIALECT
def test_a_provider_that_tells_of_templates_and_accounts_does_and_another_never_does(dialect: Dialect):
    for body in dialect.notices:
        assert len(dialect.provider.notices(dialect.provider.payload(body))) == 1
    for other in DIALECTS.values():
        theirs = [*other.payloads, *(other.notices if other is not dialect else ())]
        assert [dialect.provider.notices(other.provider.payload(body)) for body in theirs] == [[]] * len(theirs)


def questions(dialect: Dialect) -> list[base.HttpRequest]:
    """Every request of this provider that sends nothing to anybody."""
    provider, account = dialect.provider, dialect.account
    asked = [provider.health_request(account), provider.token_request(account), provider.templates_request(account)]
    if provider.can_check_numbers:
        asked.append(provider.number_check_request(account, [NUMBER]))
    return [request for request in asked if request]


@EVERY_DIALECT
def test_a_question_shows_no_token(dialect: Dialect):
    for request in questions(dialect):
        assert not dialect.token or dialect.token not in unquote(repr(request))
        assert not dialect.token or dialect.token not in request.body.decode()
        asks_about_the_token = request == dialect.provider.token_request(dialect.account)
        assert not dialect.token or (dialect.token in unquote(request.url)) == asks_about_the_token


@EVERY_DIALECT
def test_a_provider_says_what_it_cannot_do(dialect: Dialect):
    provider, account = dialect.provider, dialect.account
    assert (provider.templates_request(account) is not None) == provider.has_templates
    assert provider.templates_request(replace(account, business_account_id="")) is None
    if not provider.has_templates:
        with pytest.raises(NotImplementedError):
            provider.read_templates(dialect.accepted)
    if not provider.can_check_numbers:
        with pytest.raises(NotImplementedError):
            provider.number_check_request(account, [NUMBER])
        with pytest.raises(NotImplementedError):
            provider.read_number_check(dialect.accepted)
    if not provider.token_request(account):
        assert provider.read_token(dialect.accepted).is_valid is None


# --- Webhooks


def is_authentic(dialect: Dialect, given_post: Any) -> bool:
    tokens = [dialect.token] if dialect.token else []
    return dialect.provider.is_authentic(given_post.body, given_post.headers, url=given_post.url, secrets=tokens)


def arrive(dialect: Dialect, body: bytes) -> webhooks.Report:
    """A payload comes, is stored as the provider's own JSON, and takes effect."""
    assert dialect.sign
    signed = dialect.sign(body)
    assert is_authentic(dialect, signed)
    payload = dialect.provider.payload(signed.body, url=signed.url)
    log = WhatsAppWebhookLog.objects.create(
        provider=dialect.provider.code, payload=json.dumps(payload), received_at=NOW
    )
    return webhooks.process(log.pk, NOW)


@pytest.mark.parametrize(("dialect", "how"), of_each(lambda dialect: dialect.forge))
def test_a_payload_that_the_provider_did_not_sign_is_not_authentic(dialect: Dialect, how: str):
    for body in (*dialect.payloads, b"{}", b""):
        assert not is_authentic(dialect, dialect.forge[how](body))


@pytest.mark.parametrize(("dialect", "body"), of_each(lambda dialect: dialect.payloads))
def test_a_payload_that_comes_again_is_authentic_and_changes_nothing(dialect: Dialect, body: bytes):
    sent_by(dialect, dialect.accepted)
    with time_machine.travel(NOW, tick=False):
        assert arrive(dialect, body).errors == []
        after_the_first = snapshot(*WHAT_MOVES)
        again = arrive(dialect, body)
    assert (again.errors, again.answers) == ([], [])
    assert again.event_count == 1
    assert snapshot(*WHAT_MOVES) == after_the_first


@pytest.mark.parametrize(("dialect", "body"), of_each(lambda dialect: [dialect.inbound] if dialect.inbound else []))
def test_what_a_person_writes_is_kept_and_obeyed(dialect: Dialect, body: bytes):
    report = arrive(dialect, body)
    message = WhatsAppInbound.objects.exclude(text="Bonjour").get()
    assert (message.provider, message.phone_number, message.text) == (dialect.provider.code, NUMBER, "STOP")
    assert WhatsAppOptOut.objects.get().phone_number == NUMBER
    assert len(report.answers) == 1


@pytest.mark.parametrize(("dialect", "word"), of_each(lambda dialect: dialect.words))
def test_the_providers_words_become_ours(dialect: Dialect, word: str):
    assert dialect.receipt
    (receipt,) = dialect.provider.receipts(dialect.provider.payload(dialect.receipt(word)))
    assert (receipt.status, receipt.raw_status) == (dialect.words[word], word)
    assert receipt.provider_message_id == dialect.message_id
    assert (receipt.error is not None) == (receipt.status is Kind.FAILED)


@pytest.mark.parametrize(("dialect", "word"), of_each(lambda dialect: dialect.unknown_words))
def test_an_unknown_word_is_kept_and_moves_nothing(dialect: Dialect, word: str):
    assert dialect.receipt
    sent_by(dialect, dialect.accepted)
    before = snapshot(WhatsAppNotification)
    assert arrive(dialect, dialect.receipt(word)).errors == []
    receipt = WhatsAppReceipt.objects.get()
    assert (receipt.status, receipt.raw_status) == (Kind.UNKNOWN, word)
    assert snapshot(WhatsAppNotification) == before


@EVERY_DIALECT
def test_a_provider_that_has_receipts_shows_them_and_another_never_has_one(dialect: Dialect):
    assert dialect.provider.has_receipts == (dialect.receipt is not None)
    if not dialect.provider.has_receipts:
        theirs = [other.provider.payload(body) for other in DIALECTS.values() for body in other.payloads]
        assert len(theirs) > 1
        assert [dialect.provider.receipts(payload) for payload in theirs] == [[]] * len(theirs)


# --- Secrets


def echoes(dialect: Dialect) -> dict[str, Callable[[str], HttpAnswer]]:
    """Ways of giving back what was sent."""
    ways: dict[str, Callable[[str], HttpAnswer]] = {
        "a page": lambda said: HttpAnswer(502, f"<pre>{html.escape(said)}</pre>".encode()),
        "a success": lambda said: HttpAnswer(200, json.dumps({"you_said": said}, ensure_ascii=False).encode()),
        "a refusal": lambda said: HttpAnswer(403, json.dumps({"you_said": said}).replace("/", "\\/").encode()),
    }
    return ways | ({"its own words": dialect.echo} if dialect.echo else {})


@pytest.mark.parametrize(("dialect", "way"), of_each(echoes))
@pytest.mark.parametrize("is_secret", [False, True])
def test_neither_token_nor_text_is_kept_or_logged_when_the_provider_echoes_them(
    dialect: Dialect,
    way: str,
    is_secret: bool,
    caplog: pytest.LogCaptureFixture,
    make_user: Callable[..., User],
):
    text = f"{TEXT} Ouvrez {FIRST_PASSWORD_LINK} <vite> & bien." if is_secret else f"{TEXT} <vite> & bien."
    notification = post(message_content=text, is_secret=is_secret, user=make_user())
    shown: list[str] = []
    links: list[str] = []

    def send(request: base.HttpRequest) -> HttpAnswer:
        said = request.body.decode()
        with suppress(ValueError):
            said += " " + " ".join(word for word in words_of(json.loads(request.body)) if word)
        said = " ".join([*request.headers.values(), dialect.token, said, unquote(said)])
        links.extend(re.findall(re.escape(settings.PUBLIC_BASE_URL) + r"/(?!webhooks/)[\w/-]+", said))
        answer = echoes(dialect)[way](said)
        shown.extend([repr(request), repr(answer), repr(dialect.account)])
        return answer

    caplog.set_level(logging.DEBUG)
    attempt(notification, send)
    assert bool(links) == (is_secret and dialect is not DIALECTS["console"])
    (record,) = notification.attempts.all()
    assert record.http_status
    kept = [
        *shown, caplog.text, record.provider_response, record.error_message, record.error_code,
        notification.error_message, notification.error_code,
        *WhatsAppSender.objects.values_list("stop_reason", flat=True),
        *WhatsAppErrorCode.objects.values_list("example", flat=True),
    ]  # fmt: skip
    for secret in (dialect.token or TEXT, TEXT, *links):
        assert [said for said in (*kept, *map(unescaped, kept)) if secret in said] == []


def unescaped(said: str) -> str:
    """The text without the spellings of JSON, HTML and addresses."""
    letters = re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), said.replace("\\/", "/"))
    return html.unescape(unquote(letters.encode("utf-16", "surrogatepass").decode("utf-16", "replace")))


def test_an_escaped_secret_would_be_noticed():
    assert TEXT in unescaped(json.dumps(TEXT))
    assert "a/b&c" in unescaped("a\\/b&amp;c a%2Fb%26c")


@EVERY_DIALECT
@pytest.mark.parametrize("kind", ["text", "image", "document", "template"])
def test_a_request_shows_nothing_and_puts_the_token_nowhere_but_in_a_header(dialect: Dialect, kind: str):
    said: dict[str, content.Content] = {
        "text": content.Text(TEXT),
        "image": content.Image(LINK, TEXT),
        "document": content.Document(LINK, "facture.pdf", TEXT),
        "template": content.Template("arrivee", "fr", (TEXT,), text=TEXT),
    }
    message = base.Message(NUMBER, said[kind], "4f2b")
    request = dialect.provider.build(dialect.account, message)
    for thing in (request, message, dialect.account):
        assert TEXT not in repr(thing)
        assert not dialect.token or dialect.token not in repr(thing)
    assert not dialect.token or dialect.token not in unquote(request.url) + unquote(request.body.decode())


# --- What cannot be sent

UNSENDABLE: list[tuple[str, Callable[[base.Provider], content.Content]]] = [
    ("text", lambda provider: content.Text("x" * (provider.text_limit + 1))),
    ("text", lambda _: content.Text(" \n")),
    ("image.link", lambda _: content.Image("http://cargo.example/a.png")),
    ("image.link", lambda _: content.Image("")),
    ("image.caption", lambda _: content.Image(LINK, "x" * 1025)),
    ("document.link", lambda _: content.Document("file:///etc/passwd", "passwd")),
]


@EVERY_DIALECT
@pytest.mark.parametrize(("field", "make"), UNSENDABLE)
def test_what_the_provider_would_refuse_fails_before_any_call(
    dialect: Dialect,
    field: str,
    make: Callable[[base.Provider], content.Content],
    monkeypatch: pytest.MonkeyPatch,
):
    provider = providers.get(dialect.provider.code)
    build = provider.build

    def build_it(account: base.Account, message: base.Message) -> base.HttpRequest:
        return build(account, replace(message, content=make(provider)))

    monkeypatch.setattr(provider, "build", build_it)
    open_window(number="+22376123457")
    other, wire = post(phone_number="+22376123457"), Provider(dialect.accepted)
    before = snapshot(WhatsAppNotification, WhatsAppSender)
    notification = attempt(post(), wire)

    assert wire.requests == []
    assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.MESSAGE_PERMANENT)
    assert notification.error_message.startswith(f"{field}: ")
    assert not WhatsAppAttempt.objects.exists()
    WhatsAppNotification.objects.filter(pk=notification.pk).delete()
    assert snapshot(WhatsAppNotification, WhatsAppSender) == before
    monkeypatch.undo()
    assert attempt(other, wire).status == Status.SENT
