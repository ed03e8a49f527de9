"""Every documented example, request and answer, replayed from `examples/`."""

import pytest
from kumulos_calls import Caller

from tests.replay import examples, replay, steps

EXAMPLES = examples("kumulos")

# the routes of the vendor's pages and of its SDKs, by how their paths end
DOCUMENTED = {
    "notifications",
    "install-opens",
    "user-opens",
    "channels",
    "subscriptions",
    "users",
    "attributes",
    "in-app",
    "events",
    "messages",
    "config",
    "segments",
    "push-token",
    "user-id",
    "location",
    "opens",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_example_is_answered_as_documented(path, client, backend, device, app):
    callers = {"backend": backend, "device": device, "stranger": Caller(client, "")}

    def ask(who, method, where, body):
        answer = callers[who].ask(method, where, body)
        return answer.status_code, answer.content

    replay(path, ask, {"app": app.pk})


def test_there_are_examples_of_every_documented_route():
    asked = {
        step["path"].partition("?")[0].split("/")[-1] for path in EXAMPLES for step in steps(path)
    }
    assert asked >= DOCUMENTED
