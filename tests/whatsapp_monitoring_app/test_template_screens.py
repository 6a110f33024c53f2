"""The screens of the message templates: what they show, what they take, and what they refuse."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from django.utils import timezone

from agent_chine_app.apps import AgentChineConfig
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppNotification,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)
from whatsapp_monitoring_app.urls import template_urls

pytestmark = pytest.mark.django_db

LIST = "/admin-mali/whatsapp/templates/"
NEW = f"{LIST}new/"
GOOD = {
    "label": "Retard",
    "code": "retard",
    "message_type": "retard",
    "variables": "nom, jours",
    "sample_nom": "Awa",
    "sample_jours": "3",
    "text_fr": "Bonjour {nom}, {jours} jours de retard.",
    "text_en": "Hello {nom}, {jours} days late.",
    "text_zh_hans": "",
    "is_active": "on",
}


@pytest.fixture
def browser(log_in: Callable[..., Client]) -> Client:
    """Somebody of an admin office, who reads English."""
    return log_in("admin_mali", language="en")


def html_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def said_by(answer: Any) -> str:
    """The sentences that the page after the redirect begins with."""
    assert answer.redirect_chain
    return " | ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize("scope", list(scopes.all_scopes().values()), ids=lambda scope: scope.office)
def test_only_an_office_that_sees_every_office_can_bind_the_screens(scope: scopes.Scope, make_user: Any):
    request = RequestFactory().get(LIST)
    request.user = make_user(role=scope.office)
    view = template_urls(scope)[0].callback
    if scope.sees_every_office:
        assert view(request).status_code == 200
    else:
        with pytest.raises(ImproperlyConfigured, match="every office"):
            view(request)


def test_no_agent_finds_the_templates(log_in: Callable[..., Client]):
    page = html_of(log_in(AgentChineConfig.scope.office).get("/agent-chine/whatsapp/monitoring/"))
    assert "/whatsapp/templates/" not in page


class TestList:
    def test_it_shows_each_template_and_how_it_stands(self, browser: Client):
        rows.template(message_type="")
        rows.provider_template(status="REJECTED", reason="INVALID_FORMAT")
        WhatsAppSender.objects.update(templates_synced_at=timezone.now())
        page = html_of(browser.get(LIST))
        for words in ("Retard", "Rejected", "INVALID_FORMAT", "Does not exist there", "Nothing: only for messages"):
            assert words in page
        assert "Every type that has none of its own" in page
        assert f'href="{LIST}{WhatsAppTemplate.objects.get(code="retard").pk}/"' in page

    def test_without_templates_it_says_what_that_means(self, browser: Client):
        WhatsAppTemplate.objects.all().delete()
        assert "No template yet" in html_of(browser.get(LIST))

    def test_without_senders_that_need_them_it_says_so(self, browser: Client):
        WhatsAppSender.objects.update(provider="console")
        page = html_of(browser.get(LIST))
        assert "No active sender needs templates" in page
        assert "No active sender needs it." in page

    def test_it_counts_the_messages_that_wait_and_leads_to_them(self, browser: Client):
        held = {"error_class": ErrorClass.TEMPLATE_STOP}
        waiting = [rows.notification(office, Status.PENDING, **held) for office in ("agent_mali", "agent_chine")]
        rows.notification("agent_mali", Status.FAILED, **held)
        rows.notification("agent_mali", Status.PENDING)
        page = html_of(browser.get(LIST))
        assert "2 messages wait for a template." in page
        link = "/admin-mali/whatsapp/monitoring/list/?status=waiting&error_class=template_stop"
        assert link.replace("&", "&amp;") in page
        assert set(browser.get(link).context["page"]) == set(waiting)

    def test_what_the_provider_has_besides_is_folded_away(self, browser: Client):
        rows.provider_template("hello_world", status="APPROVED", category="UTILITY")
        page = html_of(browser.get(LIST))
        assert "1 template that we do not use" in page
        assert "<details>" in page
        assert "UTILITY" in page
        assert "Never synchronised" in page


class TestCreation:
    def test_a_template_is_made_of_what_was_typed(self, browser: Client):
        answer = browser.post(
            NEW, {**GOOD, "variables": "{nom} ,jours", "text_en": "Hi {nom}\r\n{jours}"}, follow=True
        )
        made = WhatsAppTemplate.objects.get(code="retard")
        assert answer.redirect_chain[-1][0] == f"{LIST}{made.pk}/"
        assert "The template is saved." in said_by(answer)
        assert (made.label, made.message_type, made.variables) == ("Retard", "retard", ["nom", "jours"])
        assert made.samples == {"nom": "Awa", "jours": "3"}
        assert (made.text_en, made.is_active) == ("Hi {nom}\n{jours}", True)

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"label": ""}, "label", "required"),
            ({"code": "Retard-1"}, "code", "small letters"),
            ({"code": "avis"}, "code", "already exists"),
            ({"message_type": "*"}, "message_type", "“Avis” stands in for this type already."),
            ({"variables": "nom jours Heure"}, "variables", "small letters"),
            ({"variables": "nom nom jours"}, "variables", "declared twice"),
            ({"variables": " ".join(f"v{n}" for n in range(21))}, "variables", "At most 20"),
            ({"text_fr": ""}, "text_fr", "required"),
            ({"text_fr": "{nom}"}, "text_fr", "Not in this text: {jours}."),
            ({"text_en": "{nom} {jours} {x}"}, "text_en", "Not declared: {x}."),
            ({"text_zh_hans": "x" * 1025}, "text_zh_hans", "1024"),
            ({"text_en": "{nom} {jours}\x00"}, "text_en", "Null characters"),
            ({"sample_nom": "x" * 501}, "sample_nom", "500"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_what_is_wrong_stands_at_its_field_and_nothing_is_made(
        self, changes: dict[str, str], field: str, words: str, browser: Client
    ):
        before = rows.everything()
        answer = browser.post(NEW, {**GOOD, **changes})
        assert set(answer.context["form"].errors) == {field}
        assert words in html_of(answer).replace("&#x27;", "'")
        assert rows.everything() == before

    def test_errors_are_in_the_person_s_language(self, log_in: Callable[..., Client]):
        page = html_of(log_in("admin_chine", language="fr").post(NEW.replace("mali", "chine"), {}))
        assert "Ce champ est obligatoire." in page

    def test_the_known_types_are_offered(self, browser: Client):
        rows.notification("agent_mali", message_type="retard_douane")
        page = html_of(browser.get(NEW))
        for known in ("retard_douane", "account_creation", "otp"):
            assert f'<option value="{known}">' in page
        assert '<option value="*">Every type that has none of its own</option>' in page

    def test_a_preview_without_javascript_saves_nothing(self, browser: Client):
        before = rows.everything()
        page = html_of(browser.post(NEW, {**GOOD, "preview": "1"}))
        assert "Bonjour Awa, 3 jours de retard." in page
        assert 'name="sample_jours"' in page
        assert rows.everything() == before


class TestLivePreview:
    PREVIEW = f"{LIST}preview/"

    def test_it_shows_a_bubble_per_language_and_saves_nothing(self, browser: Client):
        before = rows.everything()
        piece = html_of(browser.post(self.PREVIEW, GOOD, headers={"HX-Request": "true"}))
        assert "<html" not in piece
        assert piece.count('class="bubble"') == 2
        assert '<blockquote class="bubble" lang="en">Hello Awa, 3 days late.</blockquote>' in piece
        assert "hx-swap-oob" not in piece
        assert rows.everything() == before

    def test_it_says_what_is_wrong_beside_the_text_as_it_stands(self, browser: Client):
        typed = {"variables": "nom", "text_fr": "Bonjour {nmo} <b>"}
        piece = html_of(browser.post(self.PREVIEW, typed))
        assert "Bonjour {nmo} &lt;b&gt;" in piece
        assert "Not in this text: {nom}. Not declared: {nmo}." in piece

    def test_new_variables_get_fields_for_their_samples(self, browser: Client):
        piece = html_of(browser.post(self.PREVIEW, {**GOOD, "variables": "nom, heure, Bad"}))
        assert 'hx-swap-oob="true"' in piece
        assert 'name="sample_heure"' in piece
        assert 'value="Awa"' in piece
        assert "sample_Bad" not in piece
        assert "sample_jours" not in piece

    def test_an_empty_form_has_an_empty_state(self, browser: Client):
        assert "No text yet" in html_of(browser.post(self.PREVIEW, {}))


class TestEditing:
    @pytest.fixture
    def template(self) -> WhatsAppTemplate:
        return rows.template(message_type="retard")

    def typed(self, template: WhatsAppTemplate, **changes: str) -> dict[str, str]:
        stored = {"text_fr": template.text_fr, "text_en": template.text_en}
        return {**GOOD, **stored, **changes}

    def test_it_shows_what_is_stored(self, browser: Client, template: WhatsAppTemplate):
        page = html_of(browser.get(f"{LIST}{template.pk}/"))
        assert 'value="nom, jours"' in page
        assert 'name="code"' not in page
        assert "Bonjour Awa, votre colis a 3 jours de retard." in page
        assert "Bonjour {{1}}, votre colis a {{2}} jours de retard." in page
        assert "A template is never deleted" in page

    def test_the_code_stays(self, browser: Client, template: WhatsAppTemplate):
        browser.post(f"{LIST}{template.pk}/", self.typed(template, code="other", label="Renamed"))
        template.refresh_from_db()
        assert (template.code, template.label) == ("retard", "Renamed")

    @pytest.mark.parametrize(
        ("changes", "is_warned"),
        [
            ({}, False),
            ({"label": "Renamed", "sample_nom": "Oumou", "message_type": ""}, False),
            ({"text_en": "Dear {nom}, {jours} days."}, True),
            ({"text_zh_hans": "{nom} {jours}"}, True),
            ({"variables": "jours, nom"}, True),
            ({"variables": "nom  jours"}, False),
        ],
        ids=repr,
    )
    def test_a_change_of_what_was_approved_is_warned_of(
        self, changes: dict[str, str], is_warned: bool, browser: Client, template: WhatsAppTemplate
    ):
        answer = browser.post(f"{LIST}{template.pk}/", self.typed(template, **changes), follow=True)
        assert "The template is saved." in said_by(answer)
        assert ("change the text at the provider too" in said_by(answer)) == is_warned

    def test_it_is_taken_out_of_use_by_a_tick(self, browser: Client, template: WhatsAppTemplate):
        browser.post(f"{LIST}{template.pk}/", {**self.typed(template), "is_active": ""})
        template.refresh_from_db()
        assert not template.is_active

    def test_a_variable_that_a_name_still_uses_cannot_be_taken_away(self, browser: Client, template: WhatsAppTemplate):
        rows.template_name(template, body_variables=["jours"])
        before = rows.everything()
        answer = browser.post(
            f"{LIST}{template.pk}/", self.typed(template, variables="nom", text_fr="{nom}", text_en="")
        )
        assert "“retard_2 (fr)” of the sender Mali still uses jours" in html_of(answer)
        assert rows.everything() == before

    def test_a_template_that_does_not_exist_is_404(self, browser: Client):
        assert browser.get(f"{LIST}999999/").status_code == browser.post(f"{LIST}999999/", GOOD).status_code == 404


class TestNames:
    @pytest.fixture
    def url(self) -> str:
        return f"{LIST}{rows.template().pk}/names/mali/fr/"

    def test_a_name_is_entered_changed_and_deleted_after_a_question(self, browser: Client, url: str):
        typed = {"name": "late", "body_variables": "jours", "header_variable": "nom", "button_variables": ""}
        assert "The name is saved." in said_by(browser.post(url, typed, follow=True))
        name = WhatsAppTemplateName.objects.get()
        assert (name.sender.code, name.language, name.whatsapp_language) == ("mali", "fr", "fr")
        assert (name.body_variables, name.header_variable) == (["jours"], "nom")

        page = html_of(browser.get(f"{LIST}{name.template_id}/"))
        assert "<code>late</code>" in page
        browser.post(url, {**typed, "name": "later", "provider_language": "fr_FR"})
        assert str(WhatsAppTemplateName.objects.get()) == "later (fr_FR)"

        assert "our code “retard”" in html_of(browser.get(f"{url}delete/"))
        assert WhatsAppTemplateName.objects.exists()
        assert "The name is deleted." in said_by(browser.post(f"{url}delete/", follow=True))
        assert not WhatsAppTemplateName.objects.exists()
        assert browser.get(f"{url}delete/").status_code == browser.post(f"{url}delete/").status_code == 404

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x", "body_variables": "heure"}, "body_variables"),
            ({"name": "x", "button_variables": "nom heure"}, "button_variables"),
            ({"name": "x", "header_variable": "heure"}, "header_variable"),
        ],
        ids=repr,
    )
    def test_what_does_not_fit_the_template_is_refused_at_its_field(
        self, typed: dict[str, str], field: str, browser: Client, url: str
    ):
        answer = browser.post(url, typed)
        assert set(answer.context["form"].errors) == {field}
        assert not WhatsAppTemplateName.objects.exists()

    def test_twilio_wants_its_own_id(self, browser: Client, url: str):
        WhatsAppSender.objects.filter(code="mali").update(provider="twilio")
        assert "ContentSid" in html_of(browser.get(url))
        assert "begins with HX" in html_of(browser.post(url, {"name": "retard"}))
        assert not WhatsAppTemplateName.objects.exists()
        assert browser.post(url, {"name": "HX229f5a04fd0510ce1b071852155d3e75"}).status_code == 302
        assert "Afterwards this sender cannot use the template" in html_of(browser.get(f"{url}delete/"))

    @pytest.mark.parametrize(
        "end", ["names/mali/de/", "names/nobody/fr/", "names/chine/fr/", "names/chine/fr/delete/"]
    )
    def test_there_is_none_for_who_needs_none(self, end: str, browser: Client):
        WhatsAppSender.objects.filter(code="chine").update(provider="wachap")
        url = f"{LIST}{rows.template().pk}/{end}"
        assert browser.get(url).status_code == browser.post(url, {"name": "x"}).status_code == 404
        assert not WhatsAppTemplateName.objects.exists()


class TestResume:
    def held(self) -> WhatsAppNotification:
        return rows.notification("agent_mali", Status.PENDING, error_class=ErrorClass.TEMPLATE_STOP)

    def test_a_stopped_template_is_used_again_and_its_messages_are_due(self, browser: Client):
        rows.template()
        known = rows.provider_template(stopped_until=timezone.now() + timedelta(hours=1), stop_reason="132015")
        WhatsAppSender.objects.update(templates_synced_at=timezone.now())
        waiting, resume = self.held(), f"{LIST}stopped/{known.pk}/resume/"
        assert f'action="{resume}"' in html_of(browser.get(LIST))

        answer = browser.post(resume, {"next": LIST}, follow=True)
        assert answer.redirect_chain[-1][0] == LIST
        assert "used again" in said_by(answer)
        known.refresh_from_db()
        waiting.refresh_from_db()
        assert (known.stopped_until, known.stop_reason) == (None, "")
        assert waiting.next_attempt_at
        assert waiting.next_attempt_at <= timezone.now()
        assert resume not in html_of(browser.get(LIST))

    @pytest.mark.parametrize("stopped_until", [None, timezone.now() - timedelta(minutes=1)])
    def test_one_that_is_not_stopped_any_more_moves_nothing(self, stopped_until: Any, browser: Client):
        known, waiting = rows.provider_template(stopped_until=stopped_until), self.held()
        before = rows.everything()
        assert "not stopped any more" in said_by(browser.post(f"{LIST}stopped/{known.pk}/resume/", follow=True))
        assert rows.everything() == before
        assert waiting.is_waiting
        assert browser.post(f"{LIST}stopped/999999/resume/").status_code == 404


class Meta:
    """A server that lists templates as it is told: a status and a body for each page."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object]] = []
        self.paths: list[str] = []


