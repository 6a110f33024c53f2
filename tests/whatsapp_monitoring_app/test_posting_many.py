"""Many messages taken in at once: each as if it came alone."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from accounts.models import User
from tests.whatsapp_monitoring_app.crowds import TEXT, people
from tests.whatsapp_monitoring_app.scripts import NOW, NUMBER, at_once
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.services import outbox, writing
from whatsapp_monitoring_app.services.drafts import Draft

pytestmark = pytest.mark.django_db

GOOD: list[dict[str, Any]] = [
    {},
    {"message_type": "otp"},
    {"message_type": "payment", "category": "facture", "title": "Facture", "priority": 1},
    {"source_app": "agent_chine"},
    {"language": "en"},
    {"phone_number": "66 00 00 00"},
    {"expires_at": NOW + timedelta(hours=1)},
    {"not_before": NOW + timedelta(hours=5)},
    {"context_data": {"lot": 7}, "is_secret": True},
]
BAD: list[dict[str, Any]] = [
    {"message_content": "Bon\x00jour"},
    {"source_app": "agent_chine", "phone_number": "66 00 00 00"},
    {"source_app": "agent_france"},
    {"user": None},
    {"priority": 9},
]


def letter(key: str, **fields: Any) -> Draft:
    return Draft(**{"message_content": TEXT, "source_app": "agent_mali", "idempotency_key": key, **fields})


def promises_of(notification: WhatsAppNotification) -> dict[str, Any]:
    """Everything in the row but what is each one's own."""
    row: dict[str, Any] = WhatsAppNotification.objects.filter(pk=notification.pk).values().get()  # type: ignore[assignment]
    return {name: value for name, value in row.items() if name not in ("code", "idempotency_key", "rung_at")}


@pytest.mark.parametrize("has_refused", [False, True], ids=["willing", "opted out"])
@pytest.mark.parametrize("fields", GOOD, ids=repr)
def test_what_is_promised_of_one_message_is_promised_of_many(
    fields: dict[str, Any], has_refused: bool, make_user: Callable[..., User]
):
    given = {"user": make_user(NUMBER, language="zh-hans"), **fields}
    if has_refused:
        for number in (NUMBER, "+22366000000"):
            WhatsAppOptOut.objects.create(phone_number=number, reason="STOP", created_at=NOW)
    one, _ = outbox.post(letter("one", **given), NOW)
    ((many,), refusals) = outbox.post_all([letter("many", **given)], NOW)

    assert refusals == {}
    assert promises_of(one) == promises_of(many)
    assert (one.pk == many.pk, many.rung_at) == (False, None)


@pytest.mark.parametrize("fields", BAD, ids=repr)
def test_what_is_refused_of_one_message_is_refused_of_many(fields: dict[str, Any], make_user: Callable[..., User]):
    given = {"user": make_user(), **fields}
    with pytest.raises(ValueError, match=r"\w") as refusal:
        outbox.post(letter("one", **given), NOW)
    new, refusals = outbox.post_all([letter("bad", **given), letter("good", phone_number=NUMBER)], NOW)

    assert refusals == {"bad": str(refusal.value)}
    assert [row.idempotency_key for row in new] == ["good"]


def test_what_a_plain_text_does_not_name_has_a_default_in_the_database():
    left_out = [field for field in WhatsAppNotification._meta.concrete_fields if field.name not in writing.PLAIN]
    assert [field.name for field in left_out if not field.null and not field.has_db_default()] == []


def test_a_row_made_quickly_is_as_the_constructor_makes_it():
    given = {"code": uuid.uuid4(), "source_app": "agent_mali", "phone_number": NUMBER, "created_at": NOW}
    quick, slow = writing.row(given), WhatsAppNotification(**given)
    names = [field.attname for field in WhatsAppNotification._meta.concrete_fields]

    assert [getattr(quick, name) for name in names] == [getattr(slow, name) for name in names]
    assert quick == slow
    assert quick._state.adding
    assert writing.row(given).context_data is not quick.context_data


def test_of_several_drafts_with_one_key_the_first_is_written():
    twice = [letter("once", phone_number=NUMBER, title=title) for title in ("first", "second")]
    new, _ = outbox.post_all([*twice, letter("other", phone_number=NUMBER)], NOW)

    assert [(row.idempotency_key, row.title) for row in new] == [("once", "first"), ("other", "")]
    assert WhatsAppNotification.objects.count() == 2


def test_plain_texts_and_others_are_posted_together():
    drafts = [letter("plain", phone_number=NUMBER), letter("about", phone_number=NUMBER, subject="colis:1")]
    new, _ = outbox.post_all(drafts, NOW)

    assert {row.idempotency_key for row in new} == {"plain", "about"}
    assert dict(WhatsAppNotification.objects.values_list("idempotency_key", "subject")) == {
        "plain": "",
        "about": "colis:1",
    }


def test_who_refuses_messages_gets_the_essential_ones_among_many():
    WhatsAppOptOut.objects.create(phone_number=NUMBER, reason="STOP", created_at=NOW)
    kinds = ("notification", "payment")
    new, _ = outbox.post_all([letter(kind, message_type=kind, phone_number=NUMBER) for kind in kinds], NOW)

    assert [row.status for row in new] == [Status.CANCELLED, Status.PENDING]


def test_of_many_messages_only_those_with_new_keys_are_written():
    outbox.post(letter("known", phone_number=NUMBER), NOW)
    outbox.post(letter("new", phone_number=NUMBER, source_app="agent_chine"), NOW)
    new, refusals = outbox.post_all([letter("known", phone_number=""), letter("new", phone_number=NUMBER)], NOW)

    assert ([row.idempotency_key for row in new], refusals) == (["new"], {})
    assert WhatsAppNotification.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_several_who_post_the_same_keys_at_once_write_each_once(make_user: Callable[..., User]):
    drafts = [letter(f"key {user.pk}", user=user) for user in people(make_user, 30)]
    posted = at_once(*[partial(outbox.post_all, drafts, NOW)] * 4)

    assert sum(len(each.new) for each in posted) == 30
    assert WhatsAppNotification.objects.count() == 30
