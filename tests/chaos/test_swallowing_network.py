"""Connections to the engines on which nothing arrives any more, while new ones work.

The proxy's kernel acknowledges what it is sent, so nothing but deadlines of our own ends the wait;
against a network that acknowledges nothing there are TCP's (`gateway/env.py`).
"""

import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.chaos.asking import one_to_one, push_to_one, stored
from tests.chaos.broadcast import LONG, in_mid_broadcast
from tests.chaos.recovery import recover
from tests.chaos.swallower import Swallower
from tests.journeys.stack import Stack, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.long]

PROCESSES = ("web", "worker", "beat")
ANSWER = 15.0
"""Seconds a caller waits at most: the database's three, the broker's one, and a busy machine."""

ENDS = 180.0
"""A task's hard limit is a minute; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """Give a gateway that reaches its engines through a network of ours."""
    stack = Stack(tmp_path_factory.mktemp("behind"), careless=False)
    networks = {}
    try:
        stack.start()
        database = urlsplit(stack.environ["DATABASE_URL"])
        folder, broker = unquote(database.netloc.rpartition("@")[2]), stack.environ["REDIS_URL"]
        networks["postgres"] = Swallower(
            next(Path(folder.partition(":")[0]).glob(".s.PGSQL.*[0-9]"))
        )
        networks["valkey"] = Swallower(Path(urlsplit(broker).path))
        user = database.netloc.rpartition("@")[0]
        place = f"{user}@127.0.0.1:{networks['postgres'].port}"
        stack.environ["DATABASE_URL"] = database._replace(netloc=place).geturl()
        stack.environ["REDIS_URL"] = f"redis://127.0.0.1:{networks['valkey'].port}/0"
        for name in PROCESSES:
            command = stack._commands[name]
            stack.kill(name)
            stack.run(name, command)
        wait_until("ready", lambda: stack.call("GET", "/readyz", keys=None).status == 200)
        yield stack, networks
    finally:
        stack.stop()
        for network in networks.values():
            network.close()


@pytest.mark.parametrize(
    "engine",
    [
        "valkey",
        pytest.param(
            "postgres", marks=pytest.mark.skipif(not LONG, reason="a task's limit is a minute")
        ),
    ],
)
def test_nothing_waits_for_ever_where_nothing_arrives(behind, engine):
    stack, networks = behind
    stack.control.post("/reset")
    stack.app = stack.new_app()
    in_mid_broadcast(stack)

    with one_to_one(stack) as answers:
        assert networks[engine].swallow() > 0
        time.sleep(1)
        began = time.monotonic()
        push_to_one(stack, 1)
        took = time.monotonic() - began

    assert took < ANSWER
    told = {int(answer.body["id"]) for answer in answers if answer.status == 201}
    assert told <= set(stored(stack))
    recover(stack, f"network swallows, {engine}", *stored(stack), seconds=ENDS)
    wait_until("ready", lambda: stack.call("GET", "/readyz", keys=None).status == 200)
