"""Too many requests of an app, and too many wrong keys: refused in each dialect's own words."""

import pytest
from connectycube_calls import errors
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kumulos_calls import Caller, basic
from prometheus_client import REGISTRY

from crm.commands.accounts import SignUp, sign_up
from crm.commands.apps import create_app
from crm.models import UsedNonce
from gateway.kumulos import auth
from gateway.rest import strangers, throttling
from gateway.rest.strangers import Strangers
from gateway.rest.throttling import Throttle

SOMEWHERE, ELSEWHERE = "8.8.8.8", "9.9.9.9"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Begin with nobody counted."""
    monkeypatch.setattr(throttling, "throttle", Throttle())
    monkeypatch.setattr(strangers, "strangers", Strangers())
    monkeypatch.setattr(auth, "keys", auth.KeyCache())


@pytest.fixture
def narrow(app):
    """Let one request a second through each of the app's doors, and two at once."""
    app.rate_limit = 1
    app.save()


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.usefixtures("narrow")
def test_a_backend_that_asks_too_often_is_told_to_wait(backend, app):
    before = count("gateway_http_throttled_total", app=str(app.pk), door="server")
    answers = [backend.send(broadcast=True) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json() == {"error": "Too Many Requests"}
    assert answers[2].headers["Retry-After"] == "1"
    after = count("gateway_http_throttled_total", app=str(app.pk), door="server")
    assert after - before == 1


@pytest.mark.usefixtures("narrow")
def test_an_application_that_asks_too_often_is_told_to_wait(cube):
    answers = [cube.open() for _ in range(3)]
    assert errors(answers[2], 429) == ["Too Many Requests"]
    assert answers[2].headers["Retry-After"] == "1"
    assert [answer.status_code for answer in answers[:2]] == [201, 201]


@pytest.mark.usefixtures("narrow")
def test_a_session_that_asks_too_often_is_told_to_wait(cube, app):
    john = cube.of(sign_up(SignUp(app=app, login="john", password="secret 1")))
    answers = [john.ask("GET", "/subscriptions") for _ in range(3)]
    assert errors(answers[2], 429) == ["Too Many Requests"]
    assert answers[2].headers["CB-Token-ExpirationDate"]


@pytest.mark.usefixtures("narrow")
def test_each_door_and_each_app_has_room_of_its_own(backend, device, client):
    for _ in range(3):
        last = backend.send(broadcast=True)
    assert last.status_code == 429
    assert device.tell().status_code == 202
    other = create_app(name="Other")
    assert (
        Caller(client, basic(other.api_key, other.server_key)).send(broadcast=True).status_code
        == 201
    )


@pytest.mark.usefixtures("narrow")
def test_nothing_of_a_refused_request_is_read(backend):
    for _ in range(2):
        backend.send(broadcast=True)
    with CaptureQueriesContext(connection) as asked:
        assert backend.ask("POST", "/notifications", b"{broken").status_code == 429
    assert len(asked) == 0


def test_wrong_keys_use_up_no_apps_room(cube, app):
    app.rate_limit = 1
    app.save()
    for _ in range(5):
        assert cube.open(auth_key="wrong").status_code == 422
    assert cube.open().status_code == 201


def test_a_signed_request_that_had_to_wait_may_come_again(cube, app):
    # its nonce is used by the request that is heard, and not by one that is sent away
    app.rate_limit, app.cube_signature_required = 1, True
    app.save()
    for _ in range(2):
        assert cube.open().status_code == 422
    assert cube.open().status_code == 429
    assert not UsedNonce.objects.exists()


@pytest.mark.parametrize("rate", [0, None])
def test_zero_is_no_limit_and_the_default_is_far_away(backend, app, rate):
    app.rate_limit = rate
    app.save()
    assert {backend.ask("GET", "/channels").status_code for _ in range(60)} == {200}


def test_an_operator_sets_an_apps_rate(app, capsys):
    for said, kept in (("50", 50), ("0", 0), ("", None)):
        call_command("set_app", str(app.pk), f"--rate-limit={said}")
        app.refresh_from_db()
        assert app.rate_limit == kept
    call_command("set_app", str(app.pk), "--kumulos-v2-status=200")
    assert "rate_limit" in capsys.readouterr().out


def test_the_broker_that_is_away_stops_nobody(backend, app, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    app.rate_limit = 1
    app.save()
    assert {backend.ask("GET", "/channels").status_code for _ in range(5)} == {200}


# -- wrong keys


@pytest.fixture
def few(settings):
    settings.WRONG_KEYS = 3


def knock(client, new_app, *, secret="wrong", address=SOMEWHERE, **headers):
    caller = Caller(client, basic(new_app.api_key, secret))
    return caller.ask("GET", "/channels", REMOTE_ADDR=address, **headers)


@pytest.mark.usefixtures("few")
def test_after_many_wrong_keys_an_address_has_to_wait(client, new_app):
    before = count("gateway_http_strangers_refused_total", why="wrong keys")
    assert [knock(client, new_app).status_code for _ in range(3)] == [401] * 3
    with CaptureQueriesContext(connection) as asked:
        answer = knock(client, new_app)
    assert (answer.status_code, answer.json()) == (429, {"error": "Too Many Requests"})
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(asked) == 0, "a guess costs no look-up"
    assert count("gateway_http_strangers_refused_total", why="wrong keys") - before == 1
    assert knock(client, new_app, address=ELSEWHERE).status_code == 401


@pytest.mark.usefixtures("few")
def test_keys_that_opened_a_moment_ago_still_open(client, new_app):
    assert knock(client, new_app, secret=new_app.server_key).status_code == 200
    for _ in range(4):
        knock(client, new_app)
    assert knock(client, new_app, secret=new_app.server_key).status_code == 200


@pytest.mark.usefixtures("few")
def test_an_application_with_wrong_keys_has_to_wait(cube):
    def ask(**said):
        body = {**cube.opening, "auth_key": "wrong", **said}
        return cube.ask("POST", "/session", body, REMOTE_ADDR=SOMEWHERE)

    assert [ask().status_code for _ in range(3)] == [422] * 3
    assert errors(ask(**cube.opening), 429) == ["Too Many Requests"]
    sign = {"user": {"login": "dacia", "password": "petU4or!"}}
    headers = {"CB-AuthKey": "wrong"}
    answer = cube.ask("POST", "/users", sign, headers=headers, REMOTE_ADDR=SOMEWHERE)
    assert errors(answer, 429) == ["Too Many Requests"]


@pytest.mark.usefixtures("few")
def test_the_minute_ends(client, new_app, monkeypatch):
    hands = [1000.0]
    monkeypatch.setattr(strangers, "monotonic", lambda: hands[0])
    for _ in range(4):
        last = knock(client, new_app)
    assert (last.status_code, last.headers["Retry-After"]) == (429, "60")
    hands[0] += 60
    assert knock(client, new_app, secret=new_app.server_key).status_code == 200


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "fd00::1", "", "unix:"])
def test_behind_a_proxy_nobody_said_anything_of_nobody_waits(client, new_app, address):
    assert {knock(client, new_app, address=address).status_code for _ in range(6)} == {401}


