"""Creating clients in the background, with everything running: one person, one account, one message."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app import client_creation
from agent_chine_app.client_async_utils import (
    create_client_async,
    create_client_for_view,
    create_clients_bulk_async,
    get_client_creation_status,
)
from agent_chine_app.client_creation import NewClient
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation
from agent_chine_app.tasks import recover_client_creations
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import Status, WhatsAppNotification, WhatsAppSender

JEAN = "+22376123456"
AT_ONCE = 8


def finished(task_id: str) -> dict[str, Any]:
    def status() -> dict[str, Any] | None:
        answer = get_client_creation_status(task_id)
        return answer if answer["status"] in ("SUCCESS", "FAILURE") else None

    answer = eventually(status, f"creation {task_id} is over")
    assert answer
    return answer


def assert_one_of_everything(stack: Stack, telephone: str = JEAN):
    """One account, one client, one message owed, one message at the provider, and no second one on its way."""
    user = User.objects.get(telephone=telephone)
    sent = WhatsAppNotification.objects.filter(user=user, provider_message_id__isnull=False)
    eventually(sent.exists, "the message is accepted")
    assert WhatsAppNotification.objects.filter(user=user).count() == 1
    assert Client.objects.filter(user=user).count() == 1
    assert len(stack.messages_to(telephone)) == 1


def assert_nothing_is_written():
    assert not ClientCreation.objects.exists()
    assert not Client.objects.exists()
    assert not User.objects.exists()
    assert not WhatsAppNotification.objects.exists()


def at_once(call: Callable[[], Any]) -> list[Any]:
    """The answers of several threads that call at the same moment, each with its own connection."""

    def run(_number: int) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(run, range(AT_ONCE)))


def test_a_client_is_created_and_told_by_the_system_s_sender(stack: Stack, make_user: Callable[..., User]):
    WhatsAppSender.objects.filter(code="systeme").update(account_id="777000777")
    system = WhatsAppSender.objects.get(code="systeme")
    system.token = "sandbox-token"
    system.save()
    agent = make_user(role="agent_chine")
    task = create_client_async(JEAN, "Jean", "Dupont", "jean@example.com", language="en", requested_by=agent)
    answer = finished(task.id)

    client = Client.objects.get()
    assert answer == {
        "task_id": task.id,
        "status": "SUCCESS",
        "step": ClientCreation.Step.DONE.label,
        "progress": 100,
        "result": {
            "client_id": client.pk,
            "telephone": JEAN,
            "name": "Jean Dupont",
            "created": True,
            "notification": str(WhatsAppNotification.objects.get().pk),
        },
        "error": None,
    }
    assert (client.created_by, client.user.email, client.user.language) == (agent, "jean@example.com", "en")
    assert not client.user.has_usable_password()
    assert_one_of_everything(stack)
    (message,) = stack.messages()
    assert message["phone_number_id"] == "777000777"
    assert message["text"].count("/first-password/") == 1
    notification = WhatsAppNotification.objects.get()
    assert (notification.source_app, notification.message_type) == ("agent_chine", "account_creation")
    assert (notification.category, notification.priority, notification.is_secret) == ("credentials", 1, True)


@pytest.mark.parametrize(
    ("telephone", "time_zone"), [("138 0013 8000", "Asia/Shanghai"), ("+225 07 07 12 34 56", "Africa/Abidjan")]
)
def test_a_number_is_read_with_china_s_plan_and_gives_the_time_zone(telephone: str, time_zone: str, stack: Stack):
    finished(create_client_async(telephone, "Wei", "Zhang").id)

    assert User.objects.get().time_zone == time_zone


def test_the_same_telephone_twice_is_one_client_and_one_message(stack: Stack):
    first = finished(create_client_async(JEAN, "Jean", "Dupont").id)
    second = finished(create_client_async("+223 76 12 34 56", "Johnny", "Dupond").id)

    assert (first["result"]["created"], second["result"]["created"]) == (True, False)
    assert first["result"]["client_id"] == second["result"]["client_id"]
    assert second["result"]["name"] == "Jean Dupont"
    assert_one_of_everything(stack)


def test_the_same_telephone_from_many_at_once_is_one_client_and_one_message(stack: Stack):
    answers = [finished(task.id) for task in at_once(lambda: create_client_async(JEAN, "Jean", "Dupont"))]

    assert {answer["status"] for answer in answers} == {"SUCCESS"}
    assert [answer["result"]["created"] for answer in answers].count(True) == 1
    assert len({answer["result"]["client_id"] for answer in answers}) == 1
    assert_one_of_everything(stack)


def test_the_same_code_from_many_at_once_is_one_creation(stack: Stack):
    code = uuid.uuid4()
    tasks = at_once(lambda: create_client_async(JEAN, "Jean", "Dupont", code=code))

    assert {task.id for task in tasks} == {str(code)}
    assert finished(str(code))["result"]["created"] is True
    assert ClientCreation.objects.count() == 1
    assert_one_of_everything(stack)


def test_one_creation_that_many_run_at_once_is_done_once(stack: Stack):
    creation, _ = client_creation.submit(NewClient(telephone=JEAN, first_name="Jean", last_name="Dupont"))
    at_once(lambda: client_creation.run(creation.pk, timezone.now()))

    assert finished(str(creation.pk))["result"]["created"] is True
    assert_one_of_everything(stack)


def test_a_creation_that_is_rolled_back_never_was(stack: Stack):
    with transaction.atomic():
        task = create_client_async(JEAN, "Jean", "Dupont")
        transaction.set_rollback(True)
    finished(create_client_async("+22376000001", "Awa", "Traoré").id)

    assert get_client_creation_status(task.id)["status"] == "UNKNOWN"
    assert not User.objects.filter(telephone=JEAN).exists()
    assert stack.messages_to(JEAN) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "task_id", ["0d3f9a52-5c0e-4f53-9f0b-6f8a3c1f7d11", "", "garbage", "None", "../..", "\x00", "é" * 500]
)
def test_the_status_of_an_id_that_was_never_given_is_unknown(task_id: str):
    answer = get_client_creation_status(task_id)

    assert (answer["task_id"], answer["status"], answer["result"]) == (task_id, "UNKNOWN", None)
    assert (answer["progress"], bool(answer["error"])) == (0, True)


GOOD: dict[str, Any] = {"telephone": JEAN, "first_name": "Jean", "last_name": "Dupont"}
BAD = [
    {"telephone": ""},
    {"telephone": "12"},
    {"telephone": "nobody"},
    {"telephone": "+22376\x00123456"},
    {"first_name": ""},
    {"last_name": "  \t "},
    {"first_name": "Je\x00an"},
    {"last_name": "\x00"},
    {"first_name": "Je\ud800an"},
    {"last_name": None},
    {"telephone": "+22376123456\udfff"},
    {"telephone": None},
    {"email": "jean@ex\ud800ample.com"},
    {"email": "not an address"},
    {"email": "x" * 260 + "@example.com"},
    {"email": "jean\x00@example.com"},
    {"language": "klingon-and-more"},
    {"language": ""},
]


@pytest.mark.django_db
@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_a_client_who_cannot_be_created_is_refused_at_once_and_nothing_is_written(bad: dict[str, str]):
    with pytest.raises(ValueError, match=r"\w") as refusal:
        create_client_async(**{**GOOD, **bad})

    assert type(refusal.value) is not ValueError
    assert_nothing_is_written()


@pytest.mark.django_db
def test_a_view_gets_a_dictionary_whatever_happens(rf: RequestFactory, make_user: Callable[..., User]):
    request = rf.post("/")
    request.user = make_user(role="agent_chine")
    good = create_client_for_view(request, **GOOD)
    bad = create_client_for_view(request, **{**GOOD, "telephone": "12"})

    creation = ClientCreation.objects.get()
    assert set(good) == {"success", "task_id", "message"}
    assert (good["success"], good["task_id"]) == (True, str(creation.pk))
    assert set(bad) == {"success", "error"}
    assert bad["success"] is False
    assert "12" in bad["error"]
    assert creation.requested_by == request.user


@pytest.mark.django_db
def test_a_view_without_a_person_creates_in_nobody_s_name(rf: RequestFactory):
    request = rf.post("/")
    request.user = AnonymousUser()

    assert create_client_for_view(request, **GOOD)["success"]
    assert ClientCreation.objects.get().requested_by is None


def test_a_bad_line_does_not_stop_the_others(stack: Stack):
    bad: list[dict[str, Any]] = [{"telephone": "12", "first_name": "A", "last_name": "B"}, {}]
    bad += [{**GOOD, "first_name": text} for text in ("Je\ud800an", "Je\x00an", None)]
    lines = [GOOD, *bad, {**GOOD, "telephone": "+22376000002"}]
    answer = create_clients_bulk_async(lines)

    assert [line["index"] for line in answer["created"]] == [0, 6]
    assert [line["index"] for line in answer["errors"]] == [1, 2, 3, 4, 5]
    assert all(line["error"] for line in answer["errors"])
    assert {finished(line["task_id"])["status"] for line in answer["created"]} == {"SUCCESS"}
    assert set(User.objects.values_list("telephone", flat=True)) == {JEAN, "+22376000002"}
    assert_one_of_everything(stack)
    assert_one_of_everything(stack, "+22376000002")


def submitted(minutes_ago: int, **changes: Any) -> ClientCreation:
    """A creation whose task nobody ever gets."""
    creation, _ = client_creation.submit(NewClient(**GOOD))
    ClientCreation.objects.update(rung_at=timezone.now() - timedelta(minutes=minutes_ago), **changes)
    return creation


def test_a_creation_whose_task_was_lost_is_found_again(stack: Stack):
    creation = submitted(minutes_ago=3)

    assert recover_client_creations() == 1
    assert recover_client_creations() == 0, "it was rung just now"
    assert finished(str(creation.pk))["status"] == "SUCCESS"
    assert_one_of_everything(stack)


def test_a_creation_whose_worker_died_is_resumed(stack: Stack):
    creation = submitted(minutes_ago=3, status="STARTED", step="account", tries=1)
    recover_client_creations()

    assert finished(str(creation.pk))["result"]["created"] is True
    assert ClientCreation.objects.get().tries == 2
    assert_one_of_everything(stack)


@pytest.mark.django_db(transaction=True)
def test_each_step_is_seen_while_it_is_taken(monkeypatch: pytest.MonkeyPatch):
    creation = submitted(minutes_ago=0)
    seen = [get_client_creation_status(str(creation.pk))]

    def look_before(name: str) -> None:
        step = getattr(client_creation, name)

        def look_and_take(*args: Any, **options: Any) -> Any:
            # Over another connection: the one of whoever watches the page.
            seen.append(at_once(lambda: get_client_creation_status(str(creation.pk)))[0])
            return step(*args, **options)

        monkeypatch.setattr(client_creation, name, look_and_take)

    look_before("create_client")
    look_before("tell")
    client_creation.run(creation.pk, timezone.now())
    seen.append(get_client_creation_status(str(creation.pk)))

    assert [answer["step"] for answer in seen] == [step.label for step in ClientCreation.Step]
    assert [answer["progress"] for answer in seen] == [10, 40, 70, 100]
    assert [answer["result"] is None for answer in seen] == [True, True, True, False]


@pytest.mark.django_db(transaction=True)
def test_a_creation_whose_worker_died_before_telling_goes_on_there(monkeypatch: pytest.MonkeyPatch):
    creation = submitted(minutes_ago=0)

    def die(*_args: object, **_options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(client_creation, "tell", die)
        pytest.raises(SystemExit, client_creation.run, creation.pk, timezone.now())
    client = Client.objects.get()
    assert not WhatsAppNotification.objects.exists()
    creation.refresh_from_db()
    assert (creation.status, creation.step, creation.client) == ("STARTED", "notification", client)

    client_creation.run(creation.pk, timezone.now())
    answer = get_client_creation_status(str(creation.pk))
    assert (answer["status"], answer["result"]["created"]) == ("SUCCESS", True)
    assert answer["result"]["notification"] == str(WhatsAppNotification.objects.get(user=client.user).pk)
    assert Client.objects.count() == 1


@pytest.mark.django_db
def test_a_client_whose_creation_was_given_up_before_telling_is_told_by_the_next_one():
    client, _ = create_client(**GOOD)
    submitted(minutes_ago=3, status="FAILURE", step="notification", client=client)
    again = submitted(minutes_ago=0)
    client_creation.run(again.pk, timezone.now())

    assert WhatsAppNotification.objects.get().user == client.user


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_administration_shows_a_creation_and_changes_nothing(method: str, log_in: Callable[..., Browser]):
    creation = submitted(minutes_ago=0)
    browser = log_in("agent_chine", is_staff=True, is_superuser=True)
    addresses = {
        reverse("admin:agent_chine_app_clientcreation_change", args=[creation.pk]): 200,
        reverse("admin:agent_chine_app_clientcreation_delete", args=[creation.pk]): 403,
        reverse("admin:agent_chine_app_clientcreation_add"): 403,
    }
    before = ClientCreation.objects.values().get()

    codes = [
        getattr(browser, method)(address, {"last_name": "Autre", "post": "yes"}).status_code for address in addresses
    ]
    assert codes == (list(addresses.values()) if method == "get" else [403, 403, 403])
    assert ClientCreation.objects.values().get() == before


@pytest.mark.django_db
def test_a_fresh_or_finished_creation_is_left_alone():
    submitted(minutes_ago=1)
    assert recover_client_creations() == 0
    submitted(minutes_ago=60, status="FAILURE")
    assert recover_client_creations() == 0


@pytest.mark.django_db
def test_a_creation_that_was_interrupted_too_often_is_given_up():
    creation = submitted(minutes_ago=3, tries=client_creation.TRIES_AT_MOST)
    client_creation.run(creation.pk, timezone.now())
    answer = get_client_creation_status(str(creation.pk))

    assert (answer["status"], answer["result"], bool(answer["error"])) == ("FAILURE", None, True)
    assert not Client.objects.exists()
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.django_db
def test_a_finished_creation_that_runs_again_changes_nothing():
    creation = submitted(minutes_ago=0)
    before = client_creation.run(creation.pk, timezone.now())
    after = client_creation.run(creation.pk, timezone.now() + timedelta(hours=1))

    assert (after.status, after.was_new, after.tries) == (before.status, True, 1)
    assert after.finished_at == before.finished_at
    assert WhatsAppNotification.objects.get().status == Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_creating_a_client_at_once_tells_nobody():
    answers = at_once(lambda: create_client("138 0013 8000", "Wei", "Zhang", "wei@example.com", language="zh-hans"))

    assert [was_new for _, was_new in answers].count(True) == 1
    user = Client.objects.get().user
    assert (user.telephone, user.email, user.language) == ("+8613800138000", "wei@example.com", "zh-hans")
    assert not user.has_usable_password()
    assert not WhatsAppNotification.objects.exists()
    assert not ClientCreation.objects.exists()
