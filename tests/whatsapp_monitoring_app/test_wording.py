"""In which form a message leaves: free text, a template of its own, or one that stands in for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from tests.whatsapp_monitoring_app.scripts import (
    NOW,
    NUMBER,
    TEXT,
    Provider,
    accepted,
    attempt,
    change,
    open_window,
    post,
    refused,
)
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppNotification,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)
from whatsapp_monitoring_app.models.templates import TEXT_LIMIT
from whatsapp_monitoring_app.providers.base import Kind, ProviderError, ReceiptEvent
from whatsapp_monitoring_app.services import receipts, recording, templates, window
from whatsapp_monitoring_app.services.preparation import Wait
from whatsapp_monitoring_app.services.rendering import FIRST_PASSWORD_LINK

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

HOUR = timedelta(hours=1)
PARAMS = {"nom": "Awa Traoré", "numero_suivi": "TS1A2B3C4D"}


def known_at_meta(name: str, variables: list[str], language: str = "fr", **facts: Any) -> WhatsAppProviderTemplate:
    """What a synchronisation has told of a template; of all others it has told that they do not exist."""
    sender = WhatsAppSender.objects.get(code="mali")
    WhatsAppSender.objects.update(templates_synced_at=NOW)
    values = {"status": "APPROVED", "body_variables": variables, "synced_at": NOW, **facts}
    return WhatsAppProviderTemplate.objects.create(
        provider=sender.provider, business_account_id=sender.business_account, name=name, language=language, **values
    )


def said(notification: WhatsAppNotification, **at: Any) -> dict[str, Any]:
    """The body of the one request that the notification makes."""
    provider = Provider(accepted())
    attempt(notification, provider, **at)
    assert notification.status == Status.SENT, notification.error_message
    (body,) = provider.bodies
    return body


def fate(notification: WhatsAppNotification) -> tuple[str, str, int]:
    """Where it ends up without any call."""
    provider = Provider(accepted())
    attempt(notification, provider)
    return notification.status, notification.error_class, len(provider.requests)


def values(body: dict[str, Any]) -> list[str]:
    (component,) = body["template"]["components"]
    assert component["type"] == "body"
    return [parameter["text"] for parameter in component["parameters"]]


def is_open(voice: str) -> bool:
    """Whether the client may be written to freely by this sender."""
    sender = WhatsAppSender.objects.get(code=voice)
    return window.Windows([NUMBER], NOW).is_open(NUMBER, sender)


class TestWindow:
    def test_free_text_leaves_as_it_is_while_the_client_has_written_within_24_hours(self):
        open_window(at=NOW - 23 * HOUR)
        body = said(post())
        assert (body["type"], body["text"]["body"]) == ("text", TEXT)

    def test_outside_of_it_a_template_takes_its_place(self):
        notification = post()
        body = said(notification)
        assert (body["type"], body["template"]["name"]) == ("template", "avis")
        assert body["template"]["language"]["code"] == "fr"
        assert values(body) == [TEXT]
        (record,) = notification.attempts.all()
        assert (record.form, record.template_name, record.template_language) == ("template", "avis", "fr")
        assert record.text == f"TS Air Cargo vous informe : {TEXT} Pour toute question, répondez à ce message."
        assert notification.message_content == TEXT

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            (timedelta(), True),
            (24 * HOUR - timedelta(minutes=2), True),
            (24 * HOUR - timedelta(seconds=30), False),
            (24 * HOUR, False),
            (-timedelta(minutes=5), True),
            (-48 * HOUR, False),
        ],
        ids=["now", "just within", "in the margin", "over", "their clock is ahead", "a wrong clock"],
    )
    def test_it_lasts_24_hours_less_a_margin(self, age: timedelta, expected: bool):
        open_window(at=NOW - age)
        assert is_open("mali") is expected

    def test_it_is_open_at_the_number_that_was_written_to_only(self):
        mali = WhatsAppSender.objects.get(code="mali")
        mali.account_id, mali.token = "777", "token"
        mali.save()
        open_window(sender="chine")
        assert not is_open("mali")
        assert is_open("chine")

    def test_it_is_this_clients_own(self):
        open_window(number="+22370000000")
        assert not is_open("mali")

    def test_a_client_whom_whatsapp_knows_by_other_digits_opens_it_too(self):
        attempt(post(), Provider(accepted(wa_id="22376123457")))
        open_window(number="+22376123457")
        assert said(post())["type"] == "text"

    def test_a_choice_in_the_settings_is_no_message(self):
        inbound = open_window()
        inbound.provider_message_id = "preference:+22376123456:resume:1"
        inbound.save()
        assert not is_open("mali")

    def test_a_provider_without_one_gets_the_text_itself(self):
        WhatsAppSender.objects.filter(code="mali").update(provider="wachap", account_id="a")
        mali = WhatsAppSender.objects.get(code="mali")
        mali.token = "wachap key"
        mali.save()
        provider = Provider(accepted())
        attempt(post(), provider)
        assert provider.bodies[0]["data"]["content"] == TEXT


class TestRefusedWindow:
    """The provider finds the window closed that looked open to us."""

    def test_the_text_leaves_once_more_as_a_template_and_costs_no_attempt(self):
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(refused(131047)))
        assert (notification.status, notification.attempt_count) == (Status.PENDING, 0)
        again = notification.next_attempt_at
        assert again
        assert said(notification, at=again)["type"] == "template"

    def test_so_it_does_when_a_receipt_tells(self):
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(accepted("wamid.text")))
        error = ProviderError(ErrorClass.WINDOW_CLOSED, "131047", "Re-engagement message")
        receipts.take("cloud_api", ReceiptEvent("wamid.text", Kind.FAILED, "failed", NOW, error=error), NOW)
        notification.refresh_from_db()
        assert (notification.status, notification.attempt_count) == (Status.RETRY_SCHEDULED, 0)
        assert said(notification, at=NOW + HOUR)["type"] == "template"

    def test_a_second_refusal_is_the_last(self):
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(refused(131047)))
        attempt(notification, Provider(refused(131047)), NOW + HOUR)
        assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.WINDOW_CLOSED)

    def test_without_a_template_it_fails_with_the_reason(self):
        WhatsAppTemplate.objects.update(is_active=False)
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(refused(131047)))
        provider = Provider(accepted())
        attempt(notification, provider, NOW + HOUR)
        assert (notification.status, notification.error_class) == (Status.FAILED, ErrorClass.WINDOW_CLOSED)
        assert provider.requests == []

    def test_what_the_client_writes_afterwards_opens_it_again(self):
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(refused(131047)))
        open_window(at=NOW + timedelta(minutes=1))
        assert said(notification, at=NOW + HOUR)["type"] == "text"

    @pytest.mark.parametrize("meanwhile", ["the pace", "a pause"])
    def test_what_happens_before_the_next_try_does_not_let_it_be_forgotten(self, meanwhile: str):
        open_window(at=NOW - 23 * HOUR)
        notification = attempt(post(), Provider(refused(131047)))
        soon = NOW + timedelta(minutes=2)
        if meanwhile == "the pace":
            claimed = WhatsAppNotification.objects.claim(notification.pk, soon)
            assert claimed
            recording.put_back({claimed: Wait(None, soon)}, soon)
        else:
            WhatsAppSender.objects.update(is_active=False)
            attempt(notification, Provider(accepted()), soon)
            WhatsAppSender.objects.update(is_active=True)
        notification.refresh_from_db()
        assert notification.error_class != ErrorClass.WINDOW_CLOSED
        assert said(notification, at=NOW + timedelta(minutes=30))["type"] == "template"


class TestStandIns:
    def test_the_types_own_template_goes_before_the_general_one(self, make_user: Callable[..., User]):
        user = make_user(NUMBER)
        body = said(post(user=user, message_type="delivery", subject="colis:TS1A2B3C4D"))
        assert body["template"]["name"] == "colis_arrive"
        assert values(body) == [user.get_full_name(), "TS1A2B3C4D"]

    def test_one_that_lacks_a_value_leaves_it_to_the_general_one(self):
        assert said(post(message_type="delivery"))["template"]["name"] == "avis"

    def test_the_values_may_come_with_the_message(self):
        context = {"nom": "Awa", "numero_suivi": "TS9", "lots": [1]}
        body = said(post(message_type="delivery", context_data=context))
        assert values(body) == ["Awa", "TS9"]

    def test_line_breaks_and_rows_of_spaces_do_not_reach_the_provider(self):
        assert values(said(post(message_content="Ligne 1\n\tLigne 2      fin"))) == ["Ligne 1 Ligne 2 fin"]

    def test_without_any_it_fails_at_once_with_the_reason_and_without_a_call(self):
        WhatsAppTemplate.objects.update(is_active=False)
        notification = post()
        assert fate(notification) == (Status.FAILED, ErrorClass.WINDOW_CLOSED, 0)
        assert "no template" in notification.error_message
        assert notification.attempts.count() == 0

    def test_one_that_the_provider_does_not_have_counts_as_none(self):
        known_at_meta("another", [])
        notification = post()
        assert fate(notification) == (Status.FAILED, ErrorClass.WINDOW_CLOSED, 0)
        assert "“avis (fr)” does not exist at the provider" in notification.error_message

    def test_one_that_waits_for_approval_is_waited_for(self):
        row = known_at_meta("avis", ["1"], status="PENDING")
        notification = post()
        assert fate(notification) == (Status.PENDING, ErrorClass.TEMPLATE_STOP, 0)
        assert notification.next_attempt_at
        assert notification.next_attempt_at > NOW
        row.status = "APPROVED"
        row.save()
        assert said(notification, at=notification.next_attempt_at)["template"]["name"] == "avis"

    def test_a_text_that_is_too_long_for_a_template_fails_with_its_length(self):
        notification = post(message_content="x" * TEXT_LIMIT)
        assert fate(notification) == (Status.FAILED, ErrorClass.WINDOW_CLOSED, 0)
        assert f"{TEXT_LIMIT} is the most" in notification.error_message

    def test_a_failed_one_leaves_as_text_when_the_client_has_written_and_somebody_retries(self):
        WhatsAppTemplate.objects.update(is_active=False)
        notification = attempt(post(), Provider(accepted()))
        assert notification.status == Status.FAILED
        change(notification, status=Status.PENDING, next_attempt_at=NOW, failed_at=None)
        open_window()
        assert said(notification)["text"]["body"] == TEXT

    def test_a_secret_link_goes_into_its_value_and_is_kept_nowhere(self, make_user: Callable[..., User]):
        user = make_user(NUMBER)
        text = f"Bonjour, choisissez votre mot de passe : {FIRST_PASSWORD_LINK}"
        notification = post(user=user, message_content=text, message_type="account_creation", is_secret=True)
        body = said(notification)
        link = values(body)[1]
        assert link.startswith("http")
        (record,) = notification.attempts.all()
        assert FIRST_PASSWORD_LINK in record.text
        assert link not in record.text

    def test_a_secret_link_is_never_left_out(self, make_user: Callable[..., User]):
        text_fr = "Bonjour {nom}, votre compte est prêt."
        WhatsAppTemplate.objects.filter(code="compte_cree").update(variables=["nom"], text_fr=text_fr)
        text = f"Votre lien : {FIRST_PASSWORD_LINK}"
        notification = post(
            user=make_user(NUMBER), message_content=text, message_type="account_creation", is_secret=True
        )
        body = said(notification)
        assert body["template"]["name"] == "avis"
        assert "http" in values(body)[0]

    def test_a_value_that_no_header_can_hold_leaves_it_to_the_general_one(self):
        known_at_meta("avis", ["1"])
        known_at_meta("colis_arrive", ["1"], header="TEXT", header_variables=["1"])
        WhatsAppTemplateName.objects.create(
            template=WhatsAppTemplate.objects.get(code="colis_arrive"),
            sender=WhatsAppSender.objects.get(code="mali"),
            language="fr",
            name="colis_arrive",
            header_variable="nom",
        )
        notification = post(message_type="delivery", subject="colis:TS1", context_data={"nom": "x" * 61})
        assert said(notification)["template"]["name"] == "avis"

    def test_a_picture_that_the_template_has_no_place_for_is_not_left_out(self):
        notification = post(message_content="La photo", image_url="https://example.org/colis.jpg")
        assert fate(notification) == (Status.FAILED, ErrorClass.WINDOW_CLOSED, 0)
        assert "no place for the image" in notification.error_message


class TestOwnTemplate:
    def test_it_leaves_by_its_code_in_the_clients_language(self):
        notification = post(message_content="", template="colis_arrive", params=PARAMS, language="zh-hans")
        body = said(notification)
        assert (body["template"]["name"], body["template"]["language"]["code"]) == ("colis_arrive", "zh_CN")
        assert values(body) == list(PARAMS.values())
        assert notification.message_content == WhatsAppTemplate.objects.get(code="colis_arrive").render(
            "zh-hans", PARAMS
        )
        assert notification.attempts.get().text == ""

    def test_it_leaves_as_a_template_also_while_free_text_could(self):
        open_window()
        assert said(post(message_content="", template="colis_arrive", params=PARAMS))["type"] == "template"

    def test_a_language_that_the_provider_has_not_approved_gives_way_to_one_that_it_has(self):
        known_at_meta("colis_arrive", ["1", "2"])
        notification = post(message_content="", template="colis_arrive", params=PARAMS, language="zh-hans")
        assert said(notification)["template"]["language"]["code"] == "fr"
        (record,) = notification.attempts.all()
        assert record.text.startswith("Bonjour Awa Traoré")

    def test_it_says_itself_in_free_text_where_the_template_cannot_be_used_and_the_window_is_open(self):
        known_at_meta("colis_arrive", ["1", "2"], status="PAUSED")
        open_window()
        notification = post(message_content="", template="colis_arrive", params=PARAMS)
        assert said(notification)["text"]["body"] == notification.message_content

    @pytest.mark.parametrize("status", ["PAUSED", "DISABLED", "REJECTED", "PENDING", "IN_APPEAL", "GONE"])
    def test_it_waits_while_the_provider_does_not_take_it(self, status: str):
        known_at_meta("colis_arrive", ["1", "2"], status=status)
        notification = post(message_content="", template="colis_arrive", params=PARAMS)
        assert fate(notification) == (Status.PENDING, ErrorClass.TEMPLATE_STOP, 0)
        assert notification.attempt_count == 0

    @pytest.mark.parametrize(
        "facts",
        [
            {"body_variables": ["1"]},
            {"body_variables": ["1", "2", "3"]},
            {"body_variables": ["nom", "numero"], "has_named_variables": True},
            {"header": "TEXT", "header_variables": ["1"]},
            {"header": "IMAGE"},
            {"header": "LOCATION"},
            {"url_buttons": [0]},
        ],
        ids=repr,
    )
    def test_values_that_do_not_fit_are_refused_before_the_call_with_the_name_of_the_part(self, facts: dict[str, Any]):
        known_at_meta(
            "colis_arrive",
            **{"variables": ["1", "2"]}
            | {name.replace("body_variables", "variables"): value for name, value in facts.items()},
        )
        notification = post(message_content="", template="colis_arrive", params=PARAMS)
        assert fate(notification) == (Status.FAILED, ErrorClass.MESSAGE_PERMANENT, 0)
        part = "body" if "body_variables" in facts else "header" if "header" in facts else "buttons"
        assert notification.error_message.startswith(f"template.{part}: ")

    def test_named_variables_go_by_their_names(self):
        known_at_meta("colis_arrive", ["numero_suivi", "nom"], has_named_variables=True)
        body = said(post(message_content="", template="colis_arrive", params=PARAMS))
        (component,) = body["template"]["components"]
        assert {one["parameter_name"]: one["text"] for one in component["parameters"]} == PARAMS

    def test_a_name_of_its_own_decides_what_goes_where(self):
        template = WhatsAppTemplate.objects.get(code="colis_arrive")
        WhatsAppTemplateName.objects.create(
            template=template,
            sender=WhatsAppSender.objects.get(code="mali"),
            language="fr",
            name="arrivee_v2",
            provider_language="fr_FR",
            body_variables=["nom"],
            button_variables=["numero_suivi"],
        )
        known_at_meta("arrivee_v2", ["1"], language="fr_FR", url_buttons=[1])
        body = said(post(message_content="", template="colis_arrive", params=PARAMS))
        assert (body["template"]["name"], body["template"]["language"]["code"]) == ("arrivee_v2", "fr_FR")
        text, button = body["template"]["components"]
        assert [one["text"] for one in text["parameters"]] == ["Awa Traoré"]
        assert (button["sub_type"], str(button["index"])) == ("url", "1")
        assert button["parameters"] == [{"type": "text", "text": "TS1A2B3C4D"}]

    def test_a_picture_becomes_the_header_that_wants_one(self):
        known_at_meta("colis_arrive", ["1", "2"], header="IMAGE")
        link = "https://example.org/colis.jpg"
        body = said(post(message_content="", template="colis_arrive", params=PARAMS, image_url=link))
        header = body["template"]["components"][0]
        assert header == {"type": "header", "parameters": [{"type": "image", "image": {"link": link}}]}

    def test_a_secret_among_its_values_is_put_in_when_it_leaves(self, make_user: Callable[..., User]):
        user = make_user(NUMBER)
        params = {"nom": "Awa", "lien": FIRST_PASSWORD_LINK}
        notification = post(user=user, message_content="", template="compte_cree", params=params, is_secret=True)
        assert FIRST_PASSWORD_LINK in notification.message_content
        link = values(said(notification))[1]
        assert link.startswith("http")
        assert link not in repr(list(WhatsAppNotification.objects.values()))
        assert link not in repr(list(notification.attempts.values()))

    def test_twilio_wants_the_id_that_it_gave(self):
        sender = WhatsAppSender.objects.get(code="mali")
        sender.provider, sender.account_id, sender.token, sender.address = "twilio", "AC1", "token", "+22320000000"
        sender.save()
        notification = post(message_content="", template="colis_arrive", params=PARAMS)
        assert fate(notification) == (Status.PENDING, ErrorClass.TEMPLATE_STOP, 0)
        WhatsAppTemplateName.objects.create(
            template=WhatsAppTemplate.objects.get(code="colis_arrive"),
            sender=sender,
            language="fr",
            name="HX0123456789abcdef",
        )
        provider = Provider(accepted())
        attempt(notification, provider, notification.next_attempt_at or NOW)
        assert b"ContentSid=HX0123456789abcdef" in provider.requests[0].body


class TestStops:
    def test_a_template_that_the_provider_refuses_holds_its_other_messages_and_costs_no_attempt(self):
        first, second = post(), post()
        assert attempt(first, Provider(refused(132015))).status == Status.PENDING
        assert (first.error_class, first.attempt_count) == (ErrorClass.TEMPLATE_STOP, 0)
        assert fate(second) == (Status.PENDING, ErrorClass.TEMPLATE_STOP, 0)

    def test_free_text_still_leaves_meanwhile(self):
        attempt(post(), Provider(refused(132015)))
        open_window()
        assert said(post())["type"] == "text"

    def test_after_an_hour_one_finds_out(self):
        notification = attempt(post(), Provider(refused(132015)))
        assert said(notification, at=NOW + templates.STOP_TIME + timedelta(seconds=1))["type"] == "template"

    def test_a_person_may_try_at_once(self):
        notification = attempt(post(), Provider(refused(132015)))
        templates.resume(WhatsAppProviderTemplate.objects.get(name="avis"), NOW)
        notification.refresh_from_db()
        assert notification.next_attempt_at == NOW
        assert said(notification)["type"] == "template"

    def test_a_person_may_try_one_whatever_the_provider_has_told_of_it(self):
        row = known_at_meta("avis", ["1"], status="PAUSED")
        notification = post()
        assert fate(notification) == (Status.PENDING, ErrorClass.TEMPLATE_STOP, 0)
        templates.resume(row, NOW)
        assert said(notification)["type"] == "template"

    def test_the_held_ones_do_not_come_back_all_at_once(self):
        attempt(post(), Provider(refused(132015)))
        held = [post() for _ in range(5)]
        for notification in held:
            assert fate(notification)[0] == Status.PENDING
        assert len({notification.next_attempt_at for notification in held}) == 5

    def test_a_sender_that_stands_in_without_the_template_is_not_asked_every_minute(self):
        reserve = WhatsAppSender.objects.get(code="chine")
        reserve.account_id, reserve.token, reserve.templates_synced_at = "8", "token 8", NOW
        reserve.save()
        WhatsAppSender.objects.filter(code="mali").update(is_active=False, fallback=reserve)
        notification = post()
        assert fate(notification) == (Status.PENDING, ErrorClass.NOT_CONFIGURED, 0)
        assert notification.next_attempt_at
        assert notification.next_attempt_at >= NOW + timedelta(minutes=15)

    def test_another_template_is_not_held(self):
        attempt(post(), Provider(refused(132015)))
        assert said(post(message_content="", template="colis_arrive", params=PARAMS))["type"] == "template"
