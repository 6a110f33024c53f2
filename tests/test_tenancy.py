"""Who sees what: every screen of every office, found by walking the addresses, for every kind of person."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app.client_management import create_client
from agent_chine_app.models import ClientCreation, ClientImport, Colis, Lot
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppAddressee,
    WhatsAppErrorCode,
    WhatsAppExport,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
    WhatsAppSubject,
)

pytestmark = pytest.mark.django_db

AGENT_OFFICES = tuple(office for office, scope in scopes.all_scopes().items() if not scope.sees_every_office)
ADMIN_OFFICES = tuple(office for office, scope in scopes.all_scopes().items() if scope.sees_every_office)
OFFICES = (*AGENT_OFFICES, *ADMIN_OFFICES)
ROLES = ("anonymous", "client", *OFFICES, "superuser")

# What each screen takes; a new address of an office must be added here.
METHODS = {
    "home": {"get"},
    "client_list": {"get"},
    "client_details": {"get"},
    "client_edit": {"get", "post"},
    "client_number": {"get", "post"},
    "client_resend": {"get", "post"},
    "client_wrong_person": {"get", "post"},
    "client_right_person": {"post"},
    "client_new_link": {"post"},
    "client_create": {"get", "post"},
    "client_creation": {"get"},
    "client_imports": {"get", "post"},
    "client_example_csv": {"get"},
    "client_example_xlsx": {"get"},
    "client_import": {"get"},
    "client_import_start": {"post"},
    "client_import_discard": {"post"},
    "client_import_lines": {"get"},
    "client_import_troubles": {"get"},
    "colis_list": {"get"},
    "colis_create": {"get", "post"},
    "colis_details": {"get"},
    "colis_photo": {"get"},
    "colis_edit": {"get", "post"},
    "create_client_api": {"post"},
    "client_creation_status": {"get"},
    "colis_arrival": {"post"},
    "colis_ready": {"post"},
    "colis_shelf": {"post"},
    "colis_lost": {"get", "post"},
    "pickup": {"get", "post"},
    "storage": {"get"},
    "lot_scan": {"post"},
    "lot_receive": {"post"},
    "lot_receive_all": {"get", "post"},
    "lot_tell": {"get", "post"},
    "lot_told": {"get", "post"},
    "lot_delay": {"get", "post"},
    "lot_list": {"get"},
    "lot_create": {"get", "post"},
    "lot_details": {"get"},
    "lot_add": {"post"},
    "lot_choose": {"get"},
    "lot_remove": {"post"},
    "lot_close": {"get", "post"},
    "lot_reopen": {"post"},
    "lot_ship": {"get", "post"},
    "lot_complete": {"post"},
    "whatsapp_monitoring": {"get"},
    "whatsapp_monitoring_list": {"get"},
    "whatsapp_view_create": {"get", "post"},
    "whatsapp_view_delete": {"get", "post"},
    "whatsapp_retry_failed": {"get", "post"},
    "whatsapp_attempt_details": {"get"},
    "whatsapp_retry": {"get", "post"},
    "whatsapp_retry_batches": {"get"},
    "whatsapp_retry_batch": {"get"},
    "whatsapp_retry_batch_run": {"post"},
    "whatsapp_retry_batch_pause": {"post"},
    "whatsapp_retry_batch_cancel": {"get", "post"},
    "whatsapp_cancel": {"get", "post"},
    "whatsapp_confirm_arrival": {"post"},
    "whatsapp_give_up": {"get", "post"},
    "whatsapp_groups": {"get"},
    "whatsapp_group_handled": {"post"},
    "whatsapp_group_reopen": {"post"},
    "whatsapp_calls": {"get"},
    "whatsapp_call_told": {"post"},
    "whatsapp_call_later": {"post"},
    "whatsapp_call_wrong": {"get", "post"},
    "whatsapp_morning": {"get"},
    "whatsapp_proof": {"get"},
    "colis_proof": {"get"},
    "whatsapp_announcements": {"get"},
    "whatsapp_announcement": {"get"},
    "whatsapp_announcement_complete": {"post"},
    "whatsapp_announcement_retry": {"post"},
    "whatsapp_bulks": {"get"},
    "whatsapp_bulk": {"get"},
    "whatsapp_export_create": {"get", "post"},
    "whatsapp_exports": {"get"},
    "whatsapp_export": {"get"},
    "whatsapp_export_file": {"get"},
    "whatsapp_export_delete": {"post"},
    "whatsapp_changes": {"get"},
    "whatsapp_alerts": {"get"},
    "whatsapp_alert_take": {"post"},
    "whatsapp_alert_choice": {"post"},
    "whatsapp_alert_test": {"post"},
    "whatsapp_senders": {"get"},
    "whatsapp_sender_create": {"get", "post"},
    "whatsapp_sender": {"get"},
    "whatsapp_sender_edit": {"get", "post"},
    "whatsapp_sender_token": {"get", "post"},
    "whatsapp_sender_test": {"get", "post"},
    "whatsapp_sender_check": {"post"},
    "whatsapp_sender_pause": {"get", "post"},
    "whatsapp_sender_resume": {"post"},
    "whatsapp_sender_check_number": {"post"},
    "whatsapp_administration": {"get"},
    "whatsapp_queues": {"get"},
    "whatsapp_errors": {"get"},
    "whatsapp_error": {"get", "post"},
    "whatsapp_opt_outs": {"get", "post"},
    "whatsapp_opt_out_delete": {"get", "post"},
    "whatsapp_audit": {"get"},
    "whatsapp_reveal": {"post"},
    "whatsapp_reveal_addressee": {"post"},
    "whatsapp_templates": {"get"},
    "whatsapp_template_create": {"get", "post"},
    "whatsapp_template_preview": {"post"},
    "whatsapp_templates_sync": {"post"},
    "whatsapp_template_resume": {"post"},
    "whatsapp_template": {"get", "post"},
    "whatsapp_template_name": {"get", "post"},
    "whatsapp_template_name_delete": {"get", "post"},
}
EXPORT_SCREENS = ["whatsapp_export", "whatsapp_export_file", "whatsapp_export_delete"]
BATCH_SCREENS = [name for name in METHODS if name.startswith("whatsapp_retry_batch")]
KINDS_OF_PK = {
    "whatsapp_error": "error",
    "whatsapp_opt_out_delete": "opt_out",
    "whatsapp_reveal_addressee": "addressee",
}
ANNOUNCEMENT_SCREENS = [name for name in METHODS if name.startswith("whatsapp_announcement")]
JSON_SCREENS = {"create_client_api", "client_creation_status", "whatsapp_changes"}
# Addresses of no office: their own tests say who may open them.
OUTSIDE = {
    "home",
    "login",
    "logout",
    "first_password",
    "set_language",
    "set_theme",
    "client_home",
    "client_colis",
    "client_photo",
    "client_preferences",
    "client_stop",
    "client_resume",
    "client_password",
    "tracking_search",
    "tracking",
    "whatsapp_cloud_webhook",
    "whatsapp_wachap_webhook",
    "whatsapp_twilio_webhook",
}
POSTS_OUTSIDE = (
    "login",
    "logout",
    "set_language",
    "set_theme",
    "client_preferences",
    "client_stop",
    "client_resume",
    "client_password",
)


@dataclass(frozen=True)
class Screen:
    office: str
    name: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.office}:{self.name}"

    def url(self, values: dict[str, Any]) -> str:
        return reverse(str(self), kwargs={name: values[name] for name in self.parameters})

    @property
    def methods(self) -> set[str]:
        return METHODS.get(self.name, set())


def walk(resolver: URLResolver, namespace: str = "") -> list[Screen]:
    found = []
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            found.append(Screen(namespace, pattern.name or "", tuple(pattern.pattern.converters)))
        elif pattern.namespace != "admin":
            found += walk(pattern, pattern.namespace or namespace)
    return found


ALL = walk(get_resolver())
SCREENS = [screen for screen in ALL if screen.office]
EVERY_SCREEN = pytest.mark.parametrize("screen", SCREENS, ids=str)
EVERY_AGENT_SCREEN = pytest.mark.parametrize(
    "screen", [each for each in SCREENS if "get" in each.methods and each.office in AGENT_OFFICES], ids=str
)


def browser_of(role: str, **options: Any) -> Browser:
    browser = Browser(**options)
    if role != "anonymous":
        fields: dict[str, Any] = {"is_superuser": True} if role == "superuser" else {"role": role}
        person = User.objects.create_user("+22370009999", first_name="Test", **fields)
        browser.force_login(person)
        WhatsAppExport.objects.update(requested_by=person)  # which nobody but who asked for it may open
    return browser


def secret_of(office: str) -> str:
    return f"secret-of-{office}"


@pytest.fixture(autouse=True)
def _nobody_at_the_provider(settings: Any) -> None:
    settings.WHATSAPP_CLOUD_API_URL = "http://127.0.0.1:9"


@pytest.fixture
def notifications() -> dict[str, WhatsAppNotification]:
    """A failed message of each office, whose every text names the office."""
    return {
        office: rows.notification(
            office,
            phone_number=f"+2236600000{number}",
            title=f"title-{secret_of(office)}",
            message_content=f"text-{secret_of(office)}",
            subject=f"subject-{secret_of(office)}",
            message_type=f"type-{secret_of(office)}",
            category=f"category-{secret_of(office)}",
            user=User.objects.create_user(f"+2236600000{number}", last_name=f"name-{secret_of(office)}"),
        )
        for number, office in enumerate(OFFICES)
    }


@pytest.fixture
def values(notifications: dict[str, WhatsAppNotification], media: Path) -> dict[str, Any]:
    """What the addresses ask for, apart from a notification's code."""
    client, _ = create_client("+22376123456", "Jean", "Dupont")
    lot = Lot.objects.create(number="GZ-0412", status=Lot.Status.SHIPPED, shipped_at=timezone.now())
    Colis.objects.create(client=client, lot=lot, status=Colis.Status.SHIPPED)
    colis = Colis.objects.create(client=client, lot=lot, photo=ContentFile(b"photo", "photo.jpg"))
    creation = ClientCreation.objects.create(telephone="+22376123456", first_name="Jean", last_name="Dupont")
    # Something to cancel: only what waits can be.
    waiting = {office: rows.notification(office, Status.PENDING, title="waits").pk for office in OFFICES}
    # Something to decide on: only what nobody knows of can be.
    doubtful = {office: rows.notification(office, Status.UNCONFIRMED, title="doubtful").pk for office in OFFICES}
    announced = {
        office: rows.announcement(office, [notifications[office]], title=f"announced-{secret_of(office)}").pk
        for office in OFFICES
    }
    template = rows.template()
    rows.template_name(template)
    stopped = rows.provider_template(stopped_until=timezone.now() + timedelta(hours=1))
    return {
        "template": template.pk,
        "stopped": stopped.pk,
        "sender": "mali",
        "language": "fr",
        "pk": colis.pk,
        "colis": colis.pk,
        "lot": lot.pk,
        "client": client.pk,
        "task_id": str(creation.pk),
        "creation": creation.pk,
        "import": ClientImport.objects.create(file_name="clients.csv", new_count=1).pk,
        "waiting": waiting,
        "doubtful": doubtful,
        "announced": announced,
        "exported": {office: rows.export(office).pk for office in OFFICES},
        "batches": {office: rows.retry_batch(office, [notifications[office]]).pk for office in OFFICES},
        "bulks": {office: rows.bulk(office, message_content=f"bulk-{secret_of(office)}").pk for office in OFFICES},
        "lot_told": rows.announcement("agent_mali", subject=lot.subject).pk,
        "error": WhatsAppErrorCode.objects.get(provider="cloud_api", code="131026").pk,
        "opt_out": WhatsAppOptOut.objects.create(
            phone_number="+22376123456", reason="STOP", created_at=timezone.now()
        ).pk,
        "addressee": {office: WhatsAppAddressee.objects.get(announcement=announced[office]).pk for office in OFFICES},
        "alerts": {office: rows.alert(office).pk for office in OFFICES},
        "sender_pk": WhatsAppSender.objects.get(code="mali").pk,
    }


