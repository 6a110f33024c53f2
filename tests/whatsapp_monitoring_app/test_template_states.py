"""How templates stand at the providers: the screen says what the engine then does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import rows
from tests.whatsapp_monitoring_app.scripts import NOW, Provider, accepted, attempt, post
from whatsapp_monitoring_app.models import Status, WhatsAppSender, WhatsAppTemplate
from whatsapp_monitoring_app.services import template_states
from whatsapp_monitoring_app.services.template_states import Judgement, Standing, State

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=40)
SAYABLE = (State.APPROVED, State.UNHEARD, State.UNTOLD)


@pytest.fixture
def template() -> WhatsAppTemplate:
    return rows.template(text_en="")


def synced(**fields: Any) -> None:
    WhatsAppSender.objects.update(templates_synced_at=NOW, **fields)


def judged(template: WhatsAppTemplate, sender: str = "mali") -> Judgement:
    return template_states.judge(template, "fr", WhatsAppSender.objects.get(code=sender), NOW)


SCENES: list[tuple[dict[str, Any] | None, State, str]] = [
    (None, State.MISSING, ""),
    ({}, State.APPROVED, ""),
    ({"status": ""}, State.APPROVED, ""),
    ({"status": "", "synced_at": None}, State.UNHEARD, ""),
    ({"status": "PENDING"}, State.WAITING, ""),
    ({"status": "IN_APPEAL"}, State.WAITING, ""),
    ({"status": "PAUSED", "reason": "Low quality"}, State.PAUSED, "Low quality"),
    ({"status": "REJECTED", "reason": "TAG_CONTENT_MISMATCH"}, State.REJECTED, "TAG_CONTENT_MISMATCH"),
    ({"status": "DISABLED"}, State.UNUSABLE, "[DISABLED]"),
    ({"status": "NEW_WORD", "reason": "Why not"}, State.UNUSABLE, "[NEW_WORD] Why not"),
    ({"status": "GONE"}, State.MISSING, ""),
    ({"stopped_until": NOW + LATER, "stop_reason": "132015 Paused"}, State.STOPPED, "132015 Paused"),
    ({"stopped_until": NOW, "stop_reason": "132015 Paused"}, State.APPROVED, ""),
    ({"status": "PAUSED", "stopped_until": NOW + LATER, "stop_reason": "132015"}, State.PAUSED, ""),
    ({"body_variables": ["1"]}, State.MISFIT, "wants [1], and we have [nom, jours]"),
    ({"body_variables": ["nom", "heure"], "has_named_variables": True}, State.MISFIT, "wants [nom, heure]"),
    ({"body_variables": ["jours", "nom"], "has_named_variables": True}, State.APPROVED, ""),
    ({"header": "TEXT", "header_variables": ["1"]}, State.MISFIT, "template.header"),
    ({"header": "VIDEO"}, State.MISFIT, "template.header"),
    ({"url_buttons": [0]}, State.MISFIT, "template.buttons"),
]


@pytest.mark.parametrize(("facts", "state", "detail"), SCENES, ids=[f"{facts}" for facts, *_rest in SCENES])
def test_a_template_stands_as_the_provider_has_told_and_the_engine_does_the_same(
    facts: dict[str, Any] | None, state: State, detail: str, template: WhatsAppTemplate
):
    synced()
    if facts is not None:
        rows.provider_template(**facts)
    judgement = judged(template)

    assert judgement.state is state
    assert detail in judgement.detail
    assert bool(judgement.detail) == bool(detail)
    provider = Provider(accepted())
    sent = attempt(post(template="retard", params={"nom": "Awa", "jours": "3"}, message_content=""), provider)
    assert (sent.status == Status.SENT, len(provider.requests)) == (state in SAYABLE, int(state in SAYABLE))


@pytest.mark.parametrize("header", ["IMAGE", "DOCUMENT"])
def test_a_picture_or_a_file_comes_with_each_message(header: str, template: WhatsAppTemplate):
    synced()
    rows.provider_template(header=header)
    assert judged(template).state is State.APPROVED


def test_before_the_first_synchronisation_nothing_is_known(template: WhatsAppTemplate):
    assert judged(template).state is State.UNHEARD


def test_at_a_provider_that_gives_ids_a_template_needs_one(template: WhatsAppTemplate):
    synced(provider="twilio", account_id="AC1", business_account_id="", address="+22370000000")
    assert judged(template).state is State.NAMELESS
    rows.template_name(template, name="HX1")
    WhatsAppSender.objects.update(templates_synced_at=None)
    assert judged(template).state is State.UNTOLD
    assert not any(account.is_listed for account in template_states.overview(NOW).accounts)


def test_a_name_that_was_entered_is_the_one_that_is_looked_for(template: WhatsAppTemplate):
    synced()
    rows.provider_template("retard_2", "fr_FR", body_variables=["1"])
    assert judged(template).state is State.MISSING
    rows.template_name(template, provider_language="fr_FR", header_variable="", body_variables=["jours"])
    assert judged(template).state is State.APPROVED
    assert judged(template, "chine").state is State.MISSING


def test_a_name_that_speaks_of_a_variable_taken_away_fits_no_more(template: WhatsAppTemplate):
    synced()
    rows.provider_template("retard_2")
    rows.template_name(template, body_variables=["nom", "jours"])
    WhatsAppTemplate.objects.filter(pk=template.pk).update(variables=["nom"], text_fr="{nom}")
    template.refresh_from_db()
    judgement = judged(template)
    assert (judgement.state, "[jours]" in judgement.detail) == (State.MISFIT, True)
    failed = attempt(post(template="retard", params={"nom": "Awa"}, message_content=""), Provider(accepted()))
    assert failed.status == Status.FAILED
    assert "[jours], which the template has no more" in failed.error_message


def standing(code: str) -> Standing:
    return next(one for one in template_states.overview(NOW).standings if one.template.code == code)


def test_the_overview_agrees_with_each_judgement_and_puts_senders_together(template: WhatsAppTemplate):
    synced()
    rows.provider_template()
    rows.template_name(template, "chine", name="other")
    shown = standing("retard")

    assert [[sender.code for sender in row.senders] for row in shown.rows] == [["chine"], ["mali", "systeme"]]
    for row in shown.rows:
        for sender in row.senders:
            assert row.judgements[0].state is judged(template, sender.code).state
    assert shown.languages == ["Français"]
    assert [line.judgement.state for line in template_states.lines(template, NOW)] == [
        State.MISSING, State.APPROVED, State.APPROVED,
    ]  # fmt: skip


def test_languages_of_one_state_are_said_together_but_each_stop_by_itself():
    synced()
    rows.template(text_zh_hans="{nom} {jours}")
    rows.provider_template(stopped_until=NOW + LATER)
    rows.provider_template(language="en", stopped_until=NOW + LATER)
    rows.provider_template(language="zh_CN")
    (row,) = standing("retard").rows
    assert [[one.language for one in group] for group in row.groups] == [["fr"], ["en"], ["zh-hans"]]
    (row,) = standing("avis").rows
    assert [[one.language for one in group] for group in row.groups] == [["fr", "en", "zh-hans"]]


def test_only_active_senders_with_a_window_need_templates():
    WhatsAppSender.objects.filter(code="chine").update(provider="wachap")
    WhatsAppSender.objects.filter(code="systeme").update(is_active=False)
    assert [sender.code for sender in template_states.senders()] == ["mali"]
    (account,) = template_states.overview(NOW).accounts
    assert account.first.code == "mali"


def test_a_template_out_of_use_stands_nowhere_and_comes_last(template: WhatsAppTemplate):
    WhatsAppTemplate.objects.filter(code="avis").update(is_active=False)
    shown = template_states.overview(NOW).standings
    assert (shown[-1].template.code, shown[-1].rows) == ("avis", [])
    assert len(shown) == WhatsAppTemplate.objects.count()


def test_what_the_provider_has_besides_is_told_by_account(template: WhatsAppTemplate):
    rows.provider_template()
    rows.provider_template(language="en_US")
    rows.provider_template("hello_world", status="REJECTED")
    rows.provider_template("old", status="GONE")
    foreign = rows.provider_template("foreign")
    foreign.business_account_id = "another"
    foreign.save()
    (account,) = template_states.overview(NOW).accounts
    assert [str(each) for each in account.unused] == ["hello_world (fr)", "retard (en_US)"]


def test_an_overview_asks_as_many_questions_for_many_templates_as_for_one():
    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            template_states.overview(NOW)
        return len(asked)

    few = question_count()
    for number in range(20):
        rows.template_name(rows.template(f"more_{number}"))
        rows.provider_template(f"more_{number}")
    assert question_count() == few == 4
