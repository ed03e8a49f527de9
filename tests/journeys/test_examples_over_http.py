"""Every documented example once more: over HTTP, with real workers and phones that ring."""

import json
import urllib.request
from base64 import b64encode

import pytest

from tests.journeys.cube import CubeCallers
from tests.journeys.cube_received import RECEIVED, read
from tests.journeys.stack import exchange, wait_until
from tests.replay import examples, replay, steps

EXAMPLES = examples("kumulos")
CUBE_EXAMPLES = examples("connectycube")
KEYS = {"backend": "server_key", "device": "secret_key"}

# one message to one phone, again and again: who is named is what these are about
ONLY_ANSWERED = {"event-targets", "event-targets-spelled"}


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


@pytest.fixture
def quiet(stack):
    """Forget what earlier examples sent, once all of it has been sent."""
    wait_until("nothing is under way", lambda: not under_way(stack))
    stack.control.post("/reset")


def under_way(stack):
    with stack.database() as database:
        query = """SELECT count(*) FROM delivery_occurrence
                    WHERE state IN ('due', 'planning', 'sending') AND due_at <= now()"""
        [(count,)] = database.execute(query).fetchall()
    return count


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", RECEIVED)
def test_a_documented_event_is_received_as_documented(stack, callers, name):
    [path] = [path for path in CUBE_EXAMPLES if path.stem == name]
    made = callers.take(path, {"/subscriptions", "/events", "/events.json"})
    ids = {one["notification_channel"]["name"]: one["id"] for one in made}

    for one in made:
        wait_until("over", lambda one=one: has_run(callers, one), seconds=20)

    seen = stack.control.get("/received?limit=100000")["records"]
    pushes = [record for record in seen if record["provider"] != "oauth"]
    assert all(record["accepted"] for record in pushes)
    own = stack.simulator.facts["apns"]["topic"]
    found = [(one["token"], read(one, own=own, gcm=ids.get("gcm", 0))) for one in pushes]
    assert len(found) == len(RECEIVED[name])  # one each, and none elsewhere
    assert dict(found) == RECEIVED[name]


def has_run(callers, made):
    """Say whether an event is over; it reads back as the seed's list shows one that is."""
    status, content = callers.ask("user", "GET", f"/events/{made['id']}", None)
    read = json.loads(content)["event"]
    over = {"occured_count": 1, "active": False}
    return status == 200 and read == {**made, **over, "updated_at": read["updated_at"]}


def test_every_documented_event_that_is_sent_at_once_is_looked_for_on_devices():
    at_once = {path.stem for path in CUBE_EXAMPLES if sends_at_once(path)}
    assert at_once == RECEIVED.keys() | ONLY_ANSWERED


def sends_at_once(path):
    said = [
        step["body"]["event"] if isinstance(step["body"], dict) else {}
        for step in steps(path)
        if step["path"].startswith("/events") and step["method"] == "POST" and step["status"] == 201
    ]
    return any("date" not in event for event in said)


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