def address(screen: Screen, values: dict[str, Any], notification: WhatsAppNotification) -> str:
    codes = {
        "client_creation": values["creation"],
        **dict.fromkeys([name for name in METHODS if name.startswith("client_import_")], values["import"]),
        "client_import": values["import"],
        "lot_told": values["lot_told"],
        "whatsapp_bulk": values["bulks"][screen.office],
        "whatsapp_cancel": values["waiting"][screen.office],
        "whatsapp_confirm_arrival": values["doubtful"][screen.office],
        "whatsapp_give_up": values["doubtful"][screen.office],
        "whatsapp_alert_take": values["alerts"][screen.office],
        **dict.fromkeys(ANNOUNCEMENT_SCREENS, values["announced"][screen.office]),
        **dict.fromkeys(EXPORT_SCREENS, values["exported"][screen.office]),
        **dict.fromkeys(BATCH_SCREENS, values["batches"][screen.office]),
        "whatsapp_reveal_addressee": values["announced"][screen.office],
    }
    pk = _own_view(screen.office) if screen.name == "whatsapp_view_delete" else values[_kind_of_pk(screen.name)]
    of_office = pk[screen.office] if isinstance(pk, dict) else pk
    return screen.url({**values, "pk": of_office, "code": codes.get(screen.name, notification.pk)})


