"""Each page as people get it: with rows and without, in each language, fast, and safe to show."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from agent_chine_app.models import Client, ClientCreation, Colis
from tests import rows
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12
# Opened once a day, it gathers what the other pages show.
MOST_QUERIES_OF_THE_MORNING = 16
LANGUAGES = ("fr", "en", "zh-hans")
OFFICES = ("agent_chine", "agent_mali", "admin_chine", "admin_mali")
MONITORING = (
    "whatsapp_monitoring",
    "whatsapp_monitoring_list",
    "whatsapp_view_create",
    "whatsapp_groups",
    "whatsapp_retry_failed",
    "whatsapp_retry_batches",
    "whatsapp_calls",
    "whatsapp_morning",
    "whatsapp_proof",
    "whatsapp_announcements",
    "whatsapp_bulks",
    "whatsapp_export_create",
    "whatsapp_exports",
    "whatsapp_alerts",
)
SENDERS = ("whatsapp_senders", "whatsapp_sender_create")
ADMINISTRATION = (
    "whatsapp_administration",
    "whatsapp_queues",
    "whatsapp_errors",
    "whatsapp_opt_outs",
    "whatsapp_audit",
)
TEMPLATES = ("whatsapp_templates", "whatsapp_template_create")
PAGES = [
    "login",
    "client_home",
    "client_preferences",
    "client_stop",
    "client_password",
    "tracking_search",
    *(f"{office}:{name}" for office in OFFICES for name in MONITORING),
    *(f"{office}:{name}" for office in ("admin_chine", "admin_mali") for name in (*SENDERS, *ADMINISTRATION)),
    "agent_chine:home",
    "agent_chine:client_list",
    "agent_chine:client_create",
    "agent_chine:colis_list",
    "agent_chine:colis_create",
    "agent_chine:lot_list",
    "agent_chine:lot_create",
    "agent_mali:home",
    "agent_mali:colis_list",
    "agent_mali:client_list",
    "agent_mali:lot_list",
    "agent_mali:pickup",
    "agent_mali:storage",
    *(f"{office}:{name}" for office in ("admin_chine", "admin_mali") for name in TEMPLATES),
]
DETAILS = [f"{office}:whatsapp_attempt_details" for office in OFFICES]
ONE_SENDER = [
    f"{office}:whatsapp_sender{name}"
    for office in ("admin_chine", "admin_mali")
    for name in ("", "_edit", "_token", "_test", "_pause")
]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)


class Suspects(HTMLParser):
    """What a page must not hold: scripts and styles in its text, and addresses of other hosts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag if tag == "style" or (tag == "script" and not given.get("src")) else ""
        for name, value in attrs:
            is_address = name in ("src", "href", "action", "hx-get", "hx-post", "srcset", "poster", "data")
            if name == "style" or name.startswith(("on", "hx-on")) or (is_address and _is_foreign(value or "")):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        if self._inside and data.strip():
            self.found.append(f"<{self._inside}>{data[:60]}")


def _is_foreign(address: str) -> bool:
    return bool(re.match(r"\s*(https?:|//|javascript:|data:text)", address, re.IGNORECASE))


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<style>a{}</style>",
        '<p style="color: red">',
        '<a onclick="x()">',
        '<script src="//evil.example/x.js"></script>',
        '<img src="https://evil.example/x.png">',
        '<a href="javascript:x()">',
    ],
)
def test_what_a_page_must_not_hold_is_noticed(html: str):
    assert Suspects(html).found
    assert not Suspects('<script src="/static/app.js"></script><a href="/">Home</a>').found


@pytest.fixture(autouse=True)
def _without_flower(settings: Any) -> None:
    """The one link to another address, which its own test looks at."""
    settings.FLOWER_URL = ""