@pytest.fixture
def meta(settings: Any) -> Iterator[Meta]:
    """Meta's list of templates behind real HTTP."""
    far_side = Meta()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            far_side.paths.append(self.path)
            status, body = far_side.answers.pop(0)
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests read the answers, not the console."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    settings.WHATSAPP_CLOUD_API_URL = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield far_side
    server.shutdown()
    server.server_close()


SYNC = f"{LIST}sync/"


@pytest.mark.django_db(transaction=True)
class TestSynchronisation:
    def listed(self, name: str, status: str = "APPROVED") -> dict[str, Any]:
        body = {"type": "BODY", "text": "Bonjour {{1}}, votre colis a {{2}} jours de retard."}
        return {"name": name, "language": "fr", "status": status, "category": "UTILITY", "components": [body]}

    def test_it_learns_what_there_is_page_by_page(self, browser: Client, meta: Meta):
        rows.template(text_en="")
        WhatsAppTemplate.objects.exclude(code="retard").delete()
        next_page = {"cursors": {"after": "QVFI"}, "next": "https://graph.facebook.com/next"}
        meta.answers = [
            (200, {"data": [self.listed("retard")], "paging": next_page}),
            (200, {"data": [self.listed("other", "REJECTED")]}),
        ]
        rows.provider_template("old")
        answer = browser.post(SYNC, follow=True)
        assert answer.redirect_chain[-1][0] == LIST
        assert "has 2 templates." in said_by(answer)
        assert len(meta.paths) == 2
        assert "after=QVFI" in meta.paths[1]
        states = dict(WhatsAppProviderTemplate.objects.values_list("name", "status"))
        assert states == {"retard": "APPROVED", "other": "REJECTED", "old": "GONE"}
        assert "Never synchronised" not in html_of(answer)
        assert "Approved" in html_of(answer)
        assert "Not yet synchronised" not in html_of(answer)

    def test_a_refusal_is_told_in_the_provider_s_words_and_changes_nothing(self, browser: Client, meta: Meta):
        rows.provider_template()
        before = rows.everything()
        meta.answers = [(400, {"error": {"code": 190, "message": "Error validating access token: expired"}})]
        answer = browser.post(SYNC, follow=True)
        assert "could not be synchronised: 190 Error validating access token: expired" in said_by(answer)
        assert "alert-danger" in html_of(answer)
        assert rows.everything() == before

    def test_a_provider_that_is_away_is_told_too(self, browser: Client, settings: Any):
        settings.WHATSAPP_CLOUD_API_URL = "http://127.0.0.1:9"
        assert "could not be synchronised: no connection" in said_by(browser.post(SYNC, follow=True))

    def test_without_anybody_to_ask_it_says_so(self, browser: Client, meta: Meta):
        WhatsAppSender.objects.update(provider="console")
        assert "No active sender has a business account" in said_by(browser.post(SYNC, follow=True))
        assert meta.paths == []