def _own_view(office: str) -> int:
    """A view that the person who is logged in, if anybody is, has saved in this office."""
    owner = User.objects.filter(telephone="+22370009999").first() or User.objects.all()[0]
    return rows.saved_view(office, owner).pk


def _kind_of_pk(name: str) -> str:
    if name == "whatsapp_template_resume":
        return "stopped"
    if name.startswith("whatsapp_template"):
        return "template"
    if name.startswith("whatsapp_sender"):
        return "sender_pk"
    if name in KINDS_OF_PK:
        return KINDS_OF_PK[name]
    if name.startswith("lot"):
        return "lot"
    return "client" if name.startswith("client_") else "pk"


def may_open(role: str, screen: Screen) -> bool:
    return role in (screen.office, "superuser")


def test_every_address_is_known():
    assert {screen.name for screen in ALL if not screen.office} == OUTSIDE
    assert {screen.name for screen in SCREENS} == set(METHODS)
    assert {screen.office for screen in SCREENS} == set(OFFICES)
    assert set(OFFICES) == {"agent_chine", "agent_mali", "admin_chine", "admin_mali"}
    assert not [screen for screen in SCREENS if "sender" in screen.name and screen.office in AGENT_OFFICES]
    assert {screen.name for screen in SCREENS if screen.office == "admin_mali"} == {
        screen.name for screen in SCREENS if screen.office == "admin_chine"
    }
    assert len(SCREENS) == 275


