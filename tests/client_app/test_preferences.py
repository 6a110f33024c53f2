"""What a client chooses: which news, in which language, or none at all."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app.models import Client
from client_app import preferences
from tests import rows
from tests.client_app.shipments import AMINATA, IBRAHIM, browser_of, client
from tests.conftest import PASSWORD
from tests.whatsapp_monitoring_app.scripts import at_once
from whatsapp_monitoring_app.models import (
    CancelReason,
    Status,
    WhatsAppMute,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.providers.base import InboundEvent
from whatsapp_monitoring_app.services import inbound
from whatsapp_monitoring_app.services.message_types import ESSENTIAL_TYPES

pytestmark = pytest.mark.django_db

PAGE, STOP, RESUME, CHANGE = (
    "/account/preferences/",
    "/account/preferences/stop/",
    "/account/preferences/resume/",
    "/account/password/",
)
ALL = list(preferences.NEWS)


@pytest.fixture
def aminata() -> Client:
    return client()


@pytest.fixture
def browser(aminata: Client) -> Browser:
    return browser_of(aminata)


def save(browser: Browser, wanted: list[str], **more: Any) -> Any:
    return browser.post(PAGE, {"language": "en", "email": "", "wanted": wanted, **more})


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def muted() -> set[str]:
    return set(WhatsAppMute.objects.values_list("message_type", flat=True))


def waiting(of: Client, message_type: str, status: Status = Status.PENDING) -> WhatsAppNotification:
    return rows.notification(
        "agent_mali", status, user=of.user, phone_number=of.user.telephone, message_type=message_type
    )


def status_of(notification: WhatsAppNotification) -> str:
    notification.refresh_from_db()
    return notification.status


def test_at_first_everything_is_wanted(browser: Browser):
    form = browser.get(PAGE).context["form"]
    assert form.initial == {"language": "en", "email": "", "wanted": ALL}
    assert browser.get(PAGE).content.decode().count(" checked") == len(ALL)


def test_nothing_essential_can_be_done_without():
    assert not set(ALL) & set(ESSENTIAL_TYPES)


def test_what_is_not_wanted_is_muted_and_shown_so(browser: Browser):
    answer = save(browser, ["delivery"])

    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)
    assert said(answer) == ["Your preferences are saved."]
    assert muted() == set(ALL) - {"delivery"}
    assert browser.get(PAGE).context["form"].initial["wanted"] == ["delivery"]
    save(browser, ALL)
    assert muted() == set()


def test_saved_twice_is_once(browser: Browser):
    for _ in range(2):
        save(browser, ALL[1:])
    assert muted() == {ALL[0]}
    assert WhatsAppMute.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_saved_at_the_same_moment_is_once():
    aminata = client()
    chosen = preferences.Preferences("en", "", ALL[2:])
    for _ in range(5):
        WhatsAppMute.objects.all().delete()
        at_once(*[partial(preferences.save, aminata.user, chosen, timezone.now())] * 2)
        assert muted() == set(ALL[:2])


def test_another_type_that_an_agent_muted_stays_muted(browser: Browser, aminata: Client):
    WhatsAppMute.objects.create(user=aminata.user, message_type="promotion")
    save(browser, ALL)
    assert muted() == {"promotion"}


@pytest.mark.parametrize("status", [Status.PENDING, Status.RETRY_SCHEDULED])
def test_what_waits_of_a_type_that_is_no_longer_wanted_is_cancelled_at_once(
    status: Status, browser: Browser, aminata: Client
):
    unwanted, wanted = waiting(aminata, "reminder", status), waiting(aminata, "delivery", status)
    foreign = waiting(client(IBRAHIM), "reminder", status)
    read = waiting(aminata, "reminder", Status.READ)
    save(browser, ["delivery"])

    assert status_of(unwanted) == Status.CANCELLED
    assert unwanted.cancel_reason == CancelReason.OPT_OUT
    assert [status_of(one) for one in (wanted, foreign, read)] == [status, status, Status.READ]


def test_the_language_and_the_e_mail_are_kept_and_the_next_page_speaks_it(browser: Browser):
    answer = save(browser, ALL, language="zh-hans", email="aminata@example.com")
    user = User.objects.get(telephone=AMINATA)

    assert (user.language, user.email) == ("zh-hans", "aminata@example.com")
    assert '<html lang="zh-hans"' in browser.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [{"language": "klingon"}, {"email": "nobody"}, {"email": "a\x00@example.com"}, {"wanted": ["otp"]}],
    ids=lambda wrong: repr(wrong),
)
def test_what_cannot_be_kept_is_shown_again_and_nothing_moves(wrong: dict[str, Any], browser: Browser):
    before = rows.everything()
    answer = browser.post(PAGE, {"language": "en", "email": "typed@example.com", "wanted": ["delivery"], **wrong})

    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert "email" in wrong or "typed@example.com" in answer.content.decode()
    assert rows.everything() == before
    assert muted() == set()


def test_the_number_is_shown_and_cannot_be_changed_here(browser: Browser):
    save(browser, ALL, telephone=IBRAHIM)
    page = browser.get(PAGE).content.decode()

    assert User.objects.get().telephone == AMINATA
    assert "+223 76 12 34 56" in page
    assert "Only the office can change it" in page


def test_asking_for_no_news_says_first_what_one_misses(browser: Browser):
    before = rows.everything()
    page = browser.get(STOP).content.decode()

    assert "when it has arrived in Bamako" in page
    assert "Messages about your account, codes and payments still come." in page
    assert rows.everything() == before
    assert not WhatsAppOptOut.objects.exists()


def test_no_news_means_none_but_the_essential_and_can_be_undone(browser: Browser, aminata: Client):
    news, essential = waiting(aminata, "delivery"), waiting(aminata, "payment")
    for _ in range(2):
        answer = browser.post(STOP)
        assert answer.headers["Location"] == PAGE
    assert WhatsAppOptOut.objects.get().phone_number == AMINATA
    assert [status_of(one) for one in (news, essential)] == [Status.CANCELLED, Status.PENDING]
    page = browser.get(PAGE).content.decode()
    assert "You asked for none here on" in page
    assert STOP not in page

    for _ in range(2):
        assert said(browser.post(RESUME))[-1] == "You get news of your parcels on WhatsApp again."
    assert not WhatsAppOptOut.objects.exists()
    assert f'href="{STOP}"' in browser.get(PAGE).content.decode()


def test_only_one_s_own_number_is_stopped_and_resumed(browser: Browser):
    ibrahim = client(IBRAHIM)
    inbound.opt_out(IBRAHIM, "STOP", timezone.now())
    browser.post(STOP)
    browser.post(RESUME)

    assert WhatsAppOptOut.objects.get().phone_number == ibrahim.user.telephone


def test_a_stop_written_on_whatsapp_is_shown_and_can_be_undone_here(browser: Browser):
    at = timezone.now()
    inbound.take("cloud_api", InboundEvent("wamid.1", AMINATA, "Stop", at), at)
    page = browser.get(PAGE).content.decode()
    assert "You get no news on WhatsApp" in page
    assert "You stopped them on WhatsApp on" in page

    browser.post(RESUME)
    assert "You get no news on WhatsApp" not in browser.get(PAGE).content.decode()


def test_a_number_at_which_a_stranger_answers_is_told(browser: Browser):
    assert "Somebody else seems to answer" not in browser.get(PAGE).content.decode()
    WhatsAppWrongNumber.objects.create(phone_number=AMINATA, created_at=timezone.now())
    assert "Somebody else seems to answer" in browser.get(PAGE).content.decode()


def test_the_password_is_changed_by_who_knows_it(make_user: Callable[..., User]):
    user, browser = make_user(language="en"), Browser()
    browser.force_login(user)
    new = {"new_password1": "seven green parcels", "new_password2": "seven green parcels"}

    refused = browser.post(CHANGE, {"old_password": "not this one", **new})
    assert refused.status_code == 422
    assert User.objects.get().check_password(PASSWORD)
    answer = browser.post(CHANGE, {"old_password": PASSWORD, **new})
    assert (answer.headers["Location"], said(answer)) == (PAGE, ["Your password is changed."])
    assert User.objects.get().check_password("seven green parcels")
    assert browser.get(PAGE).status_code == 200


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("client_preferences", {"get", "post"}),
        ("client_stop", {"get", "post"}),
        ("client_resume", {"post"}),
        ("client_password", {"get", "post", "put"}),
    ],
)
def test_each_page_takes_its_methods_from_clients_alone(
    name: str, methods: set[str], browser: Browser, make_user: Callable[..., User]
):
    url, agent = reverse(name), browser_of(make_user(role="agent_chine"))
    for method in {"get", "post", "put", "patch", "delete"} - methods:
        assert getattr(browser, method)(url).status_code == 405, method
    for method in methods - {"put"}:
        assert getattr(agent, method)(url).status_code == 403
        assert getattr(Browser(), method)(url).headers["Location"] == f"/login/?next={url}"
    assert not WhatsAppOptOut.objects.exists()
