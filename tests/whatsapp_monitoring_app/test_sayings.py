"""What a new message may say: a text or a template, with an image or a document, through a sender of one's choice."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import translation

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, Provider, accepted, attempt, open_window, post
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender, WhatsAppTemplate
from whatsapp_monitoring_app.services.drafts import InvalidNotification
from whatsapp_monitoring_app.tasks import send_whatsapp_async

pytestmark = pytest.mark.django_db

PARAMS = {"nom": "Awa Traoré", "numero_suivi": "TS1A2B3C4D"}
LINK = "https://example.org/photo.jpg"


def test_a_template_is_rendered_in_the_clients_language_and_stored(make_user: Callable[..., User]):
    user = make_user(NUMBER, language="en")
    result = send_whatsapp_async(user=user, source_app="agent_mali", template="colis_arrive", params=PARAMS)
    notification = WhatsAppNotification.objects.get(pk=result.id)
    assert notification.message_content.startswith("Hello Awa Traoré, your parcel TS1A2B3C4D has arrived in Bamako.")
    assert (notification.language, notification.title) == ("en", "Colis arrivé à Bamako")
    assert (notification.template, notification.template_params) == (
        WhatsAppTemplate.objects.get(code="colis_arrive"),
        PARAMS,
    )


@pytest.mark.parametrize("language", ["fr", "ar", "bm", "fr_ML", ""])
def test_who_reads_none_of_its_languages_gets_french(language: str):
    WhatsAppTemplate.objects.filter(code="colis_arrive").update(text_en="")
    notification = post(message_content="", template="colis_arrive", params=PARAMS, language=language)
    assert notification.message_content.startswith("Bonjour")


def test_a_language_without_a_text_falls_back_to_french():
    WhatsAppTemplate.objects.filter(code="colis_arrive").update(text_en="")
    notification = post(message_content="", template="colis_arrive", params=PARAMS, language="en")
    assert notification.message_content.startswith("Bonjour")


def test_what_a_value_contains_is_no_variable():
    params = PARAMS | {"nom": "{numero_suivi}"}
    notification = post(message_content="", template="colis_arrive", params=params)
    assert "Bonjour {numero_suivi}," in notification.message_content


def test_numbers_are_values_too():
    notification = post(message_content="", template="colis_arrive", params=PARAMS | {"numero_suivi": 42})
    assert notification.template_params["numero_suivi"] == "42"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"template": "colis_arrive", "params": PARAMS, "message_content": "Bonjour"}, "message_content"),
        ({"template": "colis_perdu", "params": PARAMS}, "template"),
        ({"template": "colis_arrive"}, "params"),
        ({"template": "colis_arrive", "params": {"nom": "Awa"}}, "params"),
        ({"template": "colis_arrive", "params": PARAMS | {"numero_suivi": " "}}, "params"),
        ({"template": "colis_arrive", "params": PARAMS | {"numero_suivi": None}}, "params"),
        ({"template": "colis_arrive", "params": PARAMS | {"poids": "3 kg"}}, "params"),
        ({"template": "colis_arrive", "params": PARAMS | {"nom": "a\x00b"}}, "params"),
        ({"template": "colis_arrive", "params": PARAMS | {"nom": "x" * 1024}}, "params"),
        ({"message_content": "Bonjour", "params": PARAMS}, "params"),
        ({"message_content": "Bonjour", "image_url": "http://example.org/a.jpg"}, "image_url"),
        ({"message_content": "Bonjour", "image_url": "/media/a.jpg"}, "image_url"),
        ({"message_content": "Bonjour", "document_url": "ftp://example.org/a.pdf"}, "document_url"),
        ({"message_content": "Bonjour", "document_url": "https://[/a.pdf"}, "document_url"),
        ({"message_content": "Bonjour", "document_url": LINK, "document_name": "x" * 241}, "document_name"),
        ({"message_content": "Bonjour", "image_url": LINK, "document_url": LINK}, "document_url"),
        ({"message_content": "x" * 1025, "image_url": LINK}, "message_content"),
        ({"message_content": "x" * 4097}, "message_content"),
        ({"message_content": ""}, "message_content"),
        ({"message_content": "Bonjour", "sender": "paris"}, "sender"),
        ({"message_content": "Bonjour", "context_data": ["lot"]}, "context_data"),
        ({"message_content": "Bonjour", "reply_to": "x" * 201}, "reply_to"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_what_cannot_be_said_is_refused_with_the_name_of_the_field(fields: dict[str, Any], wrong: str):
    with pytest.raises(InvalidNotification) as refusal:
        post(**{"message_content": ""} | fields)
    assert refusal.value.field == wrong
    assert not WhatsAppNotification.objects.exists()


def test_the_refusal_names_the_variables_in_the_persons_language():
    with translation.override("fr"), pytest.raises(InvalidNotification, match=r"numero_suivi"):
        post(message_content="", template="colis_arrive", params={"nom": "Awa"})


def test_a_template_that_was_put_out_of_use_takes_no_new_messages_and_still_sends_the_ones_it_has():
    notification = post(message_content="", template="colis_arrive", params=PARAMS)
    WhatsAppTemplate.objects.filter(code="colis_arrive").update(is_active=False)
    with pytest.raises(InvalidNotification):
        post(message_content="", template="colis_arrive", params=PARAMS)
    assert attempt(notification, Provider(accepted())).status == Status.SENT


@pytest.mark.parametrize("kind", ["image", "document"])
def test_media_leave_with_the_text_below_them_at_every_try(kind: str):
    open_window()
    fields: dict[str, Any] = {f"{kind}_url": LINK}
    if kind == "document":
        fields["document_name"] = "facture.pdf"
    notification = post(message_content="Voici", **fields)
    provider = Provider(accepted())
    attempt(notification, provider)
    (body,) = provider.bodies
    filename = {"filename": "facture.pdf"} if kind == "document" else {}
    assert (body["type"], body[kind]) == (kind, {"link": LINK, "caption": "Voici"} | filename)
    assert notification.attempts.get().form == kind


def test_an_answer_says_what_it_answers():
    open_window()
    provider = Provider(accepted())
    attempt(post(reply_to="wamid.theirs"), provider)
    assert provider.bodies[0]["context"] == {"message_id": "wamid.theirs"}


def test_who_stands_in_answers_nothing_of_another_numbers_conversation():
    reserve = WhatsAppSender.objects.get(code="chine")
    reserve.account_id, reserve.token = "8", "token 8"
    reserve.save()
    WhatsAppSender.objects.filter(code="mali").update(is_active=False, fallback=reserve)
    open_window("chine")
    provider = Provider(accepted())
    attempt(post(reply_to="wamid.of.mali"), provider)
    assert "context" not in provider.bodies[0]


class TestAskedSender:
    def test_it_speaks_instead_of_the_offices_own_and_the_attempt_says_so(self):
        notification = attempt(post(sender="systeme"), Provider(accepted()))
        assert notification.sender == WhatsAppSender.objects.get(code="systeme")
        record = notification.attempts.get()
        assert (record.route, record.route_reason) == ("asked", "")

    def test_one_that_cannot_send_is_stood_in_for_and_the_attempt_says_why(self):
        fallback = WhatsAppSender.objects.get(code="chine")
        WhatsAppSender.objects.filter(code="systeme").update(is_active=False, fallback=fallback)
        notification = attempt(post(sender="systeme"), Provider(accepted()))
        assert notification.sender == fallback
        record = notification.attempts.get()
        assert record.route == "fallback"
        assert record.route_reason == "The sender “systeme” is paused."

    def test_a_test_of_a_sender_is_left_to_that_sender(self):
        fallback = WhatsAppSender.objects.get(code="chine")
        WhatsAppSender.objects.filter(code="systeme").update(is_active=False, fallback=fallback)
        provider = Provider(accepted())
        notification = attempt(post(sender="systeme", message_type="sender_test"), provider)
        assert (notification.status, provider.requests) == (Status.PENDING, [])

    @pytest.mark.parametrize(
        ("message_type", "route", "code"), [("notification", "office", "mali"), ("otp", "system", "systeme")]
    )
    def test_without_one_the_attempt_says_whose_sender_it_was(self, message_type: str, route: str, code: str):
        notification = attempt(post(message_type=message_type), Provider(accepted()))
        record = notification.attempts.get()
        assert record.sender
        assert (record.route, record.sender.code) == (route, code)


def test_of_a_sender_without_a_token_the_missing_field_is_named_and_nothing_is_called():
    WhatsAppSender.objects.filter(code="mali").update(account_id="777", token="")
    provider = Provider(accepted())
    notification = attempt(post(), provider)
    assert (notification.status, provider.requests) == (Status.PENDING, [])
    assert notification.error_message == "The sender “mali” has no token."
    assert notification.next_attempt_at
    assert notification.next_attempt_at > NOW
