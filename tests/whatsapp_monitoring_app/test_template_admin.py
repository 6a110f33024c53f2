"""The templates in Django's own admin: the same rules, and nothing of the providers' to be edited."""

from typing import Any

import pytest
from django.test import Client

from tests import rows
from whatsapp_monitoring_app.models import WhatsAppTemplate

pytestmark = pytest.mark.django_db

ADMIN = "/admin/whatsapp_monitoring_app"
NO_NAMES = {"names-TOTAL_FORMS": "0", "names-INITIAL_FORMS": "0"}
GOOD = {
    "code": "retard",
    "label": "Retard",
    "message_type": "",
    "variables": "nom, jours",
    "samples": '{"nom": "Awa"}',
    "text_fr": "{nom} {jours}",
    "is_active": "on",
    **NO_NAMES,
}


@pytest.fixture
def browser(client: Client, make_user: Any) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True, language="en"))
    return client


def test_a_template_is_made_and_changed_with_variables_as_people_type_them(browser: Client):
    assert browser.post(f"{ADMIN}/whatsapptemplate/add/", GOOD).status_code == 302
    made = WhatsAppTemplate.objects.get(code="retard")
    assert (made.variables, made.samples) == (["nom", "jours"], {"nom": "Awa"})

    url = f"{ADMIN}/whatsapptemplate/{made.pk}/change/"
    page = browser.get(url).content.decode()
    assert 'value="nom, jours"' in page
    assert "Awa {jours}" in page
    browser.post(url, {**GOOD, "code": "other", "label": "Renamed"})
    made.refresh_from_db()
    assert (made.code, made.label) == ("retard", "Renamed")


def test_the_rules_are_the_same(browser: Client):
    page = browser.post(f"{ADMIN}/whatsapptemplate/add/", {**GOOD, "text_fr": "{nom}"}).content.decode()
    assert "Not in this text: {jours}." in page
    page = browser.post(f"{ADMIN}/whatsapptemplate/add/", {**GOOD, "message_type": "*"}).content.decode()
    assert "Another template stands in for this type already." in page
    assert browser.post(f"{ADMIN}/whatsapptemplate/add/", {**GOOD, "variables": "", "samples": ""}).status_code == 200
    assert not WhatsAppTemplate.objects.filter(code="retard").exists()


def test_a_name_that_uses_a_variable_taken_away_is_refused_with_the_template(browser: Client):
    template = rows.template()
    name = rows.template_name(template, body_variables=["jours"])
    typed = {
        **GOOD,
        "variables": "nom",
        "text_fr": "{nom}",
        "names-TOTAL_FORMS": "1",
        "names-INITIAL_FORMS": "1",
        "names-0-id": name.pk,
        "names-0-template": template.pk,
        "names-0-sender": name.sender_id,
        "names-0-language": "fr",
        "names-0-name": "retard_2",
        "names-0-body_variables": "jours",
        "names-0-button_variables": "",
    }
    answer = browser.post(f"{ADMIN}/whatsapptemplate/{template.pk}/change/", typed)
    assert "These are not variables of the template." in answer.content.decode()
    template.refresh_from_db()
    assert template.variables == ["nom", "jours"]


def test_nothing_is_deleted_and_the_provider_s_own_is_only_looked_at(browser: Client):
    template, known = rows.template(), rows.provider_template()
    assert browser.post(f"{ADMIN}/whatsapptemplate/{template.pk}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"{ADMIN}/whatsappprovidertemplate/").status_code == 200
    assert browser.get(f"{ADMIN}/whatsappprovidertemplate/{known.pk}/change/").status_code == 200
    before = rows.everything()
    for action in ("change", "delete"):
        url = f"{ADMIN}/whatsappprovidertemplate/{known.pk}/{action}/"
        assert browser.post(url, {"status": "APPROVED", "post": "yes"}).status_code == 403
    assert browser.get(f"{ADMIN}/whatsappprovidertemplate/add/").status_code == 403
    assert rows.everything() == before
