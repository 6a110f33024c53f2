"""Every cause in plain words; the administrators' own words win."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from tests.whatsapp_monitoring_app.scripts import Provider, accepted, attempt, post, post_in, refused
from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppErrorCode, WhatsAppNotification
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, explain

pytestmark = pytest.mark.django_db

LANGUAGES = ["fr", "en", "zh-hans"]


def failed(error_class: ErrorClass = ErrorClass.RECIPIENT_PERMANENT, code: str = "131026") -> WhatsAppNotification:
    return post_in(Status.FAILED, error_class=error_class, error_code=code)


def words(notification: WhatsAppNotification, language: str) -> tuple[str, str]:
    with translation.override(language):
        explanation = explain(notification)
        assert explanation
        return str(explanation.meaning), str(explanation.advice)


def rewrite(code: str, **texts: str) -> None:
    assert WhatsAppErrorCode.objects.filter(code=code).update(**texts) == 1


def test_nothing_is_explained_where_nothing_is_wrong():
    assert explain(post()) is None
    assert explain(attempt(post(), Provider(accepted()))) is None


@pytest.mark.parametrize("error_class", ErrorClass)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_is_explained_in_every_language(error_class: ErrorClass, language: str):
    meaning, advice = words(failed(error_class, ""), language)
    with translation.override(language):
        assert (meaning, advice) == (str(EXPLANATIONS[error_class].meaning), str(EXPLANATIONS[error_class].advice))
    assert meaning
    assert advice


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["meaning", "advice"])
def test_an_administrators_text_replaces_ours_in_its_language_only(language: str, name: str):
    notification = failed()
    before = {other: words(notification, other) for other in LANGUAGES}
    rewrite("131026", **{f"{name}_{language.replace('-', '_')}": "Our own words"})
    for other in LANGUAGES:
        expected = list(before[other])
        if other == language:
            expected[["meaning", "advice"].index(name)] = "Our own words"
        assert list(words(notification, other)) == expected


def test_a_text_for_one_code_does_not_speak_for_its_class():
    rewrite("131026", meaning_fr="Nos mots")
    assert words(failed(code="131021"), "fr") == words(failed(code=""), "fr")


@pytest.mark.parametrize("code", ["200", "210", "299"])
def test_the_entry_of_the_permission_codes_speaks_for_each_of_them(code: str):
    rewrite("200-299", meaning_fr="Il manque une permission")
    notification = attempt(post(), Provider(refused(int(code), 403)))
    assert words(notification, "fr")[0] == "Il manque une permission"


def test_a_code_that_nobody_has_classified_can_be_explained_too():
    notification = attempt(post(), Provider(refused(777777)))
    plain = words(notification, "fr")
    rewrite("777777", advice_fr="Appelez Meta")
    assert words(notification, "fr") == (plain[0], "Appelez Meta")


def test_what_an_administrator_wrote_does_not_change_whether_a_retry_helps():
    rewrite("131026", meaning_fr="Nos mots")
    with translation.override("fr"):
        explanation = explain(failed())
    assert explanation
    assert explanation.retry_helps is EXPLANATIONS[ErrorClass.RECIPIENT_PERMANENT].retry_helps


def test_the_page_shows_the_administrators_words_and_escapes_them(log_in: Callable[..., Client]):
    notification = failed()
    rewrite("131026", meaning_fr="Numéro <b>sans</b> WhatsApp", advice_fr="Passez par Fatou")
    page = log_in("agent_mali", language="fr").get(f"/agent-mali/whatsapp/monitoring/{notification.pk}/")
    html = page.content.decode()
    assert "Numéro &lt;b&gt;sans&lt;/b&gt; WhatsApp" in html
    assert "Passez par Fatou" in html


@pytest.mark.parametrize("code", ["130472", "130497", "131030"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_whose_class_says_too_little_has_words_of_its_own(code: str, language: str):
    meaning, advice = words(failed(code=code), language)
    with translation.override(language):
        general = EXPLANATIONS[ErrorClass.RECIPIENT_PERMANENT]
        assert meaning not in ("", str(general.meaning))
        assert advice not in ("", str(general.advice))


def test_an_administrators_text_replaces_that_of_a_code():
    rewrite("130497", meaning_en="Not to France")
    assert words(failed(code="130497"), "en")[0] == "Not to France"