@EVERY_SCREEN
@pytest.mark.parametrize("role", ROLES)
def test_a_screen_opens_for_its_own_office_alone(
    screen: Screen, role: str, values: dict[str, Any], notifications: dict[str, WhatsAppNotification]
):
    browser, url = browser_of(role), address(screen, values, notifications[screen.office])
    before = rows.everything()
    for method in sorted(screen.methods):
        answer = getattr(browser, method)(url, follow=method == "get")
        if may_open(role, screen):
            assert answer.status_code in ((200,) if method == "get" else (200, 302, 400, 422))
            continue
        if role == "anonymous" and screen.name not in JSON_SCREENS:
            landed = answer.redirect_chain[-1][0] if method == "get" else answer.headers["Location"]
            assert landed.startswith("/login/?next=/")
        else:
            assert answer.status_code == (401 if role == "anonymous" else 403)
        assert rows.everything() == before


@pytest.mark.parametrize(
    "screen",
    # The first page of an administrator is a redirect, which changes nothing whatever the method.
    [screen for screen in SCREENS if (screen.name, screen.office in ADMIN_OFFICES) != ("home", True)],
    ids=str,
)
def test_a_screen_refuses_the_methods_that_it_does_not_take(
    screen: Screen, values: dict[str, Any], notifications: dict[str, WhatsAppNotification]
):
    browser, url = browser_of(screen.office), address(screen, values, notifications[screen.office])
    before = rows.everything()

    for method in {"get", "post", "put", "patch", "delete"} - screen.methods:
        assert getattr(browser, method)(url).status_code == 405, method
    assert rows.everything() == before


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if "post" in screen.methods], ids=str)
def test_a_post_without_the_site_s_own_token_is_refused(
    screen: Screen, values: dict[str, Any], notifications: dict[str, WhatsAppNotification]
):
    browser = browser_of(screen.office, enforce_csrf_checks=True)
    url = address(screen, values, notifications[screen.office])
    before = rows.everything()

    assert browser.post(url).status_code == 403
    assert rows.everything() == before