@pytest.fixture
def open_page(db: None) -> Callable[..., Any]:
    """Open a page as somebody of its office, in a language."""
    browsers: dict[tuple[str, str], Browser] = {}

    def browser_for(office: str, language: str) -> Browser:
        if (office, language) not in browsers:
            browsers[office, language] = Browser()
            if office not in ("login", "tracking_search"):
                role = "client" if office.startswith("client_") else office
                person = User.objects.create_user(f"+2237000{len(browsers):04}", role=role, language=language)
                browsers[office, language].force_login(person)
        return browsers[office, language]

    def open_page(page: str, /, language: str = "fr", args: tuple[Any, ...] = (), **query: str) -> Any:
        browser = browser_for(page.partition(":")[0], language)
        return browser.get(reverse(page, args=args), query, headers={"Accept-Language": language})

    return open_page


def source_of(page: str) -> str:
    """The office whose messages this page certainly shows."""
    return page.partition(":")[0] if page.startswith("agent_") else "agent_chine"


@EVERY_PAGE
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 9])
def test_a_page_is_shown_with_and_without_rows_in_each_language(
    page: str, language: str, count: int, open_page: Callable[..., Any]
):
    rows.company(count, source_of(page))
    answer = open_page(page, language)
    html = answer.content.decode()

    assert answer.status_code == 200
    assert f'<html lang="{language}"' in html
    assert html.rstrip().endswith("</html>")
    assert Suspects(html).found == []
    if count and page.endswith("_monitoring_list"):
        assert [f"Titre {number}" in html for number in range(count)] == [True] * count


@pytest.mark.parametrize("page", DETAILS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", Status)
def test_the_details_of_a_message_are_shown_in_every_state(
    page: str, language: str, status: Status, open_page: Callable[..., Any]
):
    fields = {"claim_id": "0" * 32, "claimed_until": "2026-01-01T00:00Z"} if status == Status.SENDING else {}
    one = rows.notification(source_of(page), status, **fields)
    rows.attempt(one)
    answer = open_page(page, language, (one.pk,))
    html = answer.content.decode()

    assert answer.status_code == 200
    assert "Votre colis est parti." in html
    assert Suspects(html).found == []
    retry = reverse(page.replace("attempt_details", "retry"), args=[one.pk])
    assert (f'action="{retry}"' in html) == one.can_retry
    assert one.can_retry == (status in (Status.FAILED, Status.UNCONFIRMED, Status.RETRY_SCHEDULED))
    for name in ("whatsapp_confirm_arrival", "whatsapp_give_up"):
        decide = reverse(page.replace("whatsapp_attempt_details", name), args=[one.pk])
        assert (f'"{decide}"' in html) == (status == Status.UNCONFIRMED)


@pytest.mark.parametrize("page", ONE_SENDER)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("provider", ["cloud_api", "wachap", "twilio", "console"])
def test_the_pages_of_a_sender_are_shown_whatever_its_provider(
    page: str, language: str, provider: str, open_page: Callable[..., Any]
):
    rows.company(9, "agent_mali")
    sender = WhatsAppSender.objects.get(code="mali")
    sender.provider, sender.account_id, sender.token, sender.address = provider, "AC1", "token", "+22370000001"
    sender.save()
    answer = open_page(page, language, (sender.pk,))

    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.content.decode()
    assert Suspects(answer.content.decode()).found == []


@pytest.mark.parametrize("page", ONE_SENDER)
def test_the_pages_of_a_sender_ask_few_questions_whatever_it_has_sent(page: str, open_page: Callable[..., Any]):
    sender = WhatsAppSender.objects.get(code="mali")
    open_page(page, args=(sender.pk,))

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            open_page(page, args=(sender.pk,))
        return len(asked)

    rows.notification("agent_mali", sender=sender)
    few = question_count()
    for status in (Status.PENDING, Status.READ):
        for _ in range(9):
            rows.notification("agent_mali", status, sender=sender)
    assert question_count() == few <= MOST_QUERIES


@EVERY_PAGE
def test_a_page_asks_the_database_a_few_questions_whatever_the_number_of_rows(
    page: str, open_page: Callable[..., Any]
):
    def question_count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert open_page(page).status_code == 200
        return len(asked)

    open_page(page)  # the login of the browser
    # The list of messages counts them only where they need a second page.
    rows.company(26 if page.endswith("_monitoring_list") else 7, source_of(page))
    few = question_count()
    rows.company(30, source_of(page))

    most = MOST_QUERIES_OF_THE_MORNING if page.endswith("whatsapp_morning") else MOST_QUERIES
    assert question_count() == few <= most


def test_the_details_ask_few_questions_whatever_the_number_of_attempts(open_page: Callable[..., Any]):
    one = rows.notification("agent_chine")
    open_page(DETAILS[0], args=(one.pk,))

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            open_page(DETAILS[0], args=(one.pk,))
        return len(asked)

    rows.attempt(one)
    few = question_count()
    for number in range(2, 32):
        rows.attempt(one, number)
    assert question_count() == few <= MOST_QUERIES


def test_a_long_list_has_pages_that_show_each_row_once(open_page: Callable[..., Any]):
    rows.company(60, "agent_chine")
    for page in ("agent_chine:client_list", "agent_chine:colis_list"):
        shown = [row.pk for number in "123" for row in open_page(page, page=number).context["page"]]
        assert len(shown) == len(set(shown)) == 60
        assert open_page(page, page="999").context["page"].number == 3
        assert open_page(page, page="garbage").context["page"].number == 1


LIST = "agent_chine:whatsapp_monitoring_list"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"one", "two", "three"}),
        ({"status": "failed"}, {"one"}),
        ({"status": "read"}, {"two"}),
        ({"message_type": "delivery"}, {"two"}),
        ({"category": "credentials"}, {"three"}),
        ({"error_class": "recipient_permanent"}, {"one"}),
        ({"q": "TITLE-two"}, {"two"}),
        ({"q": "parti"}, {"one", "two", "three"}),
        ({"q": "+223 76 00 00 03"}, {"three"}),
        ({"q": "76 00 00 0"}, {"one", "two", "three"}),
        ({"q": "colis:TS3"}, {"three"}),
        ({"q": "nothing like this"}, set()),
        ({"status": "failed", "message_type": "delivery"}, set()),
        ({"status": "read", "q": "title"}, {"two"}),
        ({"status": "unknown"}, set()),
        ({"message_type": "unknown", "category": "unknown"}, set()),
        ({"source_app": "agent_mali"}, {"one", "two", "three"}),
        ({"period": "garbage"}, set()),
        ({"q": "x\x00y"}, set()),
        ({"q": "\x00"}, {"one", "two", "three"}),
        ({"q": "x" * 101}, set()),
        ({"q": "%"}, set()),
        ({"unheard": "of"}, {"one", "two", "three"}),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
