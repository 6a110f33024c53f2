"""Every Python sample of the customer's guide, executed as printed against the running system."""

import json
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests
from celery.result import AsyncResult
from celery.schedules import crontab
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client as Browser
from django.urls import path, resolve, reverse
from django.views.decorators.http import require_http_methods

from accounts.models import User
from agent_chine_app import whatsapp_views
from agent_chine_app.client_async_utils import create_client_async, get_client_creation_status
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation, Colis
from agent_chine_app.notifications import notify_colis_created
from agent_mali_app.whatsapp_integration import notify_colis_arrival_mali
from tests import guide
from tests.stack import Stack
from tests.waiting import eventually
from ts_air_cargo import urls as project_urls
from ts_air_cargo.celery import app
from whatsapp_monitoring_app.models import Status, WhatsAppNotification

LINK = re.compile(r"\S+/first-password/\S+/")
JEAN = "+22376123456"

# A distinctive line of each Python sample of the guide; the test of that name says what the sample promises.
SAMPLES = {
    "send": "# Envoyer une notification asynchrone",
    "send from Mali": "# Fonction intégrée spécifique à agent_mali",
    "create a client": "# Créer un client avec notifications automatiques",
    "create a client in a view": "def create_client_view(request):",
    "China's addresses": "# agent_chine_app/urls.py",
    "Mali's addresses": "# agent_mali_app/urls.py",
    "beat": "CELERY_BEAT_SCHEDULE = {",
    "apps": "INSTALLED_APPS = [",
    "parcel created": "def notify_colis_created(colis):",
    "parcel arrived": "def notify_colis_arrival_mali(colis):",
    "create a client by API": "def create_client_api(request):",
    "status": "status = get_client_creation_status(task_id)",
}


def sample(name: str) -> guide.Sample:
    return guide.sample("python", SAMPLES[name])


def row_of(task: AsyncResult) -> WhatsAppNotification:
    return WhatsAppNotification.objects.get(pk=task.id)


def kind_of(notification: WhatsAppNotification) -> tuple[Any, ...]:
    return (
        notification.user,
        notification.phone_number,
        notification.source_app,
        notification.message_type,
        notification.category,
        notification.priority,
    )


def assert_one_client_with_a_link(stack: Stack, telephone: str, name: str):
    """The client exists and got one message, whose link lets them choose a password that nobody ever saw."""
    (message,) = eventually(lambda: stack.messages_to(telephone), "the credentials arrived")
    client = Client.objects.get(user__telephone=telephone)
    assert client.user.get_full_name() == name
    assert not client.user.has_usable_password()
    assert len(LINK.findall(message["text"])) == 1
    assert WhatsAppNotification.objects.get(user=client.user).category == "credentials"
    link = LINK.findall(message["text"])[0]
    assert requests.get(link, timeout=10).url.endswith("/choose/")


@pytest.fixture
def colis(stack: Stack) -> Colis:
    client, _ = create_client(JEAN, "Jean", "Dupont")
    return Colis.objects.create(client=client)


def test_every_python_sample_of_the_guide_has_its_test():
    for each in guide.samples("python"):
        names = [name for name, line in SAMPLES.items() if line in each.code]
        assert len(names) == 1, f"line {each.line} of the guide: {names}"
    assert len(guide.samples("python")) == len(SAMPLES)
    assert {each.language for each in map(sample, SAMPLES)} == {"python"}


def test_the_sample_that_sends_from_china_sends(stack: Stack, make_user: Callable[..., User]):
    user = make_user()
    task = sample("send").run(user=user)["task"]

    eventually(lambda: stack.messages_to(user.telephone), "the message arrived")
    assert stack.notices_to(user.telephone) == ["Votre colis est expédié!"]
    assert kind_of(row_of(task)) == (user, user.telephone, "agent_chine", "expedition", "colis_status", 2)
    assert row_of(task).title == "Expédition colis"


