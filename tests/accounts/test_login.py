from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

TELEPHONE = "+22376123456"


def is_logged_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def log_in(browser: Browser, telephone: str = TELEPHONE, password: str = PASSWORD, **more: str):
    return browser.post("/login/", {"username": telephone, "password": password, **more})


@pytest.mark.parametrize("spelling", [TELEPHONE, "76123456", "76 12 34 56", "+223 76-12-34-56", "00223 76 12 34 56"])
def test_the_telephone_in_any_spelling_logs_in(spelling: str, make_user: Callable[..., User]):
    make_user(TELEPHONE)
    browser = Browser()

    answer = log_in(browser, spelling)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert is_logged_in(browser)


def test_a_chinese_number_logs_in_with_its_country_code(make_user: Callable[..., User]):
    make_user("+8613800138000")
    browser = Browser()

    log_in(browser, "+86 138 0013 8000")
    assert is_logged_in(browser)


@pytest.mark.parametrize(
    ("telephone", "password"),
    [
        (TELEPHONE, "not this one"),
        (TELEPHONE, ""),
        (TELEPHONE, PASSWORD.upper()),
        ("+22376123457", PASSWORD),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("\x00", PASSWORD),
    ],
)
def test_a_wrong_pair_does_not_log_in(telephone: str, password: str, make_user: Callable[..., User]):
    make_user(TELEPHONE)
    browser = Browser()

    answer = log_in(browser, telephone, password)
    assert answer.status_code in (200, 422)
    assert not is_logged_in(browser)
    assert User.objects.get().last_login is None


def test_the_page_says_the_same_of_an_unknown_number_and_of_a_wrong_password(make_user: Callable[..., User]):
    make_user(TELEPHONE)

    unknown, wrong = (log_in(Browser(), telephone, "wrong") for telephone in ("+22376123457", TELEPHONE))
    assert unknown.context["form"].errors.as_data().keys() == {"__all__"}
    assert str(unknown.context["form"].errors) == str(wrong.context["form"].errors)


def test_a_closed_account_does_not_log_in(make_user: Callable[..., User]):
    make_user(TELEPHONE, is_active=False)
    browser = Browser()

    log_in(browser)
    assert not is_logged_in(browser)


def test_an_account_without_a_password_does_not_log_in(make_user: Callable[..., User]):
    user = make_user(TELEPHONE)
    user.set_unusable_password()
    user.save()
    browser = Browser()

    for password in ("", user.password, "!"):
        log_in(browser, password=password)
    assert not is_logged_in(browser)


def test_closing_an_account_ends_its_open_session(make_user: Callable[..., User]):
    user, browser = make_user(TELEPHONE, role="agent_chine"), Browser()
    log_in(browser)
    assert browser.get("/").headers["Location"] == "/agent-chine/"
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert browser.get("/").headers["Location"] == "/login/?next=/"


@pytest.mark.parametrize("wanted", ["/agent-chine/colis/", "/agent-mali/?page=2"])
def test_one_lands_where_one_wanted_to_go(wanted: str, make_user: Callable[..., User]):
    make_user(TELEPHONE)
    assert log_in(Browser(), next=wanted).headers["Location"] == wanted


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "https:evil", "javascript:alert(1)", "/\\evil.example", ""]
)
def test_one_never_lands_on_another_site(wanted: str, make_user: Callable[..., User]):
    make_user(TELEPHONE)
    assert log_in(Browser(), next=wanted).headers["Location"] == "/"


def test_who_is_logged_in_is_not_asked_again(make_user: Callable[..., User]):
    browser = Browser()
    browser.force_login(make_user())
    assert browser.get("/login/").headers["Location"] == "/"


def test_logging_out_takes_a_post(make_user: Callable[..., User]):
    browser = Browser()
    browser.force_login(make_user())

    assert browser.get("/logout/").status_code == 405
    assert is_logged_in(browser)
    assert browser.post("/logout/").headers["Location"] == "/login/"
    assert not is_logged_in(browser)
    assert not Session.objects.exists()


@pytest.mark.parametrize("address", ["/login/", "/logout/"])
def test_a_post_without_the_site_s_own_token_is_refused(address: str, make_user: Callable[..., User]):
    browser = Browser(enforce_csrf_checks=True)
    user = make_user(TELEPHONE)
    if address == "/logout/":
        browser.force_login(user)

    answer = browser.post(address, {"username": TELEPHONE, "password": PASSWORD})
    assert answer.status_code == 403
    assert is_logged_in(browser) == (address == "/logout/")


def test_the_login_page_carries_the_token_with_which_one_logs_in(make_user: Callable[..., User]):
    make_user(TELEPHONE)
    browser = Browser(enforce_csrf_checks=True)
    page = browser.get("/login/")
    token = page.context["csrf_token"]
    assert f'value="{token}"' in page.content.decode()

    log_in(browser, csrfmiddlewaretoken=str(token))
    assert is_logged_in(browser)


def test_logging_in_changes_the_session_key(make_user: Callable[..., User]):
    make_user(TELEPHONE)
    browser = Browser()
    session = browser.session
    session["planted"] = True
    session.save()
    planted = session.session_key

    log_in(browser)
    assert browser.session.session_key != planted


@pytest.mark.parametrize(("language", "time_zone"), [("en", "Asia/Shanghai"), ("zh-hans", "Africa/Bamako")])
def test_pages_speak_the_person_s_language(language: str, time_zone: str, make_user: Callable[..., User]):
    browser = Browser()
    browser.force_login(make_user(language=language, time_zone=time_zone))

    page = browser.get("/account/")
    assert f'lang="{language}"' in page.content.decode()
    assert page.headers["Content-Language"] == language
