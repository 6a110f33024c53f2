"""What every answer says to browsers, and what no request gets through."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

pytestmark = pytest.mark.django_db

BEHIND_CADDY: dict[str, Any] = {"REMOTE_ADDR": "172.30.77.3", "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.fixture
def production(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["172.30.77.0/24"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True


@pytest.mark.parametrize("path", ["/login/", "/", "/nowhere/", "/suivi/", "/webhooks/whatsapp/cloud/"])
def test_every_answer_says_what_browsers_may_do(path: str, production: None):
    headers = Browser(**BEHIND_CADDY).get(path).headers

    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "microphone=()" in headers["Permissions-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_only_a_trusted_proxy_says_that_a_request_came_by_https(production: None):
    assert Browser(**BEHIND_CADDY).get("/login/").status_code == 200
    answer = Browser(**{**BEHIND_CADDY, "REMOTE_ADDR": "203.0.113.5"}).get("/login/")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/login/")


def test_what_is_larger_than_anything_asked_for_is_refused_with_a_sentence(settings: Any):
    settings.REQUEST_LIMIT = 1000
    photo = SimpleUploadedFile("photo.jpg", b"x" * 1000)
    answer = Browser(headers={"Accept-Language": "en"}).post("/login/", {"photo": photo})

    assert answer.status_code == 413
    assert "1000\xa0bytes" in answer.content.decode()
    assert Browser().post("/login/", {"photo": SimpleUploadedFile("photo.jpg", b"x")}).status_code != 413


@pytest.mark.parametrize(
    "length", ["", "-1", "many", "²", "9" * 5000], ids=["none", "negative", "word", "square", "endless"]
)
def test_a_length_that_is_none_breaks_nothing(length: str):
    assert Browser(CONTENT_LENGTH=length).get("/nowhere/").status_code == 404


def test_a_flood_of_files_in_one_form_is_refused(settings: Any):
    files = {f"photo{number}": SimpleUploadedFile("p.jpg", b"x") for number in range(6)}
    assert len(files) > settings.DATA_UPLOAD_MAX_NUMBER_FILES
    assert Browser().post("/login/", files).status_code == 400
