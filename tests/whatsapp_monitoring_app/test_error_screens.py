"""The screens of the error catalogue: what agents read, and what an unknown code counts as."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from tests import rows
from tests.whatsapp_monitoring_app.administrators import said
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppErrorCode, WhatsAppNotification
from whatsapp_monitoring_app.providers.base import ProviderError, Refused
from whatsapp_monitoring_app.services import error_catalogue, explanations
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, EXPLANATIONS_OF_CODES, Owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in("admin_mali", language="en", telephone="+22370009001")


@pytest.fixture
def unknown() -> WhatsAppErrorCode:
    error_catalogue.note_unclassified("cloud_api", _error(), timezone.now())
    return WhatsAppErrorCode.objects.get(code="424242")


def _error() -> ProviderError:
    return ProviderError(ErrorClass.UNKNOWN, "424242", "Something new", is_classified=False)


def known(code: str = "131026") -> WhatsAppErrorCode:
    return WhatsAppErrorCode.objects.get(provider="cloud_api", code=code)


def catalogue(browser: Browser, **query: str) -> Any:
    return browser.get(reverse("admin_mali:whatsapp_errors"), query)


def codes(browser: Browser, **query: str) -> list[str]:
    return [line.code.code for line in catalogue(browser, **query).context["page"].paginator.object_list]


def edit(browser: Browser, code: WhatsAppErrorCode, **words: str) -> Any:
    given = dict.fromkeys(error_catalogue.WORDS, "") | words
    return browser.post(reverse("admin_mali:whatsapp_error", args=[code.pk]), given)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_cause_says_who_has_to_act(error_class: ErrorClass):
    assert EXPLANATIONS[error_class].owner in Owner
    assert EXPLANATIONS[error_class].owner.label


def test_codes_with_words_of_their_own_say_it_too():
    assert {explanation.owner for explanation in EXPLANATIONS_OF_CODES.values()} <= set(Owner)


def test_what_nobody_has_classified_comes_first_then_what_is_seen_most(browser: Browser, unknown: WhatsAppErrorCode):
    for _ in range(3):
        rows.notification("agent_mali", error_code="131026")
    rows.notification("agent_mali", error_code="131049")
    assert codes(browser)[:3] == ["424242", "131026", "131049"]
    assert "3 messages" in catalogue(browser).content.decode()


def test_the_catalogue_is_searched_and_filtered(browser: Browser, unknown: WhatsAppErrorCode):
    rows.notification("agent_mali", error_code="131026")
    edit(browser, known("131049"), meaning_fr="Nos mots")

    assert codes(browser, only="seen") == ["131026"]
    assert codes(browser, only="unclassified") == codes(browser, q="something NEW") == ["424242"]
    assert codes(browser, only="edited") == codes(browser, q="nos mots") == ["131049"]
    assert "131026" in codes(browser, cause="recipient_permanent", provider="cloud_api")
    assert "131026" not in codes(browser, cause="recipient_permanent", provider="wachap")
    assert "No code is found" in catalogue(browser, q="nothing like it").content.decode()
    assert len(codes(browser, provider="nobody")) == WhatsAppErrorCode.objects.count()


def test_the_words_of_the_class_stand_beside_the_empty_fields(browser: Browser):
    html = browser.get(reverse("admin_mali:whatsapp_error", args=[known().pk])).content.decode()
    for language in ("fr", "en", "zh-hans"):
        with translation.override(language):
            assert str(EXPLANATIONS[ErrorClass.RECIPIENT_PERMANENT].meaning) in html
    assert "The agent, with the client" in html
    assert 'name="error_class"' not in html


def test_words_of_our_own_are_read_by_agents_and_an_empty_field_goes_back(
    browser: Browser, log_in: Callable[..., Browser]
):
    notification = rows.notification("agent_mali", error_code="131026")
    page = reverse("agent_mali:whatsapp_attempt_details", args=[notification.pk])
    agent = log_in("agent_mali", language="fr")

    answer = edit(browser, known(), meaning_fr="Ce numéro n’a pas WhatsApp du tout.")
    assert "is saved" in said(answer)
    assert "Ce numéro n’a pas WhatsApp du tout." in agent.get(page).content.decode()
    edit(browser, known())
    assert "pas WhatsApp du tout" not in agent.get(page).content.decode()


def test_a_class_of_the_program_s_is_not_changed_here(browser: Browser):
    edit(browser, known(), error_class="transient", meaning_en="x")
    assert (known().error_class, known().meaning_en) == ("recipient_permanent", "x")


def test_an_unknown_code_is_classified_and_counts_as_that_from_then_on(browser: Browser, unknown: WhatsAppErrorCode):
    html = browser.get(reverse("admin_mali:whatsapp_error", args=[unknown.pk])).content.decode()
    assert "The program does not know this code." in html
    assert error_catalogue.classified("cloud_api", _error()) == _error()

    edit(browser, unknown, error_class="recipient_permanent")
    error = error_catalogue.classified("cloud_api", _error())
    assert (error.error_class, error.is_classified) == (ErrorClass.RECIPIENT_PERMANENT, True)
    assert error_catalogue.classified_outcome("cloud_api", Refused(_error())) == Refused(error)
    assert error_catalogue.classified("wachap", _error()) == _error()


def test_a_class_that_was_given_survives_the_next_migration(browser: Browser, unknown: WhatsAppErrorCode):
    edit(browser, unknown, error_class="recipient_permanent")
    error_catalogue.provision()
    error_catalogue.note_unclassified("cloud_api", _error(), timezone.now())
    unknown.refresh_from_db()
    assert (unknown.error_class, unknown.is_classified) == ("recipient_permanent", True)


@pytest.mark.parametrize("ours", sorted(error_catalogue.OURS))
def test_no_code_is_given_a_class_that_only_we_find_out(ours: str, browser: Browser, unknown: WhatsAppErrorCode):
    assert edit(browser, unknown, error_class=ours).status_code == 422
    unknown.refresh_from_db()
    assert not unknown.is_classified


def test_a_code_that_is_called_unknown_again_waits_for_its_class_again(browser: Browser, unknown: WhatsAppErrorCode):
    edit(browser, unknown, error_class="transient")
    edit(browser, unknown, error_class="unknown")
    unknown.refresh_from_db()
    assert not unknown.is_classified


def test_codes_are_counted_as_the_catalogue_knows_them():
    rows.notification("agent_mali", error_code="131026")
    rows.notification("agent_mali", Status.SENT, error_code="")
    assert error_catalogue.counts(timezone.now()) == {("cloud_api", "131026"): 1}


def test_an_explanation_of_a_message_names_who_acts():
    notification = rows.notification("agent_mali", error_code="131026")
    explanation = explanations.explain(WhatsAppNotification.objects.get(pk=notification.pk))
    assert explanation
    assert explanation.owner == Owner.AGENT
