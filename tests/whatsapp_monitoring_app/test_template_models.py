"""The rules of a message template, of its names at the providers, and of the languages that it is written in."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import translation

from tests import rows
from whatsapp_monitoring_app.models import (
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
    languages,
)

pytestmark = pytest.mark.django_db


def refusal(**fields: Any) -> dict[str, list[str]]:
    """What is wrong with a template of these values, field by field, in English."""
    before = WhatsAppTemplate.objects.count()
    with translation.override("en"):
        with pytest.raises(ValidationError) as refused:
            rows.template(**fields)
        assert WhatsAppTemplate.objects.count() == before
        return refused.value.message_dict


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"text_fr": "Bonjour {nom}."}, "text_fr", "Not in this text: {jours}."),
        ({"text_fr": "{nom} {jours} {heure}"}, "text_fr", "Not declared: {heure}."),
        ({"text_en": "{nom} {days}"}, "text_en", "Not in this text: {jours}. Not declared: {days}."),
        ({"text_zh_hans": "{nom}"}, "text_zh_hans", "Not in this text: {jours}."),
        ({"text_fr": "{nom} {jours} {}"}, "text_fr", "Not declared: {}."),
        ({"text_fr": "{nom} {jours} { nom }"}, "text_fr", "Not declared: { nom }."),
        ({"text_fr": " ", "text_en": "", "variables": []}, "text_fr", "The French text is needed"),
        ({"variables": ["nom", "jours", "nom"]}, "variables", "A variable is declared twice."),
        ({"variables": ["Nom", "jours"]}, "variables", "small letters"),
        ({"variables": ["1", "jours"]}, "variables", "begins with a letter"),
        ({"variables": ["nom", "jours", ""]}, "variables", "small letters"),
        ({"variables": ["nom", 2]}, "variables", "small letters"),
        ({"variables": "nom"}, "variables", "small letters"),
        ({"variables": None}, "variables", "small letters"),
        ({"samples": ["Awa"]}, "samples", "by variable"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_template_that_contradicts_itself_is_refused_at_the_field_that_does(
    fields: dict[str, Any], field: str, words: str
):
    assert any(words in sentence for sentence in refusal(**fields)[field])


def test_every_text_that_is_wrong_is_named():
    assert set(refusal(text_fr="{x}", text_en="{y}")) == {"text_fr", "text_en"}


def test_languages_may_be_left_out_and_variables_repeated_or_missing_altogether():
    rows.template("one", text_en="", text_fr="{nom} {jours} {nom}")
    rows.template("two", variables=[], text_fr="Bonjour", text_en="")
    assert WhatsAppTemplate.objects.filter(code__in=["one", "two"]).count() == 2


def test_two_templates_cannot_stand_in_for_one_type_but_many_stand_in_for_none():
    rows.template("one", message_type="retard")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.template("two", message_type="retard")
    rows.template("three", message_type="")
    rows.template("four", message_type="")
    assert not WhatsAppTemplate.objects.filter(code="two").exists()
    assert WhatsAppTemplate.objects.filter(code__in=["one", "three", "four"]).count() == 3


def test_the_type_s_own_template_comes_first_and_one_out_of_use_never():
    own = rows.template(message_type="retard")
    assert [each.code for each in WhatsAppTemplate.objects.standing_in_for("retard")] == ["retard", "avis"]
    WhatsAppTemplate.objects.filter(pk=own.pk).update(is_active=False)
    assert [each.code for each in WhatsAppTemplate.objects.standing_in_for("retard")] == ["avis"]


def test_a_value_is_filled_in_once():
    template = rows.template()
    assert template.render("fr", {"nom": "{jours}", "jours": "{nom}"}) == (
        "Bonjour {jours}, votre colis a {nom} jours de retard."
    )
    with pytest.raises(KeyError):
        template.render("fr", {"nom": "Awa"})


def test_a_preview_takes_the_samples_and_leaves_what_has_none():
    template = rows.template(samples={"nom": "Awa", "jours": "", "other": "x"})
    assert template.preview("en") == "Hello Awa, your parcel is {jours} days late."
    assert template.preview("zh-hans") == ""
    assert template.sample_values() == {"nom": "Awa", "jours": "{jours}"}
    # While it is being typed, a text may say what nobody has declared.
    template.text_fr = "{nom} {other} {}"
    assert template.preview("fr") == "Awa {other} {}"


def test_a_numbered_text_counts_the_variables_in_their_order_not_in_the_text_s():
    template = rows.template(text_fr="{jours} jours, {nom}. {jours} !")
    assert template.numbered("fr") == "{{2}} jours, {{1}}. {{2}} !"


@pytest.mark.parametrize(
    ("spelled", "ours", "preferred"),
    [
        ("fr", "fr", ["fr"]),
        ("fr_FR", "fr", ["fr"]),
        ("fr-CA", "fr", ["fr"]),
        ("EN", "en", ["en", "fr"]),
        ("en_US", "en", ["en", "fr"]),
        ("zh-hans", "zh-hans", ["zh-hans", "fr"]),
        ("zh_CN", "zh-hans", ["zh-hans", "fr"]),
        ("zh-TW", "zh-hans", ["zh-hans", "fr"]),
        ("zh", "zh-hans", ["zh-hans", "fr"]),
        (" Zh_Hans ", "zh-hans", ["zh-hans", "fr"]),
        ("bm", "fr", ["fr"]),
        ("klingon", "fr", ["fr"]),
        ("", "fr", ["fr"]),
    ],
)
def test_a_language_however_it_is_spelled_becomes_one_of_ours(spelled: str, ours: str, preferred: list[str]):
    assert languages.ours(spelled) == ours
    assert languages.preferred(spelled) == preferred


def test_a_template_is_said_in_the_languages_that_it_is_written_in():
    template = rows.template()
    assert template.languages("en_GB") == ["en", "fr"]
    assert template.languages("zh_CN") == ["fr"]
    assert template.languages("fr") == ["fr"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"body_variables": ["heure"]}, "body_variables"),
        ({"body_variables": "nom"}, "body_variables"),
        ({"button_variables": ["nom", "heure"]}, "button_variables"),
        ({"header_variable": "heure"}, "header_variable"),
    ],
)
def test_a_name_cannot_speak_of_variables_that_the_template_has_not(fields: dict[str, Any], field: str):
    name = WhatsAppTemplateName(template=rows.template(), language="fr", name="x", **fields)
    with pytest.raises(ValidationError) as refused:
        name.clean()
    assert set(refused.value.message_dict) == {field}


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, ["nom", "jours"]),
        ({"body_variables": ["jours", "nom"]}, ["jours", "nom"]),
        ({"header_variable": "nom"}, ["jours"]),
        ({"button_variables": ["jours"]}, ["nom"]),
        ({"header_variable": "jours", "button_variables": ["nom"]}, []),
    ],
    ids=repr,
)
def test_the_body_has_what_stands_nowhere_else(fields: dict[str, Any], body: list[str]):
    assert rows.template_name(rows.template(), **fields).variables_of_the_body == body


def test_a_name_knows_its_language_at_the_provider():
    template = rows.template()
    assert str(rows.template_name(template, language="zh-hans")) == "retard_2 (zh_CN)"
    assert str(rows.template_name(template, language="en", provider_language="en_US")) == "retard_2 (en_US)"


def test_a_sender_has_one_name_for_a_template_in_one_language():
    template = rows.template()
    rows.template_name(template)
    rows.template_name(template, "chine")
    rows.template_name(template, language="en")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.template_name(template, name="another")
    assert template.names.count() == 3


def test_a_provider_s_templates_belong_to_its_company_account():
    mali = WhatsAppSender.objects.get(code="mali")
    mine = rows.provider_template()
    WhatsAppProviderTemplate.objects.create(provider="twilio", business_account_id=mali.business_account, name="a")
    WhatsAppProviderTemplate.objects.create(provider="cloud_api", business_account_id="another", name="b")
    assert list(WhatsAppProviderTemplate.objects.of(mali)) == [mine]


@pytest.mark.parametrize(
    ("status", "is_usable"), [("APPROVED", True), ("", True), ("PENDING", False), ("GONE", False), ("NEW_WORD", False)]
)
def test_only_what_is_approved_or_unheard_of_is_usable(status: str, is_usable: bool):
    assert WhatsAppProviderTemplate(status=status).is_usable == is_usable
