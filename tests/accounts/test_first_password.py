"""The first-password link: it opens once, within 72 hours, and nothing but the message itself ever holds it."""

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis
import requests
import time_machine
from celery.signals import before_task_publish
from django.conf import settings
from django.core import serializers
from django.test import Client as Browser
from django.utils import timezone

from accounts import first_password
from accounts.models import User
from agent_chine_app import client_creation
from agent_chine_app.client_async_utils import create_client_async
from agent_chine_app.models import ClientCreation
from tests.stack import Stack
from tests.waiting import eventually
from ts_air_cargo import embedded
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppWebhookLog,
)

NEW_PASSWORD = "seven green parcels"
SENT_AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LIFE = dt.timedelta(hours=72)


@pytest.fixture
def newcomer(db: None) -> User:
    """Somebody who never had a password."""
    return User.objects.create_user("+22376123456", first_name="Jean", last_name="Dupont")


def path_of(link: str) -> str:
    assert link.startswith(settings.PUBLIC_BASE_URL)
    return link.removeprefix(settings.PUBLIC_BASE_URL)


def choose(browser: Browser, link: str, password: str = NEW_PASSWORD, again: str | None = None):
    """Open the link, and post the password on the page that it leads to."""
    page = browser.get(path_of(link), follow=True)
    address = page.redirect_chain[-1][0] if page.redirect_chain else path_of(link)
    return browser.post(address, {"new_password1": password, "new_password2": again or password})


def has_password(user: User) -> bool:
    return User.objects.get(pk=user.pk).check_password(NEW_PASSWORD)


def is_logged_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def test_the_link_opens_a_page_whose_address_no_longer_holds_the_token(newcomer: User):
    link = first_password.link_for(newcomer)
    page = Browser().get(path_of(link), follow=True)

    assert page.status_code == 200
    assert page.redirect_chain[-1][0].endswith("/choose/")
    assert link.split("/")[-2] not in page.content.decode()
    assert page.context["validlink"]


def test_choosing_a_password_logs_in_and_leads_home(newcomer: User):
    browser = Browser()
    answer = choose(browser, first_password.link_for(newcomer))

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert is_logged_in(browser)
    assert has_password(newcomer)
    assert browser.get("/", follow=True).redirect_chain[-1][0] == "/account/"


@pytest.mark.parametrize(
    ("password", "again"),
    [("short", None), ("12345678901", None), ("password123", None), (NEW_PASSWORD, "seven red parcels")],
)
def test_a_weak_or_mistyped_password_is_refused_and_the_link_still_works(
    password: str, again: str | None, newcomer: User
):
    browser, link = Browser(), first_password.link_for(newcomer)

    assert choose(browser, link, password, again).status_code in (200, 422)
    assert not User.objects.get().has_usable_password()
    assert not is_logged_in(browser)
    choose(browser, link)
    assert has_password(newcomer)


def test_a_used_link_is_refused(newcomer: User):
    link = first_password.link_for(newcomer)
    choose(Browser(), link)
    stranger = Browser()
    page = stranger.get(path_of(link), follow=True)

    assert not page.context["validlink"]
    choose(stranger, link, "nine stolen parcels")
    assert has_password(newcomer)
    assert not is_logged_in(stranger)


def test_a_link_sent_before_another_one_was_used_is_refused(newcomer: User):
    with time_machine.travel(SENT_AT, tick=False):
        first = first_password.link_for(newcomer)
    with time_machine.travel(SENT_AT + dt.timedelta(hours=1), tick=False):
        second = first_password.link_for(newcomer)
        assert first != second
        choose(Browser(), second)
        assert not Browser().get(path_of(first), follow=True).context["validlink"]


@pytest.mark.parametrize(("age", "opens"), [(LIFE, True), (LIFE + dt.timedelta(seconds=1), False)])
def test_a_link_lives_for_72_hours(age: dt.timedelta, opens: bool, newcomer: User):
    with time_machine.travel(SENT_AT, tick=False):
        link = first_password.link_for(newcomer)
    with time_machine.travel(SENT_AT + age, tick=False):
        browser = Browser()
        page = browser.get(path_of(link), follow=True)
        assert page.context["validlink"] == opens
        choose(browser, link)
    assert has_password(newcomer) == opens