@pytest.mark.parametrize("name", POSTS_OUTSIDE)
def test_a_post_outside_the_offices_needs_the_token_too(name: str):
    browser = browser_of("agent_chine", enforce_csrf_checks=True)
    before = rows.everything()

    assert browser.post(reverse(name), {"language": "en"}).status_code == 403
    assert rows.everything() == before


@pytest.mark.parametrize("foreign", OFFICES)
@pytest.mark.parametrize("office", AGENT_OFFICES)
def test_a_foreign_message_does_not_exist_for_an_office(
    office: str, foreign: str, notifications: dict[str, WhatsAppNotification]
):
    browser, code = browser_of(office), notifications[foreign].pk
    details = reverse(f"{office}:whatsapp_attempt_details", args=[code])
    before = rows.everything()

    assert browser.get(details).status_code == (200 if foreign == office else 404)
    assert browser.get(details, headers={"HX-Request": "true"}).status_code == (200 if foreign == office else 404)
    if foreign != office:
        retry = browser.post(reverse(f"{office}:whatsapp_retry", args=[code]))
        assert retry.status_code == 404
        assert rows.everything() == before


@EVERY_AGENT_SCREEN
def test_no_screen_of_an_agent_s_office_shows_a_foreign_text(
    screen: Screen, values: dict[str, Any], notifications: dict[str, WhatsAppNotification]
):
    answer = browser_of(screen.office).get(address(screen, values, notifications[screen.office]))
    content = b"".join(answer) if answer.streaming else answer.content
    page = content.decode(errors="replace")  # a workbook is no text

    for foreign in set(OFFICES) - {screen.office}:
        assert secret_of(foreign) not in page
        assert str(notifications[foreign].pk) not in page


@pytest.mark.parametrize(
    ("office", "foreign"), [(mine, other) for mine in AGENT_OFFICES for other in OFFICES if mine != other]
)
@pytest.mark.parametrize(
    "query",
    [
        "q={0}",
        "q=title-{0}",
        "category=category-{0}",
        "message_type=type-{0}",
        "source_app={1}",
        "status=failed",
        "page=2",
        "status=to_handle&period=today",
        "error_class=recipient_permanent",
        "error_code=131026",
        "sender=mali&source_app={1}",
        "client={2.user_id}",
        "telephone={2.phone_number}",
        "telephone=66000",
        "q={2.phone_number}",
        "q={2.pk}",
        "parcel=subject-{0}",
        "parcel=TS-{1}",
        "lot=GZ-{1}",
        "priority=3&language=fr&attempts=0",
        "period=month",
        "since=2020-01-01&until=9999-12-31",
        "after=9999999999999999-{2.pk}",
        "before=1-{2.pk}",
    ],
)
def test_no_search_or_filter_of_an_agent_s_office_finds_a_foreign_message(
    office: str, foreign: str, query: str, notifications: dict[str, WhatsAppNotification]
):
    url, other = reverse(f"{office}:whatsapp_monitoring_list"), notifications[foreign]
    WhatsAppSubject.objects.create(notification=other, name=f"colis:TS-{foreign.upper()}")
    WhatsAppSubject.objects.create(notification=other, name=f"lot:GZ-{foreign.upper()}")
    typed = query.format(secret_of(foreign), foreign, other)
    page = browser_of(office).get(f"{url}?{typed}")

    assert set(page.context["page"]) <= {notifications[office]}
    shown = page.content.decode()
    for told in (other.title, other.message_content, str(other.user), str(other.pk)):
        assert told in typed or told not in shown
    assert f"category-{secret_of(foreign)}" not in str(page.context["form"]["category"])
    assert "source_app" not in page.context["form"].fields