def test_the_sample_that_sends_from_mali_sends(stack: Stack, make_user: Callable[..., User]):
    user = make_user()
    task = sample("send from Mali").run(client_user=user)["task"]

    eventually(lambda: stack.messages_to(user.telephone), "the message arrived")
    assert stack.notices_to(user.telephone) == ["Votre colis est arrivé au Mali!"]
    assert kind_of(row_of(task)) == (user, user.telephone, "agent_mali", "delivery", "colis_arrival", 2)
    assert row_of(task).title == "Arrivée colis"


def test_the_sample_that_creates_a_client_creates_and_tells_them(stack: Stack, capsys: pytest.CaptureFixture[str]):
    task = sample("create a client").run()["task_result"]

    assert capsys.readouterr().out == f"Task ID: {task.id}\n"
    assert_one_client_with_a_link(stack, JEAN, "Jean Dupont")
    assert Client.objects.get().user.email == "jean@example.com"


def test_the_sample_that_asks_for_the_status_prints_success_and_a_result(
    stack: Stack, capsys: pytest.CaptureFixture[str]
):
    task_id = create_client_async(JEAN, "Jean", "Dupont").id
    eventually(lambda: ClientCreation.objects.filter(pk=task_id, status="SUCCESS").exists(), "the creation is over")
    status = sample("status").run(task_id=task_id)["status"]

    assert capsys.readouterr().out == f"Status: SUCCESS\nResult: {status['result']}\n"
    assert status["result"]["client_id"] == Client.objects.get().pk
    assert status["result"]["telephone"] == JEAN


@pytest.fixture
def mount(settings: Any) -> Callable[[str, Any], str]:
    """Give a sample's view an address on the running server."""

    def mount(route: str, view: Any) -> str:
        settings.ROOT_URLCONF = (*project_urls.urlpatterns, path(route, view))
        return f"{settings.PUBLIC_BASE_URL}/{route}"

    return mount


def session_of(browser: Browser) -> requests.Session:
    """A real HTTP session in which the same person is logged in."""
    session = requests.Session()
    token = secrets.token_hex(16)
    session.cookies.update({"sessionid": browser.cookies["sessionid"].value, "csrftoken": token})
    session.headers["X-CSRFToken"] = token
    return session


def test_the_sample_of_a_view_creates_the_client_and_says_so(
    stack: Stack, log_in: Callable[..., Browser], mount: Callable[[str, Any], str]
):
    view = sample("create a client in a view").run(messages=messages)["create_client_view"]

    def page(request: HttpRequest) -> HttpResponse:
        # The sample returns no response: a page around it shows what it said.
        view(request)
        return JsonResponse([[said.level_tag, said.message] for said in messages.get_messages(request)], safe=False)

    session, url = session_of(log_in("agent_chine")), mount("guide/clients/", page)
    person = {"telephone": JEAN, "first_name": "Jean", "last_name": "Dupont", "email": "jean@example.com"}

    said = session.post(url, data=person, timeout=10).json()
    creation = ClientCreation.objects.get()
    assert said == [["success", f"Client en cours de création (Task: {creation.pk})"]]
    assert_one_client_with_a_link(stack, JEAN, "Jean Dupont")

    ((level, text),) = session.post(url, data={**person, "telephone": "12"}, timeout=10).json()
    assert level == "error"
    assert "12" in text
    assert ClientCreation.objects.count() == 1


def test_the_sample_of_an_api_creates_the_client_and_refuses_a_bad_request(
    stack: Stack, log_in: Callable[..., Browser], mount: Callable[[str, Any], str]
):
    names = {"json": json, "JsonResponse": JsonResponse, "require_http_methods": require_http_methods}
    view = sample("create a client by API").run("agent_chine_app", **names)["create_client_api"]
    session, url = session_of(log_in("agent_chine")), mount("guide/api/", view)
    person = {"telephone": JEAN, "first_name": "Jean", "last_name": "Dupont"}

    answer = session.post(url, json=person, timeout=10)
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert_one_client_with_a_link(stack, JEAN, "Jean Dupont")
    assert get_client_creation_status(answer.json()["task_id"])["status"] == "SUCCESS"

    refused = session.post(url, data="{", timeout=10)
    assert refused.status_code == 400
    assert refused.json()["success"] is False
    assert session.get(url, timeout=10).status_code == 405
    assert ClientCreation.objects.count() == 1


