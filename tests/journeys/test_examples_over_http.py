"""Every documented example once more: over HTTP, with real workers and phones that ring."""

import json
import urllib.error
import urllib.request
from base64 import b64encode

import pytest

from tests.journeys.stack import wait_until
from tests.replay import examples, replay, steps

EXAMPLES = examples("kumulos")
KEYS = {"backend": "server_key", "device": "secret_key"}


def caller(stack):
    def ask(who, method, where, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(stack.url + where, data, method=method)
        request.add_header("Content-Type", "application/json")
        if who in KEYS:  # a stranger has none
            pair = f"{stack.app['api_key']}:{stack.app[KEYS[who]]}".encode()
            request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    return ask


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_example_is_answered_as_documented(stack, path):
    replay(path, caller(stack), {"app": stack.app["id"]})


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