@pytest.mark.parametrize("foreign", OFFICES)
@pytest.mark.parametrize("office", OFFICES)
def test_a_foreign_or_private_view_does_not_exist_for_an_office(office: str, foreign: str):
    browser = browser_of(office)
    colleague = User.objects.create_user("+22370008888", role=foreign)
    private = rows.saved_view(foreign, colleague, "private-view")
    shared = rows.saved_view(foreign, colleague, "shared-view", is_shared=True)
    before = rows.everything()

    page = browser.get(f"{reverse(f'{office}:whatsapp_monitoring_list')}?view={private.pk}&{private.query}")
    assert "private-view" not in page.content.decode()
    assert ("shared-view" in page.content.decode()) == (office == foreign)
    for view in (private, shared):
        delete = reverse(f"{office}:whatsapp_view_delete", args=[view.pk])
        assert browser.get(delete).status_code == browser.post(delete).status_code == 404
    assert rows.everything() == before


@pytest.mark.parametrize("office", AGENT_OFFICES)
def test_an_agent_s_numbers_count_their_own_messages(office: str, notifications: dict[str, WhatsAppNotification]):
    browser = browser_of(office)
    context = browser.get(reverse(f"{office}:whatsapp_monitoring")).context

    counts = context["trend"].whole.counts
    assert (counts.total, counts.failed, context["failures"].to_handle) == (1, 1, 1)
    assert sum(point.figures.counts.total for point in context["trend"].points) == 1
    assert ([kind.message_type for kind in context["trend"].kinds], context["trend"].offices) == (
        [f"type-{secret_of(office)}"],
        [],
    )
    assert [list(context[name]) for name in ("to_handle", "recent")] == [[notifications[office]]] * 2
    assert [cause.count for cause in context["failures"].causes] == [1]
    assert [cause.count for cause in context["failures"].open_causes] == [1]
    assert browser.get(reverse(f"{office}:home")).context["messages_home"].to_handle == 1
    assert browser.get(reverse(f"{office}:whatsapp_retry_failed")).context["failed_count"] == 1


@pytest.mark.parametrize("office", ADMIN_OFFICES)
def test_an_administrator_sees_every_office(office: str, notifications: dict[str, WhatsAppNotification]):
    browser = browser_of(office)
    dashboard = browser.get(reverse(f"{office}:whatsapp_monitoring"))
    page = browser.get(reverse(f"{office}:whatsapp_monitoring_list"))

    trend = dashboard.context["trend"]
    assert trend.whole.counts.total == len(OFFICES)
    assert {row.scope.office: row.figures.counts.total for row in trend.offices} == dict.fromkeys(OFFICES, 1)
    for source, notification in notifications.items():
        assert secret_of(source) in dashboard.content.decode()
        assert secret_of(source) in page.content.decode()
        assert browser.get(reverse(f"{office}:whatsapp_attempt_details", args=[notification.pk])).status_code == 200
        found = browser.get(reverse(f"{office}:whatsapp_monitoring_list"), {"source_app": source})
        assert list(found.context["page"]) == [notification]


