"""Every screen with the demo company in it, on a desktop and on a phone: photographed, and free of complaints.

The pictures go to screenshots/, which is not committed; the README's are copies of some of them.
"""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from agent_chine_app.models import Client, Colis
from tests.e2e.conftest import DESKTOP, PHONE, new_page
from tests.stack import ROOT, Stack
from tests.waiting import eventually
from ts_air_cargo import demo
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender, WhatsAppTemplate

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
    "announcements": "whatsapp/announcements/",
    "retry": "whatsapp/monitoring/retry/",
    "calls": "whatsapp/calls/",
    "morning": "whatsapp/morning/",
    "proof": "whatsapp/proof/",
    "export": "whatsapp/monitoring/export/",
    "exports": "whatsapp/exports/",
}
ADMINISTRATION = {
    **MONITORING,
    "senders": "whatsapp/senders/",
    "sender-new": "whatsapp/senders/new/",
    "templates": "whatsapp/templates/",
    "template-new": "whatsapp/templates/new/",
}
OF_ONE_CLIENT = ("", "edit/", "wrong-person/", "resend/")
OF_A_CLIENT = {"home": "", "preferences": "preferences/", "stop": "preferences/stop/", "password": "password/"}
OF_ONE_SENDER = ("", "edit/", "token/", "test/", "pause/")
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


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_screen_fits_and_complains_of_nothing(
    size: ViewportSize, stack: Stack, live_server: Any, chromium: Browser, complaints: list[str]
):
    demo.load()
    eventually(lambda: not _unsettled(), "the demo's messages are read or have failed")
    width = size["width"]
    for account in demo.ACCOUNTS[:4]:
        page = new_page(chromium, size, complaints)
        photograph(page, f"{live_server.url}/login/", f"{width}-login")
        log_in(page, account)
        office = f"{live_server.url}/{account.role.replace('_', '-')}/"
        for name, path in SCREENS[account.role].items():
            photograph(page, office + path, f"{width}-{account.role}-{name}")
        for status in (Status.READ, Status.FAILED):
            photograph(
                page, f"{office}whatsapp/monitoring/{_one(account.role, status)}/", f"{width}-{account.role}-{status}"
            )
        if account.role.startswith("agent"):
            photograph_one_colis(page, office, f"{width}-{account.role}-colis-details")
        if account.role == "agent_chine":
            photograph_one_client(page, office, f"{width}-{account.role}-client")
        if account.role.startswith("admin"):
            photograph_one_sender(page, office, f"{width}-{account.role}-sender")
            photograph_one_template(page, office, f"{width}-{account.role}-template")
        page.context.close()
    page = new_page(chromium, size, complaints)
    photograph_what_clients_see(page, live_server.url, f"{width}-client")
    page.context.close()
    assert complaints == []


def photograph_what_clients_see(page: Page, site: str, name: str) -> None:
    colis = Colis.objects.filter(client__user__telephone=demo.CLIENTS[0][0], status=Colis.Status.ARRIVED).get()
    photograph(page, f"{site}/suivi/{colis.numero_suivi}/", f"{name}-tracking")
    page.goto(f"{site}/login/")
    fill_in(page, demo.CLIENTS[0][0])
    page.wait_for_url("**/account/")
    for screen, path in {**OF_A_CLIENT, "colis": f"colis/{colis.numero_suivi}/"}.items():
        photograph(page, f"{site}/account/{path}", f"{name}-{screen}")


def log_in(page: Page, account: demo.Account) -> None:
    fill_in(page, account.telephone)
    page.wait_for_url("**/agent-*/**") if account.role.startswith("agent") else page.wait_for_url("**/admin-*/**")


def fill_in(page: Page, telephone: str) -> None:
    page.get_by_label("Téléphone").fill(telephone)
    page.get_by_label("Mot de passe").fill(demo.PASSWORD)
    page.get_by_role("button", name="Se connecter").click()


def photograph_one_colis(page: Page, office: str, name: str) -> None:
    photograph(page, f"{office}colis/{Colis.objects.all()[0].pk}/", name)
    if office.endswith("agent-chine/"):
        photograph(page, f"{office}colis/{Colis.objects.all()[0].pk}/edit/", f"{name}-edit")


def photograph_one_client(page: Page, office: str, name: str) -> None:
    client = Client.objects.get(user__telephone="+22370000001")
    for path in OF_ONE_CLIENT:
        photograph(page, f"{office}clients/{client.pk}/{path}", f"{name}-{path or 'details'}".rstrip("/"))


def photograph_one_sender(page: Page, office: str, name: str) -> None:
    address = f"{office}whatsapp/senders/{WhatsAppSender.objects.get(code='mali').pk}/"
    for path in OF_ONE_SENDER:
        photograph(page, address + path, f"{name}-{path or 'details'}".rstrip("/"))


def photograph_one_template(page: Page, office: str, name: str) -> None:
    address = f"{office}whatsapp/templates/{WhatsAppTemplate.objects.get(code='colis_arrive').pk}/"
    photograph(page, address, name)
    photograph(page, f"{address}names/mali/fr/", f"{name}-name")


def photograph(page: Page, url: str, name: str) -> None:
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == 200, url
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    if name in FOR_THE_README:
        page.screenshot(path=PICTURES / f"readme-{FOR_THE_README[name]}.png")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{url} is {overflow} px too wide"


def _unsettled() -> bool:
    return WhatsAppNotification.objects.filter(
        idempotency_key__contains="_", sent_at__isnull=True, failed_at=None
    ).exists()


def _one(role: str, status: Status) -> str:
    rows = WhatsAppNotification.objects.filter(status=status)
    if role.startswith("agent"):
        rows = rows.filter(source_app=role)
    return str(rows.values_list("pk", flat=True)[0])
