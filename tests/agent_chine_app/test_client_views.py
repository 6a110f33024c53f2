"""The China office's form and API for new clients."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import resolve, reverse

from agent_chine_app import views
from agent_chine_app.models import Client, ClientCreation
from whatsapp_monitoring_app.models import WhatsAppNotification

pytestmark = pytest.mark.django_db

API = "/agent-chine/api/clients/"
FORM = "/agent-chine/clients/new/"
GOOD: dict[str, Any] = {"telephone": "+22376123456", "first_name": "Jean", "last_name": "Dupont"}


def post(browser: Browser, body: Any) -> Any:
    text = body if isinstance(body, bytes) else json.dumps(body)
    return browser.post(API, text, content_type="application/json")


def assert_nothing_is_written():
    assert not ClientCreation.objects.exists()
    assert not Client.objects.exists()
    assert not WhatsAppNotification.objects.exists()


@pytest.mark.parametrize("more", [{}, {"email": "jean@example.com"}, {"email": None}, {"email": ""}], ids=repr)
def test_the_api_accepts_a_client_and_shows_how_far_they_are(more: dict[str, Any], log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    answer = post(browser, {**GOOD, **more})

    creation = ClientCreation.objects.get()
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["task_id"] == str(creation.pk)
    assert creation.email == (more.get("email") or "")
    assert creation.requested_by_id == int(browser.session["_auth_user_id"])
    status = browser.get(f"{API}{creation.pk}/")
    assert status.status_code == 200
    assert (status.json()["status"], status.json()["task_id"]) == ("PENDING", str(creation.pk))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"telephone=%2B22376123456",
        pytest.param(b"[" * 200_000, id="too deep"),
        pytest.param(b'{"first_name": ' * 200_000, id="too deep an object"),
        {},
        {name: value for name, value in GOOD.items() if name != "telephone"},
        {name: value for name, value in GOOD.items() if name != "first_name"},
        {name: value for name, value in GOOD.items() if name != "last_name"},
        {**GOOD, "first_name": "  "},
        {**GOOD, "first_name": None},
        {**GOOD, "last_name": 12},
        {**GOOD, "last_name": ["Dupont"]},
        {**GOOD, "telephone": 22376123456},
        {**GOOD, "telephone": "12"},
        {**GOOD, "first_name": "Je\x00an"},
        {**GOOD, "first_name": "Je\ud800an"},
        {**GOOD, "last_name": "\udfff"},
        {**GOOD, "telephone": "+22376123456\ud800"},
        {**GOOD, "email": "jean@ex\ud800ample.com"},
        {**GOOD, "email": "not an address"},
        {**GOOD, "email": 12},
        {**GOOD, "email": {"a": 1}},
        {**GOOD, "email": "x" * 300 + "@example.com"},
    ],
    ids=repr,
)
def test_the_api_refuses_what_is_no_client_and_writes_nothing(body: Any, log_in: Callable[..., Browser]):
    answer = post(log_in("agent_chine"), body)

    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["error"]
    assert_nothing_is_written()


@pytest.mark.parametrize(
    ("role", "status"), [(None, 401), ("client", 403), ("agent_mali", 403), ("admin_mali", 403), ("admin_chine", 403)]
)
def test_the_api_answers_others_in_json_and_writes_nothing(
    role: str | None, status: int, log_in: Callable[..., Browser]
):
    browser = log_in(role) if role else Browser()

    for answer in (post(browser, GOOD), browser.get(f"{API}{uuid.uuid4()}/")):
        assert answer.status_code == status
        assert answer.json()["success"] is False
        assert answer.json()["error"]
    assert_nothing_is_written()


def test_the_api_is_the_view_of_the_guide_s_name():
    assert resolve(API).func is views.create_client_api


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_the_api_takes_posts_only(method: str, log_in: Callable[..., Browser]):
    assert getattr(log_in("agent_chine"), method)(API).status_code == 405
    assert_nothing_is_written()


@pytest.mark.parametrize("task_id", ["0d3f9a52-5c0e-4f53-9f0b-6f8a3c1f7d11", "garbage", "%00", "1"])
def test_the_status_of_an_unknown_creation_is_404_in_json(task_id: str, log_in: Callable[..., Browser]):
    answer = log_in("agent_chine").get(f"{API}{task_id}/")

    assert answer.status_code == 404
    assert answer.json()["status"] == "UNKNOWN"


def form(**changes: str) -> dict[str, str]:
    return {"request_id": str(uuid.uuid4()), "language": "fr", **GOOD, **changes}


def test_the_form_starts_a_creation_and_leads_to_its_progress(log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    filled = form(telephone="138 0013 8000", email="wei@example.com", language="zh-hans")
    answer = browser.post(FORM, filled)

    creation = ClientCreation.objects.get()
    assert answer.status_code == 302
    assert answer.headers["Location"] == reverse("agent_chine:client_creation", args=[filled["request_id"]])
    assert (creation.telephone, creation.email, creation.language) == ("+8613800138000", "wei@example.com", "zh-hans")
    assert browser.get(answer.headers["Location"]).context["creation"] == creation


def test_the_same_form_posted_twice_is_one_creation(log_in: Callable[..., Browser]):
    browser, filled = log_in("agent_chine"), form()
    first, second = browser.post(FORM, filled), browser.post(FORM, filled)

    assert first.headers["Location"] == second.headers["Location"]
    assert ClientCreation.objects.count() == 1


def test_each_empty_form_has_a_number_of_its_own(log_in: Callable[..., Browser]):
    browser = log_in("agent_chine")
    numbers = {browser.get(FORM).context["form"].initial["request_id"] for _ in range(3)}

    assert len(numbers) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"telephone": "76 12 34 56"}, "telephone"),
        ({"telephone": ""}, "telephone"),
        ({"first_name": " "}, "first_name"),
        ({"last_name": "x" * 151}, "last_name"),
        ({"email": "not an address"}, "email"),
        ({"language": "klingon"}, "language"),
        ({"request_id": "garbage"}, "request_id"),
        ({"email": "x" * 300 + "@example.com"}, None),
    ],
    ids=repr,
)
def test_a_bad_form_is_shown_again_with_what_was_typed_and_writes_nothing(
    changes: dict[str, str], field: str | None, log_in: Callable[..., Browser]
):
    answer = log_in("agent_chine").post(FORM, form(**changes))

    assert answer.status_code == 422
    assert field is None or field in answer.context["form"].errors
    assert answer.context["form"].errors
    assert 'value="Jean"' in answer.content.decode() or "first_name" in changes
    assert_nothing_is_written()