def test_a_filter_shows_what_passes_it(query: dict[str, str], found: set[str], open_page: Callable[..., Any]):
    rows.notification("agent_chine", title="title-one", phone_number="+22376000001")
    rows.notification(
        "agent_chine", Status.READ, title="title-two", phone_number="+22376000002", message_type="delivery"
    )
    rows.notification(
        "agent_chine",
        Status.PENDING,
        title="title-three",
        phone_number="+22376000003",
        category="credentials",
        subject="colis:TS3",
    )
    answer = open_page(LIST, **query)

    assert answer.status_code == 200
    assert {row.title.removeprefix("title-") for row in answer.context["page"]} == found
    for name in ("one", "two", "three"):
        assert (f"title-{name}" in answer.content.decode()) == (name in found)


def test_what_people_type_is_shown_as_text(open_page: Callable[..., Any]):
    evil = "<script>alert(1)</script>"
    person = User.objects.create_user("+22376123456", first_name=evil, last_name="<b>")
    one = rows.notification("agent_chine", title=evil, message_content=evil, user=person, error_message=evil)
    Colis.objects.create(client=Client.objects.create(user=person), description=evil)

    for page in [page for page in PAGES if page.startswith("agent_")]:
        assert evil not in open_page(page, q=evil).content.decode()
    html = open_page(DETAILS[0], args=(one.pk,)).content.decode()
    assert evil not in html
    assert "&lt;script&gt;" in html