@pytest.mark.parametrize("office", OFFICES)
def test_retrying_all_touches_what_the_office_sees(office: str, notifications: dict[str, WhatsAppNotification]):
    answer = browser_of(office).post(reverse(f"{office}:whatsapp_retry_failed"))
    touched = {row.source_app for row in WhatsAppNotification.objects.filter(status=Status.PENDING)}

    assert answer.headers["Location"] == reverse(f"{office}:whatsapp_monitoring")
    assert touched == ({office} if office in AGENT_OFFICES else set(OFFICES))
    assert WhatsAppNotification.objects.filter(status=Status.FAILED).count() == len(OFFICES) - len(touched)


@pytest.mark.parametrize("office", OFFICES)
def test_retrying_one_queues_it_in_the_name_of_the_person(office: str, notifications: dict[str, WhatsAppNotification]):
    browser, mine = browser_of(office), notifications[office]
    WhatsAppNotification.objects.update(error_class="transient")
    answer = browser.post(reverse(f"{office}:whatsapp_retry", args=[mine.pk]))

    assert answer.headers["Location"] == reverse(f"{office}:whatsapp_attempt_details", args=[mine.pk])
    (queued,) = WhatsAppNotification.objects.filter(status=Status.PENDING)
    assert queued == mine
    assert (queued.next_trigger, queued.next_actor_id) == ("manual", int(browser.session["_auth_user_id"]))


@pytest.mark.parametrize("office", AGENT_OFFICES)
def test_a_foreign_message_cannot_be_cancelled(office: str, values: dict[str, Any]):
    browser = browser_of(office)
    before = rows.everything()
    for foreign in set(OFFICES) - {office}:
        url = reverse(f"{office}:whatsapp_cancel", args=[values["waiting"][foreign]])
        assert browser.get(url).status_code == browser.post(url).status_code == 404
    assert rows.everything() == before

    browser.post(reverse(f"{office}:whatsapp_cancel", args=[values["waiting"][office]]))
    assert WhatsAppNotification.objects.get(status=Status.CANCELLED).source_app == office


@pytest.mark.parametrize("name", ["whatsapp_confirm_arrival", "whatsapp_give_up"])
@pytest.mark.parametrize("office", AGENT_OFFICES)
def test_a_foreign_message_cannot_be_settled(office: str, name: str, values: dict[str, Any]):
    browser = browser_of(office)
    before = rows.everything()
    for foreign in set(OFFICES) - {office}:
        assert browser.post(reverse(f"{office}:{name}", args=[values["doubtful"][foreign]])).status_code == 404
    assert browser.get(reverse(f"{office}:whatsapp_give_up", args=[values["doubtful"][foreign]])).status_code == 404
    assert rows.everything() == before

    browser.post(reverse(f"{office}:{name}", args=[values["doubtful"][office]]))
    settled = WhatsAppNotification.objects.get(settled_by__isnull=False)
    assert (settled.source_app, settled.settled_by_id) == (office, int(browser.session["_auth_user_id"]))


@pytest.mark.parametrize("office", AGENT_OFFICES)
def test_a_foreign_announcement_does_not_exist_for_an_office(office: str, values: dict[str, Any]):
    browser = browser_of(office)
    before = rows.everything()
    for foreign in set(OFFICES) - {office}:
        code = values["announced"][foreign]
        assert browser.get(reverse(f"{office}:whatsapp_announcement", args=[code])).status_code == 404
        for name in ("whatsapp_announcement_complete", "whatsapp_announcement_retry"):
            assert browser.post(reverse(f"{office}:{name}", args=[code])).status_code == 404
    assert rows.everything() == before


@pytest.mark.parametrize("office", OFFICES)
def test_a_message_that_never_was_is_404(office: str):
    browser = browser_of(office)

    assert browser.get(reverse(f"{office}:whatsapp_attempt_details", args=[uuid.uuid4()])).status_code == 404
    assert browser.post(reverse(f"{office}:whatsapp_retry", args=[uuid.uuid4()])).status_code == 404
