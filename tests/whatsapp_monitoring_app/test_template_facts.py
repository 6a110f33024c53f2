"""What the providers say of our templates: asked for, told by webhooks, or said in a refusal."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, json_answer, post, refused
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppProviderTemplate, WhatsAppSender
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.transport import NoAnswer, NotSent
from whatsapp_monitoring_app.sandbox import RunningSandbox
from whatsapp_monitoring_app.services import default_templates, templates, webhooks

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
WABA = "102290129340398"
ONE_VARIABLE = {"type": "BODY", "text": "TS Air Cargo vous informe : {{1}} Répondez."}


def meta_says(*names: str, after: str = "", **fields: Any) -> HttpAnswer:
    """A page of Meta's list of templates, with two variables in each."""
    body = {"type": "BODY", "text": "Bonjour {{1}}, votre colis {{2}} est là."}
    one = {"language": "fr", "status": "APPROVED", "category": "UTILITY", "parameter_format": "POSITIONAL", "id": "1"}
    data = [one | {"name": name, "components": [body]} | fields for name in names]
    paging = {"cursors": {"before": "a", "after": after}, "next": "https://graph.facebook.com/next"} if after else {}
    return json_answer(200, {"data": data, "paging": paging})


def any_sender() -> WhatsAppSender:
    return WhatsAppSender.objects.get(code="mali")


def state(name: str) -> str:
    return WhatsAppProviderTemplate.objects.get(name=name, language="fr").status


class TestSync:
    def test_one_request_serves_all_senders_of_a_business_account(self):
        provider = Provider(meta_says("colis_arrive"))
        (synced,) = templates.sync_all(NOW, provider)
        assert (synced.business_account_id, synced.count, synced.error) == (WABA, 1, "")
        (request,) = provider.requests
        assert f"/{WABA}/message_templates?" in request.url
        assert set(WhatsAppSender.objects.values_list("templates_synced_at", flat=True)) == {NOW}
        row = WhatsAppProviderTemplate.objects.get()
        assert (row.name, row.language, row.status, row.category) == ("colis_arrive", "fr", "APPROVED", "UTILITY")
        assert (row.body_variables, row.has_named_variables, row.header) == (["1", "2"], False, "")

    def test_it_reads_every_page(self):
        provider = Provider(meta_says("one", after="c1"), meta_says("two", after="c2"), meta_says("three"))
        (synced,) = templates.sync_all(NOW, provider)
        assert synced.count == 3
        assert ["after=c" in request.url for request in provider.requests] == [False, True, True]

    def test_a_list_without_end_is_given_up(self):
        (synced,) = templates.sync_all(NOW, Provider(meta_says("one", after="again")))
        assert synced.error
        assert not WhatsAppProviderTemplate.objects.exists()

    def test_what_is_not_in_the_list_any_more_is_gone_and_comes_back(self):
        templates.sync_all(NOW, Provider(meta_says("one", "two")))
        templates.sync_all(LATER, Provider(meta_says("two")))
        assert (state("one"), state("two")) == ("GONE", "APPROVED")
        templates.sync_all(LATER + timedelta(hours=1), Provider(meta_says("one", "two")))
        assert state("one") == "APPROVED"

    @pytest.mark.parametrize(
        "answer",
        [NotSent("no connection"), NoAnswer("ReadTimeout"), refused(190, 401), HttpAnswer(502, b"Bad")],
        ids=repr,
    )
    def test_a_provider_that_does_not_answer_changes_nothing_and_the_reason_is_told(self, answer: Any):
        templates.sync_all(NOW, Provider(meta_says("one")))
        (synced,) = templates.sync_all(LATER, Provider(answer))
        assert synced.error
        assert state("one") == "APPROVED"
        assert any_sender().templates_synced_at == NOW

    def test_an_empty_list_is_not_believed_once_there_was_a_full_one(self):
        templates.sync_all(NOW, Provider(meta_says("one")))
        (synced,) = templates.sync_all(LATER, Provider(meta_says()))
        assert "no template" in synced.error
        assert state("one") == "APPROVED"

    @override_settings(WHATSAPP_CLOUD_TOKEN="EAAG-very-secret-token")
    def test_a_provider_that_repeats_the_token_brings_it_into_no_log(self, caplog: pytest.LogCaptureFixture):
        error = {"message": "Malformed access token EAAG-very-secret-token", "type": "OAuthException", "code": 190}
        (synced,) = templates.sync_all(NOW, Provider(json_answer(401, {"error": error})))
        assert "190" in synced.error
        assert "secret" not in synced.error + caplog.text

    def test_another_business_account_is_not_touched(self):
        templates.sync_all(NOW, Provider(meta_says("one")))
        WhatsAppSender.objects.update(business_account_id="999")
        templates.sync_all(LATER, Provider(meta_says("two")))
        assert state("one") == "APPROVED"

    def test_it_lets_go_what_waited(self):
        templates.sync_all(NOW, Provider(meta_says("avis", status="PENDING")))
        notification = attempt(post(), Provider(accepted()))
        assert (notification.status, notification.error_class) == (Status.PENDING, ErrorClass.TEMPLATE_STOP)
        at = NOW + timedelta(minutes=1)
        templates.sync_all(at, Provider(meta_says("avis", components=[ONE_VARIABLE])))
        notification.refresh_from_db()
        assert notification.next_attempt_at == at
        assert attempt(notification, Provider(accepted()), at).status == Status.SENT

    @pytest.mark.django_db(transaction=True)
    def test_the_command_tells_what_it_learnt_from_a_running_server(self, sandbox: RunningSandbox):
        out = StringIO()
        call_command("sync_templates", stdout=out)
        assert out.getvalue() == f"{WABA}: {len([*default_templates.at_the_provider()])} templates\n"
        assert state("colis_arrive") == "APPROVED"

    @override_settings(WHATSAPP_CLOUD_API_URL="http://127.0.0.1:1")
    def test_the_command_fails_when_nobody_answers(self):
        with pytest.raises(CommandError, match="Not every business account answered"):
            call_command("sync_templates", stdout=StringIO())

    @override_settings(WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID="")
    def test_the_command_fails_when_there_is_nobody_to_ask(self):
        with pytest.raises(CommandError, match="business account"):
            call_command("sync_templates", stdout=StringIO())


