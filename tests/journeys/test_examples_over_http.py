"""Every documented example once more: over HTTP, with real workers and phones that ring."""

import json
import urllib.request
from base64 import b64encode

import pytest

from tests.journeys.cube import CubeCallers
from tests.journeys.stack import exchange, wait_until
from tests.replay import examples, replay, steps

EXAMPLES = examples("kumulos")
CUBE_EXAMPLES = examples("connectycube")
KEYS = {"backend": "server_key", "device": "secret_key"}


def caller(stack):
    def ask(who, method, where, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(stack.url + where, data, method=method)
        request.add_header("Content-Type", "application/json")
        if who in KEYS:  # a stranger has none
            pair = f"{stack.app['api_key']}:{stack.app[KEYS[who]]}".encode()
            request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
        return exchange(request)

    return ask


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_example_is_answered_as_documented(stack, path):
    replay(path, caller(stack), {"app": stack.app["id"]})


# -- ConnectyCube


@pytest.fixture
def callers(stack):
    """Give whoever an example may be asked by."""
    return CubeCallers(stack.url, stack.app)


@pytest.mark.parametrize("path", CUBE_EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_cube_example_is_answered_as_documented(callers, path):
    replay(path, callers.ask, callers.known)


FLOWERS = "Walking in a flowers garden"
GAME = {"title": "Game Request", "body": "Bob wants to play poker"}
HELLO = {"dialog_id": "89y970c0912c123fed45652n", "user_id": 51}
GARDEN = {"alert": {"body": FLOWERS}}

RECEIVED = {
    "event-create-read-edit-delete": {
        "apns": {"aps": {"alert": GAME, "badge": 5}, "acme1": "bar"},
    },
    "event-ios": {"apns": {"aps": {"alert": "Hello world", "badge": 2}, **HELLO}},
    "event-android": {"fcm": {"message": "New message arrived"}},
    "event-universal": {
        "apns": {"aps": {**GARDEN, "badge": 2, "sound": "lounge.wav"}, "user_id": "51"},
        "fcm": {"message": FLOWERS, "user_id": "51"},
    },
    "event-universal-text": {"apns": {"aps": GARDEN}},
    "event-form": {"apns": {"aps": {"alert": "Hello world", "badge": 2}, **HELLO}},
}
"""What the message of an example is on a device (contracts/connectycube §9)."""


@pytest.mark.parametrize("name", RECEIVED)
def test_a_documented_event_is_received_as_documented(stack, callers, name):
    [path] = [path for path in CUBE_EXAMPLES if path.stem == name]
    made = callers.take(path, {"/subscriptions", "/events", "/events.json"})
    ids = {one["notification_channel"]["name"]: one["id"] for one in made}

    def received():
        records = stack.control.get("/received?limit=100000")["records"]
        found = {r["provider"]: r for r in records if r["accepted"]}
        return found if found.keys() == RECEIVED[name].keys() else None

    for provider, record in wait_until("received", received, seconds=20).items():
        if provider == "apns":
            assert record["payload"] == RECEIVED[name]["apns"]
            headers = record["headers"]
            assert (headers["apns-push-type"], headers["apns-priority"]) == ("alert", "10")
            assert headers["apns-topic"] == stack.simulator.facts["apns"]["topic"]
        else:
            message = record["payload"]["message"]
            assert message["data"] == RECEIVED[name]["fcm"]
            assert next(iter(message["data"])) == "message"
            assert message["android"]["collapse_key"] == f"event{ids['gcm']}"
            assert message["android"]["priority"].lower() == "high"
            assert "notification" not in message


# -- broadcasts of Kumulos

BROADCASTS = [
    path
    for path in EXAMPLES
    if any(
        step["path"] == "/notifications"
        and step["status"] == 201
        and step["body"].get("broadcast")
        and not step["body"].get("scheduled")
        for step in steps(path)
    )
]


@pytest.mark.parametrize("path", BROADCASTS, ids=lambda path: path.stem)
def test_a_documented_broadcast_rings_every_phone(stack, path):
    stack.phones(1, "ios")
    stack.phones(1, "android")

    replay(path, caller(stack), {"app": stack.app["id"]})

    asked = [s["body"] for s in steps(path) if s["path"] == "/notifications" and "body" in s]
    wanted = {(body["title"], body["message"]) for body in asked if "title" in body}

    def shown():
        phones = stack.control.get("/phones")["phones"]
        texts = [{(p["title"], p["body"]) for p in phone["pushes"]} for phone in phones]
        return all(wanted <= text for text in texts)

    wait_until("on every phone", shown, seconds=10)
