"""Every screen with the demo company in it, on a desktop and on a phone: photographed, and usable by everybody.

Each is opened in French, by day and by night, and searched for what WCAG 2.2 AA forbids; then in Chinese. The pictures
go to screenshots/, which is not committed; the README's are copies of some of them. A screen added to SCREENS is
covered.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db.models import Q
from playwright.sync_api import Browser, Page, ViewportSize

from accounts.models import User
from agent_chine_app.models import Client, Colis
from tests.e2e import axe
from tests.e2e.conftest import DESKTOP, PHONE, new_page
from tests.stack import ROOT, Stack
from tests.waiting import eventually
from ts_air_cargo import demo
from whatsapp_monitoring_app.models import (
    Status,
    WhatsAppBulk,
    WhatsAppNotification,
    WhatsAppSender,
    WhatsAppTemplate,
)
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PICTURES = ROOT / "screenshots"
FOR_THE_README = {
    "1280-agent_chine-dashboard": "dashboard",
    "1280-agent_chine-failed": "details",
    "360-agent_chine-list": "phone",
}
MONITORING = {
    "dashboard": "whatsapp/monitoring/",
    "list": "whatsapp/monitoring/list/",
    "list-filtered": "whatsapp/monitoring/list/?status=failed&period=month",
    "list-misread": "whatsapp/monitoring/list/?status=bogus&since=hier",
    "view-new": "whatsapp/monitoring/views/new/?status=failed",
    "announcements": "whatsapp/announcements/",
    "bulks": "whatsapp/bulks/",
    "causes": "whatsapp/monitoring/causes/",
    "retry": "whatsapp/monitoring/retry/",
    "retries": "whatsapp/monitoring/retries/",
    "calls": "whatsapp/calls/",
    "morning": "whatsapp/morning/",
    "proof": "whatsapp/proof/",
    "export": "whatsapp/monitoring/export/",
    "exports": "whatsapp/exports/",
    "alerts": "whatsapp/alerts/",
}
ADMINISTRATION = {
    **MONITORING,
    "administration": "whatsapp/administration/",
    "queues": "whatsapp/queues/",
    "errors": "whatsapp/errors/",
    "opt-outs": "whatsapp/opt-outs/",
    "audit": "whatsapp/audit/",
    "senders": "whatsapp/senders/",
    "sender-new": "whatsapp/senders/new/",
    "templates": "whatsapp/templates/",
    "template-new": "whatsapp/templates/new/",
}
OF_ONE_CLIENT = ("", "edit/", "wrong-person/", "resend/")
OF_A_CLIENT = {"home": "", "preferences": "preferences/", "stop": "preferences/stop/", "password": "password/"}
OF_ONE_SENDER = ("", "edit/", "token/", "test/", "pause/")
OF_ONE_TEMPLATE = {"template": "", "template-name": "names/mali/fr/"}
FRENCH, CHINESE = "fr", "zh-hans"
SCREENS = {
    "agent_chine": {
        "home": "",
        "clients": "clients/",
        "client-new": "clients/new/",
        "client-import": "clients/import/",
        "colis": "colis/",
        "colis-new": "colis/new/",
        "lots": "lots/",
        "lot-new": "lots/new/",
        **MONITORING,
    },
    "agent_mali": {
        "home": "",
        "clients": "clients/",
        "colis": "colis/",
        "lots": "lots/",
        "pickup": "pickup/",
        "storage": "storage/",
        **MONITORING,
    },
    "admin_chine": ADMINISTRATION,
    "admin_mali": ADMINISTRATION,
}


@dataclass(frozen=True)
class Round:
    """One visit to every screen: by which browser, of which size, in which language, and what was found so far."""

    chromium: Browser
    site: str
    size: ViewportSize
    language: str
    complaints: list[str]
    findings: list[str]

    def new_page(self) -> Page:
        return new_page(self.chromium, self.size, self.complaints, self.language)

    def log_in(self, page: Page, telephone: str) -> None:
        User.objects.filter(telephone=telephone).update(language=self.language)
        page.goto(f"{self.site}/login/")
        page.locator("[name=username]").fill(telephone)
        page.locator("[name=password]").fill(demo.PASSWORD)
        page.locator("main form .btn-primary").click()
        page.wait_for_url(lambda url: "/login/" not in url)

    def look_at(self, page: Page, path: str, name: str) -> None:
        """Photograph the screen at this path of the site, and find what is wrong with it."""
        answer = page.goto(f"{self.site}/{path}")
        picture = f"{self.size['width']}-{name}"
        if answer is None or answer.status != 200:
            self.findings.append(f"{picture}: {answer and answer.status} at {path}")
        elif self.language == CHINESE:
            photograph(page, f"{picture}-zh")
        else:
            self.look_closely(page, picture)
        self.findings.extend(overflow(page, f"{picture}, {self.language}"))

    def look_closely(self, page: Page, picture: str) -> None:
        photograph(page, picture)
        if picture in FOR_THE_README:
            page.screenshot(path=PICTURES / f"readme-{FOR_THE_README[picture]}.png")
        page.emulate_media(color_scheme="dark")
        photograph(page, f"{picture}-dark")
        page.emulate_media(color_scheme="light")
        self.findings.extend(axe.violations(page, picture))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_screen_fits_and_complains_of_nothing(
    size: ViewportSize, stack: Stack, live_server: Any, chromium: Browser, complaints: list[str]
):
    demo.load()
    owe_a_bulk()
    eventually(lambda: not _unsettled(), "the demo's messages are read or have failed")
    findings: list[str] = []
    for language in (FRENCH, CHINESE):
        visit = Round(chromium, live_server.url, size, language, complaints, findings)
        look_at_what_anybody_sees(visit)
        look_at_what_clients_see(visit)
        for account in demo.ACCOUNTS[:4]:
            look_at_an_office(visit, account)
    assert not findings, "\n".join(["", *findings])
    assert complaints == []


def look_at_an_office(visit: Round, account: demo.Account) -> None:
    page = visit.new_page()
    visit.log_in(page, account.telephone)
    office = account.role.replace("_", "-")
    for name, path in screens_of(account.role).items():
        visit.look_at(page, f"{office}/{path}", f"{account.role}-{name}")
    page.context.close()


def look_at_what_anybody_sees(visit: Round) -> None:
    page = visit.new_page()
    for name, path in {"login": "login/", "client-tracking": f"suivi/{_arrived().numero_suivi}/"}.items():
        visit.look_at(page, path, name)
    page.context.close()


def look_at_what_clients_see(visit: Round) -> None:
    page = visit.new_page()
    visit.log_in(page, demo.CLIENTS[0][0])
    for name, path in {**OF_A_CLIENT, "colis": f"colis/{_arrived().numero_suivi}/"}.items():
        visit.look_at(page, f"account/{path}", f"client-{name}")
    page.context.close()


def screens_of(role: str) -> dict[str, str]:
    """Every screen of this office by its name: the addresses above, and the pages of one row of each kind."""
    screens = {**SCREENS[role], **pages_of_messages(role)}
    if role.startswith("agent"):
        screens |= pages_of_one_colis(role)
    if role == "agent_chine":
        screens |= pages_of_one_client()
    if role != "agent_chine":
        screens |= pages_of_one_bulk()
    if role.startswith("admin"):
        screens |= {**pages_of_one_sender(), **pages_of_one_template()}
    return screens


def pages_of_messages(role: str) -> dict[str, str]:
    return {status: f"whatsapp/monitoring/{_one(role, status)}/" for status in (Status.READ, Status.FAILED)}


def owe_a_bulk() -> None:
    """A bulk message of Mali: to the demo's clients, and to somebody who has no number any more."""
    unreachable = User.objects.create_user("+22370009999", first_name="Nobody", role="client")
    User.objects.filter(pk=unreachable.pk).update(telephone="+999")
    people = User.objects.filter(telephone__in=[*(client[0] for client in demo.CLIENTS), "+999"])
    send_bulk_whatsapp_async(people, "Nos bureaux sont fermés samedi.", "agent_mali", title="Fermeture")