@pytest.mark.usefixtures("few")
def test_proxies_are_believed_as_far_as_they_are_ours(client, new_app, settings):
    settings.PROXY_HOPS = 1

    def ask(passed, **said):
        return knock(client, new_app, address="10.0.0.1", HTTP_X_FORWARDED_FOR=passed, **said)

    for number in range(4):
        last = ask(f"1.2.3.{number}, {SOMEWHERE}")  # what the caller itself says changes nothing
    assert last.status_code == 429
    assert ask(ELSEWHERE).status_code == 401


@pytest.mark.usefixtures("few")
def test_a_household_of_the_new_internet_is_one_address(client, new_app):
    for number in range(4):
        last = knock(client, new_app, address=f"2001:4860:4860:1::{number + 1}")
    assert last.status_code == 429
    assert knock(client, new_app, address="2001:4860:4860:2::1").status_code == 401
    for _ in range(4):
        last = knock(client, new_app, address=f"::ffff:{ELSEWHERE}")
    assert last.status_code == 429
    assert knock(client, new_app, address=ELSEWHERE).status_code == 429


def test_a_setting_of_zero_counts_nobody(client, new_app, settings):
    settings.WRONG_KEYS = 0
    assert {knock(client, new_app).status_code for _ in range(6)} == {401}


def test_what_is_remembered_of_strangers_is_bounded(monkeypatch):
    monkeypatch.setattr(strangers, "LARGEST", 3)
    counts = Strangers()
    for number in range(10):
        counts.failed(str(number))
        assert len(counts._counts) <= 3
    assert set(counts._counts) == {"7", "8", "9"}