@pytest.mark.parametrize("office", ["agent_chine", "agent_mali"])
def test_the_addresses_of_the_guide_are_those_of_the_office(
    office: str, transactional_db: None, log_in: Callable[..., Browser]
):
    name = {"agent_chine": "China's addresses", "agent_mali": "Mali's addresses"}[office]
    names = {"urlpatterns": [], "path": path, "whatsapp_views": whatsapp_views}
    patterns = sample(name).run(f"{office}_app", **names)["urlpatterns"]

    assert [pattern.name for pattern in patterns] == [
        "whatsapp_monitoring",
        "whatsapp_monitoring_list",
        "whatsapp_retry_failed",
    ]
    browser = log_in(office)
    for pattern in patterns:
        url = reverse(f"{office}:{pattern.name}")
        assert url == f"/{office.replace('_', '-')}/{pattern.pattern}"
        assert resolve(url).func is pattern.callback
        assert browser.get(url).status_code == 200


def test_the_beat_schedule_of_the_guide_is_in_the_settings():
    schedule = sample("beat").run(crontab=crontab)["CELERY_BEAT_SCHEDULE"]

    assert schedule.items() <= settings.CELERY_BEAT_SCHEDULE.items()
    assert len(schedule) == 2
    assert {entry["task"] for entry in schedule.values()} <= set(app.tasks)


def test_the_apps_of_the_guide_are_installed_in_its_order():
    named = sample("apps").run()["INSTALLED_APPS"]

    assert [name for name in settings.INSTALLED_APPS if name in named] == named


def has_arrived(stack: Stack, count: int) -> bool:
    return len(stack.messages_to(JEAN)) >= count


def test_the_parcel_samples_and_our_own_functions_send_the_same_kind_of_message(stack: Stack, colis: Colis):
    other = Colis.objects.create(client=colis.client)
    created = sample("parcel created").run("agent_chine_app")["notify_colis_created"]
    arrived = sample("parcel arrived").run("agent_mali_app")["notify_colis_arrival_mali"]

    for theirs, ours, count in ((created, notify_colis_created, 2), (arrived, notify_colis_arrival_mali, 4)):
        assert kind_of(row_of(theirs(colis))) == kind_of(row_of(ours(other)))
        # One that still waited would be cancelled by the newer fact.
        eventually(partial(has_arrived, stack, count), f"{count} messages arrived")
    texts = stack.notices_to(JEAN)
    assert texts.count(f"📦 Nouveau colis {colis.numero_suivi} créé pour Jean Dupont") == 1
    assert texts.count(f"🎉 Votre colis {colis.numero_suivi} est arrivé au Mali! Venez le récupérer.") == 1
    assert len([text for text in texts if other.numero_suivi in text]) == 2


def test_every_task_that_the_guide_lists_is_registered():
    listed = re.findall(r"^\d\. \*\*`(\w+)`\*\*", guide.PATH.read_text(), re.MULTILINE)

    assert len(listed) == 5
    assert set(listed) <= {name.rpartition(".")[2] for name in app.tasks}


def test_a_message_of_the_guide_is_tried_again_by_itself_after_a_passing_failure(
    stack: Stack, make_user: Callable[..., User]
):
    user = make_user("+22370000012")
    task = sample("send").run(user=user)["task"]

    eventually(lambda: stack.messages_to(user.telephone), "the second attempt arrived")
    assert [request["error_code"] for request in stack.requests()] == [131056, None]
    eventually(lambda: row_of(task).status == Status.READ, "the client read it")
    assert [attempt.outcome for attempt in row_of(task).attempts.all()] == ["refused", "accepted"]
