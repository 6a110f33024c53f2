"""Who did what: one entry for each act, with the person, the office and the thing, and without any secret."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from tests import rows
from tests.whatsapp_monitoring_app.administrators import TOKEN, configured
from tests.whatsapp_monitoring_app.administrators import values as sender_values
from whatsapp_monitoring_app.models import (
    Action,
    ErrorClass,
    Status,
    WhatsAppAuditEntry,
    WhatsAppErrorCode,
    WhatsAppOptOut,
    WhatsAppSender,
)
from whatsapp_monitoring_app.scopes import get
from whatsapp_monitoring_app.services import audit

pytestmark = pytest.mark.django_db

NUMBER = "+22376123456"
TEXT = "Votre colis est parti."


@pytest.fixture(autouse=True)
def _nobody_at_the_provider(settings: Any) -> None:
    settings.WHATSAPP_CLOUD_API_URL = "http://127.0.0.1:9"


def url(name: str, *args: Any, office: str = "admin_mali") -> str:
    return reverse(f"{office}:{name}", args=args)


def a_retry(browser: Browser) -> str:
    code = rows.notification("agent_mali", error_class="transient").pk
    browser.post(url("whatsapp_retry", code, office="agent_mali"))
    browser.post(url("whatsapp_retry", code, office="agent_mali"))
    return str(code)


def a_cancellation(browser: Browser) -> str:
    code = rows.notification("agent_mali", Status.PENDING).pk
    for _ in range(2):
        browser.post(url("whatsapp_cancel", code, office="agent_mali"))
    return str(code)


def an_arrival(browser: Browser) -> str:
    code = rows.notification("agent_mali", Status.UNCONFIRMED).pk
    for _ in range(2):
        browser.post(url("whatsapp_confirm_arrival", code, office="agent_mali"))
    return str(code)


def giving_up(browser: Browser) -> str:
    code = rows.notification("agent_mali", Status.UNCONFIRMED).pk
    for _ in range(2):
        browser.post(url("whatsapp_give_up", code, office="agent_mali"))
    return str(code)


def a_wrong_number_on_the_list(browser: Browser) -> str:
    code = rows.notification("agent_mali").pk
    form = {"message": str(code), "request_id": str(uuid.uuid4())}
    for _ in range(2):
        browser.post(url("whatsapp_call_wrong", office="agent_mali"), form)
    return str(code)


def a_wrong_number_of_a_client(browser: Browser) -> str:
    client, _ = create_client(NUMBER, "Jean", "Dupont")
    for _ in range(2):
        browser.post(url("client_wrong_person", client.pk, office="agent_mali"), {"number": NUMBER})
    return f"client:{client.pk}"


def a_corrected_number(browser: Browser) -> str:
    client, _ = create_client("+22376000000", "Jean", "Dupont")
    form = {"first_name": "Jean", "last_name": "Dupont", "telephone": NUMBER, "language": "fr", "country": "ML"}
    for _ in range(2):
        answer = browser.post(
            url("client_edit", client.pk, office="agent_mali"), {**form, "opened_with": "+22376000000", "email": ""}
        )
        assert answer.status_code == 302
    return f"client:{client.pk}"


def what_failed_of_an_announcement(browser: Browser) -> str:
    user = User.objects.create_user(NUMBER, last_name="Dupont")
    failed = rows.notification("agent_mali", user=user, error_class=ErrorClass.TRANSIENT, error_code="131000")
    announced = rows.announcement("agent_mali", [failed])
    for _ in range(2):
        browser.post(url("whatsapp_announcement_retry", announced.pk, office="agent_mali"))
    return str(announced.pk)


BY_AGENTS = {
    a_retry: Action.RETRY,
    a_cancellation: Action.CANCEL,
    an_arrival: Action.CONFIRM_ARRIVAL,
    giving_up: Action.GIVE_UP,
    a_wrong_number_on_the_list: Action.CORRECT_NUMBER,
    a_wrong_number_of_a_client: Action.CORRECT_NUMBER,
    a_corrected_number: Action.CORRECT_NUMBER,
    what_failed_of_an_announcement: Action.RETRY,
}


def a_new_sender(browser: Browser) -> str:
    given = sender_values(WhatsAppSender(label="Dakar")) | {"code": "dakar", "token": TOKEN, "is_active": "on"}
    for _ in range(2):
        browser.post(url("whatsapp_sender_create"), given)
    return "dakar"


def _mali() -> WhatsAppSender:
    return configured("mali", account_id="1234567", token=TOKEN)


def an_edited_sender(browser: Browser) -> str:
    mali = _mali()
    browser.post(url("whatsapp_sender_edit", mali.pk), sender_values(mali, label="Bamako"))
    browser.post(url("whatsapp_sender_edit", mali.pk), sender_values(configured("mali")))
    return "mali"


def a_new_token(browser: Browser) -> str:
    browser.post(url("whatsapp_sender_token", _mali().pk), {"token": f"{TOKEN}-2"})
    return "mali"


def a_pause(browser: Browser) -> str:
    browser.post(url("whatsapp_sender_pause", _mali().pk))
    return "mali"


def an_end_of_a_pause(browser: Browser) -> str:
    browser.post(url("whatsapp_sender_resume", _mali().pk))
    return "mali"


def a_template(browser: Browser) -> str:
    template = rows.template()
    given = {
        "label": "Retard", "message_type": "", "variables": "nom, jours", "is_active": "on",
        "text_fr": f"{TEXT} {{nom}} {{jours}}", "text_en": template.text_en, "text_zh_hans": "",
        "sample_nom": "Awa", "sample_jours": "3",
    }  # fmt: skip
    assert browser.post(url("whatsapp_template", template.pk), given).status_code == 302
    return template.code


def a_stopped_template(browser: Browser) -> str:
    stopped = rows.provider_template(stopped_until=timezone.now() + timedelta(hours=1))
    for _ in range(2):
        browser.post(url("whatsapp_template_resume", stopped.pk))
    return stopped.name


def a_deleted_name(browser: Browser) -> str:
    template = rows.template()
    rows.template_name(template)
    for _ in range(2):
        browser.post(url("whatsapp_template_name_delete", template.pk, "mali", "fr"))
    return template.code


def an_error_text(browser: Browser) -> str:
    code = WhatsAppErrorCode.objects.get(provider="cloud_api", code="131026")
    for _ in range(2):
        browser.post(url("whatsapp_error", code.pk), {"meaning_fr": TEXT})
    return "cloud_api 131026"


def an_opt_out(browser: Browser) -> str:
    for _ in range(2):
        browser.post(url("whatsapp_opt_outs"), {"telephone": NUMBER, "reason": TEXT})
    return "+223 •• •• •• 56"


def an_opt_in(browser: Browser) -> str:
    row = WhatsAppOptOut.objects.create(phone_number=NUMBER, reason=TEXT, created_at=timezone.now())
    for _ in range(2):
        browser.post(url("whatsapp_opt_out_delete", row.pk))
    return "+223 •• •• •• 56"


BY_ADMINISTRATORS = {
    a_new_sender: Action.SENDER_CHANGE,
    an_edited_sender: Action.SENDER_CHANGE,
    a_new_token: Action.SENDER_TOKEN,
    a_pause: Action.SENDER_PAUSE,
    an_end_of_a_pause: Action.SENDER_RESUME,
    a_template: Action.TEMPLATE_CHANGE,
    a_stopped_template: Action.TEMPLATE_CHANGE,
    a_deleted_name: Action.TEMPLATE_CHANGE,
    an_error_text: Action.ERROR_TEXT_CHANGE,
    an_opt_out: Action.OPT_OUT_ADD,
    an_opt_in: Action.OPT_OUT_REMOVE,
}


@pytest.mark.parametrize(
    ("act", "action", "office"),
    [(act, action, "agent_mali") for act, action in BY_AGENTS.items()]
    + [(act, action, "admin_mali") for act, action in BY_ADMINISTRATORS.items()],
    ids=lambda given: given.__name__ if callable(given) else "",
)
def test_an_act_leaves_one_entry_and_no_secret(
    act: Callable[[Browser], str], action: Action, office: str, log_in: Callable[..., Browser]
):
    browser = log_in(office, language="en", telephone="+22370009001")
    target = act(browser)
    entry = WhatsAppAuditEntry.objects.get()

    assert (entry.action, entry.target, entry.source_app) == (action, target, office)
    assert entry.actor_id == int(browser.session["_auth_user_id"])
    written = f"{entry.target} {entry.detail}"
    for secret in (NUMBER, "76123456", "+22376000000", TOKEN, TEXT, "1234567"):
        assert secret not in written


def test_what_is_refused_leaves_no_entry(log_in: Callable[..., Browser]):
    browser = log_in("agent_mali")
    browser.post(url("whatsapp_retry", rows.notification("agent_mali", Status.READ).pk, office="agent_mali"))
    browser.post(url("whatsapp_cancel", rows.notification("agent_mali", Status.READ).pk, office="agent_mali"))
    browser.post(url("whatsapp_give_up", rows.notification("agent_mali", Status.READ).pk, office="agent_mali"))
    assert not WhatsAppAuditEntry.objects.exists()


@pytest.fixture
def reader(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370009002")


def log(browser: Browser, **query: str) -> Any:
    return browser.get(url("whatsapp_audit"), query)


def targets(browser: Browser, **query: str) -> list[str]:
    return [entry.row.target for entry in log(browser, **query).context["entries"]]


def written(person: User, target: str, action: Action = Action.RETRY, **ago: float) -> WhatsAppAuditEntry:
    return audit.note(action, person, get("agent_mali"), timezone.now() - timedelta(**ago), target=target)


def test_the_log_says_who_did_what_where_and_leads_to_it(reader: Browser, make_user: Callable[..., User]):
    notification, announced = rows.notification("agent_mali"), rows.announcement("agent_mali")
    person = make_user(first_name="Moussa", last_name="Keïta")
    written(person, str(notification.pk))
    audit.note(Action.RETRY, person, get("agent_mali"), timezone.now(), target=announced.pk, detail=audit.ANNOUNCEMENT)
    written(person, "client:12", Action.CORRECT_NUMBER)
    html = log(reader).content.decode()

    for words in ("Moussa Keïta", "Sent a message again", "Mali office", "Client no. 12", "Times are those of"):
        assert words in html, words
    assert url("whatsapp_attempt_details", notification.pk) in html
    assert url("whatsapp_announcement", announced.pk) in html


def test_the_log_is_filtered(reader: Browser, make_user: Callable[..., User]):
    awa, moussa = make_user(first_name="Awa"), make_user(first_name="Moussa")
    written(awa, "old", days=3)
    written(awa, "new")
    written(moussa, "other", Action.CANCEL)
    today = timezone.now().date().isoformat()

    assert targets(reader) == ["other", "new", "old"]
    assert targets(reader, person=str(moussa.pk)) == targets(reader, action="cancel") == ["other"]
    assert targets(reader, since=today) == ["other", "new"]
    assert targets(reader, until=(timezone.now() - timedelta(days=2)).date().isoformat()) == ["old"]
    assert len(targets(reader, action="nonsense", person="x", since="x")) == 3
    assert "Nothing is found" in log(reader, action="export").content.decode()


def test_a_long_log_has_pages(reader: Browser, make_user: Callable[..., User]):
    person = make_user()
    for number in range(53):
        written(person, f"thing-{number}")
    first = log(reader)
    assert len(first.context["entries"]) == 50
    assert targets(reader, before=first.context["before"]) == ["thing-2", "thing-1", "thing-0"]
    assert len(targets(reader, before="x")) == 50


def test_an_empty_log_says_so(reader: Browser):
    assert "Nothing yet" in log(reader).content.decode()


def test_the_log_cannot_be_changed_by_hand(log_in: Callable[..., Browser], make_user: Callable[..., User]):
    entry = written(make_user(), "thing")
    staff = log_in("admin_mali", is_staff=True, is_superuser=True)
    for name in ("change", "delete"):
        page = reverse(f"admin:whatsapp_monitoring_app_whatsappauditentry_{name}", args=[entry.pk])
        assert staff.post(page, {"target": "x", "post": "yes"}).status_code == 403
    assert staff.post(reverse("admin:whatsapp_monitoring_app_whatsappauditentry_add")).status_code == 403
    assert WhatsAppAuditEntry.objects.get().target == "thing"
