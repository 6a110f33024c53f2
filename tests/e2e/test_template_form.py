"""What the form of a message template does while somebody types, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.e2e.test_story import log_in
from whatsapp_monitoring_app.models import WhatsAppTemplate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


@pytest.fixture
def form(desktop: Page, live_server: Any, make_user: Callable[..., User]) -> Page:
    make_user("+22370000101", role="admin_mali", language="en")
    log_in(desktop, f"{live_server.url}/login/", "+22370000101")
    desktop.goto(f"{live_server.url}/admin-mali/whatsapp/templates/new/")
    return desktop


def test_the_preview_follows_the_typing_until_the_template_is_saved(form: Page, complaints: list[str]):
    bubbles = form.locator("#preview .bubble")
    form.get_by_label("Label").fill("Retard")
    form.get_by_label("Code").fill("retard")
    form.locator("[name=variables]").fill("nom, jours")
    form.locator("[name=text_fr]").fill("Bonjour {nom} {jour}")
    expect(bubbles).to_have_text(["Bonjour {nom} {jour}"])
    expect(form.locator("#preview .field-error")).to_have_text("Not in this text: {jours}. Not declared: {jour}.")
    expect(form.locator(".counter").first).to_have_text("20 / 1024")

    # The fields of the samples came with the preview; what is typed in them shows, and the place of the cursor stays.
    form.get_by_label("{nom}").press_sequentially("Awa")
    expect(bubbles).to_have_text(["Bonjour Awa {jour}"])
    expect(form.get_by_label("{nom}")).to_be_focused()
    form.locator("[name=text_fr]").fill("Bonjour {nom}, {jours} jours.")
    form.get_by_label("{jours}").fill("3")
    expect(bubbles).to_have_text(["Bonjour Awa, 3 jours."])
    assert not WhatsAppTemplate.objects.filter(code="retard").exists()

    form.get_by_role("button", name="Save the template").click()
    expect(form.get_by_role("status").first).to_contain_text("The template is saved.")
    assert WhatsAppTemplate.objects.get(code="retard").samples == {"nom": "Awa", "jours": "3"}
    form.get_by_role("button", name="Copy").first.click()
    expect(form.get_by_role("button", name="Copied")).to_be_visible()
    assert form.evaluate("getSelection().toString()") == "Bonjour {{1}}, {{2}} jours."
    assert complaints == []
