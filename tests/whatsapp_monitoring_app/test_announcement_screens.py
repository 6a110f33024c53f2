"""What was announced to many, on the screens of every office: the plan, the count, the people, the buttons."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    Standing,
    Status,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppNotification,
    WhatsAppOptOut,
)
from whatsapp_monitoring_app.models.announcements import GAPS
from whatsapp_monitoring_app.services.announcements import Plan, Reconciliation, Telling
from whatsapp_monitoring_app.templatetags.monitoring import duration, refresh_pause

pytestmark = pytest.mark.django_db

OFFICES = ("agent_chine", "agent_mali", "admin_chine", "admin_mali")
MOST_QUERIES = 12
# What makes a message have each standing.
FATES: dict[Standing, dict[str, Any]] = {
    Standing.READ: {"status": Status.READ},
    Standing.DELIVERED: {"status": Status.DELIVERED},
    Standing.ACCEPTED: {"status": Status.SENT},
    Standing.WAITING: {"status": Status.PENDING},
    Standing.UNCONFIRMED: {"status": Status.UNCONFIRMED},
    Standing.FAILED: {"status": Status.FAILED},
    Standing.REFUSED: {"status": Status.CANCELLED, "cancel_reason": CancelReason.OPT_OUT},
    Standing.WRONG_NUMBER: {"status": Status.CANCELLED, "cancel_reason": CancelReason.WRONG_NUMBER},
    Standing.REPLACED: {"status": Status.CANCELLED, "cancel_reason": CancelReason.SUPERSEDED},
    Standing.CANCELLED: {"status": Status.CANCELLED, "cancel_reason": CancelReason.PERSON},
}


def person(name: str) -> User:
    number = User.objects.count()
    return User.objects.create_user(f"+2237700{number:04}", first_name="Awa", last_name=name)


def announced(*standings: Standing, office: str = "agent_chine", **fields: Any) -> WhatsAppAnnouncement:
    """An announcement with somebody in each of these standings, who is called after it."""
    owed = [_owed(office, standing) for standing in standings if standing in FATES]
    announcement = rows.announcement(office, owed, **fields)
    for standing in standings:
        if standing not in FATES:
            informed_at = timezone.now() if standing == Standing.INFORMED else None
            _without_message(announcement, person(standing.value), informed_at=informed_at)
    return announcement


def _owed(office: str, standing: Standing) -> WhatsAppNotification:
    user = person(standing.value)
    return rows.notification(office, user=user, phone_number=user.telephone, **FATES[standing])


def _without_message(announcement: WhatsAppAnnouncement, user: User, **fields: Any) -> WhatsAppAddressee:
    given = {"template": "envoi_parti", "params": {"nom": "Awa", "colis": "TS1"}, "obstacle": "No number.", **fields}
    return WhatsAppAddressee.objects.create(announcement=announcement, user=user, **given)


def address(announcement: WhatsAppAnnouncement, name: str = "", office: str = "agent_chine") -> str:
    return reverse(f"{office}:whatsapp_announcement{name}", args=[announcement.pk])


def said(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_chine", language="en", telephone="+22370000101")


@pytest.mark.parametrize("office", OFFICES)
@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_every_office_has_the_pages_in_each_language(office: str, language: str, log_in: Callable[..., Browser]):
    announcement = announced(*Standing, office=office)
    browser = log_in(office, language=language)
    for url in (reverse(f"{office}:whatsapp_announcements"), address(announcement, office=office)):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert announcement.title in answer.content.decode()


def test_the_list_says_of_each_announcement_who_knows_and_who_does_not(browser: Browser):
    announced(Standing.READ, Standing.FAILED, Standing.NEVER_CREATED, title="Departure · GZ-0412")
    announced(Standing.DELIVERED, title="Departure · GZ-0413")
    announced(Standing.WAITING, office="agent_mali", title="Arrival · GZ-0411")
    page = browser.get(reverse("agent_chine:whatsapp_announcements")).content.decode()

    assert page.index("GZ-0413") < page.index("GZ-0412")
    assert "1 of 3 know" in page
    assert "1 of 1 know" in page
    assert "2 people need you" in page
    assert "GZ-0411" not in page


def test_an_administrator_sees_what_every_office_announced(log_in: Callable[..., Browser]):
    announced(Standing.READ, title="Departure")
    announced(Standing.WAITING, office="agent_mali", title="Arrival")
    page = log_in("admin_mali", language="en").get(reverse("admin_mali:whatsapp_announcements")).content.decode()

    assert "Departure" in page
    assert "Arrival" in page
    assert "Mali office" in page


def test_an_empty_list_says_what_will_appear(browser: Browser):
    assert "No announcement yet" in browser.get(reverse("agent_chine:whatsapp_announcements")).content.decode()


@pytest.mark.parametrize("count", [1, 30])
def test_the_pages_need_as_many_queries_for_many_as_for_one(count: int, browser: Browser):
    for number in range(count):
        announcement = announced(*[Standing.FAILED, Standing.READ] * 2, title=f"Departure {number}")
    for _ in range(count):
        _without_message(announcement, person("Traoré"))
    for url in (reverse("agent_chine:whatsapp_announcements"), address(announcement)):
        browser.get(url)
        with CaptureQueriesContext(connection) as queries:
            browser.get(url)
        assert len(queries) <= MOST_QUERIES


def test_a_page_shows_everybody_of_one_standing_and_what_stands_in_the_way(browser: Browser):
    announcement = announced(*Standing)
    for standing in Standing:
        answer = browser.get(address(announcement), {"standing": standing.value})
        (found,) = answer.context["page"]
        assert (found.user.last_name, found.standing) == (standing.value, standing)
        with translation.override("en"):
            assert str(standing.label) in answer.content.decode()

    everybody = browser.get(address(announcement))
    assert len(everybody.context["page"]) == len(Standing)
    page = everybody.content.decode()
    assert "No number." in page
    with translation.override("en"):
        assert str(CancelReason.OPT_OUT.label) in page
        assert str(ErrorClass.RECIPIENT_PERMANENT.label) in page
    for owed in WhatsAppNotification.objects.all():
        assert reverse("agent_chine:whatsapp_attempt_details", args=[owed.pk]) in page


@pytest.mark.parametrize("asked", ["", "nothing", "\x00"])
def test_a_standing_that_there_is_not_shows_everybody(asked: str, browser: Browser):
    announcement = announced(Standing.READ, Standing.FAILED)
    assert len(browser.get(address(announcement), {"standing": asked}).context["page"]) == 2


def test_each_gap_has_its_button_and_nothing_else_has_one(browser: Browser):
    gaps = browser.get(address(announced(*GAPS))).content.decode()
    assert "6 people need you" in gaps
    assert gaps.count("Make the missing messages") == gaps.count("Try these again") == 1

    told = browser.get(address(announced(Standing.READ, Standing.ACCEPTED, Standing.REPLACED))).content.decode()
    assert "need you" not in told
    assert "<form" not in told.partition('id="told-')[2].partition("</section>")[0]


def piece(browser: Browser, announcement: WhatsAppAnnouncement) -> str:
    answer = browser.get(address(announcement), headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "<html" not in page
    return page


def test_the_count_refreshes_itself_until_it_is_settled(browser: Browser):
    announcement = announced(Standing.WAITING)
    assert f'hx-get="{address(announcement)}" hx-trigger="every 3s"' in piece(browser, announcement)

    WhatsAppNotification.objects.update(status=Status.SENT, next_attempt_at=None)
    assert 'hx-trigger="every 15s"' in piece(browser, announcement)

    WhatsAppNotification.objects.update(status=Status.DELIVERED)
    assert "hx-get" not in piece(browser, announcement)


def test_nobody_waits_for_the_last_receipts_of_an_old_announcement():
    old = announced(Standing.ACCEPTED, created_at=timezone.now() - timedelta(hours=2))
    assert refresh_pause(old, Reconciliation({Standing.ACCEPTED: 1})) == ""
    assert refresh_pause(old, Reconciliation({Standing.WAITING: 1})) == "3s"


def test_the_missing_messages_are_made_once_however_often_one_presses(browser: Browser):
    announcement = announced(Standing.NEVER_CREATED, Standing.READ)
    before = WhatsAppNotification.objects.count()
    first = browser.post(address(announcement, "_complete"))
    second = browser.post(address(announcement, "_complete"))

    assert [answer.headers["Location"] for answer in (first, second)] == [address(announcement)] * 2
    assert [level for level, _ in said(second)] == ["success", "info"]
    assert said(first)[0][1] == "1 missing message is made."
    made = WhatsAppNotification.objects.get(status=Status.PENDING)
    assert (made.addressee.announcement, str(made.user)) == (announcement, "Awa never_created")
    assert WhatsAppNotification.objects.count() == before + 1


def test_a_message_that_still_cannot_be_made_is_said_to_be_missing(browser: Browser):
    announcement = announced(Standing.NEVER_CREATED)
    WhatsAppAddressee.objects.update(template="nowhere")
    answer = browser.post(address(announcement, "_complete"))

    assert [level for level, _ in said(answer)] == ["warning"]
    assert WhatsAppAddressee.objects.get().obstacle
    assert not WhatsAppNotification.objects.exists()


def test_what_failed_is_tried_again_and_the_refused_are_counted(browser: Browser):
    announcement = announced(Standing.FAILED, Standing.FAILED, Standing.FAILED, Standing.READ)
    refusing, given_up = WhatsAppNotification.objects.filter(status=Status.FAILED).order_by("phone_number")[:2]
    WhatsAppOptOut.objects.create(phone_number=refusing.phone_number, created_at=timezone.now())
    WhatsAppNotification.objects.filter(pk=given_up.pk).update(settled_by=person("Keïta"))
    elsewhere = announced(Standing.FAILED).addressees.get().notification
    WhatsAppNotification.objects.update(error_class="transient")
    answer = browser.post(address(announcement, "_retry"), {"next": "/agent-chine/"})

    ((level, text),) = said(answer)
    assert (level, answer.headers["Location"]) == ("success", "/agent-chine/")
    assert text.startswith("1 message is queued for a new attempt. 1 is not: ")
    assert "does not want" in text
    assert "given it up" in text
    queued = WhatsAppNotification.objects.get(status=Status.PENDING)
    assert (queued.next_trigger, queued.next_actor_id) == ("bulk", int(browser.session["_auth_user_id"]))
    assert elsewhere
    assert WhatsAppNotification.objects.get(pk=elsewhere.pk).status == Status.FAILED


def test_nothing_to_try_again_is_said(browser: Browser):
    ((level, text),) = said(browser.post(address(announced(Standing.READ), "_retry")))
    assert (level, text) == ("warning", "There is no failed message to retry.")


def shown(plan: Plan) -> str:
    with translation.override("en"):
        return render_to_string("whatsapp_monitoring_app/_plan.html", {"plan": plan})


def telling(name: str) -> Telling:
    return Telling(user=User(first_name="Awa", last_name=name), template="envoi_parti", params={}, about={})


def test_a_plan_says_how_many_are_told_how_long_it_takes_and_who_is_not_and_why():
    told = [telling(f"T{number}") for number in range(38)]
    untold = [(telling(f"U{number}"), "No WhatsApp.") for number in range(12)] + [(telling("Moussa"), "Muted.")]
    page = shown(Plan(told, untold, rate_per_second=20))

    assert "38 clients will be told" in page
    assert "It takes less than a minute, at 20 messages a second." in page
    assert "13 clients cannot be told" in page
    assert page.index("<strong>12</strong> · No WhatsApp.") < page.index("<strong>1</strong> · Muted.")
    assert page.index("Awa U9") < page.index("<details") < page.index("Awa U10") < page.index("Awa Moussa")


def test_a_plan_for_nobody_says_so():
    assert "somebody has to call them" in shown(Plan([], [(telling("Moussa"), "Muted.")]))
    assert "There is nobody to tell." in shown(Plan([], []))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (29, "less than a minute"),
        (31, "about 1 minute"),
        (250, "about 4 minutes"),
        (5_300, "about 88 minutes"),
        (5_500, "about 2 hours"),
        (7_100, "about 2 hours"),
    ],
)
def test_a_duration_is_said_in_words(seconds: int, words: str):
    with translation.override("en"):
        assert duration(timedelta(seconds=seconds)) == words


def test_a_page_of_another_thing_says_where_to_ask_again_and_where_to_make_what_is_missing(rf: Any):
    announcement = announced(Standing.WAITING, Standing.NEVER_CREATED)
    context = {
        "scope": scopes.get("agent_chine"),
        "announcement": announcement,
        "reconciliation": Reconciliation({Standing.WAITING: 1, Standing.NEVER_CREATED: 2}),
        "forgotten": [person("Diarra")],
        "live_url": "/lot/?announcement=1",
        "complete_url": "/lot/complete/",
    }
    with translation.override("en"):
        page = render_to_string("whatsapp_monitoring_app/_reconciliation.html", context, rf.get("/lot/"))

    assert 'hx-get="/lot/?announcement=1"' in page
    assert 'action="/lot/complete/"' in page
    assert "1 of them was forgotten: Awa Diarra" in page
    assert 'name="next" value="/lot/"' in page


def test_only_people_of_an_office_open_the_pages(log_in: Callable[..., Browser]):
    announcement = announced(Standing.READ)
    assert log_in("client").get(address(announcement)).status_code == 403
    assert log_in("agent_mali").get(address(announcement, office="agent_mali")).status_code == 404


def test_a_plan_promises_a_call_only_where_somebody_calls_and_says_who_sleeps():
    untold = [(telling("Moussa"), "Muted.")]

    assert "The list of calls will show them" in shown(Plan([], untold, must_be_known=True))
    assert "The list of calls will show them" not in shown(Plan([], untold))
    assert "2 of them sleep: their message leaves" in shown(Plan([telling("A"), telling("B")], [], sleeping_count=2))
