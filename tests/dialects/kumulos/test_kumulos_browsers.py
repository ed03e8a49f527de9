"""Device routes answer web pages of other origins (contracts/kumulos §2.0)."""

import pytest

from crm.models import Install
from gateway.kumulos.devices import views

EVENTS = "/v1/app-installs/install-1/events"
ORIGIN = "Access-Control-Allow-Origin"


def test_a_preflight_needs_no_credentials(db, client):
    answer = client.options(
        EVENTS,
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    assert 200 <= answer.status_code < 300
    assert answer.headers[ORIGIN] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE"
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert allowed == "Authorization, Content-Type, Accept, Idempotency-Key"
    assert not Install.objects.exists()


def test_a_preflight_of_an_install_with_slashes_is_answered(client):
    assert client.options("/v1/app-installs/a%2Fb%20c/events").status_code == 204


def test_answers_may_be_read_by_any_page(device, event):
    answer = device.tell(event("buy"))
    assert (answer.status_code, answer.headers[ORIGIN]) == (202, "*")


def test_refusals_may_be_read_by_any_page(db, client, device):
    refusals = {
        401: client.post(EVENTS),
        404: device.ask("GET", "/v1/app-installs/install-1/nothing"),
        405: device.ask("GET", EVENTS),
        422: device.ask("POST", EVENTS, {}),
    }
    for status, answer in refusals.items():
        assert answer.status_code == status, answer.content
        assert answer.headers[ORIGIN] == "*", status
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["/v1/channels/a", "/v1/users/u/checkins", "/v1/web/push"])
def test_device_routes_that_are_not_there_are_404_any_page_may_read(db, client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers[ORIGIN] == "*"
    assert list(answer.json()) == ["error"]


def test_even_our_own_mistakes_may_be_read(device, event, monkeypatch):
    def broken(**_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(views, "record_events", broken)
    device.client.raise_request_exception = False
    answer = device.tell(event("buy"))
    assert answer.status_code == 500
    assert answer.headers[ORIGIN] == "*"
    assert answer.json() == {"error": "Internal error."}


def test_server_routes_are_not_for_browsers(backend):
    assert ORIGIN not in backend.send(broadcast=True).headers
    answer = backend.ask("OPTIONS", "/notifications")
    assert answer.status_code == 405
    assert ORIGIN not in answer.headers