@pytest.mark.parametrize("what", ["token", "person", "garbage"])
def test_a_tampered_link_is_refused(what: str, newcomer: User, make_user: Callable[..., User]):
    other = make_user()
    link = first_password.link_for(newcomer)
    *_, uid, token, _end = link.split("/")
    replaced = {
        "token": link.replace(token, token[:-1] + ("0" if token[-1] != "0" else "1")),
        "person": link.replace(f"/{uid}/", f"/{first_password.link_for(other).split('/')[-3]}/"),
        "garbage": link.replace(f"/{uid}/{token}/", "/%00/x/"),
    }[what]
    browser = Browser()
    page = browser.get(path_of(replaced), follow=True)

    assert not page.context["validlink"]
    choose(browser, replaced)
    assert not is_logged_in(browser)
    assert not has_password(newcomer)
    assert not has_password(other)


def test_the_page_does_not_take_a_password_without_a_link(newcomer: User):
    browser = Browser()
    uid = first_password.link_for(newcomer).split("/")[-3]
    browser.post(f"/first-password/{uid}/choose/", {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})

    assert not has_password(newcomer)
    assert not is_logged_in(browser)


def everything_written() -> str:
    """Every row about messages, and every value in Valkey: results of tasks, cache."""
    models = (WhatsAppNotification, WhatsAppAttempt, WhatsAppReceipt, WhatsAppWebhookLog, ClientCreation)
    rows = "".join(serializers.serialize("json", model.objects.all()) for model in models)
    with redis.Redis.from_url(settings.REDIS_URL) as valkey:
        return rows + "".join(repr(valkey.get(key)) for key in valkey.scan_iter(_type="string"))


def test_neither_link_nor_password_is_stored_anywhere_but_in_the_message(stack: Stack):
    code = create_client_async("+22376123456", "Jean", "Dupont").id
    (message,) = eventually(lambda: stack.messages_to("+22376123456"), "the credentials arrived")
    eventually(lambda: WhatsAppNotification.objects.filter(status=Status.READ).exists(), "the receipts are applied")
    token = re.findall(r"/first-password/[^/]+/([^/]+)/", message["text"])[0]
    written, log = everything_written(), (embedded.VAR / "tests").glob("worker-*.log")

    assert ClientCreation.objects.get(pk=code).status == "SUCCESS"
    assert json.loads(serializers.serialize("json", WhatsAppNotification.objects.all()))[0]["fields"]["is_secret"]
    for secret in (token, "/first-password/", "pbkdf2_"):
        assert secret not in written
    assert all(token not in path.read_text() for path in log)
    assert not User.objects.get().has_usable_password()


def test_the_link_of_the_real_message_opens_over_http(stack: Stack):
    create_client_async("+22376123456", "Jean", "Dupont")
    (message,) = eventually(lambda: stack.messages_to("+22376123456"), "the credentials arrived")
    link = re.findall(r"\S+/first-password/\S+/", message["text"])[0]
    session = requests.Session()
    page = session.get(link, timeout=10)
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[0]

    home = session.post(
        page.url,
        {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD, "csrfmiddlewaretoken": token},
        headers={"Referer": page.url},
        timeout=10,
    )
    assert home.url.endswith("/account/")
    assert User.objects.get().check_password(NEW_PASSWORD)


def test_tasks_are_told_ids_only(stack: Stack):
    published = []

    def note(body: Any, **more: Any) -> None:
        published.append(body[:2])

    before_task_publish.connect(note)
    try:
        code = create_client_async("+22376123456", "Jean", "Dupont").id
        notification = client_creation.run(uuid.UUID(code), timezone.now()).notification_code
    finally:
        before_task_publish.disconnect(note)

    asked: tuple[tuple[str], dict[str, Any]] = ((code,), {})
    assert published[0] == asked
    # Either this process or the worker created the client, and published the sending of the message.
    assert published[1:] in ([], [((str(notification),), {})])
    eventually(lambda: stack.messages_to("+22376123456"), "the credentials arrived")