def test_a_secret_text_shows_no_link(open_page: Callable[..., Any]):
    one = rows.notification("agent_chine", message_content="Choose: {first_password_link}", is_secret=True)

    for page, args in ((LIST, ()), (DETAILS[0], (one.pk,)), ("admin_mali:whatsapp_attempt_details", (one.pk,))):
        html = open_page(page, args=args).content.decode()
        assert "/first-password/" not in html
        assert "{first_password_link}" not in html


@pytest.mark.parametrize("status", [Status.FAILED, Status.READ])
@pytest.mark.parametrize("office", OFFICES)
def test_retrying_all_is_offered_when_something_has_failed(office: str, status: Status, open_page: Callable[..., Any]):
    rows.notification(source_of(office), status, error_class="transient")
    link = f'href="{reverse(f"{office}:whatsapp_retry_failed")}"'

    for page in (f"{office}:whatsapp_monitoring", f"{office}:whatsapp_monitoring_list"):
        assert (link in open_page(page).content.decode()) == (status == Status.FAILED)
    form = open_page(f"{office}:whatsapp_retry_failed").content.decode()
    assert ('<button class="btn btn-primary"' in form) == (status == Status.FAILED)


def is_fragment(answer: Any) -> bool:
    return answer.status_code == 200 and "<html" not in answer.content.decode() and bool(answer.content.strip())


def test_a_live_piece_is_refreshed_without_its_page_until_it_is_over(log_in: Callable[..., Browser]):
    browser, one = log_in("agent_chine"), rows.notification("agent_chine", Status.PENDING)
    url = reverse(DETAILS[0], args=[one.pk])

    def piece() -> Any:
        return browser.get(url, headers={"HX-Request": "true"})

    assert is_fragment(piece())
    assert f'hx-get="{url}"' in piece().content.decode()
    WhatsAppNotification.objects.update(status=Status.CANCELLED, next_attempt_at=None)
    assert is_fragment(piece())
    assert "hx-get" not in piece().content.decode()


def test_a_creation_is_refreshed_without_its_page_until_it_is_over(log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    creation = ClientCreation.objects.create(telephone="+22376123456", first_name="Jean", last_name="Dupont")
    url = reverse("agent_chine:client_creation", args=[creation.pk])

    def piece() -> Any:
        return browser.get(url, headers={"HX-Request": "true"})

    assert "Jean" in browser.get(url).content.decode()
    assert is_fragment(piece())
    assert "hx-get" in piece().content.decode()
    ClientCreation.objects.update(status="FAILURE", error="It went wrong.")
    assert "It went wrong." in piece().content.decode()
    assert "hx-get" not in piece().content.decode()


@pytest.mark.parametrize("page", [*(page for page in PAGES if ":" in page)])
def test_an_expired_session_leads_a_live_piece_to_the_login_page(page: str):
    url = reverse(page)
    answer = Browser().get(url, headers={"HX-Request": "true"})

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["HX-Redirect"] == f"/login/?next={url}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_of_refusal_are_pages_too(language: str, log_in: Callable[..., Browser], settings: Any):
    browser = log_in("client", language=language)
    settings.DEBUG = False
    for url, status in (("/nowhere/", 404), (reverse("agent_mali:home"), 403)):
        answer = browser.get(url)
        assert answer.status_code == status
        assert "<html" in answer.content.decode()
        assert Suspects(answer.content.decode()).found == []


@pytest.mark.parametrize(("language", "kept"), [("en", "en"), ("zh-hans", "zh-hans"), ("klingon", "fr"), ("", "fr")])
def test_a_chosen_language_is_kept_on_the_account(language: str, kept: str, log_in: Callable[..., Browser]):
    browser = log_in("client")
    answer = browser.post("/language/", {"language": language, "next": "/account/"})

    assert answer.headers["Location"] == "/account/"
    assert User.objects.get().language == kept
    assert f'<html lang="{kept}"' in browser.get("/account/").content.decode()
    assert browser.get("/language/").status_code == 405