def told(field: str, **value: Any) -> list[str]:
    """Meta posts this about the business account; what went wrong."""
    log = webhooks.store("cloud_api", posted(field, **value), NOW)
    return webhooks.process(log.pk, NOW).errors


def posted(field: str, **value: Any) -> bytes:
    change = {"field": field, "value": value}
    body = {"object": "whatsapp_business_account", "entry": [{"id": WABA, "time": 1790000000, "changes": [change]}]}
    return json.dumps(body).encode()


TEMPLATE = {"message_template_id": 1, "message_template_name": "avis", "message_template_language": "fr"}


@pytest.fixture
def synced() -> None:
    templates.sync_all(NOW, Provider(meta_says("avis", components=[ONE_VARIABLE])))


@pytest.mark.usefixtures("synced")
class TestWebhooks:
    @pytest.mark.parametrize("word", ["PAUSED", "DISABLED", "REJECTED", "PENDING_DELETION"])
    def test_a_template_that_meta_stops_holds_its_messages_until_it_is_approved_again(self, word: str):
        assert told("message_template_status_update", event=word, reason="INCORRECT_CATEGORY", **TEMPLATE) == []
        assert state("avis") == word
        provider = Provider(accepted())
        notification = attempt(post(), provider)
        assert (notification.status, provider.requests) == (Status.PENDING, [])
        assert "INCORRECT_CATEGORY" in notification.error_message
        assert told("message_template_status_update", event="APPROVED", reason="NONE", **TEMPLATE) == []
        # Approved, and perhaps not as it was: its parts are to be heard of first.
        assert attempt(notification, provider).status == Status.PENDING
        soon = NOW + timedelta(minutes=1)
        templates.sync_all(soon, Provider(meta_says("avis", components=[ONE_VARIABLE])))
        notification.refresh_from_db()
        assert notification.next_attempt_at == soon
        assert attempt(notification, provider, soon).status == Status.SENT

    def test_one_that_was_gone_and_is_approved_waits_until_its_parts_are_known(self):
        templates.sync_all(LATER, Provider(meta_says("another")))
        told("message_template_status_update", event="APPROVED", **TEMPLATE)
        provider = Provider(accepted())
        notification = attempt(post(LATER), provider, LATER)
        assert (notification.status, notification.error_class) == (Status.PENDING, ErrorClass.TEMPLATE_STOP)
        assert provider.requests == []

    def test_what_is_told_while_the_list_is_on_its_way_is_newer_than_the_list(self):
        class Meta(Provider):
            def __call__(self, request: HttpRequest) -> HttpAnswer:
                told("message_template_status_update", event="PAUSED", **TEMPLATE)
                return super().__call__(request)

        templates.sync_all(NOW, Meta(meta_says("avis", components=[ONE_VARIABLE])))
        assert state("avis") == "PAUSED"

    def test_an_approval_calls_for_a_synchronisation(self):
        log = webhooks.store("cloud_api", posted("message_template_status_update", event="APPROVED", **TEMPLATE), NOW)
        assert webhooks.process(log.pk, NOW).calls_for_sync
        log = webhooks.store("cloud_api", posted("message_template_status_update", event="PAUSED", **TEMPLATE), NOW)
        assert not webhooks.process(log.pk, NOW).calls_for_sync

    def test_quality_and_category_are_kept_and_stop_nothing(self):
        quality = {"previous_quality_score": "GREEN", "new_quality_score": "YELLOW"}
        category = {"previous_category": "UTILITY", "new_category": "MARKETING"}
        assert told("message_template_quality_update", **quality, **TEMPLATE) == []
        assert told("template_category_update", **category, **TEMPLATE) == []
        row = WhatsAppProviderTemplate.objects.get()
        assert (row.status, row.quality, row.category) == ("APPROVED", "YELLOW", "MARKETING")

    def test_a_template_that_we_have_never_seen_is_kept_and_waits_for_its_parts(self):
        other = TEMPLATE | {"message_template_name": "nouveau"}
        assert told("message_template_status_update", event="APPROVED", **other) == []
        row = WhatsAppProviderTemplate.objects.get(name="nouveau")
        assert (row.status, row.synced_at) == ("APPROVED", None)

    def test_a_number_of_bad_quality_is_marked_and_goes_on(self):
        WhatsAppSender.objects.filter(code="mali").update(display_number="+22320000000")
        value = {"display_phone_number": "22320000000", "event": "DOWNGRADE", "current_limit": "TIER_250"}
        assert told("phone_number_quality_update", **value) == []
        assert (any_sender().limit, any_sender().stopped_until) == ("TIER_250", None)
        assert WhatsAppSender.objects.get(code="chine").limit == ""

    def test_a_ban_stops_the_senders_of_the_account_and_its_end_lets_them_go_on(self):
        ban = {"waba_ban_state": "DISABLE", "waba_ban_date": "22 November 2026"}
        assert told("account_update", event="DISABLED_UPDATE", ban_info=ban) == []
        assert any_sender().is_stopped(NOW)
        assert any_sender().stop_class == ErrorClass.ACCOUNT_STOP
        assert told("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"}) == []
        assert not any_sender().is_stopped(NOW)

    def test_the_end_of_a_ban_does_not_lift_a_stop_of_another_cause(self):
        any_sender().stop(LATER, ErrorClass.ACCOUNT_STOP, "190 token expired")
        told("account_update", event="ACCOUNT_RECONNECTED")
        assert any_sender().is_stopped(NOW)

    def test_a_number_of_its_own_is_not_taken_for_one_of_the_environments_account(self):
        WhatsAppSender.objects.filter(code="mali").update(account_id="777")
        told("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})
        assert not any_sender().is_stopped(NOW)
        assert WhatsAppSender.objects.get(code="chine").is_stopped(NOW)

    def test_another_companys_account_stops_nobody(self):
        WhatsAppSender.objects.update(business_account_id="999")
        told("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})
        assert not any_sender().is_stopped(NOW)
