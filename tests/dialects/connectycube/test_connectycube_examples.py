"""Every documented example, request and answer, replayed from `examples/`."""

import pytest

from tests.replay import examples, replay, steps

EXAMPLES = examples("connectycube")

# the routes of the vendor's pages, by how their paths begin
DOCUMENTED = {"session", "login", "users", "subscriptions", "events"}


@pytest.fixture
def callers(cube, person):
    """Give whoever an example may be asked by."""
    john = person("john", external_id="crm-17", tags=["doctor", "vip"])
    return {
        "nobody": cube,
        "application": cube.of(None),
        "user": cube.of(john),
        "other": cube.of(person("jane")),
        "key": cube.with_key(),
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_example_is_answered_as_documented(path, callers, cube):
    def ask(who, method, where, body):
        answer = callers[who].ask(method, where, body)
        return answer.status_code, answer.content

    known = {
        "app": cube.keys.app.pk,
        "auth_key": cube.keys.auth_key,
        "john": callers["user"].user.pk,
        "jane": callers["other"].user.pk,
    }
    replay(path, ask, known)


def test_there_are_examples_of_every_documented_route():
    asked = {
        step["path"].split("/")[1].partition(".")[0] for path in EXAMPLES for step in steps(path)
    }
    assert asked >= DOCUMENTED
