"""What no route or method answers is refused in the dialect's shape (contracts/kumulos §5.0)."""

import pytest


def check_error(answer, status):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/notifications/",
        "/notifications/1/installs",
        "/Notifications",
        "/v1/app-installs//events/",
        "/channels/",
        "/v1/app-installs/a/nothing",
        "/v1/users/u/checkins",
        "/v1/deeplinks/x",
        "/v1/banners",
        "/b2.2/x",
        "/favicon.ico",
        "/%00",
        "/%ff",
        "/a%0Ab",
        "//notifications",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_what_is_not_there_is_404(backend, method, path):
    check_error(backend.ask(method, path), 404)


@pytest.mark.parametrize("debug", [False, True])
def test_what_is_not_there_is_404_in_debug_mode_too(backend, settings, debug):
    settings.DEBUG = debug
    check_error(backend.ask("GET", "/nothing"), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_sending_is_a_post(backend, method):
    answer = backend.ask(method, "/notifications")
    check_error(answer, 405)
    assert answer.headers["Allow"] == "GET, POST, HEAD"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("by", ["install", "user"])
def test_opens_are_only_read(backend, method, by):
    check_error(backend.ask(method, f"/notifications/1/{by}-opens"), 405)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "BREW"])
def test_events_are_only_posted(device, method):
    answer = device.ask(method, "/v1/app-installs/install-1/events")
    assert answer.status_code == 405


@pytest.mark.parametrize("host", ["push.kumulos.com", "crm.kumulos.com", "events.example.org"])
def test_every_route_answers_on_every_host(client, backend, device, host):
    body = b'{"title":"t","message":"m","broadcast":true}'
    for caller, path, data, status in (
        (backend, "/notifications", body, 201),
        (device, "/v1/app-installs/i/events", b"[]", 202),
    ):
        headers = {"authorization": caller.authorization, "host": host}
        answer = client.post(path, data, content_type="application/json", headers=headers)
        assert answer.status_code == status, answer.content


def test_our_own_mistakes_are_500_without_a_word_about_them(backend, monkeypatch):
    def broken(_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.kumulos.notifications.views.send_notification", broken)
    backend.client.raise_request_exception = False
    answer = backend.send(broadcast=True)
    check_error(answer, 500)
    assert b"secret detail" not in answer.content
