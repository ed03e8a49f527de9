"""401 before anything else: which keys open which doors (contracts/kumulos §1, §5.0, §6.32)."""

import base64

import pytest
from django.test import Client
from kumulos_calls import Caller, basic

from crm.models import Install
from delivery.models import Notification

SERVER_ROUTES = [
    ("POST", "/notifications"),
    ("GET", "/notifications/1/install-opens"),
    ("GET", "/notifications/1/user-opens"),
]
DEVICE_ROUTES = [("POST", "/v1/app-installs/install-1/events")]


def refused(answer):
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)
    assert not Notification.objects.exists()
    assert not Install.objects.exists()


@pytest.mark.parametrize(("method", "path"), SERVER_ROUTES + DEVICE_ROUTES)
def test_no_credentials_open_nothing(db, client, method, path):
    refused(client.generic(method, path, data=b"{}"))


@pytest.mark.parametrize(("method", "path"), SERVER_ROUTES)
def test_the_device_key_opens_no_server_route(device, method, path):
    refused(device.ask(method, path, {"broadcast": True, "title": "t", "message": "m"}))


@pytest.mark.parametrize(("method", "path"), DEVICE_ROUTES)
def test_the_server_key_opens_no_device_route(backend, method, path):
    refused(backend.ask(method, path, []))


def malformed(key, secret):
    pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
    return {
        "nothing": "",
        "a bare scheme": "Basic",
        "another scheme": f"Bearer {pair}",
        "no scheme": pair,
        "not base64": "Basic ***",
        "base64 with rubbish inside": f"Basic {pair[:8]}*{pair[8:]}",
        "cut base64": f"Basic {pair[:-3]}",
        "no colon": "Basic " + base64.b64encode(f"{key}{secret}".encode()).decode(),
        "not UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:" + secret.encode()).decode(),
        "a NUL in the key": basic(f"{key}\0", secret),
        "a NUL in the secret": basic(key, f"{secret}\0"),
        "an empty secret": basic(key, ""),
        "an empty key": basic("", secret),
        "the pair reversed": basic(secret, key),
        "the key in capitals": basic(key.upper(), secret),
        "the secret with its case swapped": basic(key, secret.swapcase()),
        "a colon too many": basic(key, f"{secret}:"),
        "a space too many": basic(key, f" {secret}"),
        "a very long secret": basic(key, "x" * 5000),
        "a name that is no ASCII": basic("schlüssel", secret),
    }


@pytest.mark.parametrize("name", malformed("k", "s"))
@pytest.mark.parametrize(("method", "path"), [SERVER_ROUTES[0], DEVICE_ROUTES[0]])
def test_malformed_credentials_open_nothing(client, new_app, name, method, path):
    secret = new_app.secret_key if path.startswith("/v1/") else new_app.server_key
    caller = Caller(client, malformed(new_app.api_key, secret)[name])
    refused(caller.ask(method, path, {"broadcast": True, "title": "t", "message": "m"}))


def test_keys_of_two_apps_do_not_pair(client, new_app, other_app):
    crossed = Caller(client, basic(new_app.api_key, other_app.server_key))
    refused(crossed.send(broadcast=True))


def test_the_scheme_may_be_written_in_any_case(client, new_app):
    good = basic(new_app.api_key, new_app.server_key)
    for scheme in ("basic", "BASIC", "Basic "):
        caller = Caller(client, good.replace("Basic", scheme))
        assert caller.send(broadcast=True).status_code == 201


def test_credentials_are_judged_before_the_body_the_method_and_the_object(db, client):
    for method, path in (
        ("POST", "/notifications"),
        ("DELETE", "/notifications"),
        ("GET", "/notifications/not-a-number/install-opens"),
        ("POST", f"/v1/app-installs/{'x' * 300}/events"),
    ):
        assert client.generic(method, path, data=b"{broken").status_code == 401


def test_one_request_reads_keys_with_one_query(backend, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert backend.ask("POST", "/notifications", b"{").status_code == 422


def test_session_cookies_mean_nothing_here(db, client: Client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    refused(client.post("/notifications", data=b"{}", content_type="application/json"))
