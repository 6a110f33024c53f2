"""The page of one message: what was said, how far it came and how long it took, what is wrong, what to do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, Colis, Lot
from tests import rows
from whatsapp_monitoring_app.models import (
    Action,
    ErrorClass,
    Outcome,
    Status,
    Trigger,
    WhatsAppAttempt,
    WhatsAppAuditEntry,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services import diagnosis, explanations, history
from whatsapp_monitoring_app.services.diagnosis import Remedy
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS
from whatsapp_monitoring_app.templatetags import monitoring

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12
NUMBER = "+22376123456"
SECOND = timedelta(seconds=1)
AGENTS = ("agent_chine", "agent_mali")


@pytest.fixture
def agent(log_in: Callable[..., Browser]) -> Browser:
    return log_in("agent_mali", language="en", first_name="Awa", last_name="Traoré")


@pytest.fixture
def administrator(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370000101")


@pytest.fixture
def client() -> Client:
    return create_client(NUMBER, "Fatou", "Diarra")[0]


def told(client: Client, status: Status = Status.FAILED, **fields: Any) -> WhatsAppNotification:
    return rows.notification("agent_mali", status, **{"user": client.user, **fields})


def page(browser: Browser, one: WhatsAppNotification, office: str = "agent_mali", **headers: str) -> str:
    answer = browser.get(reverse(f"{office}:whatsapp_attempt_details", args=[one.pk]), headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\xa0", " ").split())


def tried(of: WhatsAppNotification, number: int, after: timedelta, **fields: Any) -> WhatsAppAttempt:
    """An attempt of 0.8 s that began so long after the message was created."""
    started_at, duration = of.created_at + after, timedelta(milliseconds=800)
    values: dict[str, Any] = {
        "trigger": Trigger.AUTO if number == 1 else Trigger.RETRY,
        "outcome": Outcome.REFUSED,
        "sender": WhatsAppSender.objects.get(code="mali"),
    }
    return WhatsAppAttempt.objects.create(
        notification=of,
        number=number,
        started_at=started_at,
        finished_at=started_at + duration,
        duration=duration,
        **{**values, **fields},
    )


def receipt(of: WhatsAppNotification, status: str, after: timedelta) -> WhatsAppReceipt:
    at = of.created_at + after
    return WhatsAppReceipt.objects.create(
        provider="cloud_api",
        provider_message_id="wamid.one",
        status=status,
        raw_status=status,
        occurred_at=at,
        notification=of,
        received_at=at,
        applied_at=at,
    )


def test_the_history_says_how_long_each_step_took(client: Client):
    one = told(client, Status.READ)
    tried(one, 1, 2 * SECOND)
    tried(one, 2, timedelta(minutes=3, seconds=7, milliseconds=800), outcome=Outcome.ACCEPTED)
    receipt(one, "delivered", timedelta(minutes=3, seconds=20, milliseconds=600))
    moments = history.timeline(one)
    waits = [None, 2 * SECOND, timedelta(minutes=3, seconds=5), 12 * SECOND]
    assert [moment.since for moment in moments] == waits


def test_a_receipt_that_came_before_the_answer_has_no_duration(client: Client):
    one = told(client, Status.DELIVERED)
    receipt(one, "delivered", SECOND)
    tried(one, 1, 2 * SECOND, outcome=Outcome.ACCEPTED)
    (_created, early, _attempt) = history.timeline(one)
    assert (early.receipt is not None, early.since) == (True, None)


def test_a_receipt_in_whole_seconds_is_never_before_its_attempt(client: Client):
    one = told(client, Status.DELIVERED, created_at=timezone.now().replace(microsecond=500_000))
    tried(one, 1, timedelta(), outcome=Outcome.ACCEPTED)
    receipt(one, "sent", SECOND - timedelta(milliseconds=500))
    assert history.timeline(one)[-1].since == timedelta()


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"status": Status.CANCELLED, "cancelled_at": timezone.now(), "cancel_reason": "person"}, "is_cancelling"),
        ({"error_class": ErrorClass.EXPIRED}, "is_expiry"),
        ({"informed_at": timezone.now(), "informed_how": "phone"}, "is_informing"),
    ],
    ids=["cancelled", "expired", "informed"],
)
def test_the_history_tells_how_it_ended(client: Client, fields: dict[str, Any], flag: str):
    last = history.timeline(told(client, **fields))[-1]
    assert getattr(last, flag)
    assert last.since is not None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "less than a second"),
        (12, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7500, "2 h 5 min"),
        (86400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
        (86400 + 61, "1 d"),
    ],
)
def test_a_duration_is_said_in_its_greatest_units(seconds: float, words: str):
    with translation.override("en"):
        assert monitoring.span(timedelta(seconds=seconds)) == words


def test_the_page_says_the_durations_and_who_asked(agent: Browser, client: Client):
    one = told(client, Status.READ)
    person = User.objects.create_user("+22370001111", first_name="Moussa", last_name="Keïta")
    tried(one, 1, 2 * SECOND)
    tried(one, 2, timedelta(minutes=3, seconds=8), outcome=Outcome.ACCEPTED, trigger=Trigger.MANUAL, actor=person)
    receipt(one, "delivered", timedelta(minutes=3, seconds=21))
    html = page(agent, one)
    for words in (
        "</strong> after 0.8 s",
        "2 s after the message was created",
        "3 min 5 s since the last attempt",
        "12 s after it was accepted",
        "Retry by a person (Moussa Keïta)",
    ):
        assert words in html
    assert "Times are those of" in html


def test_the_page_links_the_event_and_what_it_is_about(agent: Browser, client: Client):
    one, awa = told(client), User.objects.create_user("+22370001111", first_name="Awa")
    lot = Lot.objects.create(number="GZ-0412")
    colis = Colis.objects.create(client=client, lot=lot)
    for name in (colis.subject, lot.subject, "colis:GONE", "invoice:7"):
        one.subjects.create(name=name)
    announced = rows.announcement("agent_mali", [one], created_by=awa)
    html = page(agent, one)
    for name, pk in (("colis_details", colis.pk), ("lot_details", lot.pk), ("client_details", client.pk)):
        assert f'href="{reverse(f"agent_mali:{name}", args=[pk])}"' in html
    assert f'href="{reverse("agent_mali:whatsapp_announcement", args=[announced.pk])}">{announced.title}</a>' in html
    assert f"parcel {colis.numero_suivi}" in html
    assert "parcel GONE" in html
    assert "invoice:7" in html
    assert f"{reverse('agent_mali:whatsapp_proof')}?subject=lot%3AGZ-0412" in html


def test_a_message_of_no_event_names_none(agent: Browser, client: Client):
    html = page(agent, told(client))
    assert "Event" not in html
    assert "Departure from China" in html  # the type
    assert "Parcels on the way" in html  # the category


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_error_is_explained_with_what_to_do(agent: Browser, client: Client, error_class: ErrorClass):
    html = page(agent, told(client, error_class=error_class, error_code="4711", error_message="Provider says no"))
    with translation.override("en"):
        explanation = EXPLANATIONS[error_class]
        texts = (error_class.label, explanation.meaning, explanation.advice)
        for text in map(str, texts):
            assert text.replace("'", "&#x27;") in html
    assert ("Sending it again can help." in html) == explanation.retry_helps
    assert "<code>4711</code>" in html
    assert "Provider says no" in html
    assert "Refused by" in html


@pytest.mark.parametrize(
    ("error_class", "who"),
    [
        (ErrorClass.RECIPIENT_PERMANENT, "Twilio"),
        (ErrorClass.EXPIRED, "our own system"),
        (ErrorClass.UNREACHABLE, "the connection between us"),
    ],
)
def test_the_page_says_which_system_refused(agent: Browser, client: Client, error_class: ErrorClass, who: str):
    sender = WhatsAppSender.objects.get(code="mali")
    sender.provider = WhatsAppSender.Provider.TWILIO
    sender.save()
    assert f"<dt>Refused by</dt><dd>{who}" in page(agent, told(client, error_class=error_class, sender=sender))


def test_a_failure_without_a_reason_still_has_words_and_a_button(agent: Browser, client: Client):
    one = told(client, error_class="", error_code="")
    html = page(agent, one)
    assert "No reason given" in html
    assert "nobody has told why" in html
    assert f'action="{reverse("agent_mali:whatsapp_retry", args=[one.pk])}"' in html
    assert "Told by telephone" in html


def test_an_unknown_code_is_unfolded_for_an_administrator(agent: Browser, client: Client):
    html = page(agent, told(client, error_class=ErrorClass.UNKNOWN, error_code="999"))
    assert "Show the error code below to an administrator." in html
    assert '<details id="error" hx-preserve open>' in html


REMEDIES = {
    ErrorClass.RECIPIENT_PERMANENT: Remedy.CORRECT,
    ErrorClass.TRANSIENT: Remedy.RETRY,
    ErrorClass.EXPIRED: Remedy.RETRY,
    ErrorClass.WINDOW_CLOSED: Remedy.CALL,
    ErrorClass.OPT_OUT: Remedy.CALL,
    ErrorClass.ACCOUNT_STOP: Remedy.ADMINISTRATOR,
    ErrorClass.TEMPLATE_STOP: Remedy.ADMINISTRATOR,
}


@pytest.mark.parametrize("error_class", REMEDIES)
def test_the_first_thing_to_do_depends_on_the_cause(client: Client, error_class: ErrorClass):
    one = told(client, error_class=error_class, error_code="")
    assert diagnosis.remedy(one, explanations.explain(one)) is REMEDIES[error_class]


@pytest.mark.parametrize(
    ("status", "fields", "remedy"),
    [
        (Status.PENDING, {}, Remedy.WAIT),
        (Status.RETRY_SCHEDULED, {}, Remedy.WAIT),
        (Status.UNCONFIRMED, {}, Remedy.DECIDE),
        (Status.READ, {}, Remedy.NONE),
        (Status.CANCELLED, {"cancel_reason": "person"}, Remedy.NONE),
        (Status.CANCELLED, {"cancel_reason": "wrong_number"}, Remedy.CORRECT),
        (Status.FAILED, {"phone_number": "+22376999999", "error_class": ErrorClass.TRANSIENT}, Remedy.CORRECT),
    ],
)
def test_the_first_thing_to_do_depends_on_the_status(
    client: Client, status: Status, fields: dict[str, Any], remedy: Remedy
):
    one = told(client, status, **fields)
    assert diagnosis.remedy(one, explanations.explain(one)) is remedy


def primary_buttons(html: str) -> int:
    return html.split('id="history"')[0].count("btn-primary")


@pytest.mark.parametrize("error_class", ErrorClass)
def test_at_most_one_button_is_the_first(agent: Browser, client: Client, error_class: ErrorClass):
    assert primary_buttons(page(agent, told(client, error_class=error_class, error_code=""))) <= 1


def test_a_waiting_message_says_when_it_leaves_and_that_nothing_is_to_do(agent: Browser, client: Client):
    at = timezone.now() + timedelta(minutes=3, seconds=30)
    html = page(agent, told(client, Status.RETRY_SCHEDULED, next_attempt_at=at, error_class=ErrorClass.TRANSIENT))
    assert "Nothing to do: it leaves by itself." in html
    assert "(in 3 min" in html
    assert "Send now" in html
    assert primary_buttons(html) == 0


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"message_content": ""}, "[The text is no longer kept.]"),
        ({"message_content": "Go: {first_password_link}", "is_secret": True}, "Go: [personal link, never stored]"),
    ],
)
def test_a_text_that_is_not_kept_is_labelled(agent: Browser, client: Client, fields: dict[str, Any], label: str):
    assert label in page(agent, told(client, **fields))


def test_the_other_messages_are_the_same_person_s_and_only_what_the_office_sees(
    agent: Browser, administrator: Browser, client: Client
):
    one = told(client)
    told(client, Status.READ, title="mine-to-them", phone_number="+22376999999")
    rows.notification("agent_chine", user=client.user, title="foreign-to-them")
    rows.notification("agent_mali", title="same-number-of-nobody")
    html = page(agent, one)
    assert "mine-to-them" in html
    assert "foreign-to-them" not in html
    assert "same-number-of-nobody" not in html
    assert f"{reverse('agent_mali:whatsapp_monitoring_list')}?client={client.user_id}" in html
    assert "foreign-to-them" in page(administrator, one, "admin_mali")


def test_the_other_messages_to_a_number_of_nobody_are_found_by_it(agent: Browser, administrator: Browser):
    one = rows.notification("agent_mali")
    rows.notification("agent_mali", title="again")
    html = page(agent, one)
    assert "again" in html
    assert "?telephone=%2B22376123456" in html
    assert "22376123456" not in page(administrator, one, "admin_mali")


def test_what_the_person_answered_is_shown(agent: Browser, client: Client):
    one = told(client)
    assert "What this person wrote to us" not in page(agent, one)
    WhatsAppInbound.objects.create(
        provider="cloud_api",
        provider_message_id="wamid.in",
        account_id="",
        phone_number=NUMBER,
        text="Merci !",
        occurred_at=timezone.now(),
        received_at=timezone.now(),
    )
    assert "Merci !" in page(agent, one)


def test_a_message_alone_says_so(agent: Browser, client: Client):
    assert "No other message" in page(agent, told(client))


def test_no_hidden_number_is_anywhere_on_the_page(administrator: Browser, client: Client):
    one = told(client, error_message="22376123456 is unknown", user=User.objects.create_user("+22376123457"))
    tried(one, 1, SECOND, error_class=ErrorClass.RECIPIENT_PERMANENT, provider_response='{"wa_id": "22376123456"}')
    html = page(administrator, one, "admin_mali")
    assert "76123456" not in html.replace(" ", "")
    assert "76123457" not in html.replace(" ", "")
    assert "tel:" not in html
    assert "is unknown" in html


def test_an_agent_calls_with_one_press(agent: Browser, client: Client):
    assert f'href="tel:{NUMBER}"' in page(agent, told(client))


@pytest.mark.parametrize("office", AGENTS)
def test_a_bad_number_is_corrected_and_the_message_sent_again_in_place(
    office: str, log_in: Callable[..., Browser], client: Client
):
    browser = log_in(office, language="en")
    one = rows.notification(office, user=client.user)
    html = page(browser, one, office)
    url = reverse(f"{office}:client_number", args=[client.pk])
    assert f'action="{url}"' in html
    assert f'name="opened_with" value="{NUMBER}"' in html
    assert primary_buttons(html) == 1

    values = {"opened_with": NUMBER, "telephone": "+223 76 99 99 99", "message": str(one.pk)}
    answer = browser.post(url, values, follow=True)

    one.refresh_from_db()
    again = one.resent_as
    assert again
    assert (again.phone_number, again.source_app, again.status) == ("+22376999999", office, Status.PENDING)
    assert answer.redirect_chain[-1][0] == reverse(f"{office}:whatsapp_attempt_details", args=[again.pk])
    assert "The message is sent again to the new number." in answer.content.decode()
    assert WhatsAppAuditEntry.objects.get(action=Action.CORRECT_NUMBER).source_app == office
    assert browser.post(url, values).status_code == 302
    assert WhatsAppNotification.objects.count() == 2


def test_what_else_the_number_kept_from_them_is_asked_about(agent: Browser, client: Client):
    one, _other = told(client), told(client, title="also missed")
    url = reverse("agent_mali:client_number", args=[client.pk])
    answer = agent.post(url, {"opened_with": NUMBER, "telephone": "+22376999999", "message": str(one.pk)}, follow=True)
    assert answer.redirect_chain[-1][0].startswith(reverse("agent_mali:client_resend", args=[client.pk]))
    assert "also missed" in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (NUMBER, "This is the number that did not work."),
        ("123", ""),
        ("+22376000009", "has this number already"),
    ],
)
def test_a_number_that_cannot_be_right_is_refused_and_kept(agent: Browser, client: Client, typed: str, words: str):
    create_client("+22376000009", "Oumar", "Ba")
    one, before = told(client), rows.everything()
    url = reverse("agent_mali:client_number", args=[client.pk])
    answer = agent.post(url, {"opened_with": NUMBER, "telephone": typed, "message": str(one.pk)})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert typed in html
    assert str(one.pk) in html
    assert words in html
    assert rows.everything() == before


def test_the_message_of_another_office_is_not_sent_again_from_here(agent: Browser, client: Client):
    foreign = rows.notification("agent_chine", user=client.user)
    url = reverse("agent_mali:client_number", args=[client.pk])
    agent.post(url, {"opened_with": NUMBER, "telephone": "+22376999999", "message": str(foreign.pk)})
    foreign.refresh_from_db()
    assert foreign.resent_as is None


def test_a_message_to_a_former_number_leads_to_what_did_not_arrive(agent: Browser, client: Client):
    html = page(agent, told(client, phone_number="+22376999999"))
    assert f'href="{reverse("agent_mali:client_resend", args=[client.pk])}?from=%2B22376999999"' in html


def test_an_administrator_is_told_who_corrects_a_number(administrator: Browser, client: Client):
    assert "by the agents of:" in page(administrator, told(client), "admin_mali")


def test_a_failure_leads_to_the_others_of_its_cause(agent: Browser, client: Client):
    url = reverse("agent_mali:whatsapp_groups")
    assert f"{url}?error_class=recipient_permanent&amp;error_code=131026" in page(agent, told(client))
    assert f"{url}?error_class=expired&amp;error_code=none" in page(
        agent, told(client, error_class="expired", error_code="")
    )


def test_the_way_back_keeps_the_filters_of_the_list(agent: Browser, client: Client):
    one, url = told(client), reverse("agent_mali:whatsapp_monitoring_list")
    assert f'class="back" href="{url}"' in page(agent, one)
    came_from = f"http://testserver{url}?status=failed&q=Fatou"
    back = f'class="back" href="{url}?status=failed&amp;q=Fatou"'
    assert back in page(agent, one, Referer=came_from)
    own = f"http://testserver{reverse('agent_mali:whatsapp_attempt_details', args=[one.pk])}"
    assert back in page(agent, one, Referer=own)
    assert back not in page(agent, one, Referer="http://testserver/agent-mali/")


@pytest.mark.parametrize(
    "referer",
    [
        "https://evil.example/agent-mali/whatsapp/monitoring/list/?a=1",
        "javascript:alert(1)",
        "//evil.example/agent-mali/whatsapp/monitoring/list/?a=1",
        "http://testserver/agent-chine/whatsapp/monitoring/list/?a=1",
    ],
)
def test_the_way_back_leads_nowhere_else(agent: Browser, client: Client, referer: str):
    url = reverse("agent_mali:whatsapp_monitoring_list")
    assert f'class="back" href="{url}"' in page(agent, told(client), Referer=referer)


def test_what_a_person_decides_is_in_the_audit_log(agent: Browser, client: Client):
    waiting, doubtful, lost = (
        told(client, Status.PENDING),
        told(client, Status.UNCONFIRMED),
        told(client, Status.UNCONFIRMED),
    )
    agent.post(reverse("agent_mali:whatsapp_cancel", args=[waiting.pk]))
    agent.post(reverse("agent_mali:whatsapp_cancel", args=[waiting.pk]))
    agent.post(reverse("agent_mali:whatsapp_confirm_arrival", args=[doubtful.pk]))
    agent.post(reverse("agent_mali:whatsapp_give_up", args=[lost.pk]))
    noted = [(entry.action, entry.target) for entry in WhatsAppAuditEntry.objects.order_by("pk")]
    assert noted == [
        (Action.CANCEL, str(waiting.pk)),
        (Action.CONFIRM_ARRIVAL, str(doubtful.pk)),
        (Action.GIVE_UP, str(lost.pk)),
    ]


def test_the_live_piece_holds_what_may_change_and_nothing_else(agent: Browser, client: Client):
    piece = page(agent, told(client, Status.PENDING), **{"HX-Request": "true"})
    assert 'id="live"' in piece
    assert "<html" not in piece
    assert 'id="others"' not in piece


@pytest.mark.parametrize("office", ["agent_mali", "admin_mali"])
def test_the_questions_are_few_whatever_has_happened(office: str, log_in: Callable[..., Browser], client: Client):
    browser = log_in(office)
    lot = Lot.objects.create(number="GZ-0412")
    one = told(client, sender=WhatsAppSender.objects.get(code="mali"))
    one.subjects.create(name=Colis.objects.create(client=client, lot=lot).subject)
    one.subjects.create(name=lot.subject)
    rows.announcement("agent_mali", [one])
    page(browser, one, office)

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(browser, one, office)
        return len(asked)

    few = question_count()
    for number in range(1, 11):
        tried(one, number, number * SECOND, actor=client.user, error_class=ErrorClass.TRANSIENT)
        receipt(one, "sent", number * SECOND)
        receipt(one, "delivered", number * SECOND)
        told(client, Status.READ)
        one.subjects.create(name=Colis.objects.create(client=client, lot=lot).subject)
    assert question_count() == few <= MOST_QUERIES


@pytest.mark.parametrize("office", AGENTS)
def test_the_pages_of_a_client_a_parcel_and_a_lot_lead_to_their_messages(
    office: str, log_in: Callable[..., Browser], client: Client
):
    browser, at = log_in(office), timezone.now()
    lot = Lot.objects.create(number="GZ-0412", status=Lot.Status.SHIPPED, shipped_at=at)
    colis = Colis.objects.create(client=client, lot=lot, status=Colis.Status.SHIPPED)
    one = rows.notification(office, user=client.user)
    one.subjects.create(name=colis.subject)
    rows.announcement(office, [one], subject=lot.subject)
    url = reverse(f"{office}:whatsapp_monitoring_list")
    for name, pk, query in (
        ("client_details", client.pk, f"client={client.user_id}"),
        ("colis_details", colis.pk, f"parcel={colis.numero_suivi}"),
        ("lot_details", lot.pk, "lot=GZ-0412"),
    ):
        assert f'href="{url}?{query}"' in browser.get(reverse(f"{office}:{name}", args=[pk])).content.decode()