def pages_of_one_bulk() -> dict[str, str]:
    return {"bulk": f"whatsapp/bulks/{WhatsAppBulk.objects.get().pk}/"}


def pages_of_one_colis(role: str) -> dict[str, str]:
    address = f"colis/{Colis.objects.all()[0].pk}/"
    pages = {"colis-details": address}
    return {**pages, "colis-details-edit": f"{address}edit/"} if role == "agent_chine" else pages


def pages_of_one_client() -> dict[str, str]:
    client = Client.objects.get(user__telephone="+22370000001")
    return {_named("client", path): f"clients/{client.pk}/{path}" for path in OF_ONE_CLIENT}


def pages_of_one_sender() -> dict[str, str]:
    sender = WhatsAppSender.objects.get(code="mali")
    return {_named("sender", path): f"whatsapp/senders/{sender.pk}/{path}" for path in OF_ONE_SENDER}


def pages_of_one_template() -> dict[str, str]:
    template = WhatsAppTemplate.objects.get(code="colis_arrive")
    return {name: f"whatsapp/templates/{template.pk}/{path}" for name, path in OF_ONE_TEMPLATE.items()}


def photograph(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def overflow(page: Page, name: str) -> list[str]:
    """One sentence when the page is wider than the screen."""
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{name}: {excess} px too wide"] if excess > 0 else []


def _named(thing: str, path: str) -> str:
    return f"{thing}-{path or 'details'}".rstrip("/")


def _arrived() -> Colis:
    return Colis.objects.get(client__user__telephone=demo.CLIENTS[0][0], status=Colis.Status.ARRIVED)


def _unsettled() -> bool:
    waiting = WhatsAppNotification.objects.filter(sent_at=None, failed_at=None)
    owed_now = waiting.filter(Q(idempotency_key__contains="_") | Q(bulk__isnull=False))
    return WhatsAppBulk.objects.filter(finished_at=None).exists() or owed_now.exists()


def _one(role: str, status: Status) -> str:
    rows = WhatsAppNotification.objects.filter(status=status)
    if role.startswith("agent"):
        rows = rows.filter(source_app=role)
    return str(rows.values_list("pk", flat=True)[0])
