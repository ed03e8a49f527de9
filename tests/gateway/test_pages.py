"""What stands before a page stands before no API, and the other way round."""

import pytest
from django.test import Client
from django.test.client import ClientHandler

BROWSER = ("X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")


@pytest.fixture
def strict():
    """Give a client that is asked for its CSRF token, as browsers are."""
    client = Client()
    client.handler = ClientHandler(enforce_csrf_checks=True)
    client.handler.load_middleware()
    return client


@pytest.mark.parametrize("path", ["/admin/login/", "/docs/"])
def test_pages_tell_browsers_to_be_careful(db, client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_an_api_answers_without_what_only_pages_need(db, client):
    client.cookies["sessionid"] = "x"
    answer = client.post("/v1/app-installs/i/events")
    assert answer.status_code == 401
    assert not set(BROWSER) & set(answer.headers)
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert not answer.cookies
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/nothing", "/notifications", "/v1/app-installs/i/events"])
def test_no_api_asks_for_a_form_token(db, strict, path):
    answer = strict.post(path, b"{}", content_type="application/json")
    assert answer.status_code in {401, 404}
    assert list(answer.json()) == ["error"]


def test_a_form_of_another_site_is_refused(db, strict):
    assert strict.post("/admin/login/", {"username": "x", "password": "y"}).status_code == 403


def test_an_operator_signs_in_and_out(db, client, django_user_model):
    django_user_model.objects.create_superuser("root", "", "root")
    form = {"username": "root", "password": "root", "next": "/admin/"}
    assert client.post("/admin/login/", form).url == "/admin/"
    assert client.get("/admin/").status_code == 200
    client.post("/admin/logout/")
    assert client.get("/admin/").status_code == 302
